// What a process's end means, for scripts and for the one who starts it again (docs/operations.md).

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  outcomeUnknown: 3,
  diskError: 10,
  damagedData: 11,
  stateDiffers: 12,
  brokenInvariant: 13,
  dataDirRefused: 14,
} as const;

const MEANINGS: Readonly<Record<number, string>> = {
  [EXIT.done]: 'done',
  [EXIT.failed]: 'failed',
  [EXIT.usage]: 'wrong usage or configuration',
  [EXIT.outcomeUnknown]: 'outcome unknown',
  [EXIT.diskError]: 'disk error',
  [EXIT.damagedData]: 'damaged data that needs an operator',
  [EXIT.stateDiffers]: 'state differs from the majority',
  [EXIT.brokenInvariant]: 'a broken invariant',
  [EXIT.dataDirRefused]: 'data-dir in use, of another node or cluster, or of a later version',
};

export function exitMeaning(code: number): string {
  return MEANINGS[code] ?? 'unexpected end';
}

/** Ends that the same start would only meet again: an operator has to act first. */
export const NEEDS_OPERATOR: ReadonlySet<number> = new Set([
  EXIT.usage,
  EXIT.damagedData,
  EXIT.stateDiffers,
  EXIT.dataDirRefused,
]);
