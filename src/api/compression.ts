/**
 * Gzip for who asks for it. Not deflate, which clients read in two ways. Level 1: the CPU is better spent on
 * queries. Done in libuv's threads.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const compress = promisify(gzip)

/** A smaller body fits one packet anyway. */
const BYTES_MIN = 1024

/** Whether one of the comma-separated items is exactly `gzip`; one with a quality is not recognised, as upstream. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  return acceptEncoding?.split(',').some((item) => item.trim() === 'gzip') ?? false
}

/** The body to send, and whether it is compressed. */
export async function compressed(
  body: Uint8Array,
  acceptEncoding: string | undefined,
): Promise<{ body: Uint8Array; isGzip: boolean }> {
  if (body.length < BYTES_MIN || !acceptsGzip(acceptEncoding)) return { body, isGzip: false }
  return { body: await compress(body, { level: 1 }), isGzip: true }
}
