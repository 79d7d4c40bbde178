// What can become of the state on disk while nobody looks: a record that is another one or gone, files that cannot be read, a copy put
// back from before or from another node, a snapshot that was received and waits for its place.
import type { Random } from '../../src/lib/random.ts';
import { hashOfImage } from '../../src/registry/index.ts';
import { copyOf, type MemoryState } from '../support/memory-state-store.ts';

export const stateDamages = [
  'record',
  'loseRecord',
  'sealed',
  'otherSealed',
  'unreadable',
  'old',
  'other',
] as const;
export type StateDamage = (typeof stateDamages)[number];

/** A state store with the incarnation that is written in it. */
export interface OwnedState {
  readonly state: MemoryState;
  readonly owner: string;
}

/** What was done; undefined where there is nothing to damage in this way. Copies and reading are the caller's. */
export function damageRecords(
  how: 'record' | 'loseRecord' | 'sealed',
  { records, sealed }: MemoryState,
  random: Random,
): string | undefined {
  const content = how === 'sealed' ? sealed?.content.records : records;
  const keys = [...(content ?? [])].filter(([, { length }]) => length > 0).map(([key]) => key);
  const key = keys[random.integer(0, keys.length)];
  const value = key === undefined ? undefined : content?.get(key);
  if (content === undefined || key === undefined || value === undefined) return undefined;
  if (how === 'loseRecord') {
    content.delete(key);
    return `the record ${key} is gone`;
  }
  const changed = value.slice();
  const at = random.integer(0, changed.length);
  changed[at] = (changed[at] ?? 0) ^ (1 << random.integer(0, 8));
  content.set(key, changed);
  return `byte ${at} of the record ${key} has a flipped bit`;
}

/** Every record is what was written, by what is written beside them. */
export function isSound({ records, last }: MemoryState): boolean {
  if (last === undefined) return records.size === 0;
  const { revision, registryTimeMs, hash } = last.meta;
  const content = [...records].map(([key, value]) => ({ key, value }));
  return hashOfImage(content, revision, registryTimeMs) === hash;
}

export function copied({ state, owner }: OwnedState): OwnedState {
  return { state: copyOf(state), owner };
}
