/**
 * Where targets come from. Each mechanism is a Discovery; the scrape pool of a job runs those of its job and
 * knows nothing else of them.
 */
import type { ScrapeConfig, TargetGroup } from '../config/model.ts'
import { StaticDiscovery } from './static.ts'

/** Called with groups that are new or have changed; a group without targets is gone. Others stay as they were. */
export type OnGroups = (groups: readonly TargetGroup[]) => void

export interface Discovery {
  /** Tells apart the groups of several mechanisms in one job: `source` is unique within one only. */
  readonly name: string
  /** May call at once, and again whenever something changes, until `stop`. */
  start(onGroups: OnGroups): void
  stop(): void
}

/** All mechanisms that a job configures, not started. */
export function discoveriesOf(config: ScrapeConfig): Discovery[] {
  return [new StaticDiscovery(config.staticConfigs)]
}
