// Damage of what a node has on disk, as data, and how it is drawn: beside the other faults and with a generator of its own, so that
// half of the seeds are what they would be without it.
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { type LogDamage, logDamages } from './log-damage.ts';
import type { Parameters } from './parameters.ts';

export type DamageAction =
  /** Something happens to the log. `live`: while the node runs, which finds it when it reads there, or at its next start. What is put back as
   * it once was is `ageMs` old. */
  {
    readonly kind: 'damageLog';
    readonly node: string;
    readonly how: LogDamage;
    readonly live: boolean;
    readonly ageMs: number;
    readonly downMs: number;
  };

const PER_SECOND = 0.6;
/** What is done to the files of a running process: names and sizes do not change under it. */
const LIVE: readonly LogDamage[] = ['bit', 'zeroSector', 'unreadable'];

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
    damages.push({ atMs, damage: drawDamage(random, parameters) });
  }
  return damages;
}

function drawDamage(random: Random, { nodes }: Parameters): DamageAction {
  const node = random.next() < 0.4 ? 'leader' : (nodes[random.integer(0, nodes.length)] ?? '');
  const downMs = Math.round(20 + 800 * random.next() ** 2);
  const ageMs = random.integer(100, 1500);
  const how = logDamages[random.integer(0, logDamages.length)] ?? 'bit';
  const live = LIVE.includes(how) && random.next() < 0.5;
  return { kind: 'damageLog', node, how, live, ageMs, downMs };
}
