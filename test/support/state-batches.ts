// Batches for state stores, in few words, with a model of the state they make and an order-independent hash of it.
import { createHash } from 'node:crypto';
import { logIndex, type Revision, revision, term } from '../../src/lib/ids.ts';
import type { SnapshotHeader, StateBatch } from '../../src/node/ports.ts';
import type { ImageHasher, StoredRecord } from '../../src/registry/index.ts';

/** Sum of a digest per record, as the registry's own hash is: 16 hex digits. */
export const testHasher = (): ImageHasher => {
  let sum = 0n;
  return {
    add: ({ key, value }) => {
      sum += digest(key, value ?? new Uint8Array());
    },
    hash: (atRevision, registryTimeMs) => {
      const all = sum + digest(`${atRevision} ${registryTimeMs}`, new Uint8Array());
      return (all & 0xffff_ffff_ffff_ffffn).toString(16).padStart(16, '0');
    },
  };
};

/** The same for records at hand. */
export function testHash(
  records: Iterable<StoredRecord>,
  atRevision: Revision,
  registryTimeMs: number,
): string {
  const hasher = testHasher();
  for (const record of records) hasher.add(record);
  return hasher.hash(atRevision, registryTimeMs);
}

function digest(key: string, value: Uint8Array): bigint {
  const bytes = createHash('sha256').update(`${key.length} ${key}`).update(value).digest();
  return bytes.readBigUInt64LE(0);
}

export interface StatePlan {
  readonly put?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

/** The state as it should be. */
export class StateModel {
  readonly records = new Map<string, string>();
  last: StateBatch | undefined;

  stored(): readonly StoredRecord[] {
    return [...this.records].map(([key, value]) => ({ key, value: Buffer.from(value) }));
  }

  next({ put = {}, remove = [] }: StatePlan): StateBatch {
    for (const [key, value] of Object.entries(put)) this.records.set(key, value);
    for (const key of remove) this.records.delete(key);
    const count = (this.last?.meta.revision ?? 0) + 1;
    const hash = testHash(this.stored(), revision(count), count * 10.5);
    this.last = {
      records: [
        ...Object.entries(put).map(([key, value]) => ({ key, value: Buffer.from(value) })),
        ...remove.map((key) => ({ key, value: undefined })),
      ],
      appliedIndex: logIndex(count * 3),
      appliedTerm: 2,
      configuration: { index: logIndex(count), payload: Buffer.from(`members ${count}`) },
      meta: { revision: revision(count), registryTimeMs: count * 10.5, hash },
    };
    return this.last;
  }
}

/** The header that a snapshot of the model's state has. */
export function headerOf(batch: StateBatch): SnapshotHeader {
  const { appliedIndex: index, appliedTerm, configuration, meta } = batch;
  return { index, term: term(appliedTerm), configuration, meta };
}

/** Records as text, in no order. */
export function contentOf(records: Iterable<StoredRecord>): Readonly<Record<string, string>> {
  const entries = [...records].map(({ key, value }): [string, string] => [
    key,
    Buffer.from(value ?? []).toString('utf8'),
  ]);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
