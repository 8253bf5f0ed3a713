/**
 * Regular expressions of labels: RE2's dialect, fully anchored, `.` matches newline, linear time.
 *
 * re2js does the general case. Patterns that are sets of words, or words with `.*` and `.+` between them, are by
 * far the most frequent; they are taken apart once and matched by plain string search.
 */
import { RE2JS, RE2JSException } from 're2js'
import { expandTemplate, parseTemplate, type Template } from './regex-expand.ts'
import { type GlobBranch, matchesGlob, parseSimple } from './regex-simple.ts'

/** The message is Go's own text, e.g. ``error parsing regexp: missing closing ): `a(` ``. */
export class RegexError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RegexError'
  }
}

export interface Regex {
  /** Whether the whole value matches. Linear in the length of the value. */
  matches(value: string): boolean
  /** The only values that match, without duplicates, when the pattern is a plain set of them; else undefined. */
  readonly literals: readonly string[] | undefined
  /** Every value that matches begins with this text; '' when nothing is known. */
  readonly prefix: string
  /**
   * The template with `$1`, `${1}`, `$name`, `${name}` and `$$` replaced as Go's Regexp.Expand does: the longest
   * run of letters, digits and underscores is the name, an unknown or unmatched group is empty, a `$` that begins
   * no name stays. Undefined when the value does not match.
   */
  expand(value: string, template: string): string | undefined
}

/** The pattern of a matcher. Throws RegexError, which names the pattern as written. */
export function compileRegex(pattern: string): Regex {
  return new AnchoredRegex(pattern, () => compile(pattern, RE2JS.DOTALL))
}

/**
 * The pattern of a relabelling rule or of label_replace. Differs from a matcher's where upstream's does: the text
 * is put between the anchors before it is looked at, so `a)(b` is fine, `\Qa` is not, and an error names the
 * pattern with its anchors.
 */
export function compileWrappedRegex(pattern: string): Regex {
  return new AnchoredRegex(pattern, () => compile(`^(?s:${pattern})$`, 0))
}

/** Templates remembered a regex: a rule has two of them. */
const TEMPLATES_MAX = 16

class AnchoredRegex implements Regex {
  readonly literals: readonly string[] | undefined
  readonly prefix: string
  private readonly pattern: string
  private readonly words: ReadonlySet<string> | undefined
  private readonly globs: readonly GlobBranch[]
  /** Made at the first need where words and globs decide matches. */
  private compiled: CompiledPattern | undefined
  private readonly compile: () => CompiledPattern
  private readonly templates = new Map<string, Template>()

  constructor(pattern: string, compile: () => CompiledPattern) {
    this.pattern = pattern
    this.compile = compile
    const simple = parseSimple(pattern)
    if (simple === undefined) {
      this.compiled = compile()
      this.globs = []
      this.prefix = ''
      return
    }
    const words = simple.filter((branch) => branch.gaps.length === 0).map((branch) => branch.parts[0])
    this.words = new Set(words)
    this.globs = simple.filter((branch) => branch.gaps.length > 0)
    this.literals = this.globs.length === 0 ? [...this.words] : undefined
    this.prefix = commonPrefix(simple.map((branch) => branch.parts[0]))
  }

  matches(value: string): boolean {
    if (this.words === undefined) return this.compiled!.matches(value)
    if (this.words.has(value)) return true
    for (const branch of this.globs) if (matchesGlob(branch, value)) return true
    return false
  }

  expand(value: string, template: string): string | undefined {
    if (this.words !== undefined && !this.matches(value)) return undefined
    let parsed = this.templates.get(template)
    if (parsed === undefined) {
      if (this.templates.size === TEMPLATES_MAX) this.templates.clear()
      parsed = parseTemplate(template)
      this.templates.set(template, parsed)
    }
    if (parsed.literal !== undefined) return this.matches(value) ? parsed.literal : undefined
    // `(.*)` and `(.+)`, the most frequent by far: the group is the whole value.
    if (this.pattern === '(.*)' || this.pattern === '(.+)') {
      return expandTemplate(parsed, (group) => (group < 2 ? value : undefined), noNames)
    }
    this.compiled ??= this.compile()
    const groups = this.compiled.groups(value)
    if (groups === undefined) return undefined
    const { groupsByName } = this.compiled
    return expandTemplate(
      parsed,
      (group) => groups[group],
      (name) => groupsByName.get(name),
    )
  }
}

function noNames(): undefined {
  return undefined
}

