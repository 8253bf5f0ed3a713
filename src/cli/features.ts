/** The names that `--enable-feature` knows, and how far each works in this version. */

export type FeatureState =
  /** Does what it does upstream. */
  | 'built'
  /** Known upstream, without effect here so far. */
  | 'not-yet'
  /** Always on, or without meaning, upstream too. */
  | 'no-op'

const STATES: Readonly<Record<FeatureState, readonly string[]>> = {
  built: [
    'extra-scrape-metrics',
    'promql-binop-fill-modifiers',
    'promql-delayed-name-removal',
    'promql-experimental-functions',
    'promql-extended-range-selectors',
    'promql-per-step-stats',
  ],
  'not-yet': [
    'auto-reload-config',
    'concurrent-rule-eval',
    'created-timestamp-zero-ingestion',
    'delayed-compaction',
    'exemplar-storage',
    'fast-startup',
    'histograms-st-encoding',
    'memory-snapshot-on-shutdown',
    'metadata-wal-records',
    'old-ui',
    'otlp-deltatocumulative',
    'otlp-native-delta-ingestion',
    'search-api',
    'st-storage',
    'st-synthesis',
    'type-and-unit-labels',
    'use-start-timestamps',
    'use-uncached-io',
    'xor2-encoding',
  ],
  'no-op': ['native-histograms', 'ooo-native-histograms', 'promql-duration-expr'],
}

export const FEATURE_NAMES: readonly string[] = Object.values(STATES).flat()

/** Undefined for a name that upstream does not know either. */
export function featureState(name: string): FeatureState | undefined {
  if (STATES.built.includes(name)) return 'built'
  if (STATES['not-yet'].includes(name)) return 'not-yet'
  return STATES['no-op'].includes(name) ? 'no-op' : undefined
}
