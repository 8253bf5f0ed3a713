/**
 * Every key that upstream knows, by section: which are read here, and which are known but not built. The two
 * differ on purpose: an unknown key is a mistake in the file, a known one that is not built is a gap in this
 * program, and only the latter can be skipped.
 */

/** Top level: read. */
export const ROOT_KEYS = ['global', 'runtime', 'scrape_configs', 'storage']

/** Top level: known, refused when they say something. */
export const UNBUILT_ROOT_KEYS = [
  'alerting',
  'otlp',
  'remote_read',
  'remote_write',
  'rule_files',
  'scrape_config_files',
  'tracing',
]

export const RUNTIME_KEYS = ['gogc']

export const STORAGE_KEYS = ['exemplars', 'tsdb']

export const TSDB_KEYS = [
  'chunk_encoding',
  'out_of_order_time_window',
  'retention',
  'stale_series_compaction_threshold',
]

export const RETENTION_KEYS = ['percentage', 'size', 'time']

/** Of `global` and of a scrape config alike. */
const SHARED_KEYS = [
  'always_scrape_classic_histograms',
  'body_size_limit',
  'convert_classic_histograms_to_nhcb',
  'extra_scrape_metrics',
  'keep_dropped_targets',
  'label_limit',
  'label_name_length_limit',
  'label_value_length_limit',
  'metric_name_escaping_scheme',
  'metric_name_validation_scheme',
  'sample_limit',
  'scrape_failure_log_file',
  'scrape_interval',
  'scrape_native_histograms',
  'scrape_protocols',
  'scrape_timeout',
  'target_limit',
]

export const GLOBAL_KEYS = [
  ...SHARED_KEYS,
  'evaluation_interval',
  'external_labels',
  'query_log_file',
  'rule_query_offset',
]

/** Of `global`: known, refused when they say something; false says nothing. */
export const UNBUILT_GLOBAL_KEYS = ['convert_classic_histograms_to_nhcb', 'scrape_native_histograms']

export const SCRAPE_KEYS = [
  ...SHARED_KEYS,
  'enable_compression',
  'enable_http2',
  'fallback_scrape_protocol',
  'follow_redirects',
  'honor_labels',
  'honor_timestamps',
  'job_name',
  'metric_relabel_configs',
  'metrics_path',
  'native_histogram_bucket_limit',
  'native_histogram_min_bucket_factor',
  'params',
  'relabel_configs',
  'scheme',
  'static_configs',
  'track_timestamps_staleness',
]

/** Of a scrape config: without these the job is scraped as it stands, only with less. */
export const UNBUILT_HISTOGRAM_KEYS = ['convert_classic_histograms_to_nhcb', 'scrape_native_histograms']

/** Of a scrape config: how to reach a target, and as whom. A job that says so must not be scraped without. */
export const UNBUILT_CLIENT_KEYS = [
  'authorization',
  'basic_auth',
  'bearer_token',
  'bearer_token_file',
  'http_headers',
  'no_proxy',
  'oauth2',
  'proxy_connect_header',
  'proxy_from_environment',
  'proxy_url',
  'tls_config',
]

/** Of a scrape config: where targets come from, besides `static_configs`. */
export const UNBUILT_DISCOVERY_KEYS = [
  'aws',
  'azure',
  'consul',
  'digitalocean',
  'dns',
  'docker',
  'dockerswarm',
  'ec2',
  'eureka',
  'file',
  'gce',
  'hetzner',
  'http',
  'ionos',
  'kubernetes',
  'kuma',
  'lightsail',
  'linode',
  'marathon',
  'nerve',
  'nomad',
  'oci',
  'openstack',
  'outscale',
  'ovhcloud',
  'puppetdb',
  'scaleway',
  'serverset',
  'stackit',
  'triton',
  'uyuni',
  'vultr',
].map((name) => `${name}_sd_configs`)

export const STATIC_KEYS = ['labels', 'targets']

export const RELABEL_KEYS = [
  'action',
  'modulus',
  'regex',
  'replacement',
  'separator',
  'source_labels',
  'target_label',
]

const HOMES: readonly (readonly [home: string, keys: readonly string[]])[] = [
  ['the top level', [...ROOT_KEYS, ...UNBUILT_ROOT_KEYS]],
  ['global or scrape_configs', SHARED_KEYS],
  ['global', GLOBAL_KEYS],
  ['scrape_configs', [...SCRAPE_KEYS, ...UNBUILT_CLIENT_KEYS, ...UNBUILT_DISCOVERY_KEYS]],
  ['static_configs', STATIC_KEYS],
  ['relabel_configs or metric_relabel_configs', RELABEL_KEYS],
  ['runtime', RUNTIME_KEYS],
  ['storage', STORAGE_KEYS],
  ['storage.tsdb', TSDB_KEYS],
  ['storage.tsdb.retention', RETENTION_KEYS],
  ['alerting', ['alert_relabel_configs', 'alertmanagers']],
]

/** The section that a key belongs in, if there is any: for keys that were found elsewhere. */
export function homeOf(key: string): string | undefined {
  return HOMES.find(([, keys]) => keys.includes(key))?.[0]
}
