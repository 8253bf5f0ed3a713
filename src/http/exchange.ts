/** One request to one server and its answer, whatever carries it. */
import type { HttpError } from './http-error.ts'

export interface GetRequest {
  /** `http` or `https`. */
  scheme: string
  /** Host, and port where it is not the scheme's own; IPv6 in brackets. Sent as the Host header as it is. */
  authority: string
  /** With its query, escaped, beginning with `/`. */
  path: string
  headers: Readonly<Record<string, string>>
  /** For everything: lookup, connection, redirects, and the body to its last byte. */
  timeoutMs: number
  /** A body of as many bytes or more, uncompressed, is refused; 0 means that only BODY_BYTES_MAX holds. */
  bodySizeLimit: number
  followRedirects: boolean
  /** Path of a socket to connect to in place of the host; '' for TCP. */
  unixSocket: string
}

/** Where there is no limit: rather an error than all of the memory. */
export const BODY_BYTES_MAX = 1024 * 1024 * 1024

/** What is asked of one server; a redirect makes a new one. */
export interface Hop {
  /** Normalized: scheme, host, and port unless it is the scheme's own. */
  origin: string
  isTls: boolean
  /** To connect to: without brackets. */
  hostname: string
  port: number
  /** Of the Host header. */
  host: string
  path: string
  url: string
  unixSocket: string
}

/** The head of an answer, and its body as it came over the wire. */
export interface Answer {
  status: number
  statusText: string
  contentType: string
  isGzip: boolean
  location: string
  body: Buffer
}

export interface ExchangeOutcome {
  resolve(answer: Answer): void
  reject(error: Error): void
  /** Nothing more happens: the connection is free or gone, or there was none yet. */
  ended(hasStarted: boolean): void
}

/** A request that is under way. */
export interface Exchange {
  /** Ends it with CANCELED. */
  cancel(): void
}

/** A connection that had served before broke off without a byte of the answer. */
export class IdleConnectionError extends Error {
  readonly reported: HttpError

  constructor(reported: HttpError) {
    super(reported.message)
    this.reported = reported
  }
}

export function bodyLimit(limit: number): number {
  return limit > 0 ? limit : BODY_BYTES_MAX
}

/** Compressed, a body within the limit has fewer bytes: deflate adds 5 to 16 KiB that do not compress, and gzip its frame. */
export function wireLimit(limit: number): number {
  return limit + limit / 1024 + 4096
}

/** Where Go would say that it dialed, for errors of Node that do not name it. */
export function peerOf(hop: Hop): string {
  if (hop.unixSocket !== '') return hop.unixSocket
  if (/:\d+$/.test(hop.host)) return hop.host
  return `${hop.host}:${hop.port}`
}
