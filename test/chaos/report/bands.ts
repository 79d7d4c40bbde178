// Who led, by what each node said of itself: stretches of one role and term.
import type { Sight } from '../verdict/evidence.ts';

export interface Band {
  readonly fromMs: number;
  readonly toMs: number;
  readonly role: 'leader' | 'follower' | 'silent';
  /** 0 where it did not answer. */
  readonly term: number;
}

/** A node that was not looked at for so long is not known to have stayed as it was. */
const FORGET_MS = 1500;

/** Node -> its bands, ascending; nodes in the order of their names. */
export function bandsOf(sights: readonly Sight[], endMs: number): ReadonlyMap<string, Band[]> {
  const byNode = new Map<string, Sight[]>();
  for (const sight of sights) {
    const known = byNode.get(sight.node);
    if (known === undefined) byNode.set(sight.node, [sight]);
    else known.push(sight);
  }
  const names = [...byNode.keys()].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return new Map(names.map((name) => [name, bandsOfOne(byNode.get(name) ?? [], endMs)]));
}

function bandsOfOne(sights: readonly Sight[], endMs: number): Band[] {
  const bands: Band[] = [];
  const sorted = sights.toSorted((a, b) => a.atMs - b.atMs);
  sorted.forEach((sight, at) => {
    const nextMs = sorted[at + 1]?.atMs ?? endMs;
    const toMs = Math.min(nextMs, sight.atMs + FORGET_MS);
    const role = roleOf(sight);
    const term = sight.term ?? 0;
    const last = bands.at(-1);
    const goesOn = last !== undefined && sight.atMs - last.toMs < 1;
    if (goesOn && last.role === role && last.term === term) {
      bands[bands.length - 1] = { ...last, toMs };
    } else bands.push({ fromMs: sight.atMs, toMs, role, term });
  });
  return bands;
}

function roleOf({ role }: Sight): Band['role'] {
  if (role === undefined) return 'silent';
  return role.toLowerCase() === 'leader' ? 'leader' : 'follower';
}
