// Goal: sizes read and print as upstream's units do. Method: tables.
import { describe, expect, it } from 'vitest'
import { formatSize, parseSize } from '../../src/config/size.ts'

const sizes = [
  { text: '0', bytes: 0, printed: '0B' },
  { text: '0B', bytes: 0, printed: '0B' },
  { text: '1B', bytes: 1, printed: '1B' },
  { text: '512KB', bytes: 524_288, printed: '512KiB' },
  { text: '100MB', bytes: 104_857_600, printed: '100MiB' },
  { text: '100MiB', bytes: 104_857_600, printed: '100MiB' },
  { text: '1.5GB', bytes: 1_610_612_736, printed: '1GiB512MiB' },
  { text: '1MB512KB', bytes: 1_572_864, printed: '1MiB512KiB' },
  { text: '.5TB', bytes: 549_755_813_888, printed: '512GiB' },
  { text: '2PB', bytes: 2 * 1024 ** 5, printed: '2PiB' },
  { text: '-1KB', bytes: -1024, printed: '-1KiB' },
  { text: '+1025B', bytes: 1025, printed: '1KiB1B' },
]

const refused = [
  { text: '', message: 'units: invalid ' },
  { text: 'MB', message: 'units: invalid MB' },
  { text: '100', message: 'units: unknown unit  in 100' },
  { text: '1kB', message: 'units: unknown unit kB in 1kB' },
  { text: '1K', message: 'units: unknown unit K in 1K' },
  { text: '1iB', message: 'units: unknown unit iB in 1iB' },
  { text: '1 MB', message: 'units: unknown unit  MB in 1 MB' },
  { text: '9EB', message: 'units: overflow parsing unit' },
]

describe('sizes', () => {
  it.each(sizes)('$text is $bytes bytes, printed $printed', ({ text, bytes, printed }) => {
    expect(parseSize(text)).toBe(bytes)
    expect(formatSize(bytes)).toBe(printed)
    expect(parseSize(printed)).toBe(bytes)
  })

  it.each(refused)('$text is refused', ({ text, message }) => {
    expect(() => parseSize(text)).toThrow(new Error(message))
  })
})
