/**
 * The simple part of the regular expression language: words, alternations, groups, small character classes, `?`,
 * and the gaps `.*` and `.+`. What is outside of it is left to the general engine.
 *
 * A pattern becomes branches, one of which must match the whole value. Branches are multiplied out, so that
 * `(a|b)-[01].*` has four; beyond BRANCHES_MAX the pattern does not count as simple.
 */

/** Text, gap, text, gap, …, text: one more part than gaps. Without gaps it is a word. */
export interface GlobBranch {
  parts: readonly string[]
  /** Fewest characters of each gap: 0 for `.*`, 1 for `.+`. */
  gaps: readonly (0 | 1)[]
}

const BRANCHES_MAX = 256
const DEPTH_MAX = 50
const META = '\\.+*?()|[]{}^$'

/** Undefined when the pattern is not simple, which includes every pattern that is in error. */
export function parseSimple(pattern: string): GlobBranch[] | undefined {
  const parser = new SimpleParser(pattern)
  const branches = parser.alternation()
  return parser.failed || !parser.atEnd() ? undefined : branches
}

/**
 * Whether the value is the first part, then the others in order with gaps between. Leftmost places are enough
 * for the inner parts, since the gaps take anything.
 */
export function matchesGlob(branch: GlobBranch, value: string): boolean {
  const { parts, gaps } = branch
  const final = parts[parts.length - 1]
  if (!value.startsWith(parts[0])) return false
  let from = parts[0].length
  for (let g = 0; g < gaps.length - 1; g++) {
    // Inner parts are never empty: the parser sees to that.
    const at = value.indexOf(parts[g + 1], from + gaps[g])
    if (at < 0) return false
    from = at + parts[g + 1].length
  }
  return value.length - final.length >= from + gaps[gaps.length - 1] && value.endsWith(final)
}

const EMPTY: GlobBranch = { parts: [''], gaps: [] }

class SimpleParser {
  failed = false
  private readonly pattern: string
  private at = 0
  private depth = 0

  constructor(pattern: string) {
    this.pattern = pattern
    // A lone surrogate is not a character of its own to the general engine.
    this.failed = !pattern.isWellFormed()
  }

  atEnd(): boolean {
    return this.at === this.pattern.length
  }

  alternation(): GlobBranch[] {
    let branches = this.concatenation()
    while (!this.failed && this.pattern[this.at] === '|') {
      this.at++
      branches = branches.concat(this.concatenation())
      if (branches.length > BRANCHES_MAX) this.failed = true
    }
    return branches
  }

  private concatenation(): GlobBranch[] {
    let branches = [EMPTY]
    // Anchors at the ends of the whole pattern say nothing new.
    if (this.depth === 0 && this.pattern[this.at] === '^') this.at++
    while (!this.failed && !this.atEnd()) {
      const c = this.pattern[this.at]
      if (c === '|' || c === ')') break
      if (c === '$' && this.depth === 0 && /^\$(?:\||$)/.test(this.pattern.slice(this.at))) {
        this.at++
        break
      }
      branches = this.product(branches, this.quantified())
    }
    return branches
  }

  private quantified(): GlobBranch[] {
    if (this.pattern[this.at] === '.') return this.gap()
    let atom = this.atom()
    if (this.pattern[this.at] === '?') {
      this.at++
      atom = atom.concat(EMPTY)
    }
    // A further quantifier: not simple, or an error that the general engine words.
    if ('*+?{'.includes(this.pattern[this.at] ?? ' ')) this.failed = true
    return atom
  }

  private gap(): GlobBranch[] {
    const quantifier = this.pattern[this.at + 1]
    const further = this.pattern[this.at + 2] ?? ' '
    if ((quantifier !== '*' && quantifier !== '+') || '*+?{'.includes(further)) {
      this.failed = true
      return []
    }
    this.at += 2
    return [{ parts: ['', ''], gaps: [quantifier === '*' ? 0 : 1] }]
  }

  private atom(): GlobBranch[] {
    const c = String.fromCodePoint(this.pattern.codePointAt(this.at)!)
    if (c === '(') return this.group()
    if (c === '[') return this.characterClass()
    if (c === '\\') return [word(this.escape())]
    if (META.includes(c)) this.failed = true
    this.at += c.length
    return [word(c)]
  }

  /** A backslash before ASCII punctuation stands for it; all other escapes are not simple. */
  private escape(): string {
    const c = this.pattern[this.at + 1] ?? ''
    if (!/^[!-/:-@[-`{-~]$/.test(c)) this.failed = true
    this.at += 2
    return c
  }

  private group(): GlobBranch[] {
    const open = /^\((?:\?:|\?P?<[A-Za-z0-9_]+>)?(?!\?)/.exec(this.pattern.slice(this.at))
    if (open === null) {
      this.failed = true
      return []
    }
    this.at += open[0].length
    this.depth++
    if (this.depth > DEPTH_MAX) {
      this.failed = true
      return []
    }
    const branches = this.alternation()
    this.depth--
    if (this.pattern[this.at] !== ')') this.failed = true
    this.at++
    return branches
  }

  /** ASCII characters and ranges of letters or digits, such as `[ab_]` and `[0-9]`. */
  private characterClass(): GlobBranch[] {
    const text = /^\[((?:[A-Za-z0-9_ .:/,;@#%=]|[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9])+)\]/.exec(
      this.pattern.slice(this.at),
    )
    if (text === null) {
      this.failed = true
      return []
    }
    this.at += text[0].length
    const branches = new Map<string, GlobBranch>()
    for (const [range] of text[1].matchAll(/.-.|./g)) {
      const first = range.charCodeAt(0)
      const final = range.charCodeAt(range.length - 1)
      if (first > final) this.failed = true
      for (let code = first; code <= final; code++) {
        const c = String.fromCharCode(code)
        branches.set(c, word(c))
      }
    }
    return [...branches.values()]
  }

  private product(heads: readonly GlobBranch[], tails: readonly GlobBranch[]): GlobBranch[] {
    if (heads.length * tails.length > BRANCHES_MAX) {
      this.failed = true
      return []
    }
    return heads.flatMap((head) => tails.map((tail) => this.join(head, tail)))
  }

  private join(head: GlobBranch, tail: GlobBranch): GlobBranch {
    const seam = head.parts[head.parts.length - 1] + tail.parts[0]
    // Gaps in a row would have to count characters, which are not always one unit of a string.
    if (seam === '' && head.gaps.length > 0 && tail.gaps.length > 0) this.failed = true
    return {
      parts: [...head.parts.slice(0, -1), seam, ...tail.parts.slice(1)],
      gaps: [...head.gaps, ...tail.gaps],
    }
  }
}

function word(text: string): GlobBranch {
  return { parts: [text], gaps: [] }
}
