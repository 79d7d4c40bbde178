// What each damage has to come to: the promise that the matrix checks. docs/recovery.md and ADRs 0005, 0010 and 0018 say why.
import type { DamageKind } from './damages.ts';
import { disposable, type Ending } from './ending.ts';
import type { LogKind } from './field.ts';
import type { FileClass } from './file-classes.ts';

/** A damaged or missing log of a member, where another one is there to take it back. */
const logLost: readonly Ending[] = ['taken-back'];

/** Where a state comes from that cannot be used. */
const rebuilt = (logs: LogKind): Ending => (logs === 'whole' ? 'from-log' : 'from-peer');

/** Whatever ends the one that is written: a log that was cut where a frame ends cannot be told from one that never was longer, and
 * the others have what is missing (ADR 0010, "What cannot be told"). */
const endMissing: readonly Ending[] = ['unharmed', 'cut', 'from-peer', ...logLost];

/** Ways to go on that are right, whichever of them is taken. */
export function expected(kind: FileClass, damage: DamageKind, logs: LogKind): readonly Ending[] {
  if (disposable.has(kind)) return ['unharmed'];
  const again = rebuilt(logs);
  switch (kind) {
    case 'identity':
      // Whole, and somebody else's.
      if (damage === 'other') return [14];
      // It did not know its cluster then, and the log does.
      return damage === 'old' ? ['unharmed'] : [11];
    case 'wal-directory':
      return logLost;
    case 'segment-oldest':
      return logLost;
    case 'segment-written':
      return damage === 'zero' || damage === 'old' ? endMissing : logLost;
    case 'segment-spare':
      // It holds nothing yet: only what it says wrongly is damage.
      return damage === 'delete' ? ['unharmed'] : logLost;
    case 'state-table':
      // Some bits of a table say nothing, as in its padding.
      return damage === 'flip' ? [again, 'unharmed'] : [again];
    case 'state-current':
      return [again];
    case 'state-directory':
      // An older state that is whole is a state, and so is none at all: a log that is whole has the rest. Somebody else's never is.
      return damage === 'other' ? [again] : [again, 'unharmed'];
    case 'state-log':
    case 'state-manifest':
      // LevelDB drops what comes after the damage, and what came before is an older state.
      return [again, 'unharmed'];
    case 'staged':
    case 'sealed-marker':
    case 'sealed-directory':
      // The state beside it is older than the log: only another snapshot helps.
      return ['from-peer'];
    case 'sealed-content':
      return damage === 'flip' ? ['from-peer', 'unharmed'] : ['from-peer'];
    case 'lock':
    case 'disk-mark':
    case 'segment-preparing':
    case 'state-lock':
    case 'state-info':
    case 'former-state':
      return ['unharmed'];
  }
}
