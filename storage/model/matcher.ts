/** A condition on one label of a series. A series without the label is seen with the value ''. */
import { compileRegex, type Regex } from './regex.ts'

export type MatchOp = '=' | '!=' | '=~' | '!~'

export class Matcher {
  readonly name: string
  readonly op: MatchOp
  readonly value: string
  private readonly regex: Regex | undefined

  /** Throws RegexError when the pattern of `=~` or `!~` is not RE2. */
  constructor(name: string, op: MatchOp, value: string) {
    this.name = name
    this.op = op
    this.value = value
    this.regex = op === '=~' || op === '!~' ? compileRegex(value) : undefined
  }

  matches(value: string): boolean {
    switch (this.op) {
      case '=':
        return value === this.value
      case '!=':
        return value !== this.value
      case '=~':
        return this.regex!.matches(value)
      case '!~':
        return !this.regex!.matches(value)
    }
  }

  /** Whether a series without the label passes. */
  matchesEmpty(): boolean {
    return this.matches('')
  }

  /** The values that alone can pass, where the matcher is `=` or a regex that is a plain set; else undefined. */
  literals(): readonly string[] | undefined {
    if (this.op === '=') return [this.value]
    return this.op === '=~' ? this.regex!.literals : undefined
  }

  /** The values that alone fail, where the matcher is `!=` or the opposite of a plain set; else undefined. */
  excluded(): readonly string[] | undefined {
    if (this.op === '!=') return [this.value]
    return this.op === '!~' ? this.regex!.literals : undefined
  }

  /** Of `=~` every value that passes begins with this text, of `!~` every value that fails; '' when nothing is known. */
  prefix(): string {
    return this.regex?.prefix ?? ''
  }
}
