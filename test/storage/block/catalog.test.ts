// Goal: after any stop, what was committed is there once, and the rest is gone. Method: folders that stand for blocks (the meta page is
// a file), put together as a crash would leave them; then the catalog's own steps.
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BlockCatalog, blockName } from '../../../storage/block/catalog.ts'
import { diskBytes } from '../../../storage/block/disk-size.ts'
import type { BlockMeta } from '../../../storage/block/format.ts'
import { takeSnapshot } from '../../../storage/block/snapshot.ts'
import { TombstoneLog } from '../../../storage/block/tombstone-log.ts'
import { StorageError } from '../../../storage/errors.ts'
import { Store } from '../../../storage/store.ts'

let data: string
let path: string
let setAside: string[] = []

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'narthex-catalog-'))
  path = join(data, 'narthex')
  setAside = []
})
afterEach(() => rm(data, { recursive: true }))

const metaOf = (id: number, some: Partial<BlockMeta> = {}): BlockMeta => ({
  version: 1,
  id,
  firstGeneration: id,
  finalGeneration: id,
  sources: [],
  level: 0,
  mint: 0,
  maxt: 1,
  series: 1,
  samples: 2,
  chunks: 1,
  tombstone: 0,
  ...some,
})

async function readMeta(folder: string): Promise<BlockMeta> {
  const text = await readFile(join(folder, 'MANIFEST-1'), 'utf8')
  if (text === 'newer') throw new StorageError('NEWER_FORMAT', 'from the future')
  if (text === '') throw new StorageError('CORRUPTION', 'no meta page')
  return JSON.parse(text)
}

const open = () =>
  BlockCatalog.open({
    path,
    readMeta,
    onQuarantine: (id, folder, cause) => setAside.push(`${id} ${folder.slice(path.length)} ${cause.message}`),
  })

/** A folder in blocks/ with this for its meta page. */
async function put(name: string, meta: BlockMeta | string): Promise<void> {
  const folder = join(path, 'blocks', name)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'MANIFEST-1'), typeof meta === 'string' ? meta : JSON.stringify(meta))
  await writeFile(join(folder, '000005.ldb'), Buffer.alloc(50_000, 1))
}
const putBlock = (id: number, some: Partial<BlockMeta> = {}) => put(blockName(id), metaOf(id, some))
const ids = (catalog: BlockCatalog) => catalog.blocks.map(({ id }) => id)
const folders = async () => (await readdir(join(path, 'blocks'))).sort()

async function write(catalog: BlockCatalog, some: Partial<BlockMeta> = {}): Promise<BlockMeta> {
  const meta = metaOf(catalog.takeId(), some)
  await put(`${blockName(meta.id)}.tmp`, meta)
  return meta
}

describe('a start', () => {
  it('begins with nothing', async () => {
    const catalog = await open()
    expect([ids(catalog), catalog.takeId(), await folders()]).toEqual([[], 1, []])
  })

  it('finds the blocks in the order of arrival, with their size', async () => {
    await putBlock(1, { firstGeneration: 5, finalGeneration: 6 })
    await putBlock(2, { firstGeneration: 1, finalGeneration: 4 })
    await putBlock(3, { firstGeneration: 5, finalGeneration: 5 })
    const catalog = await open()
    expect(ids(catalog)).toEqual([2, 3, 1])
    expect(catalog.blocks[0].bytes).toBe(await diskBytes(catalog.folderOf(2)))
    expect(catalog.blocks[0].bytes).toBeGreaterThanOrEqual(50_000)
  })

  it('removes what was not finished, and what is replaced, however long ago', async () => {
    await putBlock(1)
    await putBlock(2)
    await putBlock(4, { sources: [1, 2] })
    await putBlock(0x10, { sources: [4, 5] })
    await putBlock(6)
    await put('00000011.tmp', 'half')
    const catalog = await open()
    expect(ids(catalog)).toEqual([6, 0x10])
    expect(await folders()).toEqual(['00000006', '00000010'])
  })

  it('gives ids above all that it knows of', async () => {
    await putBlock(3, { sources: [7] })
    expect((await open()).takeId()).toBe(8)
    await mkdir(join(path, 'quarantine', '0000000c-2'), { recursive: true })
    await mkdir(join(path, 'quarantine', 'deadbeef-wal'))
    expect((await open()).takeId()).toBe(13)
  })

  it('sets aside what cannot be opened, and keeps what it would have replaced', async () => {
    await putBlock(1)
    await put('00000002', '')
    await put('00000003', metaOf(9, { sources: [1] }))
    const catalog = await open()
    expect(ids(catalog)).toEqual([1])
    expect(setAside.map((text) => text.replace(data, ''))).toEqual([
      '2 /quarantine/00000002 no meta page',
      '3 /quarantine/00000003 /narthex/blocks/00000003 says that it is block 00000009',
    ])
    expect((await readdir(join(path, 'quarantine', '00000002'))).sort()).toEqual(['000005.ldb', 'MANIFEST-1'])
    await put('00000002', '')
    await open()
    expect(setAside[2]).toContain('/quarantine/00000002-2')
  })

  it('does not touch what a later program wrote', async () => {
    await put('00000002', 'newer')
    await expect(open()).rejects.toMatchObject({ code: 'NEWER_FORMAT' })
    expect(await folders()).toEqual(['00000002'])
  })
})

