/** Endpoints about the server itself. */
import { availableParallelism, totalmem } from 'node:os'
import type { ApiEndpoint } from './call.ts'
import type { ApiDependencies, RuntimeInfo } from './dependencies.ts'
import { type Json, successJson } from './json.ts'
import { formatRfc3339 } from './rfc3339.ts'

type Dependencies = Pick<ApiDependencies, 'getConfig' | 'flags' | 'buildInfo' | 'runtimeInfo'> & {
  now(): number
}

export function statusEndpoints(dependencies: Dependencies): ApiEndpoint[] {
  const { getConfig, flags, buildInfo, runtimeInfo, now } = dependencies
  const endpoint = (path: string, data: () => Json): ApiEndpoint => ({
    path,
    handle: () => ({ status: 200, body: successJson(data()) }),
  })
  return [
    endpoint('/status/config', () => ({ yaml: getConfig().yaml })),
    endpoint('/status/flags', () => new Map(Object.entries(flags))),
    endpoint('/status/buildinfo', () => ({ ...buildInfo })),
    endpoint('/status/runtimeinfo', () => runtimeInfoJson(runtimeInfo(), now())),
  ]
}

/** What is Go's own has the nearest thing of Node in its place, or is empty. */
function runtimeInfoJson(info: RuntimeInfo, nowMs: number): Json {
  return {
    startTime: formatRfc3339(info.startTimeMs),
    CWD: info.cwd,
    hostname: info.hostname,
    serverTime: formatRfc3339(nowMs),
    reloadConfigSuccess: info.isConfigGood,
    lastConfigTime: formatRfc3339(info.lastConfigTimeMs),
    corruptionCount: info.corruptionCount,
    goroutineCount: info.threadCount,
    GOMAXPROCS: availableParallelism(),
    GOMEMLIMIT: Math.min(process.constrainedMemory() || totalmem(), totalmem()),
    GOGC: '',
    GODEBUG: '',
    storageRetention: info.storageRetention,
  }
}
