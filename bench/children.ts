/** Processes and folders that a benchmark makes: none outlives it, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const STOPPED_WITHIN_MS = 60_000
const TASKSET = '/usr/bin/taskset'

const running = new Set<ChildProcess>()
const folders = new Set<string>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const path of folders) rmSync(path, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

export interface ChildOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Binds the process to one core, where `taskset` is there. */
  core?: number
}

/** A running process; what it says is kept for when it fails. */
export class Child {
  readonly pid: number
  readonly startedAtMs = Date.now()
  /** All of stdout and stderr so far. */
  output = ''
  private readonly process: ChildProcess
  private readonly ended: Promise<unknown>

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    const { core, cwd, env } = options
    const isBound = core !== undefined && existsSync(TASKSET)
    const line = isBound ? [TASKSET, '-c', String(core), command, ...args] : [command, ...args]
    this.process = spawn(line[0], line.slice(1), {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (this.process.pid === undefined) throw new Error(`cannot start ${command}`)
    this.pid = this.process.pid
    running.add(this.process)
    for (const stream of [this.process.stdout!, this.process.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
    this.ended = once(this.process, 'close').then(() => running.delete(this.process))
  }

  get hasEnded(): boolean {
    return !running.has(this.process)
  }

  /** The first line that it prints. Rejects when it ends before. */
  async firstLine(): Promise<string> {
    while (!this.output.includes('\n')) {
      if (this.hasEnded) throw new Error(`the process ended:\n${this.output}`)
      await Promise.race([once(this.process.stdout!, 'data'), this.ended])
    }
    return this.output.slice(0, this.output.indexOf('\n'))
  }

  /** Waits for its own end. Rejects, with all that it said, unless the exit code is 0. */
  async finished(): Promise<void> {
    await this.ended
    if (this.process.exitCode !== 0) throw new Error(`the process failed:\n${this.output}`)
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.hasEnded) this.process.kill('SIGKILL')
    await this.ended
  }

  /** SIGTERM, and SIGKILL when that takes too long. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.hasEnded) this.process.kill('SIGTERM')
    const late = setTimeout(() => this.process.kill('SIGKILL'), STOPPED_WITHIN_MS)
    await this.ended
    clearTimeout(late)
  }
}

/** A temporary folder, removed with the benchmark if `removeFolder` was not called before. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'narthex-bench-'))
  folders.add(path)
  return path
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true })
  folders.delete(path)
}

/** A port of 127.0.0.1 on which nobody listened a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address')
  return address.port
}
