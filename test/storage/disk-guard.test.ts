// Goal: what is refused when, and that it ends by itself. Method: a disk of which the test says what is free; the ballast
// is a real file, and what it takes is taken from that disk.
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DiskGuard, type DiskGuardOptions, type DiskState } from '../../storage/disk-guard.ts'

const MIB = 2 ** 20
let folder: string
/** MiB that others use of it. */
let used: number
let total: number
let guard: DiskGuard
let changes: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'narthex-disk-'))
  used = 0
  total = 64
  changes = []
})
afterEach(async () => {
  await guard.close()
  await rm(folder, { recursive: true })
})

const ballast = () => join(folder, 'ballast')
const ballastBytes = () => (existsSync(ballast()) ? statSync(ballast()).size : 0)

function show({ allowsSeries, allowsSamples, hasBallast }: Readonly<DiskState>): string {
  return `${allowsSeries ? 'series' : '-'} ${allowsSamples ? 'samples' : '-'} ${hasBallast ? 'ballast' : '-'}`
}

async function open(options: Partial<DiskGuardOptions> = {}): Promise<void> {
  guard = await DiskGuard.open({
    folder,
    intervalMs: 1e6,
    onChange: (state) => changes.push(show(state)),
    readSpace: async () => ({ totalBytes: total * MIB, freeBytes: (total - used) * MIB - ballastBytes() }),
    ...options,
  })
}

/** Free bytes in MiB beside the ballast of 8; the state after it. */
async function setFree(free: number): Promise<string> {
  used = total - free - 8
  await guard.check()
  return show(guard.state)
}

describe('DiskGuard', () => {
  it('refuses series at the first mark, samples at the second, and resumes with room to spare', async () => {
    await open()
    expect(ballastBytes()).toBe(8 * MIB)
    // 5 % of 64 MiB are 3.2, 2.5 % are 1.6, and a quarter more to resume.
    expect(await setFree(3.3)).toBe('series samples ballast')
    expect(await setFree(3.1)).toBe('- samples ballast')
    expect(await setFree(3.9)).toBe('- samples ballast')
    expect(await setFree(1.5)).toBe('- - ballast')
    expect(await setFree(1.9)).toBe('- - ballast')
    expect(await setFree(2.1)).toBe('- samples ballast')
    expect(await setFree(4.1)).toBe('series samples ballast')
    expect(changes).toEqual([
      'series samples ballast',
      '- samples ballast',
      '- - ballast',
      '- samples ballast',
      'series samples ballast',
    ])
  })

  it('frees the ballast when the disk is full, lets nothing in on it, and makes it again', async () => {
    await open()
    expect(await setFree(0.5)).toBe('- - -')
    expect(existsSync(ballast())).toBe(false)
    expect(guard.state.freeBytes).toBe(MIB / 2)
    // Half of the ballast's room is in use.
    expect(await setFree(-4)).toBe('- - -')
    expect(guard.state.freeBytes).toBe(0)
    expect(await setFree(3.5)).toBe('- samples -')
    expect(await setFree(10)).toBe('series samples ballast')
    expect(ballastBytes()).toBe(8 * MIB)
  })

  it('frees it at a start on a full disk, before anything is opened', async () => {
    await writeFile(ballast(), new Uint8Array(8 * MIB))
    used = 56
    await open()
    expect(show(guard.state)).toBe('- - -')
    expect(existsSync(ballast())).toBe(false)
  })

  it('frees it after a failed write when there is little, whatever else is called free', async () => {
    await open()
    expect(await setFree(20)).toBe('series samples ballast')
    await guard.noteFailedWrite()
    expect(show(guard.state)).toBe('series samples ballast')
    expect(await setFree(3)).toBe('- samples ballast')
    await guard.noteFailedWrite()
    expect(show(guard.state)).toBe('- samples -')
  })

  it('keeps its marks bounded on a large disk', async () => {
    total = 1e6
    await open()
    expect(ballastBytes()).toBe(16 * MIB)
    used = total - 16 - 129
    await guard.check()
    expect(show(guard.state)).toBe('series samples ballast')
    used = total - 16 - 65
    await guard.check()
    expect(show(guard.state)).toBe('- samples ballast')
    used = total - 16 - 63
    await guard.check()
    expect(show(guard.state)).toBe('- - ballast')
  })

  it('looks by itself', async () => {
    await open({ intervalMs: 5 })
    used = 55
    await expect.poll(() => guard.allowsSamples).toBe(false)
    used = 0
    await expect.poll(() => guard.allowsSeries && guard.allowsSamples).toBe(true)
  })

  it('reports an error once, and stays as it is', async () => {
    const errors: unknown[] = []
    let isBroken = false
    await open({
      onError: (error) => errors.push(error),
      readSpace: async () => {
        if (isBroken) throw new Error('no statfs')
        return { totalBytes: 64 * MIB, freeBytes: 2 * MIB }
      },
    })
    isBroken = true
    await guard.check()
    await guard.check()
    await guard.noteFailedWrite()
    expect(errors).toEqual([new Error('no statfs')])
    expect(show(guard.state)).toBe('- - -')
  })

  it('asks the real disk when nothing else is said', async () => {
    await open({ readSpace: undefined })
    expect(guard.state.totalBytes).toBeGreaterThan(0)
  })
})
