/** Endpoints that change what is stored: there only with --web.enable-admin-api. */
import { randomBytes } from 'node:crypto'
import { quoteString } from '../../promql/syntax/go-format.ts'
import { ParseError } from '../../promql/syntax/parse-error.ts'
import { parseSelector } from '../../promql/syntax/parser.ts'
import { StorageError } from '../../storage/errors.ts'
import type { StorageAdmin } from '../../storage/interface.ts'
import type { Matcher } from '../../storage/model/matcher.ts'
import type { ApiAnswer, ApiCall, ApiEndpoint } from './call.ts'
import type { ApiDependencies } from './dependencies.ts'
import { ApiError, badData, invalidParameter, notReady } from './errors.ts'
import type { Form } from './form.ts'
import { successJson } from './json.ts'
import { MAX_TIME_MS, MIN_TIME_MS, timeParameter } from './parameters.ts'

type Dependencies = Pick<ApiDependencies, 'isAdminEnabled' | 'storageAdmin'> & { now(): number }

const NO_CONTENT: ApiAnswer = { status: 204, body: '' }

export function adminEndpoints({ isAdminEnabled, storageAdmin, now }: Dependencies): ApiEndpoint[] {
  const endpoint = (
    name: string,
    act: (call: ApiCall, admin: StorageAdmin | undefined) => Promise<ApiAnswer>,
  ): ApiEndpoint => ({
    path: `/admin/tsdb/${name}`,
    methods: ['POST', 'PUT'],
    handle: async (call) => {
      if (!isAdminEnabled) throw new ApiError('unavailable', 'admin APIs disabled')
      return act(call, storageAdmin)
    },
  })
  return [
    endpoint('delete_series', ({ form }, admin) => deleteSeries(form, admin)),
    endpoint('clean_tombstones', async (_call, admin) => {
      await attempt(admin, '', (ready) => ready.cleanTombstones())
      return NO_CONTENT
    }),
    endpoint('snapshot', ({ form }, admin) => snapshot(form, admin, now())),
  ]
}

/** All parameters are read before anything is deleted. */
async function deleteSeries(form: Form, admin: StorageAdmin | undefined): Promise<ApiAnswer> {
  if (form.fault !== undefined) throw badData(`error parsing form values: ${form.fault}`)
  const selectors = form.getAll('match[]')
  if (selectors.length === 0) throw badData('no match[] parameter provided')
  const startMs = timeParameter(form, 'start', MIN_TIME_MS)
  const endMs = timeParameter(form, 'end', MAX_TIME_MS)
  const parsed = selectors.map(selectorParameter)
  // There is nothing in between; upstream is content with that, too.
  if (startMs > endMs) return NO_CONTENT
  for (const matchers of parsed) {
    await attempt(admin, '', (ready) => ready.deleteSeries(matchers, startMs, endMs))
  }
  return NO_CONTENT
}

function selectorParameter(text: string): readonly Matcher[] {
  try {
    return parseSelector(text)
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    throw invalidParameter('match[]', error.message)
  }
}

async function snapshot(form: Form, admin: StorageAdmin | undefined, nowMs: number): Promise<ApiAnswer> {
  const skipHead = boolParameter(form, 'skip_head')
  const name = snapshotName(nowMs, randomBytes(8))
  await attempt(admin, 'create snapshot: ', (ready) => ready.snapshot(name, !skipHead))
  return { status: 200, body: successJson({ name }) }
}

/** As `20260102T150405Z-` and 16 hexadecimal digits; the number is positive for those who read it as signed. */
export function snapshotName(nowMs: number, random: Uint8Array): string {
  const time = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')
  const bytes = Buffer.from(random)
  bytes[0] &= 0x7f
  return `${time}Z-${bytes.toString('hex')}`
}

const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True']
const FALSE = ['', '0', 'f', 'F', 'false', 'FALSE', 'False']

/** The words of Go's strconv.ParseBool; false where the parameter is absent or empty. */
function boolParameter(form: Form, name: string): boolean {
  const text = form.get(name)
  if (TRUE.includes(text)) return true
  if (FALSE.includes(text)) return false
  throw invalidParameter(
    name,
    `unable to parse boolean: strconv.ParseBool: parsing ${quoteString(text)}: invalid syntax`,
  )
}

async function attempt<T>(
  admin: StorageAdmin | undefined,
  prefix: string,
  act: (ready: StorageAdmin) => Promise<T>,
): Promise<T> {
  if (admin === undefined) throw notReady()
  try {
    return await act(admin)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (error instanceof StorageError && error.code === 'NOT_READY') throw notReady()
    throw new ApiError('internal', `${prefix}${error.message}`)
  }
}
