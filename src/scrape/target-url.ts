/** URLs of targets, written as Go's net/url writes them: they are shown, hashed, and part of error messages. */

const UNRESERVED = /[A-Za-z0-9\-_.~]/
const PATH_SAFE = /[A-Za-z0-9\-_.~$&+,/:;=@]/

function escapeBytes(text: string, isSafe: RegExp): string {
  let escaped = ''
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte)
    if (byte < 0x80 && isSafe.test(character)) escaped += character
    else escaped += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return escaped
}

/** Go's url.QueryEscape. */
export function escapeQuery(text: string): string {
  return escapeBytes(text, UNRESERVED).replaceAll('%20', '+')
}

/** Path and query, as sent. `parameters` are sorted by name here; values keep their order. */
export function requestPath(path: string, parameters: ReadonlyMap<string, readonly string[]>): string {
  const escaped = escapeBytes(path, PATH_SAFE)
  const rooted = escaped.startsWith('/') ? escaped : `/${escaped}`
  const query = [...parameters]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, values]) => values.map((value) => `${escapeQuery(name)}=${escapeQuery(value)}`))
  return query.length === 0 ? rooted : `${rooted}?${query.join('&')}`
}
