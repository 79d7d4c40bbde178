// The witness order: what each revision changed, put together from all readers' messages that cover one revision alone.
// Readers that disagree about a revision, or about what a span of revisions adds up to, have been lied to (G5).
import type { ChangeRecord, Violation, WatchRecord } from './history.ts';

/** Revision -> its changes, by instance id. */
export type RevisionOrder = ReadonlyMap<number, readonly ChangeRecord[]>;

const text = (changes: readonly ChangeRecord[]): string =>
  changes
    .map(({ kind, instanceId, mark, content }) => `${kind} ${instanceId} ${mark} ${content}`)
    .toSorted()
    .join('\n');

/** Collects the order, on top of what is `told` of it from elsewhere; two readers that were told different things at one revision are a violation. */
export function collectOrder(
  watches: readonly WatchRecord[],
  told: readonly (readonly ChangeRecord[])[] = [],
): {
  readonly order: RevisionOrder;
  readonly violations: readonly Violation[];
} {
  const order = new Map(told.map((changes, at) => [at + 1, changes]));
  const violations: Violation[] = [];
  for (const { watcher, messages, service } of watches) {
    // Who asked for one service was told only a part of each revision.
    if (service !== undefined) continue;
    let position = 0;
    let resetInProgress = false;
    for (const message of messages) {
      const ofReset: boolean = message.reset || resetInProgress;
      resetInProgress = ofReset && message.more;
      if (!ofReset && message.changes.length > 0 && message.revision === position + 1) {
        const known = order.get(message.revision);
        if (known === undefined) order.set(message.revision, message.changes);
        else if (text(known) !== text(message.changes)) {
          const evidence = `${watcher} was told otherwise about revision ${message.revision}: <${text(message.changes)}> instead of <${text(known)}>`;
          violations.push({ guarantee: 'G5', evidence });
        }
      }
      if (!message.more) position = message.revision;
    }
  }
  return { order, violations };
}

/** Applies one group to a state of instance id -> content. */
export function applyGroup(state: Map<string, string>, changes: readonly ChangeRecord[]): void {
  for (const change of changes) {
    if (change.kind === 'put') state.set(change.instanceId, change.content);
    else state.delete(change.instanceId);
  }
}

/** The state at `revision`, replayed from the empty registry; undefined where the order has a hole below it. */
export function stateAt(order: RevisionOrder, revision: number): Map<string, string> | undefined {
  const state = new Map<string, string>();
  for (let at = 1; at <= revision; at++) {
    const group = order.get(at);
    if (group === undefined) return undefined;
    applyGroup(state, group);
  }
  return state;
}