describe('a block', () => {
  it('takes its place, and the place of its sources', async () => {
    const catalog = await open()
    const first = await write(catalog)
    const second = await write(catalog)
    expect(await catalog.commit(first)).toEqual([])
    expect(await catalog.commit(second)).toEqual([])
    const before = catalog.blocks
    const merged = await write(catalog, { firstGeneration: 1, finalGeneration: 2, sources: [1, 2] })
    const replaced = await catalog.commit(merged)
    expect(replaced.map(({ id }) => id)).toEqual([1, 2])
    expect(before.map(({ id }) => id)).toEqual([1, 2])
    expect(ids(catalog)).toEqual([3])
    expect(catalog.stored.map(({ id }) => id)).toEqual([3, 1, 2])
    expect(await folders()).toEqual(['00000001', '00000002', '00000003'])
    // Killed here, the sources go at the next start.
    expect(ids(await open())).toEqual([3])
    expect(await folders()).toEqual(['00000003'])
  })

  it('goes when it is released, and nobody holds it', async () => {
    const catalog = await open()
    for (let i = 0; i < 3; i++) await catalog.commit(await write(catalog))
    const hold = catalog.hold()
    expect(catalog.drop([1, 3, 9]).map(({ id }) => id)).toEqual([1, 3])
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const removing = catalog.remove([1, 3], released)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await folders()).length).toBe(3)
    release()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await folders()).length).toBe(3)
    expect(hold.blocks.map(({ id }) => id)).toEqual([1, 2, 3])
    hold.release()
    hold.release()
    await removing
    expect(await folders()).toEqual(['00000002'])
    expect(catalog.stored.map(({ id }) => id)).toEqual([2])
    // What is in the list is not removed, whoever asks.
    await catalog.remove([2], Promise.resolve())
    expect(await folders()).toEqual(['00000002'])
  })

  it('stays as it is when it cannot be committed', async () => {
    const catalog = await open()
    await catalog.commit(await write(catalog))
    const meta = metaOf(catalog.takeId(), { sources: [1] })
    await expect(catalog.commit(meta)).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    expect(ids(catalog)).toEqual([1])
  })

  it('is noted as clean', async () => {
    const catalog = await open()
    await catalog.commit(await write(catalog, { tombstone: 4 }))
    catalog.markClean(1, 3)
    expect(catalog.blocks[0].tombstone).toBe(4)
    catalog.markClean(1, 6)
    expect(catalog.blocks[0].tombstone).toBe(6)
  })
})