function commonPrefix(texts: readonly string[]): string {
  if (texts.length === 0) return ''
  let prefix = texts[0]
  for (const text of texts) {
    let length = 0
    while (length < prefix.length && prefix[length] === text[length]) length++
    prefix = prefix.slice(0, length)
  }
  // Not half of a surrogate pair.
  return prefix.isWellFormed() ? prefix : prefix.slice(0, -1)
}

/** A pattern of the general engine. */
class CompiledPattern {
  /** Ascending numbers of the groups with a name; Go allows the same name twice. */
  readonly groupsByName = new Map<string, number[]>()
  private readonly re: RE2JS
  /** Whether the pattern brings no anchors of its own. */
  private readonly bare: boolean

  constructor(re: RE2JS, bare: boolean, nameOf: (unique: string) => string) {
    this.re = re
    this.bare = bare
    for (const [unique, group] of Object.entries(re.namedGroups())) {
      const name = nameOf(unique)
      const groups = this.groupsByName.get(name)
      if (groups === undefined) this.groupsByName.set(name, [group])
      else groups.push(group)
    }
    for (const groups of this.groupsByName.values()) groups.sort((a, b) => a - b)
  }

  matches(value: string): boolean {
    return this.bare ? this.re.testExact(value) : this.re.test(value)
  }

  /** What the groups matched, undefined for one that took no part. Undefined without a match. */
  groups(value: string): (string | undefined)[] | undefined {
    const matcher = this.re.matcher(value)
    if (!(this.bare ? matcher.matches() : matcher.find())) return undefined
    const groups: (string | undefined)[] = []
    for (let group = 0; group <= this.re.groupCount(); group++) groups.push(matcher.group(group) ?? undefined)
    return groups
  }
}

/** @param flags DOTALL for a bare pattern; 0 when the pattern has its anchors and flags in it */
function compile(pattern: string, flags: number): CompiledPattern {
  const bare = flags !== 0
  try {
    return new CompiledPattern(RE2JS.compile(pattern, flags), bare, (unique) => unique)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    if (!error.message.includes(DUPLICATE_NAME))
      throw new RegexError(goText(error, pattern), { cause: error })
  }
  const { text, nameOf } = uniqueGroupNames(pattern)
  try {
    return new CompiledPattern(RE2JS.compile(text, flags), bare, nameOf)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    throw new RegexError(goText(error, pattern), { cause: error })
  }
}

const DUPLICATE_NAME = 'duplicate capture group name'

/** re2js speaks Go's words, but leaves out the expression where Go gives all of it or nothing. */
function goText(error: RE2JSException, pattern: string): string {
  const message = error.message.startsWith('error parsing regexp: ')
    ? error.message
    : `error parsing regexp: ${error.message}`
  // The flag that re2js writes in front of a bare pattern.
  if (message.endsWith(`\`(?s)${pattern}\``)) return `${message.slice(0, -pattern.length - 6)}\`${pattern}\``
  if (message.endsWith('`')) return message
  return message.endsWith('trailing backslash at end of expression')
    ? `${message}: \`\``
    : `${message}: \`${pattern}\``
}

/**
 * Numbers the named groups, `(?P<n>` → `(?P<g0_n>`, since re2js refuses a name used twice. Text that only looks
 * like a group (in a class, after a backslash, between \Q and \E) stays as it is.
 */
function uniqueGroupNames(pattern: string): { text: string; nameOf: (unique: string) => string } {
  let text = ''
  let count = 0
  let i = 0
  while (i < pattern.length) {
    const skipped = literalLength(pattern, i)
    const group = skipped === 0 ? GROUP_NAME.exec(pattern.slice(i)) : null
    if (group !== null) {
      text += `(?P<g${count++}_${group[1]}>`
      i += group[0].length
    } else {
      text += pattern.slice(i, i + Math.max(skipped, 1))
      i += Math.max(skipped, 1)
    }
  }
  return { text, nameOf: (unique) => unique.slice(unique.indexOf('_') + 1) }
}

const GROUP_NAME = /^\(\?P?<([A-Za-z0-9_]+)>/
const CHARACTER_CLASS = /^\[\^?\]?(?:\[:\^?[a-z]+:\]|\\[\s\S]|[^\]\\])*\]/

/** Length of the escape, quotation or character class at i; 0 when there is none. */
function literalLength(pattern: string, i: number): number {
  if (pattern.startsWith('\\Q', i)) {
    const end = pattern.indexOf('\\E', i)
    return (end < 0 ? pattern.length : end + 2) - i
  }
  if (pattern[i] === '\\') return 2
  if (pattern[i] === '[') return CHARACTER_CLASS.exec(pattern.slice(i))?.[0].length ?? 0
  return 0
}
