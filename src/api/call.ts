/** One call of an API endpoint: what its handler is given, and what it gives back. */
import type { QueryOrigin } from '../query/request.ts'
import type { Form } from './form.ts'
import type { Method } from './router.ts'

export interface ApiCall {
  /** Parameters of the body and the URL, merged. */
  form: Form
  /** Parameters of the URL alone. */
  urlForm: Form
  /** The variable part of the path, decoded; '' where there is none. */
  name: string
  /** Aborted when the client goes away. */
  signal: AbortSignal
  origin: QueryOrigin
}

export interface ApiAnswer {
  status: number
  /** JSON; not looked at with status 204. */
  body: Uint8Array | string
}

/** Throws ApiError for what is wrong with the call. */
export type ApiHandler = (call: ApiCall) => ApiAnswer | Promise<ApiAnswer>

export interface ApiEndpoint {
  /** Below `/api/v1`. */
  path: string
  /** GET and POST unless given. */
  methods?: readonly Method[]
  handle: ApiHandler
}
