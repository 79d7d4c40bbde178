// G5: every stream is the revision order, as far as it asked for it: no gap, no repeat, no split revision, resets and progress marks true.
// G6: after the faults every stream reached the end.
import type { Violation, WatchMessageRecord, WatchRecord } from './history.ts';
import { applyGroup, type RevisionOrder } from './revision-order.ts';

interface Reader {
  readonly watcher: string;
  /** Contents that it asked for begin with this. */
  readonly selects: string;
  readonly order: RevisionOrder;
  /** What the reader holds after its messages. */
  readonly held: Map<string, string>;
  /** What the order says at `position`. */
  readonly truth: Map<string, string>;
  position: number;
  /** The highest revision it was told of, parts of states that were never completed included. */
  shown: number;
  resetInProgress: boolean;
  readonly violations: Violation[];
}

function blame(reader: Reader, evidence: string): void {
  reader.violations.push({ guarantee: 'G5', evidence: `${reader.watcher}: ${evidence}` });
}

/** Moves the truth forward; returns the ids it touched, undefined where nobody witnessed a revision. */
function advance(reader: Reader, revision: number): Set<string> | undefined {
  const touched = new Set<string>();
  for (let at = reader.position + 1; at <= revision; at++) {
    const group = reader.order.get(at);
    if (group === undefined) {
      blame(
        reader,
        `nobody was told revision ${at} alone, so the span to ${revision} cannot be judged`,
      );
      return undefined;
    }
    applyGroup(reader.truth, group);
    for (const change of group) touched.add(change.instanceId);
  }
  reader.position = revision;
  return touched;
}

function takeReset(reader: Reader, message: WatchMessageRecord): void {
  // Only the first part of a reset is marked as one; the others go on from it.
  if (message.reset) {
    reader.held.clear();
    if (message.revision < reader.shown) {
      blame(
        reader,
        `a reset to ${message.revision} after something of ${reader.shown} had been shown`,
      );
      return;
    }
  }
  reader.resetInProgress = message.more;
  applyGroup(reader.held, message.changes);
  if (message.more) return;
  if (message.revision < reader.position) {
    blame(reader, `a reset to ${message.revision} after ${reader.position} had been shown`);
    return;
  }
  if (advance(reader, message.revision) === undefined) return;
  compare(reader, new Set([...reader.held.keys(), ...reader.truth.keys()]), message.revision);
}

function compare(reader: Reader, ids: ReadonlySet<string>, revision: number): void {
  for (const id of ids) {
    const held = reader.held.get(id);
    const is = reader.truth.get(id);
    const truth = is?.startsWith(reader.selects) === true ? is : undefined;
    if (held !== truth) {
      blame(
        reader,
        `at revision ${revision} it holds ${held ?? 'nothing'} for ${id}, true is ${truth ?? 'nothing'}`,
      );
    }
  }
}

function takeChanges(reader: Reader, message: WatchMessageRecord): void {
  if (message.changes.length > 0 && message.revision <= reader.position) {
    blame(reader, `revision ${message.revision} again after ${reader.position}`);
    return;
  }
  if (message.revision < reader.position) {
    blame(reader, `a progress mark of ${message.revision} after ${reader.position}`);
    return;
  }
  const touched = advance(reader, message.revision);
  if (touched === undefined) return;
  applyGroup(reader.held, message.changes);
  const told = new Set(message.changes.map(({ instanceId }) => instanceId));
  for (const id of told) {
    if (!touched.has(id))
      blame(reader, `${id} was told at ${message.revision}, but did not change`);
  }
  compare(reader, new Set([...touched, ...told]), message.revision);
}

/** `finalRevision`: where the registry ended; every reader must have been told that far. */
export function checkWatch(
  watch: WatchRecord,
  order: RevisionOrder,
  finalRevision: number,
): readonly Violation[] {
  const reader: Reader = {
    watcher: watch.watcher,
    selects: watch.service === undefined ? '' : `${watch.service} `,
    order,
    held: new Map(),
    truth: new Map(),
    position: 0,
    shown: 0,
    resetInProgress: false,
    violations: [],
  };
  for (const message of watch.messages) {
    if (message.reset || reader.resetInProgress) takeReset(reader, message);
    else takeChanges(reader, message);
    reader.shown = Math.max(reader.shown, message.revision);
    if (reader.violations.length >= 10) break;
  }
  if (reader.violations.length > 0) return reader.violations;
  if (watch.service !== undefined) {
    // Revisions that bring nothing it asked for need not be told, but what it holds must be the end's.
    advance(reader, finalRevision);
    compare(reader, new Set([...reader.held.keys(), ...reader.truth.keys()]), finalRevision);
  } else if (reader.position < finalRevision) {
    const evidence = `${watch.watcher} ended at revision ${reader.position} of ${finalRevision}`;
    reader.violations.push({ guarantee: 'G6', evidence });
  }
  return reader.violations;
}
