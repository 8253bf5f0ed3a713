/** The configuration of a server that was given none: it scrapes itself. */

const WILDCARD_HOSTS: Readonly<Record<string, string>> = {
  '': '127.0.0.1',
  '0.0.0.0': '127.0.0.1',
  '[::]': '[::1]',
}

/** Shown in place of a file name. */
export const DEFAULT_CONFIG_NAME = '<default configuration>'

/** `listenAddress` is `host:port`, as --web.listen-address takes it; wildcards are reached on the loopback. */
export function defaultConfigText(listenAddress: string): string {
  const colon = listenAddress.lastIndexOf(':')
  const host = listenAddress.slice(0, colon)
  const target = `${WILDCARD_HOSTS[host] ?? host}${listenAddress.slice(colon)}`
  return [
    '# Used because there is no configuration file: the server watches itself.',
    'global:',
    '  scrape_interval: 5s',
    'scrape_configs:',
    '- job_name: narthex',
    '  static_configs:',
    '  - targets:',
    `    - '${target}'`,
    '',
  ].join('\n')
}
