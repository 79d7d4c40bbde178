// Remembered answers (G4): the first answer to a request_id is the answer to every retry of it, for a window of registry
// time and of count. Forgetting happens inside apply, oldest first, so every node forgets the same.
import { assert } from '../lib/assert.ts';
import type { CommandKind } from './command.ts';
import type { RegistryLimits } from './index.ts';
import { answerKey, loadAnswer, type RememberedAnswer, storeAnswer } from './record-codec.ts';
import { type Cell, enter, enterStored, type RecordLedger, strike } from './record-ledger.ts';

/** How many expired answers one command forgets at most, so that none takes long after a quiet time. */
const FORGET_PER_COMMAND = 64;

interface Answer extends Cell {
  readonly key: string;
  readonly stored: Uint8Array;
  /** When the answer was given. */
  readonly registryTimeMs: number;
  readonly sequence: number;
  older: Answer | undefined;
  newer: Answer | undefined;
}

/** The table, with its answers in the order in which they were given. */
export interface Answers {
  readonly byKey: Map<string, Answer>;
  oldest: Answer | undefined;
  newest: Answer | undefined;
}

export function emptyAnswers(): Answers {
  return { byKey: new Map(), oldest: undefined, newest: undefined };
}

/** The answer remembered for the request_id, unless its window has passed. */
export function recall(
  answers: Answers,
  limits: RegistryLimits,
  kind: CommandKind,
  requestId: string,
  nowMs: number,
): RememberedAnswer | undefined {
  const answer = answers.byKey.get(answerKey(kind, requestId));
  if (answer === undefined || isOver(answer, limits, nowMs)) return undefined;
  return loadAnswer(answer.stored);
}

function isOver(answer: Answer, limits: RegistryLimits, nowMs: number): boolean {
  return nowMs - answer.registryTimeMs >= limits.rememberAnswersMs;
}

/** Remembers an answer, in the place of an older one whose window has passed, and forgets the oldest when there are too many. */
export function remember(
  answers: Answers,
  ledger: RecordLedger,
  limits: RegistryLimits,
  key: string,
  given: Omit<RememberedAnswer, 'sequence'>,
): void {
  const outdated = answers.byKey.get(key);
  if (outdated !== undefined) forget(answers, ledger, outdated);
  // Counted on from the newest answer and not from a counter, which would be lost with a restart while the table is empty.
  const sequence = (answers.newest?.sequence ?? 0) + 1;
  const { fingerprint, result, registryTimeMs } = given;
  const answer: RememberedAnswer = { fingerprint, result, registryTimeMs, sequence };
  const stored = storeAnswer(answer);
  append(answers, key, stored, answer, enter(ledger, key, stored));
  while (answers.byKey.size > limits.maxRememberedAnswers && answers.oldest !== undefined) {
    forget(answers, ledger, answers.oldest);
  }
}

/** Forgets answers whose window has passed: the oldest, a bounded number for each command. */
export function forgetOutdated(
  answers: Answers,
  ledger: RecordLedger,
  limits: RegistryLimits,
  nowMs: number,
): void {
  for (let forgotten = 0; forgotten < FORGET_PER_COMMAND; forgotten++) {
    const oldest = answers.oldest;
    if (oldest === undefined || !isOver(oldest, limits, nowMs)) return;
    forget(answers, ledger, oldest);
  }
}

/** Takes over answers from a state store or a snapshot, in any order. */
export interface AnswersLoader {
  add(key: string, value: Uint8Array): void;
  /** Everything is here: puts the answers into the order in which they were given. */
  link(): void;
}

// Answers come in the order of their keys and are kept in the order of their sequence numbers, which have hardly any gaps: a
// place for each number, in blocks, sorts a full table in few milliseconds at the end, where sorting it would block the node.
const BLOCK = 1024;

export function answersLoader(answers: Answers, ledger: RecordLedger): AnswersLoader {
  const blocks = new Map<number, Answer[]>();
  return {
    add(key, value) {
      const stored = new Uint8Array(value);
      const { registryTimeMs, sequence } = loadAnswer(stored);
      const { hashA, hashB } = enterStored(ledger, key, stored);
      const links = { older: undefined, newer: undefined };
      const answer = { key, stored, registryTimeMs, sequence, hashA, hashB, ...links };
      const number = Math.floor(sequence / BLOCK);
      let block = blocks.get(number);
      if (block === undefined) {
        block = [];
        blocks.set(number, block);
      }
      const at = sequence % BLOCK;
      assert(block[at] === undefined, 'an image holds each answer once');
      block[at] = answer;
      answers.byKey.set(key, answer);
    },
    link() {
      for (const number of [...blocks.keys()].toSorted((left, right) => left - right)) {
        // Holes are skipped.
        blocks.get(number)?.forEach((answer) => linkNewest(answers, answer));
      }
      blocks.clear();
    },
  };
}

function append(
  answers: Answers,
  key: string,
  stored: Uint8Array,
  answer: RememberedAnswer,
  cell: Cell,
): void {
  const { registryTimeMs, sequence } = answer;
  const { hashA, hashB } = cell;
  const links = { older: undefined, newer: undefined };
  const added = { key, stored, registryTimeMs, sequence, hashA, hashB, ...links };
  linkNewest(answers, added);
  answers.byKey.set(added.key, added);
}

function linkNewest(answers: Answers, added: Answer): void {
  added.older = answers.newest;
  if (answers.newest === undefined) answers.oldest = added;
  else answers.newest.newer = added;
  answers.newest = added;
}

function forget(answers: Answers, ledger: RecordLedger, answer: Answer): void {
  if (answer.older === undefined) answers.oldest = answer.newer;
  else answer.older.newer = answer.newer;
  if (answer.newer === undefined) answers.newest = answer.older;
  else answer.newer.older = answer.older;
  // Nothing dead may keep the living in memory.
  answer.older = undefined;
  answer.newer = undefined;
  answers.byKey.delete(answer.key);
  strike(ledger, answer.key, answer, answer.stored);
}
