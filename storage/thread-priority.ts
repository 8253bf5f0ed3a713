/**
 * Threads that may wait: the operating system gives them the processors that scraping leaves. Linux has a priority a
 * thread; elsewhere nothing changes.
 */
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** `nice`: 0 to 19, higher is less urgent. Of the calling thread only. */
export function lowerThreadPriority(nice: number): void {
  try {
    // "1234/task/1240": what Linux calls a thread's id is a process' to `setPriority`.
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    setPriority(thread, nice)
  } catch {
    // No Linux, or a sandbox that forbids it: everything works, with less regard for who is waiting.
  }
}
