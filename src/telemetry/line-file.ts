/**
 * A file to which lines are added, in order, without anybody waiting for the disk.
 *
 * What is added during a write goes out with the next one, together. Lines that a failed write did not get out are
 * lost and told of; those after them are tried all the same, since a full disk has room again some day.
 */
import { type FileHandle, open } from 'node:fs/promises'

/** Characters that may wait for a disk that does not keep up; lines beyond that are lost. */
const WAITING_MAX = 16 * 2 ** 20

const NEWLINE = 0x0a

/** Told of lines that will never be in the file, and why. */
export type OnLost = (error: Error, lines: number) => void

/** The part of a FileHandle that is needed here. */
export type LineSink = Pick<FileHandle, 'close'> & {
  write(bytes: Uint8Array, offset: number): Promise<{ bytesWritten: number }>
}

export class LineFile {
  private readonly file: LineSink
  private readonly onLost: OnLost
  private waiting: string[] = []
  private waitingLength = 0
  private writing: Promise<void> | undefined
  /** What is in the file ends amid a line. */
  private isTorn = false

  /** The file is at its end, and closed with this. */
  constructor(file: LineSink, onLost: OnLost) {
    this.file = file
    this.onLost = onLost
  }

  /** Makes the file where there is none. Rejects with the file system's error. */
  static async open(path: string, onLost: OnLost): Promise<LineFile> {
    return new LineFile(await open(path, 'a', 0o666), onLost)
  }

  /** `line` without a line break. Requires: not closed. */
  add(line: string): void {
    if (this.waitingLength + line.length > WAITING_MAX) {
      this.onLost(new Error('the disk does not keep up'), 1)
      return
    }
    this.waiting.push(line)
    this.waitingLength += line.length
    this.writing ??= this.writeWaiting()
  }

  /** Resolves when all lines are in the file or lost. */
  async close(): Promise<void> {
    await this.writing
    await this.file.close()
  }

  private async writeWaiting(): Promise<void> {
    while (this.waiting.length > 0) {
      const lines = this.waiting
      this.waiting = []
      this.waitingLength = 0
      await this.write(lines)
    }
    this.writing = undefined
  }

  private async write(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(`${this.isTorn ? '\n' : ''}${lines.join('\n')}\n`)
    const begin = this.isTorn ? 1 : 0
    let at = 0
    try {
      while (at < bytes.length) at += (await this.file.write(bytes, at)).bytesWritten
    } catch (error) {
      this.onLost(error as Error, countLines(bytes, Math.max(at, begin)))
    }
    if (at > 0) this.isTorn = bytes[at - 1] !== NEWLINE
  }
}

/** Ends of lines from `at` on. */
function countLines(bytes: Uint8Array, at: number): number {
  let count = 0
  for (let i = bytes.indexOf(NEWLINE, at); i >= 0; i = bytes.indexOf(NEWLINE, i + 1)) count++
  return count
}
