/** The file of `scrape_failure_log_file`: one JSON line for each request that failed, as upstream writes it. */
import { createWriteStream, type WriteStream } from 'node:fs'
import type { Logger } from 'pino'

export class FailureLog {
  private readonly stream: WriteStream
  private readonly jobName: string

  /** Appends to the file, which is made if there is none. That it cannot be written is logged, and ends nothing. */
  constructor(path: string, jobName: string, logger: Logger) {
    this.jobName = jobName
    this.stream = createWriteStream(path, { flags: 'a', mode: 0o666 })
    this.stream.on('error', (error) =>
      logger.error(
        { source: 'scrape/failure-log.ts', scrape_pool: jobName, file: path, err: error },
        'Writing the scrape failure log failed',
      ),
    )
  }

  write(message: string, target: string): void {
    if (this.stream.destroyed) return
    const time = new Date().toISOString()
    const line = { time, level: 'ERROR', msg: message, job_name: this.jobName, target }
    this.stream.write(`${JSON.stringify(line)}\n`)
  }

  /** Resolves when everything is in the file. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.stream.destroyed) resolve()
      else this.stream.end(resolve)
    })
  }
}