describe('blocks of one generation', () => {
  /** As they are written: in one folder that has the id of the first. */
  async function writeGroup(catalog: BlockCatalog, count: number): Promise<BlockMeta[]> {
    const metas = Array.from({ length: count }, (_, i) =>
      metaOf(catalog.takeId(), { firstGeneration: 7, finalGeneration: 7, mint: i * 10, maxt: i * 10 + 9 }),
    )
    const folder = `${blockName(metas[0].id)}.tmp`
    for (const meta of metas) await put(join(folder, blockName(meta.id)), meta)
    return metas
  }

  it.each([1, 3])('take their places: %i', async (count) => {
    const catalog = await open()
    const metas = await writeGroup(catalog, count)
    await catalog.commitGroup(1, metas)
    expect(ids(catalog)).toEqual(metas.map(({ id }) => id))
    expect(catalog.blocks[0].bytes).toBe(await diskBytes(catalog.folderOf(1)))
    expect(await folders()).toEqual(metas.map(({ id }) => blockName(id)))
    expect(ids(await open())).toEqual(ids(catalog))
  })

  it('do not count before their commit', async () => {
    await writeGroup(await open(), 3)
    expect(ids(await open())).toEqual([])
    expect(await folders()).toEqual([])
  })

  it.each([0, 1, 2, 3])('all count when %i of three were moved out', async (moved) => {
    await writeGroup(await open(), 3)
    const group = join(path, 'blocks', '00000001.group')
    await rename(join(path, 'blocks', '00000001.tmp'), group)
    for (const id of [1, 2, 3].slice(0, moved))
      await rename(join(group, blockName(id)), join(path, 'blocks', blockName(id)))
    const catalog = await open()
    expect(ids(catalog)).toEqual([1, 2, 3])
    expect(await folders()).toEqual(['00000001', '00000002', '00000003'])
    expect(catalog.takeId()).toBe(4)
  })

  it.each([1, 3])('stay as they are when they cannot be committed: %i', async (count) => {
    const catalog = await open()
    const metas = await writeGroup(catalog, count)
    // A folder in the way of the last one.
    const obstacle = join(path, 'blocks', blockName(metas[count - 1].id))
    await mkdir(join(obstacle, 'x'), { recursive: true })
    await expect(catalog.commitGroup(1, metas)).rejects.toMatchObject({ code: 'WRITE_FAILED' })
    expect(ids(catalog)).toEqual([])
    await rm(obstacle, { recursive: true })
    expect(await folders()).toEqual(['00000001.tmp'])
    await catalog.commitGroup(1, metas)
    expect(ids(catalog)).toEqual(metas.map(({ id }) => id))
  })
})

describe('a snapshot', () => {
  const withTombstones = async (work: (tombstones: TombstoneLog) => Promise<void>) => {
    const store = await Store.open(join(path, 'state'), { createIfMissing: true, isShared: false })
    try {
      await work(await TombstoneLog.open(store, 0, () => {}))
    } finally {
      await store.close()
    }
  }

  it('has all blocks and tombstones, and takes no room for the tables', async () => {
    const catalog = await open()
    for (let i = 0; i < 2; i++) await catalog.commit(await write(catalog))
    await withTombstones(async (tombstones) => {
      await tombstones.add([], { mint: 1, maxt: 2, finalGeneration: 3 })
      const folder = await takeSnapshot(data, 'a-name', { catalog, tombstones })
      expect(folder).toBe(join(data, 'snapshots', 'a-name'))
      expect(await readdir(join(data, 'snapshots'))).toEqual(['a-name'])
      path = join(folder, 'narthex')
      const copied = await open()
      expect(copied.blocks.map(({ bytes, ...meta }) => meta)).toEqual([metaOf(1), metaOf(2)])
      await withTombstones(async (copy) => expect(copy.all).toEqual(tombstones.all))
      // The snapshot's small files are its own.
      await writeFile(join(copied.folderOf(1), 'MANIFEST-1'), '')
      expect(await readMeta(catalog.folderOf(1))).toEqual(metaOf(1))
    })
  })

  it('leaves nothing behind when it fails', async () => {
    const catalog = await open()
    await catalog.commit(await write(catalog))
    await withTombstones(async (tombstones) => {
      vi.spyOn(tombstones, 'copyTo').mockRejectedValue(new Error('no space left'))
      await expect(takeSnapshot(data, 'b', { catalog, tombstones })).rejects.toMatchObject({
        code: 'WRITE_FAILED',
        message: 'no space left',
      })
    })
    expect(await readdir(join(data, 'snapshots'))).toEqual([])
    // Nothing is held any more.
    catalog.drop([1])
    await catalog.remove([1], Promise.resolve())
    expect(await folders()).toEqual([])
  })
})
