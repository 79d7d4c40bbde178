// Expiry audit: nobody is expired before TTL has passed since an acknowledged sign of life was sent (G7), silence is noticed in
// time under a stable leader (G8), and whoever never stopped sending is never expired, whatever happened to the registry (G9).
import type {
  BeatRecord,
  ChangeRecord,
  History,
  KeepRecord,
  LeaseHistory,
  Violation,
} from './history.ts';
import type { RevisionOrder } from './revision-order.ts';

/** One registration: from its put to its end. */
interface Registration {
  readonly instanceId: string;
  readonly generation: number;
  readonly ttlMs: number;
  readonly from: Moment;
  /** Infinity: it is still there. */
  end: Moment;
  expired: boolean;
}

/** When something was applied for the first time. Both are the same where that is known. */
interface Moment {
  readonly earliestMs: number;
  readonly latestMs: number;
}

const NEVER: Moment = {
  earliestMs: Number.POSITIVE_INFINITY,
  latestMs: Number.POSITIVE_INFINITY,
};

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
  const beatsOf = byInstance(leases.beats);
  const keepsOf = byInstance(leases.keeps);
  for (const registration of registrations(leases, order)) {
    const { instanceId, ttlMs, expired, end } = registration;
    found.push(...checkGone(registration, beatsOf.get(instanceId) ?? []));
    if (ttlMs === 0 || (!expired && end !== NEVER)) continue;
    const known = beatsOf.get(instanceId) ?? [];
    const beats = known.filter((beat) => mayRenew(beat, registration));
    if (expired) {
      const keeps = keepsOf.get(instanceId) ?? [];
      found.push(...checkEarly(registration, beats, leases), ...checkKept(registration, keeps));
    } else {
      found.push(...checkLate(registration, beats, leases));
    }
  }
  return found;
}

function byInstance<T extends { readonly instanceId: string }>(
  all: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const one of all) {
    const known = found.get(one.instanceId);
    if (known === undefined) found.set(one.instanceId, [one]);
    else known.push(one);
  }
  return found;
}

/** All registrations, from the order: the generation is the revision of the put that began it. */
function registrations(leases: LeaseHistory, order: RevisionOrder): readonly Registration[] {
  const all: Registration[] = [];
  const current = new Map<string, Registration>();
  for (let revision = 1; revision <= order.size; revision++) {
    const moment = momentOf(leases, revision);
    for (const change of order.get(revision) ?? []) {
      const before = current.get(change.instanceId);
      if (continues(before, change)) continue;
      if (before !== undefined) {
        before.end = moment;
        before.expired = change.expired === true;
        current.delete(change.instanceId);
      }
      if (change.kind === 'remove') continue;
      const { instanceId, generation = 0, ttlMs = 0 } = change;
      // The generation is the revision of the put that began it, even where that put itself was not told.
      const from = momentOf(leases, generation === 0 ? revision : Math.min(generation, revision));
      const next = { instanceId, generation, ttlMs, from, end: NEVER, expired: false };
      current.set(instanceId, next);
      all.push(next);
    }
  }
  return all;
}

function momentOf(
  { appliedAtMs, notBeforeMs = appliedAtMs }: LeaseHistory,
  revision: number,
): Moment {
  return {
    earliestMs: notBeforeMs[revision - 1] ?? 0,
    latestMs: appliedAtMs[revision - 1] ?? 0,
  };
}

/** A change of status, or the removal from the old service in a move. */
const continues = (before: Registration | undefined, change: ChangeRecord): boolean =>
  before !== undefined && change.kind === 'put' && change.generation === before.generation;

function mayRenew(beat: BeatRecord, { generation }: Registration): boolean {
  return beat.generation === 0 || beat.generation === generation;
}

const describe = ({ instanceId, generation }: Registration): string =>
  `${instanceId} of generation ${generation}`;

function checkEarly(
  registration: Registration,
  beats: readonly BeatRecord[],
  { clockDrift }: LeaseHistory,
): readonly Violation[] {
  const { ttlMs, from, end } = registration;
  const leaseMs = ttlMs * (1 - 2 * clockDrift) - 1;
  let lastMs = from.earliestMs;
  for (const { outcome, generation, sentAtMs, endedAtMs } of beats) {
    if (outcome !== 'acknowledged') continue;
    // It named this registration, or was sent and answered within its life: it cannot have been for another.
    const named = generation === registration.generation && sentAtMs <= end.latestMs;
    const within = sentAtMs >= from.latestMs && endedAtMs <= end.earliestMs;
    if (named || within) lastMs = Math.max(lastMs, sentAtMs);
  }
  const endMs = end.latestMs;
  if (endMs >= lastMs + leaseMs) return [];
  const evidence = `${describe(registration)} was expired at ${endMs.toFixed(1)} ms, ${(endMs - lastMs).toFixed(1)} ms after a sign of life that was acknowledged, TTL ${ttlMs} ms`;
  return [{ guarantee: 'G7', evidence }];
}

/** Whoever named it was told that it lives, although somebody had been told before that it is gone: the one who answered did not
 * ask the others whether it may speak for them. */
function checkGone(registration: Registration, beats: readonly BeatRecord[]): readonly Violation[] {
  if (registration.generation === 0) return [];
  const goneMs = registration.end.latestMs;
  const told = beats.find(
    ({ outcome, generation, sentAtMs }) =>
      outcome === 'acknowledged' && generation === registration.generation && sentAtMs > goneMs,
  );
  if (told === undefined) return [];
  const evidence = `a heartbeat for ${describe(registration)} was acknowledged, sent at ${told.sentAtMs.toFixed(1)} ms, although it had ended by ${goneMs.toFixed(1)} ms`;
  return [{ guarantee: 'G7', evidence }];
}

/** Somebody was sending for it, at the latest when half of the first lease was over, and it was expired before that one could
 * have been missed. */
function checkKept(registration: Registration, keeps: readonly KeepRecord[]): readonly Violation[] {
  const { ttlMs, from, end } = registration;
  const kept = keeps.find(
    (keep) =>
      keep.fromMs <= from.earliestMs + ttlMs / 2 - KEEP_SLACK_MS &&
      end.latestMs < keep.toMs + ttlMs - KEEP_SLACK_MS,
  );
  if (kept === undefined) return [];
  const evidence = `${describe(registration)} was expired at ${end.latestMs.toFixed(1)} ms while heartbeats were sent from ${kept.fromMs.toFixed(1)} to ${kept.toMs.toFixed(1)} ms`;
  return [{ guarantee: 'G9', evidence }];
}

function checkLate(
  registration: Registration,
  beats: readonly BeatRecord[],
  { stable, clockDrift }: LeaseHistory,
): readonly Violation[] {
  if (stable === undefined) return [];
  const { ttlMs, from } = registration;
  let lastMs = Math.max(from.latestMs, stable.fromMs);
  for (const { endedAtMs } of beats) lastMs = Math.max(lastMs, endedAtMs);
  const dueMs = lastMs + ttlMs * (1 + GRACE_SHARE + clockDrift) + GRACE_MS + APPLY_MS;
  if (stable.toMs <= dueMs) return [];
  const evidence = `${describe(registration)} was silent since ${lastMs.toFixed(1)} ms and is still there at ${stable.toMs.toFixed(1)} ms, TTL ${ttlMs} ms`;
  return [{ guarantee: 'G8', evidence }];
}
