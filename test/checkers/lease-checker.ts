// Expiry audit: nobody is expired before TTL has passed since an acknowledged sign of life was sent (G7), silence is noticed in
// time under a stable leader (G8), and whoever never stopped sending is never expired, whatever happened to the registry (G9).
import type { BeatRecord, ChangeRecord, History, LeaseHistory, Violation } from './history.ts';
import type { RevisionOrder } from './revision-order.ts';

/** One registration: from its put to its end. */
interface Registration {
  readonly instanceId: string;
  readonly generation: number;
  readonly ttlMs: number;
  readonly fromMs: number;
  /** Infinity: it is still there. */
  endMs: number;
  expired: boolean;
}

/** Between keepers' rounds, with what a call takes. */
const KEEP_SLACK_MS = 250;
/** docs/limits: silence is acted upon by TTL + 1 s + 1 %, and a little for the way to the readers. */
const GRACE_MS = 1000;
const GRACE_SHARE = 0.01;
const APPLY_MS = 100;

export function checkLeases(history: History, order: RevisionOrder): readonly Violation[] {
  const { leases } = history;
  if (leases === undefined) return [];
  const found: Violation[] = [];
  for (const registration of registrations(leases, order)) {
    if (registration.ttlMs === 0) continue;
    const beats = leases.beats.filter((beat) => mayRenew(beat, registration));
    if (registration.expired) {
      found.push(...checkEarly(registration, beats, leases), ...checkKept(registration, leases));
    } else if (registration.endMs === Number.POSITIVE_INFINITY) {
      found.push(...checkLate(registration, beats, leases));
    }
  }
  return found;
}

/** All registrations, from the order: the generation is the revision of the put that began it. */
function registrations(
  { appliedAtMs }: LeaseHistory,
  order: RevisionOrder,
): readonly Registration[] {
  const all: Registration[] = [];
  const current = new Map<string, Registration>();
  for (let revision = 1; revision <= order.size; revision++) {
    const atMs = appliedAtMs[revision - 1] ?? 0;
    for (const change of order.get(revision) ?? []) {
      const before = current.get(change.instanceId);
      if (continues(before, change)) continue;
      if (before !== undefined) {
        before.endMs = atMs;
        before.expired = change.expired === true;
        current.delete(change.instanceId);
      }
      if (change.kind === 'remove') continue;
      const { instanceId, generation = 0, ttlMs = 0 } = change;
      const endMs = Number.POSITIVE_INFINITY;
      const next = { instanceId, generation, ttlMs, fromMs: atMs, endMs, expired: false };
      current.set(instanceId, next);
      all.push(next);
    }
  }
  return all;
}

/** A change of status, or the removal from the old service in a move. */
const continues = (before: Registration | undefined, change: ChangeRecord): boolean =>
  before !== undefined && change.kind === 'put' && change.generation === before.generation;

function mayRenew(beat: BeatRecord, { instanceId, generation }: Registration): boolean {
  return (
    beat.instanceId === instanceId && (beat.generation === 0 || beat.generation === generation)
  );
}

const describe = ({ instanceId, generation }: Registration): string =>
  `${instanceId} of generation ${generation}`;

function checkEarly(
  registration: Registration,
  beats: readonly BeatRecord[],
  { clockDrift }: LeaseHistory,
): readonly Violation[] {
  const { ttlMs, fromMs, endMs } = registration;
  const leaseMs = ttlMs * (1 - 2 * clockDrift) - 1;
  const signs = beats
    .filter(({ outcome, generation, sentAtMs, endedAtMs }) => {
      if (outcome !== 'acknowledged' || sentAtMs < fromMs || sentAtMs > endMs) return false;
      // It named this registration, or was sent and answered within its life: it cannot have been for another.
      return generation === registration.generation || endedAtMs <= endMs;
    })
    .map(({ sentAtMs }) => sentAtMs);
  const lastMs = Math.max(fromMs, ...signs);
  if (endMs >= lastMs + leaseMs) return [];
  const evidence = `${describe(registration)} was expired at ${endMs.toFixed(1)} ms, ${(endMs - lastMs).toFixed(1)} ms after a sign of life that was acknowledged, TTL ${ttlMs} ms`;
  return [{ guarantee: 'G7', evidence }];
}

/** Somebody was sending for it, at the latest when half of the first lease was over, and it was expired before that one could
 * have been missed. */
function checkKept(registration: Registration, { keeps }: LeaseHistory): readonly Violation[] {
  const { instanceId, ttlMs, fromMs, endMs } = registration;
  const kept = keeps.find(
    (keep) =>
      keep.instanceId === instanceId &&
      keep.fromMs <= fromMs + ttlMs / 2 - KEEP_SLACK_MS &&
      endMs < keep.toMs + ttlMs - KEEP_SLACK_MS,
  );
  if (kept === undefined) return [];
  const evidence = `${describe(registration)} was expired at ${endMs.toFixed(1)} ms while heartbeats were sent from ${kept.fromMs.toFixed(1)} to ${kept.toMs.toFixed(1)} ms`;
  return [{ guarantee: 'G9', evidence }];
}

function checkLate(
  registration: Registration,
  beats: readonly BeatRecord[],
  { stable, clockDrift }: LeaseHistory,
): readonly Violation[] {
  if (stable === undefined) return [];
  const { ttlMs, fromMs } = registration;
  const lastMs = Math.max(fromMs, stable.fromMs, ...beats.map(({ endedAtMs }) => endedAtMs));
  const dueMs = lastMs + ttlMs * (1 + GRACE_SHARE + clockDrift) + GRACE_MS + APPLY_MS;
  if (stable.toMs <= dueMs) return [];
  const evidence = `${describe(registration)} was silent since ${lastMs.toFixed(1)} ms and is still there at ${stable.toMs.toFixed(1)} ms, TTL ${ttlMs} ms`;
  return [{ guarantee: 'G8', evidence }];
}
