/** What is wrong with a configuration: all of it, each with its place. */

export interface Problem {
  /** From 1. */
  line: number
  /** From 1, in UTF-16 units. */
  column: number
  /** Upstream's text where it has one. */
  what: string
  /** What would have been right; empty where `what` says so already. */
  expected: string
}

/** A configuration that is not used. The message lists every problem, one a line. */
export class ConfigError extends Error {
  readonly fileName: string
  /** In the order of the file. */
  readonly problems: readonly Problem[]

  constructor(fileName: string, problems: readonly Problem[]) {
    super(
      `parsing YAML file ${fileName}: ${problems.map((problem) => formatProblem(fileName, problem)).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.fileName = fileName
    this.problems = problems
  }

  /** `file:line:column: what, expected …`, one for each problem. */
  lines(): string[] {
    return this.problems.map((problem) => formatProblem(this.fileName, problem))
  }
}

export function formatProblem(fileName: string, problem: Problem): string {
  const expected = problem.expected === '' ? '' : `, expected ${problem.expected}`
  return `${fileName}:${problem.line}:${problem.column}: ${problem.what}${expected}`
}
