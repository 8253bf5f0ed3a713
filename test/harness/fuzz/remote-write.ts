/**
 * Writes samples to a Prometheus over remote write 1.0: a protobuf message in snappy's block format.
 *
 * WriteRequest { repeated TimeSeries timeseries = 1 }, TimeSeries { repeated Label labels = 1; repeated Sample samples
 * = 2 }, Label { string name = 1; string value = 2 }, Sample { double value = 1; int64 timestamp = 2 }.
 */
import { STALE_NAN_HIGH, STALE_NAN_LOW } from '../../../storage/model/sample.ts'
import type { DataSample, DataSet } from '../interpreter/data-set.ts'

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return [...bytes, rest]
}

/** A field of bytes, or of a message. */
function field(number: number, content: Uint8Array | readonly number[]): number[] {
  return [(number << 3) | 2, ...varint(content.length), ...content]
}

function encodeValue(value: DataSample['value']): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  if (value === 'stale') {
    view.setUint32(4, STALE_NAN_HIGH, true)
    view.setUint32(0, STALE_NAN_LOW, true)
  } else if (typeof value === 'number') view.setFloat64(0, value, true)
  else throw new Error('native histograms are not written')
  return new Uint8Array(view.buffer)
}

function encodeSample({ t, value }: DataSample): number[] {
  return [(1 << 3) | 1, ...encodeValue(value), 2 << 3, ...varint(t)]
}

function encodeRequest(data: DataSet): Uint8Array {
  const message = data.flatMap(({ labels, samples }) => {
    const content: number[] = []
    for (let i = 0; i < labels.pairs.length; i += 2) {
      const [name, value] = [Buffer.from(labels.pairs[i]), Buffer.from(labels.pairs[i + 1])]
      content.push(...field(1, [...field(1, name), ...field(2, value)]))
    }
    for (const sample of samples) content.push(...field(2, encodeSample(sample)))
    return field(1, content)
  })
  return Uint8Array.from(message)
}

const LITERAL_MAX = 65_536

/** Snappy's block format with literals alone: larger than it could be, and right. */
function frame(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.from(varint(bytes.length))]
  for (let at = 0; at < bytes.length; at += LITERAL_MAX) {
    const literal = bytes.subarray(at, at + LITERAL_MAX)
    const length = literal.length - 1
    parts.push(Uint8Array.of(61 << 2, length & 0xff, length >> 8), literal)
  }
  return Buffer.concat(parts)
}

/** Throws where the server does not take it. */
export async function remoteWrite(url: string, data: DataSet): Promise<void> {
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body: Buffer.from(frame(encodeRequest(data))),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`remote write: ${response.status} ${text}`)
}
