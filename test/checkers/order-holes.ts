// Revisions that no reader was told alone: when every node dies at once, a restarted node may hold a change on disk that
// no stream had carried yet, and readers get it inside a reset. Its acknowledged write says which change it was, so the
// reset is still judged by it.
import type { ChangeRecord, History } from './history.ts';
import type { RevisionOrder } from './revision-order.ts';

/** The order with its holes below the last revision filled from acknowledged writes, as far as they tell. */
export function fillHoles(order: RevisionOrder, history: History): RevisionOrder {
  let last = 0;
  for (const revision of order.keys()) last = Math.max(last, revision);
  if (order.size === last) return order;
  const byRevision = new Map(
    history.writes
      .filter((write) => write.outcome === 'acknowledged' && write.changed)
      .map((write) => [write.revision, write]),
  );
  const contents = contentByMark(history);
  const filled = new Map(order);
  for (let revision = 1; revision <= last; revision++) {
    const write = byRevision.get(revision);
    if (filled.has(revision) || write === undefined) continue;
    const { mark, instanceId } = write;
    const removed: ChangeRecord = { kind: 'remove', instanceId, mark, content: '' };
    // Gone again before anybody could be told what it was: then nothing is compared with its content either.
    const put: ChangeRecord = { kind: 'put', instanceId, mark, content: contents.get(mark) ?? '' };
    filled.set(revision, [write.kind === 'deregister' ? removed : put]);
  }
  return filled;
}

function contentByMark(history: History): ReadonlyMap<string, string> {
  const contents = new Map<string, string>();
  for (const { messages } of history.watches) {
    for (const { changes } of messages) {
      for (const { kind, mark, content } of changes)
        if (kind === 'put') contents.set(mark, content);
    }
  }
  return contents;
}
