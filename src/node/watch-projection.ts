// What a change is to one selector: evaluated on the states before and after, never on the event (docs/adr/0009).
import type { Revision } from '../lib/ids.ts';
import {
  type Change,
  type ChangeGroup,
  type InstanceRecord,
  matches,
  type Selector,
} from '../registry/index.ts';
import type { ProjectedChange } from './watch-hub.ts';

/** Nothing, one change, or for a move inside the selection two: the removal first. */
export function projectChange(selector: Selector, change: Change): readonly ProjectedChange[] {
  const { before, after, reason, actor } = change;
  const wasSeen = before !== undefined && matches(selector, before);
  const isSeen = after !== undefined && matches(selector, after);
  const put: readonly ProjectedChange[] = isSeen
    ? [{ kind: 'put', record: after, reason, actor }]
    : [];
  if (!wasSeen) return put;
  const hasMoved = after !== undefined && after.serviceName !== before.serviceName;
  if (isSeen && !hasMoved) return put;
  const why = after === undefined ? reason : hasMoved ? 'moved' : 'no_longer_matches';
  const { namespace, serviceName, instanceId } = before;
  return [{ kind: 'remove', namespace, serviceName, instanceId, reason: why, actor }, ...put];
}

/** A put that restates what is there. */
export function restate(record: InstanceRecord): ProjectedChange {
  return { kind: 'put', record, reason: '', actor: '' };
}

/** Several groups as one: for each instance the difference between the first state and the last. */
export interface MergedGroups {
  /** All groups up to this one are part of it. */
  readonly reached: Revision;
  /** The last of them that the selector sees something of; undefined: none. */
  readonly revision: Revision | undefined;
  readonly changes: readonly Change[];
}

/**
 * Merges groups from the oldest on, as many whole ones as are estimated to stay within `maxBytes` when encoded, at least
 * one. What the selector sees neither before nor after is left out.
 */
export function mergeGroups(
  selector: Selector,
  groups: Iterable<ChangeGroup>,
  maxBytes: number,
): MergedGroups | undefined {
  const merged = new Map<string, Change>();
  let reached: Revision | undefined;
  let revision: Revision | undefined;
  let bytes = 0;
  for (const group of groups) {
    const seen = group.changes.filter((change) => concerns(selector, change));
    let grown = bytes;
    for (const change of seen) {
      const earlier = merged.get(keyOf(change));
      grown += estimate(change) - (earlier === undefined ? 0 : estimate(earlier));
    }
    if (reached !== undefined && grown > maxBytes) break;
    for (const change of seen) {
      const key = keyOf(change);
      const earlier = merged.get(key);
      // The latest change goes to the end, so that the order is that of the last word on each instance.
      merged.delete(key);
      merged.set(key, earlier === undefined ? change : { ...change, before: earlier.before });
    }
    bytes = grown;
    reached = group.revision;
    if (seen.length > 0) revision = group.revision;
  }
  return reached === undefined ? undefined : { reached, revision, changes: [...merged.values()] };
}

function concerns(selector: Selector, { before, after }: Change): boolean {
  return (
    (before !== undefined && matches(selector, before)) ||
    (after !== undefined && matches(selector, after))
  );
}

function keyOf({ before, after }: Change): string {
  const record = after ?? before;
  return `${record?.namespace}/${record?.instanceId}`;
}

/** Names, framing and, for a move, both a removal and a put; UTF-8 takes at most three bytes per UTF-16 unit. */
const CHANGE_BYTES = 640;

function estimate({ after, reason, actor }: Change): number {
  return CHANGE_BYTES + (after?.encoded.length ?? 0) + 3 * (reason.length + actor.length);
}
