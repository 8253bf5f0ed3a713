/**
 * JSON of plain answers (status, targets, metadata), as Go's encoder writes it: no spaces, strings safe for
 * HTML, keys of objects in their order, keys of a Map sorted, label sets in their plain form.
 */
import { compareUtf8, Labels } from '../../storage/model/labels.ts'
import { htmlSafeJsonString, labelSetJson } from '../query/json-string.ts'

export type Json =
  | string
  | number
  | boolean
  | null
  | Labels
  | readonly Json[]
  | ReadonlyMap<string, Json>
  | { readonly [key: string]: Json | undefined }

/** Keys of an object whose value is undefined are left out. Requires: numbers are finite. */
export function toJson(value: Json): string {
  if (typeof value === 'string') return htmlSafeJsonString(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (value instanceof Labels) return labelSetJson(value)
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`
  if (value instanceof Map) return membersJson([...value].sort(([a], [b]) => compareUtf8(a, b)))
  return membersJson(Object.entries(value as { readonly [key: string]: Json | undefined }))
}

function membersJson(members: readonly (readonly [string, Json | undefined])[]): string {
  const texts: string[] = []
  for (const [key, value] of members) {
    if (value !== undefined) texts.push(`${htmlSafeJsonString(key)}:${toJson(value)}`)
  }
  return `{${texts.join(',')}}`
}

/** `{"status":"success","data":…}` */
export function successJson(data: Json): string {
  return `{"status":"success","data":${toJson(data)}}`
}
