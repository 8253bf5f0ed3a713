/**
 * The ids of new blocks: one count for all threads that write blocks, in shared memory. Ids ascend, and none is given
 * twice, whatever becomes of it.
 */
const ID_MAX = 2 ** 32 - 2

export class BlockIds {
  /** One word: the last id that was given. Another thread makes its own object of it. */
  readonly words: Uint32Array<SharedArrayBuffer>

  constructor(words: Uint32Array<SharedArrayBuffer> = new Uint32Array(new SharedArrayBuffer(4))) {
    this.words = words
  }

  /** For a new block. Throws RangeError when there are no more. */
  take(): number {
    for (;;) {
      const last = Atomics.load(this.words, 0)
      if (last >= ID_MAX) throw new RangeError('no more ids for blocks')
      if (Atomics.compareExchange(this.words, 0, last, last + 1) === last) return last + 1
    }
  }

  /** Ids that are given from now on are above this one. Requires: no other thread takes any yet. */
  note(id: number): void {
    if (id > this.words[0]) this.words[0] = id
  }
}
