// Goal: the house keeps its shape. Method: read every source file and check its imports, its name, and that
// something uses it.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..')
const ROOMS = ['storage', 'promql', 'src', 'ui', 'test', 'bench']

interface SourceFile {
  path: string
  room: string
  /** Files of the project it imports; type-only imports apart. */
  runtime: string[]
  types: string[]
  packages: string[]
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return listFiles(path)
    return path.endsWith('.ts') ? [relative(ROOT, path)] : []
  })
}

// An import that brings in types alone leaves nothing at run time. Worker files are named by URL.
const IMPORT =
  /^\s*(?:import|export)\s+(type\s+)?(?:([^'"]*?)\s+from\s+)?['"]([^'"]+)['"]|new URL\('(\.[^']+)', import\.meta\.url\)|import\('([^']+)'\)/gm

function read(path: string): SourceFile {
  const file: SourceFile = { path, room: path.split('/')[0], runtime: [], types: [], packages: [] }
  for (const match of readFileSync(join(ROOT, path), 'utf8').matchAll(IMPORT)) {
    const target = match[3] ?? match[4] ?? match[5]
    if (!target.startsWith('.')) {
      file.packages.push(target)
      continue
    }
    const names = match[2]?.replace(/[{}]/g, '').split(',') ?? []
    const hasTypesOnly =
      match[1] !== undefined ||
      (names.length > 0 && names.every((name) => name.trim() === '' || name.trim().startsWith('type ')))
    const list = hasTypesOnly ? file.types : file.runtime
    list.push(relative(ROOT, resolve(ROOT, dirname(path), target)))
  }
  return file
}

const files = ROOMS.flatMap((room) => listFiles(join(ROOT, room))).map(read)
const byPath = new Map(files.map((file) => [file.path, file]))

/** What each room may import from, beside itself. */
const ARROWS: Record<string, readonly string[]> = {
  storage: [],
  promql: ['storage'],
  src: ['promql', 'storage', 'package.json'],
  ui: [],
}

describe('imports', () => {
  it('run src → promql → storage, never back', () => {
    const crooked = files.flatMap((file) => {
      const allowed = ARROWS[file.room]
      if (allowed === undefined) return []
      return [...file.runtime, ...file.types]
        .filter((target) => target.split('/')[0] !== file.room && !allowed.includes(target.split('/')[0]))
        .map((target) => `${file.path} → ${target}`)
    })
    expect(crooked).toEqual([])
  })

  it('let promql know storage by its interface, model and errors only', () => {
    const known = /^storage\/(interface|errors|memory-storage)\.ts$|^storage\/model\//
    const crooked = files
      .filter((file) => file.room === 'promql')
      .flatMap((file) =>
        [...file.runtime, ...file.types]
          .filter((target) => target.startsWith('storage/') && !known.test(target))
          .map((target) => `${file.path} → ${target}`),
      )
    expect(crooked).toEqual([])
  })

  it('bring LevelDB in by one door', () => {
    const doors = files.filter((file) => file.packages.some((name) => /^(classic-)?level$/.test(name)))
    expect(doors.map((file) => file.path)).toEqual(['storage/store.ts'])
  })

  it('have no circle at run time', () => {
    const done = new Set<string>()
    const circles: string[] = []
    const walk = (path: string, trail: string[]): void => {
      if (trail.includes(path)) {
        circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
        return
      }
      if (done.has(path)) return
      for (const target of byPath.get(path)?.runtime ?? []) walk(target, [...trail, path])
      done.add(path)
    }
    for (const file of files) walk(file.path, [])
    // A worker's file names itself to start its own thread.
    expect(circles.filter((circle) => circle.split(' → ').length > 2)).toEqual([])
  })

  it('name files that are there, with their ending', () => {
    const missing = files.flatMap((file) =>
      [...file.runtime, ...file.types]
        .filter((target) => target.endsWith('.ts') && !byPath.has(target))
        .map((target) => `${file.path} → ${target}`),
    )
    expect(missing).toEqual([])
  })
})

describe('files', () => {
  it('are used by something', () => {
    const used = new Set(files.flatMap((file) => [...file.runtime, ...file.types]))
    const entries = /^(src\/main|src\/inspect\/main|bench\/.*|test\/.*)\.ts$/
    const dead = files.filter((file) => !used.has(file.path) && !entries.test(file.path))
    expect(dead.map((file) => file.path)).toEqual([])
  })

  it('are named by what is in them', () => {
    const drawers = /(^|\/)(utils?|helpers?|common|misc|index|stuff)\.ts$/
    expect(files.filter((file) => drawers.test(file.path)).map((file) => file.path)).toEqual([])
    const shouting = files.filter((file) => !/^[a-z0-9/.-]+$/.test(file.path))
    expect(shouting.map((file) => file.path)).toEqual([])
  })

  it('leave nothing open', () => {
    const open = files
      .filter((file) => file.room !== 'test')
      .filter((file) => /\b(TODO|FIXME|XXX)\b/.test(readFileSync(join(ROOT, file.path), 'utf8')))
    expect(open.map((file) => file.path)).toEqual([])
  })
})
