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
    pauseMs: 0,
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
    // 8 % of 64 MiB are 5.12, 4 % are 2.56, and a quarter more to resume.
    expect(await setFree(5.2)).toBe('series samples ballast')
    expect(await setFree(5)).toBe('- samples ballast')
    expect(await setFree(6.3)).toBe('- samples ballast')
    expect(await setFree(2.5)).toBe('- - ballast')
    expect(await setFree(3.1)).toBe('- - ballast')
    expect(await setFree(3.3)).toBe('- samples ballast')
    expect(await setFree(6.5)).toBe('series samples ballast')
    expect(changes.slice(1)).toEqual([
      '- samples ballast',
      '- - ballast',
      '- samples ballast',
      'series samples ballast',
    ])
  })

  it('keeps its ballast on a full disk until room is needed, and gives only that', async () => {
    await open()
    expect(await setFree(0)).toBe('- - ballast')
    expect(ballastBytes()).toBe(8 * MIB)
    await guard.makeRoom()
    expect(ballastBytes()).toBe(5 * MIB)
    expect(show(guard.state)).toBe('- - -')
    // Once more: there is room still.
    await guard.makeRoom()
    expect(ballastBytes()).toBe(5 * MIB)
    // Others take two of the three.
    used += 2
    await guard.makeRoom()
    expect(ballastBytes()).toBe(3 * MIB)
    used += 3
    await guard.makeRoom()
    used += 3
    await guard.makeRoom()
    expect(ballastBytes()).toBe(0)
    expect(show(guard.state)).toBe('- - -')
  })

  it('lets nothing in on what the ballast lacks, and makes it again piece by piece', async () => {
    await open()
    await setFree(0)
    await guard.makeRoom()
    // Four MiB free, of which three are the ballast's.
    used -= 1
    await guard.check()
    expect(show(guard.state)).toBe('- - -')
    expect(guard.state.freeBytes).toBe(MIB)
    expect(ballastBytes()).toBe(6 * MIB)
    await guard.check()
    expect(ballastBytes()).toBe(6 * MIB)
    expect(await setFree(20)).toBe('series samples ballast')
    expect(ballastBytes()).toBe(8 * MIB)
  })

  it('makes nothing again for a while after room was needed', async () => {
    await open({ pauseMs: 1e6 })
    await setFree(0)
    await guard.makeRoom()
    expect(await setFree(30)).toBe('series samples -')
    expect(ballastBytes()).toBe(5 * MIB)
  })

  it('makes room at a start on a full disk, before anything is opened', async () => {
    await writeFile(ballast(), new Uint8Array(8 * MIB))
    used = 56
    await open()
    expect(show(guard.state)).toBe('- - -')
    expect(ballastBytes()).toBe(5 * MIB)
  })

  it('keeps its marks bounded on a large disk', async () => {
    total = 1e6
    await open()
    expect(ballastBytes()).toBe(64 * MIB)
    used = total - 64 - 129
    await guard.check()
    expect(show(guard.state)).toBe('series samples ballast')
    used = total - 64 - 65
    await guard.check()
    expect(show(guard.state)).toBe('- samples ballast')
    used = total - 64 - 63
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
    await guard.makeRoom()
    expect(errors).toEqual([new Error('no statfs')])
    expect(show(guard.state)).toBe('- - -')
  })

  it('asks the real disk when nothing else is said', async () => {
    await open({ readSpace: undefined })
    expect(guard.state.totalBytes).toBeGreaterThan(0)
  })
})
