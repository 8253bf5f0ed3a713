/** The whole server as a process of its own: the program that a user starts, on a free loopback port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')
const HEALTHY_WITHIN_MS = 15_000
const STOPPED_WITHIN_MS = 20_000

export interface NarthexOptions {
  /** Text of the configuration file; without it the server is started in an empty folder without any. */
  config?: string
  /** Further flags. */
  args?: readonly string[]
  /** Kept when the server ends; without it a temporary folder that goes with the server. */
  dataPath?: string
  port?: number
}

export interface RunningNarthex {
  /** `http://127.0.0.1:port`, without a slash at its end. */
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly dataPath: string
  /** Of the configuration file; whoever writes to it reloads. */
  readonly configPath: string
  /** Unix ms at which the process was started. */
  readonly startedAtMs: number
  /** All that it has written so far, stdout and stderr. */
  logs(): string
  /** SIGTERM. Resolves to the exit code; rejects when it does not end in time, or ends by a signal. */
  stop(): Promise<number>
  /** SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>
  signal(name: NodeJS.Signals): void
}

// A test process that ends early takes its servers and folders along.
const running = new Set<Child>()
const folders = new Set<string>()
process.once('exit', () => {
  for (const child of running) child.signal('SIGKILL')
  for (const path of folders) rmSync(path, { recursive: true, force: true })
})

/** A port of 127.0.0.1 on which nobody listened a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      if (address === null || typeof address === 'string') throw new Error('a TCP server has an address')
      probe.close(() => resolve(address.port))
    })
  })
}

/** A folder that is removed when the test process ends, if not before. */
export function temporaryFolder(prefix: string): string {
  const path = mkdtempSync(join(tmpdir(), prefix))
  folders.add(path)
  return path
}

function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true })
  folders.delete(path)
}

/** Resolves when the server answers /-/healthy; rejects, with its log, when it ends before that. */
export async function startNarthex(options: NarthexOptions = {}): Promise<RunningNarthex> {
  const folder = temporaryFolder('narthex-test-')
  const port = options.port ?? (await freePort())
  const dataPath = options.dataPath ?? join(folder, 'data')
  const configPath = join(folder, 'prometheus.yml')
  const args = [`--web.listen-address=127.0.0.1:${port}`, `--storage.tsdb.path=${dataPath}`]
  if (options.config !== undefined) {
    writeFileSync(configPath, options.config)
    args.push(`--config.file=${configPath}`)
  }
  const startedAtMs = Date.now()
  const child = new Child([...args, ...(options.args ?? [])], folder)
  const server: RunningNarthex = {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    dataPath,
    configPath,
    startedAtMs,
    logs: () => child.output,
    stop: () => child.stop().finally(() => removeFolder(folder)),
    kill: async () => {
      child.signal('SIGKILL')
      await child.ended
      removeFolder(folder)
    },
    signal: (name) => child.signal(name),
  }
  try {
    await answers(`${server.url}/-/healthy`, child)
  } catch (error) {
    await server.kill()
    throw error
  }
  return server
}

/** Polls until /-/ready answers 200. Rejects after `withinMs`, with the log. */
export async function waitUntilReady(server: RunningNarthex, withinMs = 30_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (Date.now() < deadline) {
    const response = await fetch(`${server.url}/-/ready`).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.status === 200) return
    await sleep(20)
  }
  throw new Error(`not ready within ${withinMs} ms:\n${server.logs()}`)
}

export interface Exit {
  /** null when a signal ended it. */
  code: number | null
  stdout: string
  stderr: string
}

/** Runs the program to its own end, for command lines with which it does not stay. Kills it after `withinMs`. */
export async function runNarthex(args: readonly string[], cwd: string, withinMs = 15_000): Promise<Exit> {
  const child = new Child(args, cwd)
  const timer = setTimeout(() => child.signal('SIGKILL'), withinMs)
  const { code } = await child.ended
  clearTimeout(timer)
  return { code, stdout: child.stdout, stderr: child.stderr }
}

class Child {
  readonly pid: number
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  stdout = ''
  stderr = ''
  output = ''
  private readonly process: ChildProcess
  private isEnded = false

  constructor(args: readonly string[], cwd: string) {
    this.process = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    if (this.process.pid === undefined) throw new Error(`cannot start ${process.execPath}`)
    this.pid = this.process.pid
    this.process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.output += text
    })
    this.process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.output += text
    })
    running.add(this)
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        this.isEnded = true
        running.delete(this)
        resolve({ code, signal })
      })
    })
  }

  get hasEnded(): boolean {
    return this.isEnded
  }

  signal(name: NodeJS.Signals): void {
    if (!this.isEnded) process.kill(this.pid, name)
  }

  async stop(): Promise<number> {
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), STOPPED_WITHIN_MS)
    const { code, signal } = await this.ended
    clearTimeout(timer)
    if (code === null) throw new Error(`SIGTERM did not stop it, ${signal} did:\n${this.output}`)
    return code
  }
}

async function answers(url: string, child: Child): Promise<void> {
  const deadline = Date.now() + HEALTHY_WITHIN_MS
  while (Date.now() < deadline && !child.hasEnded) {
    const response = await fetch(url).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.status === 200) return
    await sleep(20)
  }
  if (child.hasEnded) {
    const { code, signal } = await child.ended
    throw new Error(`the server ended with ${code ?? signal} instead of starting:\n${child.output}`)
  }
  throw new Error(`${url} did not answer within ${HEALTHY_WITHIN_MS} ms:\n${child.output}`)
}
