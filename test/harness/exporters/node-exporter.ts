/** Debian's prometheus-node-exporter as a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../server.ts'

const PROGRAM = '/usr/bin/prometheus-node-exporter'
const ANSWERS_WITHIN_MS = 15_000

export interface NodeExporter {
  /** `127.0.0.1:port`. */
  address: string
  stop(): Promise<void>
}

/** Resolves when it answers. */
export async function startNodeExporter(): Promise<NodeExporter> {
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(PROGRAM, [`--web.listen-address=${address}`], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await ended
  }
  const deadline = Date.now() + ANSWERS_WITHIN_MS
  while (Date.now() < deadline && child.exitCode === null) {
    const response = await fetch(`http://${address}/metrics`).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.status === 200) return { address, stop }
    await sleep(100)
  }
  await stop()
  throw new Error(`prometheus-node-exporter does not answer:\n${log}`)
}
