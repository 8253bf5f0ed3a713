/** Queries in the caller's own thread: for tests, and for those who embed the server. */
import type { QueryExecutor } from './executor.ts'
import type { QueryRequest, QueryResponse, QueryService } from './request.ts'
import { canceledResponse, closedResponse } from './response.ts'

export class InThreadQueryService implements QueryService {
  private readonly executor: QueryExecutor
  private isClosed = false

  constructor(executor: QueryExecutor) {
    this.executor = executor
  }

  async run(request: QueryRequest, signal?: AbortSignal): Promise<QueryResponse> {
    if (this.isClosed) return closedResponse()
    if (signal?.aborted) return canceledResponse()
    const cancel = new Int32Array(new SharedArrayBuffer(4))
    const onAbort = () => Atomics.store(cancel, 0, 1)
    signal?.addEventListener('abort', onAbort)
    try {
      return await this.executor.execute(request, { cancel, queueMs: 0 })
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}
