// Remembered answers (G4): the first answer to a request_id is the answer to every retry of it, for a window of registry
// time and of count. Forgetting happens inside apply, oldest first, so every node forgets the same.
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

/** Takes over answers from a state store, in any order. */
export function enterAnswers(
  answers: Answers,
  ledger: RecordLedger,
  records: readonly { readonly key: string; readonly value: Uint8Array }[],
): void {
  const loaded = records.map(({ key, value }) => ({ key, value, answer: loadAnswer(value) }));
  loaded.sort((left, right) => left.answer.sequence - right.answer.sequence);
  for (const { key, value, answer } of loaded) {
    const stored = new Uint8Array(value);
    append(answers, key, stored, answer, enterStored(ledger, key, stored));
  }
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
  const older = answers.newest;
  const added = { key, stored, registryTimeMs, sequence, hashA, hashB, older, newer: undefined };
  if (answers.newest === undefined) answers.oldest = added;
  else answers.newest.newer = added;
  answers.newest = added;
  answers.byKey.set(added.key, added);
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
