// What a data-dir has to say of itself once its log is lost (docs/adr/0018). Pure: the data-dir on disk and the simulator's machines
// take their new identity by this.
import { type LostLog, MAX_LOST } from './peer-protocol.ts';

/** Who it was. */
export interface FormerIdentity {
  readonly incarnation: string;
  /** '' while its log did not make it a member. */
  readonly clusterUuid: string;
  /** It was on its way back already. */
  readonly replaces?: LostLog | undefined;
}

export type Loss =
  /** From here on the data-dir is `incarnation`, and the former one never speaks again. */
  | { readonly kind: 'lost'; readonly incarnation: string; readonly lost: LostLog }
  /** There is no place to ask for, or nobody to ask: one plain sentence. */
  | { readonly kind: 'final'; readonly reason: string };

/** Every incarnation that may be the member is kept until the newest one is a member by its own log: the cluster may know any of them. `members` are
 * the others, as far as they are known now; those known at the first loss are kept. `incarnation` is a new one. */
export function lossOf(
  former: FormerIdentity,
  { found, members }: Pick<LostLog, 'found' | 'members'>,
  incarnation: string,
): Loss {
  const { replaces } = former;
  const before = former.clusterUuid === '' ? replaces : undefined;
  const clusterUuid = before?.clusterUuid ?? former.clusterUuid;
  if (clusterUuid === '') {
    return {
      kind: 'final',
      reason: 'this node has not joined a cluster yet: start it with an empty data directory',
    };
  }
  const incarnations = [former.incarnation, ...(before?.incarnations ?? [])];
  if (incarnations.length > MAX_LOST) {
    const times = `its log was lost ${MAX_LOST} times before it could return`;
    return { kind: 'final', reason: `${times}: replace the disk` };
  }
  const known = new Map([...(before?.members ?? []), ...members].map((one) => [one.nodeId, one]));
  if (known.size === 0) {
    return { kind: 'final', reason: 'no other member is known, of whom it could be taken back' };
  }
  return {
    kind: 'lost',
    incarnation,
    lost: { incarnations, clusterUuid, members: [...known.values()], found },
  };
}
