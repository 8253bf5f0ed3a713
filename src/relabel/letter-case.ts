/**
 * Letter case character by character, as Go's strings.ToLower and ToUpper: Unicode's simple mappings. JavaScript
 * has the full ones, which may lengthen a text (ß → SS) or look at the neighbours (final sigma).
 */

export function lowerCaseRunes(text: string): string {
  return mapRunes(text, (c) => {
    const mapped = c.toLowerCase()
    // Only İ (U+0130) has a longer full mapping; its simple one is i.
    return isOneCharacter(mapped) ? mapped : 'i'
  })
}

export function upperCaseRunes(text: string): string {
  return mapRunes(text, (c) => {
    const mapped = c.toUpperCase()
    return isOneCharacter(mapped) ? mapped : (SIMPLE_UPPER.get(c) ?? c)
  })
}

/** Greek letters with iota below: the full mapping writes the iota apart, the simple one is the capital form. */
const SIMPLE_UPPER: ReadonlyMap<string, string> = new Map([
  ...[0x1f80, 0x1f90, 0x1fa0].flatMap((first) => Array.from({ length: 8 }, (_, i) => pair(first + i, 8))),
  pair(0x1fb3, 9),
  pair(0x1fc3, 9),
  pair(0x1ff3, 9),
])

function pair(code: number, distance: number): [string, string] {
  return [String.fromCharCode(code), String.fromCharCode(code + distance)]
}

function isOneCharacter(text: string): boolean {
  return text.length === String.fromCodePoint(text.codePointAt(0)!).length
}

function mapRunes(text: string, map: (character: string) => string): string {
  let mapped = ''
  for (const character of text) mapped += map(character)
  return mapped
}
