/** Targets that are written down in the configuration: known at once, and never changing. */
import type { TargetGroup } from '../config/model.ts'
import type { Discovery, OnGroups } from './discovery.ts'

export class StaticDiscovery implements Discovery {
  readonly name = 'static'
  private readonly groups: readonly TargetGroup[]

  constructor(groups: readonly TargetGroup[]) {
    this.groups = groups
  }

  start(onGroups: OnGroups): void {
    onGroups(this.groups)
  }

  stop(): void {}
}
