// Damage of what a node has on disk, as data, and how it is drawn: beside the other faults and with a generator of its own, so that
// half of the seeds are what they would be without it.
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { type ChunkDamage, chunkDamages } from './garble.ts';
import { type LogDamage, logDamages } from './log-damage.ts';
import type { Parameters } from './parameters.ts';
import { type StateDamage, stateDamages } from './state-damage.ts';

export type DamageAction =
  | LogDamageAction
  | StateDamageAction
  /** The next chunks of snapshots that anybody sends are not what they should be. */
  | {
      readonly kind: 'garble';
      readonly how: ChunkDamage;
      readonly times: number;
    };

/** Something happens to the log. `live`: while the node runs, which finds it when it reads there, or at its next start. What is put back
 * as it once was is `ageMs` old. */
export interface LogDamageAction {
  readonly kind: 'damageLog';
  readonly node: string;
  readonly how: LogDamage;
  readonly live: boolean;
  readonly ageMs: number;
  readonly downMs: number;
}

/** The same of the state on disk; while the node runs it is for the scrub to find. */
export interface StateDamageAction extends Omit<LogDamageAction, 'kind' | 'how'> {
  readonly kind: 'damageState';
  readonly how: StateDamage;
}

const PER_SECOND = 1;
/** What is done to the files of a running process: names and sizes do not change under it. */
const LIVE: readonly string[] = ['bit', 'zeroSector', 'unreadable', 'record', 'loseRecord'];

export function drawDamages(
  seed: number,
  parameters: Parameters,
): readonly { readonly atMs: number; readonly damage: DamageAction }[] {
  const random = seededRandom(seed ^ 0x1b873593);
  if (random.next() < 0.5 || parameters.faults.length === 0) return [];
  const damages: { atMs: number; damage: DamageAction }[] = [];
  const betweenMs = 1000 / PER_SECOND;
  const endMs = parameters.chaosMs - 300;
  for (let atMs = 500; atMs < endMs; atMs += betweenMs * 2 * random.next()) {
    const damage = drawDamage(random, parameters);
    damages.push({ atMs, damage });
    // Once more, while it is on its way back.
    if (damage.kind !== 'damageLog' || random.next() < 0.6) continue;
    // Before anybody has heard of its new incarnation, of which nothing is in its log yet, or after that.
    const early = random.next() < 0.5;
    const how = early ? 'unreadable' : random.next() < 0.5 ? 'bit' : 'truncate';
    const afterMs = damage.downMs + (early ? random.integer(2, 60) : random.integer(40, 400));
    damages.push({ atMs: atMs + afterMs, damage: { ...damage, how, live: false } });
  }
  return damages;
}

function drawDamage(random: Random, { nodes }: Parameters): DamageAction {
  const node = random.next() < 0.4 ? 'leader' : (nodes[random.integer(0, nodes.length)] ?? '');
  const downMs = Math.round(20 + 800 * random.next() ** 2);
  const ageMs = random.integer(100, 1500);
  const what = random.next();
  if (what < 0.2) {
    const how = chunkDamages[random.integer(0, chunkDamages.length)] ?? 'bit';
    return { kind: 'garble', how, times: random.integer(1, 4) };
  }
  if (what < 0.35) {
    const how = random.next() < 0.3 ? 'sealed' : 'otherSealed';
    return { kind: 'damageState', node, how, live: false, ageMs, downMs };
  }
  if (what < 0.67) {
    const how = stateDamages[random.integer(0, stateDamages.length)] ?? 'record';
    const live = LIVE.includes(how) && random.next() < 0.6;
    return { kind: 'damageState', node, how, live, ageMs, downMs };
  }
  const how = logDamages[random.integer(0, logDamages.length)] ?? 'bit';
  const live = LIVE.includes(how) && random.next() < 0.5;
  return { kind: 'damageLog', node, how, live, ageMs, downMs };
}
