/**
 * What goes wrong with a request, in the words of Go's net/http: users, dashboards and runbooks search for them.
 */
import { quoteGo } from '../telemetry/quote.ts'

export type HttpErrorCode =
  /** The time given to the request is used up. */
  | 'DEADLINE'
  /** The client was closed, or the caller gave up. */
  | 'CANCELED'
  /** The body has as many bytes as the limit, or more. */
  | 'BODY_SIZE_LIMIT'
  /** Answered with something else than 200. */
  | 'STATUS'
  /** The body broke off or could not be decompressed. */
  | 'BODY'
  /** No answer: no address, no connection, or no HTTP. */
  | 'TRANSPORT'

export class HttpError extends Error {
  readonly code: HttpErrorCode

  constructor(code: HttpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HttpError'
    this.code = code
  }
}

export const DEADLINE_EXCEEDED = 'context deadline exceeded'
export const CANCELED = 'context canceled'

/** `Get "URL": message`, as Go's client wraps what happens before the answer's head is there. */
export function getError(code: HttpErrorCode, url: string, message: string, cause?: unknown): HttpError {
  return new HttpError(code, `Get ${quoteGo(url)}: ${message}`, { cause })
}

/** What Node reports, of which only some kinds have each field. */
interface SystemError extends Error {
  code?: string
  syscall?: string
  address?: string
  port?: number
  hostname?: string
  errors?: readonly Error[]
}

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EPIPE: 'broken pipe',
  EHOSTUNREACH: 'no route to host',
  EHOSTDOWN: 'host is down',
  ENETUNREACH: 'network is unreachable',
  ENETDOWN: 'network is down',
  ETIMEDOUT: 'connection timed out',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  EINVAL: 'invalid argument',
}

const LOOKUP_TEXTS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  ENODATA: 'no such host',
  EAI_AGAIN: 'server misbehaving',
  EAI_FAIL: 'server misbehaving',
}

const X509 = 'tls: failed to verify certificate: x509: '

const TLS_TEXTS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: `${X509}certificate signed by unknown authority`,
  SELF_SIGNED_CERT_IN_CHAIN: `${X509}certificate signed by unknown authority`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `${X509}certificate signed by unknown authority`,
  UNABLE_TO_GET_ISSUER_CERT: `${X509}certificate signed by unknown authority`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `${X509}certificate signed by unknown authority`,
  CERT_HAS_EXPIRED: `${X509}certificate has expired or is not yet valid`,
  CERT_NOT_YET_VALID: `${X509}certificate has expired or is not yet valid`,
  ERR_SSL_WRONG_VERSION_NUMBER: 'http: server gave HTTP response to HTTPS client',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'http: server gave HTTP response to HTTPS client',
}

/**
 * Go's text for an error of Node or of undici that came before the answer's head. `peer` is the address as Go
 * would print it where the error does not name one: `127.0.0.1:9100`, or the path of a socket.
 */
export function transportText(error: Error, peer: string): string {
  const system = error as SystemError
  const code = system.code ?? ''
  // Several addresses were tried; Go reports the first.
  if (system.errors !== undefined && system.errors.length > 0) return transportText(system.errors[0], peer)
  if (system.syscall === 'getaddrinfo') {
    return `dial tcp: lookup ${system.hostname}: ${LOOKUP_TEXTS[code] ?? code}`
  }
  const errno = ERRNO_TEXTS[code]
  if (system.syscall === 'connect' && errno !== undefined) {
    const network = system.port === undefined ? 'unix' : 'tcp'
    return `dial ${network} ${dialedAddress(system, peer)}: connect: ${errno}`
  }
  if (code === 'EMFILE' || code === 'ENFILE') return `dial tcp ${peer}: socket: too many open files`
  if (errno !== undefined) {
    const operation = code === 'EPIPE' ? 'write' : 'read'
    return `${operation} tcp ${peer}: ${operation}: ${errno}`
  }
  // The other side closed before it answered.
  if (code === 'UND_ERR_SOCKET') return 'EOF'
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return DEADLINE_EXCEEDED
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `${X509}${error.message}`
  if (error.name === 'HTTPParserError') {
    return `net/http: HTTP/1.x transport connection broken: malformed HTTP response (${error.message})`
  }
  return TLS_TEXTS[code] ?? error.message
}

function dialedAddress(error: SystemError, peer: string): string {
  if (error.address === undefined) return peer
  if (error.port === undefined) return error.address
  return error.address.includes(':') ? `[${error.address}]:${error.port}` : `${error.address}:${error.port}`
}
