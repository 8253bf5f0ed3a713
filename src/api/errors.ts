/** The errors of the HTTP API: their types as the answer names them, and the status that each is sent with. */

const STATUS = {
  bad_data: 400,
  execution: 422,
  canceled: 499,
  timeout: 503,
  internal: 500,
  // Upstream has no 503 for it.
  unavailable: 500,
  not_found: 404,
  not_acceptable: 406,
} as const

export type ApiErrorType = keyof typeof STATUS

/** A request that is answered with an error; the message is shown to the user as it is. */
export class ApiError extends Error {
  readonly type: ApiErrorType
  readonly status: number
  /** What to do about it, where that is known. */
  hint: string | undefined

  /** `status` only where it differs from that of the type. */
  constructor(type: ApiErrorType, message: string, status: number = STATUS[type]) {
    super(message)
    this.name = 'ApiError'
    this.type = type
    this.status = status
  }
}

export function badData(message: string): ApiError {
  return new ApiError('bad_data', message)
}

/** A bad value of the parameter `name`. */
export function invalidParameter(name: string, message: string): ApiError {
  return badData(`invalid parameter "${name}": ${message}`)
}

/** Data written before the last stop is still being read. Grafana understands 503, and clients ask again. */
export function notReady(): ApiError {
  return new ApiError('unavailable', 'TSDB not ready', 503)
}
