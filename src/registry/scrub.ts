// Walks over all replicated records in memory, a few at a time, and recomputes their hashes: bytes that changed by
// themselves show in the state hash, which nodes compare (G12).
import { instanceKey, serviceKey, storedForm, storeService } from './record-codec.ts';
import { type Cell, verify } from './record-ledger.ts';
import type { RegistryState } from './registry-state.ts';

interface HeldRecord {
  readonly key: string;
  readonly cell: Cell;
  /** As memory holds it. */
  readonly stored: Uint8Array;
}

/** Every record in memory. Maps may change while they are walked: what is added later comes later, what is deleted does not come. */
function* heldRecords(state: RegistryState): Generator<HeldRecord> {
  for (const namespace of state.catalog.namespaces.values()) {
    for (const entry of namespace.instances.values()) {
      const key = instanceKey(namespace.name, entry.record.instanceId);
      yield { key, cell: entry, stored: storedForm(entry.record) };
    }
    for (const { name, departure } of namespace.services.values()) {
      if (departure !== undefined) {
        const stored = storeService(departure.revision);
        yield { key: serviceKey(namespace.name, name), cell: departure, stored };
      }
    }
  }
  for (const answer of state.answers.byKey.values()) {
    yield { key: answer.key, cell: answer, stored: answer.stored };
  }
}

/** A walk over the records of a registry that never ends. */
export interface Scrubber {
  /** Looks at the next `count` records at most, beginning anew after the last, and returns how many had changed. */
  scrub(count: number): number;
  /** Walks that came to their end. */
  readonly walks: number;
  /** Begins anew: the content is another one. */
  restart(): void;
}

export function scrubber(state: RegistryState): Scrubber {
  let walk = heldRecords(state);
  let walks = 0;
  return {
    get walks() {
      return walks;
    },
    scrub(count) {
      let damaged = 0;
      for (let looked = 0; looked < count; looked++) {
        const { value, done } = walk.next();
        if (done === true) {
          walk = heldRecords(state);
          walks++;
          break;
        }
        if (!verify(state.ledger, value.key, value.cell, value.stored)) damaged += 1;
      }
      return damaged;
    },
    restart() {
      walk = heldRecords(state);
    },
  };
}
