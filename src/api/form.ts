/**
 * Parameters of a request: those of a form-encoded body come before those of the URL, and a name may repeat.
 * Decoding follows Go's net/url: a pair that does not decode is left out, and the first such fault is kept for
 * the endpoints that report it.
 */
import { quoteString } from '../../promql/syntax/go-format.ts'

export class Form {
  private readonly values = new Map<string, string[]>()
  /** Why a pair was left out; undefined when none was. */
  fault: string | undefined

  /** The first value, or '' when there is none. */
  get(name: string): string {
    return this.values.get(name)?.[0] ?? ''
  }

  getAll(name: string): readonly string[] {
    return this.values.get(name) ?? []
  }

  add(name: string, value: string): void {
    const values = this.values.get(name)
    if (values === undefined) this.values.set(name, [value])
    else values.push(value)
  }

  /** Adds the pairs of `name=value&…`. */
  addEncoded(text: string): void {
    for (const pair of text.split('&')) {
      if (pair === '') continue
      if (pair.includes(';')) {
        this.fault ??= 'invalid semicolon separator in query'
        continue
      }
      const equals = pair.indexOf('=')
      const name = this.decode(equals < 0 ? pair : pair.slice(0, equals))
      const value = equals < 0 ? '' : this.decode(pair.slice(equals + 1))
      if (name !== undefined && value !== undefined) this.add(name, value)
    }
  }

  private decode(text: string): string | undefined {
    const badEscape = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(text)
    if (badEscape !== null) {
      this.fault ??= `invalid URL escape ${quoteString(badEscape[0])}`
      return undefined
    }
    const spaced = text.replaceAll('+', ' ')
    // Bytes that are not UTF-8 become U+FFFD, where decodeURIComponent would throw.
    return spaced.replace(/(?:%[0-9a-fA-F]{2})+/g, (escapes) =>
      Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
    )
  }
}
