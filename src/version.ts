/** Who we are, and which Prometheus we stand in for. */
import packageJson from '../package.json' with { type: 'json' }

export const NARTHEX_VERSION: string = packageJson.version

/** The release whose flags, configuration, API and language are followed; what buildinfo and metrics report. */
export const PROMETHEUS_VERSION = '3.14.0'

/** What `--version` prints. */
export function versionText(): string {
  return [
    `narthex, version ${NARTHEX_VERSION} (compatible with prometheus, version ${PROMETHEUS_VERSION})`,
    `  node version:     ${process.version}`,
    `  platform:         ${process.platform}/${process.arch}`,
  ].join('\n')
}
