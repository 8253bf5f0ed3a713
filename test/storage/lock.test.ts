// Goal: one process a folder, and no start is refused because of a process that is gone. Method: files of processes that
// live, are gone, or have another's id; a real second process.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockFolder } from '../../storage/lock.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'narthex-lock-'))
})
afterEach(() => rm(folder, { recursive: true }))

const file = () => join(folder, 'lock')

describe('lockFolder', () => {
  it('keeps a second one out, in this process and in another, and names the first', async () => {
    const lock = lockFolder(folder)
    const message = `${folder} is in use by process ${process.pid}`
    expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: 'LOCKED', message }))
    const module = new URL('../../storage/lock.ts', import.meta.url).href
    const script = `import { lockFolder } from '${module}'
      try { lockFolder(process.argv[1]) } catch (error) { console.log(error.code, error.message) }`
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      script,
      folder,
    ])
    expect(stdout.trim()).toBe(`LOCKED ${message}`)
    expect(await readdir(folder)).toEqual(['lock'])
    lock.release()
    expect(await readdir(folder)).toEqual([])
    lockFolder(folder).release()
  })

  const parent = () => `${process.ppid}`
  const stale = [
    { rule: 'a process that is gone', text: () => '4194303 1 x y\n' },
    { rule: 'a process of another time with an id that lives', text: () => `${parent()} 1 x y\n` },
    { rule: 'our own id, of before a restart of the container', text: () => `${process.pid} 1 x y\n` },
    { rule: 'a file that was cut off', text: () => '' },
    { rule: 'a file that is nonsense', text: () => 'x' },
  ]
  it.each(stale)('takes over the lock of $rule', async ({ text }) => {
    await writeFile(file(), text())
    const lock = lockFolder(folder)
    expect(readFileSync(file(), 'latin1')).toMatch(new RegExp(`^${process.pid} `))
    lock.release()
  })

  it('never names a process that does not have it, whoever starts at the same time', async () => {
    await writeFile(file(), '4194303 1 x y\n')
    const module = new URL('../../storage/lock.ts', import.meta.url).href
    const script = `import { lockFolder } from '${module}'
      let lock
      try { lock = lockFolder(process.argv[1]) } catch (error) { console.log(error.message) }
      if (lock !== undefined) console.log('held')
      process.stdin.on('end', () => lock?.release()).resume()`
    const children = Array.from({ length: 6 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', script, folder], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    )
    const said = await Promise.all(
      children.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()),
    )
    const holders = children.filter((_, i) => said[i] === 'held').map(({ pid }) => pid)
    for (const text of said.filter((one) => one !== 'held')) {
      expect(holders.map((pid) => `${folder} is in use by process ${pid}`)).toContain(text)
    }
    const gone = children.map((child) => once(child, 'exit'))
    for (const child of children) child.stdin.end()
    await Promise.all(gone)
    expect(holders.length).toBeGreaterThan(0)
    expect(await readdir(folder)).toEqual([])
  })

  it('leaves a lock alone that another has taken over meanwhile', async () => {
    const lock = lockFolder(folder)
    await writeFile(file(), '1 1 x y\n')
    lock.release()
    expect(existsSync(file())).toBe(true)
  })
})
