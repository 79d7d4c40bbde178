// The damages, each as what it makes of the content of one file. Where in the file is decided by the seed.
import type { Random } from '../../src/lib/random.ts';
import type { StoredFile } from './stored-file.ts';

export const damageKinds = ['flip', 'truncate', 'empty', 'delete', 'zero', 'old', 'other'] as const;
export type DamageKind = (typeof damageKinds)[number];

/** `void`: there is nothing to damage in this way, as where the old copy is the same. */
export type Damaged =
  | { readonly kind: 'content'; readonly file: StoredFile; readonly what: string }
  | { readonly kind: 'gone'; readonly what: string }
  | { readonly kind: 'void'; readonly why: string };

export interface Donors {
  /** The same kind of file as this node had it some time ago. */
  readonly old: StoredFile | undefined;
  readonly other: StoredFile | undefined;
}

const pageBytes = 4096;
/** A bit that rots in a file of zeros may lie anywhere; this far is enough. */
const zeroReach = 1 << 20;

function flip({ used, size }: StoredFile, random: Random): Damaged {
  const reach = used.length > 0 ? used.length : Math.min(size, zeroReach);
  if (reach <= 0) return { kind: 'void', why: 'the file is empty' };
  const at = random.integer(0, reach);
  const bit = random.integer(0, 8);
  const bytes = Buffer.alloc(Math.max(used.length, at + 1));
  used.copy(bytes);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  return { kind: 'content', file: { used: bytes, size }, what: `bit ${bit} of byte ${at} flipped` };
}

function truncate({ used, size }: StoredFile, random: Random): Damaged {
  const reach = used.length > 1 ? used.length : size;
  if (reach <= 1) return { kind: 'void', why: 'there is no shorter one but the empty one' };
  const length = random.integer(1, reach);
  const kept = used.subarray(0, length);
  return { kind: 'content', file: { used: kept, size: length }, what: `cut to ${length} bytes` };
}

function zero({ used, size }: StoredFile, random: Random): Damaged {
  if (used.length === 0) return { kind: 'void', why: 'it is zero already' };
  const pages = Math.ceil(used.length / pageBytes);
  const first = random.integer(0, pages);
  // Pages of a sparse file may be zero already.
  for (let turn = 0; turn < pages; turn++) {
    const from = ((first + turn) % pages) * pageBytes;
    const to = Math.min(from + pageBytes, used.length);
    if (used.subarray(from, to).every((byte) => byte === 0)) continue;
    const bytes = Buffer.from(used);
    bytes.fill(0, from, to);
    return { kind: 'content', file: { used: bytes, size }, what: `bytes ${from} to ${to} zeroed` };
  }
  return { kind: 'void', why: 'it is zero already' };
}

function swap(file: StoredFile, donor: StoredFile | undefined, whose: string): Damaged {
  if (donor === undefined) return { kind: 'void', why: `there is no ${whose} copy` };
  if (donor.size === file.size && donor.used.equals(file.used)) {
    return { kind: 'void', why: `the ${whose} copy is the same` };
  }
  return { kind: 'content', file: donor, what: `replaced by the ${whose} copy` };
}

export function damageFile(
  kind: DamageKind,
  file: StoredFile,
  random: Random,
  donors: Donors,
): Damaged {
  switch (kind) {
    case 'flip':
      return flip(file, random);
    case 'truncate':
      return truncate(file, random);
    case 'empty':
      if (file.size === 0) return { kind: 'void', why: 'the file is empty' };
      return { kind: 'content', file: { used: Buffer.alloc(0), size: 0 }, what: 'cut to nothing' };
    case 'delete':
      return { kind: 'gone', what: 'deleted' };
    case 'zero':
      return zero(file, random);
    case 'old':
      return swap(file, donors.old, 'old');
    case 'other':
      return swap(file, donors.other, "other node's");
  }
}
