/**
 * Gives back the memory of a large query at once. V8 collects when it allocates, and a thread that has nothing to do does not:
 * columns and answers of some gigabytes would stay until the next query.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/** Collects this thread's garbage: some ten milliseconds. */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
