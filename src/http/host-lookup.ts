/**
 * Host names to addresses, without letting slow names starve the rest.
 *
 * getaddrinfo blocks a thread of libuv's small pool, which LevelDB and gzip share, for as long as a name server is
 * silent. (The resolver in Node that needs no threads knows neither /etc/hosts nor search domains.) So at most
 * LOOKUPS_MAX lookups run at a time, names that were slow or failed last time may hold only SLOW_LOOKUPS_MAX of
 * these places, and a name is looked up once for all who ask meanwhile. Answers are kept for a moment only:
 * connections are kept alive, so lookups are rare, and a name that moves should be followed.
 */
import dns, { type LookupAddress, type LookupOptions } from 'node:dns'

const LOOKUPS_MAX = 3
const SLOW_LOOKUPS_MAX = 1
const SLOW_MS = 1000
const KEEP_MS = 2000
/** Names whose slowness is remembered; the oldest is forgotten first. */
const SLOW_NAMES_MAX = 10_000

type Callback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void

type Resolve = (
  hostname: string,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

interface Answer {
  addresses: LookupAddress[]
  untilMs: number
}

export class HostLookup {
  private readonly resolve: Resolve
  private readonly answers = new Map<string, Answer>()
  private readonly waiting = new Map<string, ((error: NodeJS.ErrnoException | null) => void)[]>()
  private readonly slowNames = new Set<string>()
  private readonly queue: string[] = []
  private readonly slowQueue: string[] = []
  private running = 0
  private slowRunning = 0

  constructor(
    resolve: Resolve = (hostname, done) => dns.lookup(hostname, { all: true, order: 'verbatim' }, done),
  ) {
    this.resolve = resolve
  }

  /** In the form that net.connect takes. */
  readonly lookup = (hostname: string, options: LookupOptions, callback: Callback): void => {
    const answer = this.answers.get(hostname)
    if (answer !== undefined && answer.untilMs > performance.now()) {
      // Never within the call: net.connect does not expect it.
      process.nextTick(give, answer.addresses, options, callback)
      return
    }
    const waiter = (error: NodeJS.ErrnoException | null): void => {
      if (error !== null) callback(error, [])
      else give(this.answers.get(hostname)!.addresses, options, callback)
    }
    const waiters = this.waiting.get(hostname)
    if (waiters !== undefined) {
      waiters.push(waiter)
      return
    }
    this.waiting.set(hostname, [waiter])
    if (this.slowNames.has(hostname)) this.slowQueue.push(hostname)
    else this.queue.push(hostname)
    this.startNext()
  }

  private startNext(): void {
    while (this.running < LOOKUPS_MAX) {
      const isSlow = this.queue.length === 0
      if (isSlow && this.slowRunning >= SLOW_LOOKUPS_MAX) return
      const hostname = isSlow ? this.slowQueue.shift() : this.queue.shift()
      if (hostname === undefined) return
      this.start(hostname, isSlow)
    }
  }

  private start(hostname: string, isSlow: boolean): void {
    this.running++
    if (isSlow) this.slowRunning++
    const startedMs = performance.now()
    this.resolve(hostname, (error, addresses) => {
      this.running--
      if (isSlow) this.slowRunning--
      const nowMs = performance.now()
      this.slowNames.delete(hostname)
      if (error !== null || nowMs - startedMs >= SLOW_MS) this.rememberSlow(hostname)
      const waiters = this.waiting.get(hostname)!
      this.waiting.delete(hostname)
      if (error === null) this.keep(hostname, addresses, nowMs)
      for (const waiter of waiters) waiter(error)
      this.startNext()
    })
  }

  private rememberSlow(hostname: string): void {
    this.slowNames.add(hostname)
    if (this.slowNames.size <= SLOW_NAMES_MAX) return
    for (const oldest of this.slowNames) {
      this.slowNames.delete(oldest)
      return
    }
  }

  private keep(hostname: string, addresses: LookupAddress[], nowMs: number): void {
    // Insertion order is age order, so the outdated ones come first.
    for (const [name, answer] of this.answers) {
      if (answer.untilMs > nowMs) break
      this.answers.delete(name)
    }
    this.answers.delete(hostname)
    this.answers.set(hostname, { addresses, untilMs: nowMs + KEEP_MS })
  }
}

function give(addresses: LookupAddress[], options: LookupOptions, callback: Callback): void {
  const wanted =
    options.family === 4 || options.family === 6
      ? addresses.filter(({ family }) => family === options.family)
      : addresses
  if (wanted.length === 0) {
    const error: NodeJS.ErrnoException = new Error('no address of the wanted family')
    error.code = 'ENOTFOUND'
    error.syscall = 'getaddrinfo'
    callback(error, [])
  } else if (options.all === true) callback(null, wanted)
  else callback(null, wanted[0].address, wanted[0].family)
}
