// Bugs of the state machine: remembered answers, generations, the state hash.
import type { PlantedBug } from '../../planted/bug.ts';
import { inArea, patch } from './planted.ts';

const deduplication = inArea('deduplication');
const generation = inArea('generation');
const hash = inArea('hash');

export const stateBugs: readonly PlantedBug[] = [
  deduplication(
    'answers are remembered in memory only',
    patch(
      'registry/deduplication.ts',
      'append(answers, key, stored, answer, enter(ledger, key, stored));',
      'append(answers, key, stored, answer, enterStored(ledger, key, stored));',
    ),
  ),
  deduplication(
    'an answer is remembered only if it changed something',
    patch(
      'registry/apply.ts',
      'const key = answerKey(body.kind, requestId);',
      'if (applied.group === undefined) return applied;\n  const key = answerKey(body.kind, requestId);',
    ),
  ),
  deduplication(
    'a retry is applied again',
    patch(
      'registry/apply.ts',
      'if (first !== undefined) {',
      'if (first !== undefined && requestId.length > 3) {',
    ),
  ),
  generation(
    'a deregister that names an old generation removes the new one',
    patch(
      'registry/apply.ts',
      'return generation !== 0 && record.generation !== generation;',
      'return generation !== 0 && record.generation < generation;',
    ),
  ),
  generation(
    'a register that names an old generation replaces the new one',
    patch(
      'registry/apply.ts',
      'if (ifGeneration !== 0 && record?.generation !== ifGeneration) {',
      'if (ifGeneration !== 0 && record === undefined) {',
    ),
  ),
  generation(
    'an expiry removes a newer generation',
    patch(
      'registry/apply.ts',
      'return record?.generation === item.generation ? record : undefined;',
      'return record;',
    ),
  ),
  hash(
    'what was deleted comes back after a restart',
    patch(
      'registry/record-ledger.ts',
      'ledger.dirty.set(key, undefined);',
      'ledger.dirty.delete(key);',
    ),
  ),
  hash(
    'answers are loaded in another order than they were given',
    patch(
      'registry/deduplication.ts',
      'blocks.get(number)?.forEach((answer) => linkNewest(answers, answer));',
      'for (const answer of (blocks.get(number) ?? []).filter(() => true).toReversed()) linkNewest(answers, answer);',
    ),
  ),
  hash(
    'a change of status leaves the state hash as it was',
    patch('registry/record-ledger.ts', 'setHash(cell, hashRecord(key, after));\n', ''),
  ),
];
