// Goal: lines come into the file whole and in order, and what a failing disk swallows is counted to the line.
// Method: a real file; /dev/full, on which every write fails; and a sink that takes a given number of bytes a write.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LineFile, type LineSink } from '../../src/telemetry/line-file.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'narthex-lines-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const never = () => {
  throw new Error('no line is lost')
}

/** Takes so many bytes a write, in turn; of −1 the write fails. Beyond the last it takes all. */
function meanSink(takes: number[]): LineSink & { text: string } {
  const sink = {
    text: '',
    write: async (bytes: Uint8Array, offset: number) => {
      const take = takes.shift() ?? bytes.length
      if (take < 0) throw new Error('no space left')
      const part = bytes.subarray(offset, offset + take)
      sink.text += Buffer.from(part).toString()
      return { bytesWritten: part.length }
    },
    close: async () => {},
  }
  return sink
}

describe('a file of lines', () => {
  it('has them in their order, and those of before', async () => {
    const path = join(folder, 'order')
    for (const half of [0, 1]) {
      const file = await LineFile.open(path, never)
      for (let i = 0; i < 500; i++) file.add(`line ${half * 500 + i} ü`)
      await file.close()
    }
    const want = Array.from({ length: 1000 }, (_, i) => `line ${i} ü\n`).join('')
    expect(readFileSync(path, 'utf8')).toBe(want)
  })

  it('is not opened where there is no folder', async () => {
    await expect(LineFile.open(join(folder, 'none', 'f'), never)).rejects.toThrow('ENOENT')
  })

  it('goes on after a write that took only a part', async () => {
    const sink = meanSink([1, 3, 2])
    const file = new LineFile(sink, never)
    file.add('one')
    file.add('two')
    await file.close()
    expect(sink.text).toBe('one\ntwo\n')
  })

  it('counts what a failed write did not get out, and begins a new line behind a torn one', async () => {
    const lost: number[] = []
    // The first line goes out alone. Then "two\nthr|ee\nfour\n", of which eight bytes are taken; then two failures.
    const sink = meanSink([4, 7, -1, -1])
    const file = new LineFile(sink, (_, lines) => lost.push(lines))
    for (const line of ['one', 'two', 'three', 'four']) file.add(line)
    await new Promise((resolve) => setImmediate(resolve))
    file.add('five')
    await new Promise((resolve) => setImmediate(resolve))
    file.add('six')
    await file.close()
    expect(sink.text).toBe('one\ntwo\nthr\nsix\n')
    expect(lost).toEqual([2, 1])
  })

  it('loses what a disk that stands still leaves waiting, beyond a bound', async () => {
    let release = () => {}
    const sink: LineSink = {
      write: (bytes, at) =>
        new Promise((resolve) => {
          release = () => resolve({ bytesWritten: bytes.length - at })
        }),
      close: async () => {},
    }
    const lost: string[] = []
    const file = new LineFile(sink, (error) => lost.push(error.message))
    const line = 'x'.repeat(2 ** 20)
    for (let i = 0; i < 20; i++) file.add(line)
    expect(lost).toEqual(Array.from({ length: 3 }, () => 'the disk does not keep up'))
    const closed = file.close()
    release()
    await new Promise((resolve) => setImmediate(resolve))
    release()
    await closed
  })

  it('tells of each line that a full disk does not take', async () => {
    const lost: number[] = []
    const file = await LineFile.open('/dev/full', (_, lines) => lost.push(lines))
    for (let i = 0; i < 10; i++) file.add('x')
    await file.close()
    expect(lost.reduce((a, b) => a + b)).toBe(10)
  })
})
