// What each revision changed, by replaying what was committed: independent of what any reader was told. The plain registry
// of test/registry is asked beside the real one, so that a command cannot mean something else on all nodes alike (G2, G4, G10).
import { isDeepStrictEqual } from 'node:util';
import type { LogEntry } from '../../src/raft/index.ts';
import { type Change, createRegistry, decodeCommand } from '../../src/registry/index.ts';
import type { ChangeRecord, Violation } from '../checkers/history.ts';
import { removeRecord } from '../checkers/instance-text.ts';
import { type NaiveLimits, NaiveRegistry } from '../registry/naive-registry.ts';
import { putRecord } from './record-text.ts';

export interface ReplayedOrder {
  readonly order: readonly (readonly ChangeRecord[])[];
  readonly violations: readonly Violation[];
}

const MAX_FINDINGS = 5;

export function replayOrder(
  committed: readonly LogEntry[],
  limits: NaiveLimits & { readonly ringChanges: number },
): ReplayedOrder {
  const registry = createRegistry(limits);
  const naive = new NaiveRegistry(limits);
  const order: (readonly ChangeRecord[])[] = [];
  const violations: Violation[] = [];
  const blame = (evidence: string): void => {
    if (violations.length < MAX_FINDINGS) violations.push({ guarantee: 'meaning', evidence });
  };
  for (const { kind, index, payload } of committed) {
    if (kind !== 'command') continue;
    const command = decodeCommand(payload);
    const { result, group } = registry.apply(command);
    const expected = naive.apply(command);
    if (!isDeepStrictEqual({ ...result }, { ...expected })) {
      const evidence = `entry ${index} was answered ${JSON.stringify(result)}, by its description ${JSON.stringify(expected)}`;
      blame(evidence);
    }
    if (group !== undefined) order.push(group.changes.flatMap(changesOf));
    if (registry.revision !== naive.revision) {
      blame(`entry ${index} leads to revision ${registry.revision} instead of ${naive.revision}`);
    }
  }
  if (registry.instanceCount !== naive.instances.size) {
    blame(`${registry.instanceCount} instances are left instead of ${naive.instances.size}`);
  }
  for (const { namespace, instanceId, generation, status } of naive.instances.values()) {
    const record = registry.get(namespace, instanceId);
    if (record?.generation === generation && record.status === status) continue;
    blame(`${instanceId} is left in generation ${record?.generation}, ${record?.status}`);
  }
  return { order, violations };
}

/** As a reader of everything is told it: a move to another service is a removal there and a put here. */
function changesOf({ before, after, reason }: Change): readonly ChangeRecord[] {
  const instanceId = after?.instanceId ?? before?.instanceId ?? '';
  if (after === undefined) return [removeRecord(instanceId, reason)];
  const put = putRecord(after, reason);
  const moved = before !== undefined && before.serviceName !== after.serviceName;
  return moved ? [removeRecord(instanceId, 'moved'), put] : [put];
}
