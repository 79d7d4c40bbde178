// Writes the first record of a cluster, once formation.ts says that it may be written, and helps those who come late.
import { logIndex, type NodeId, term } from '../lib/ids.ts';
import type { LogFloor } from '../raft/index.ts';
import { encodeClusterRecord } from './cluster-record.ts';
import { createFormation, type Formation, type FormationOptions } from './formation.ts';
import type { ClusterRecord, FormationFrame, Hello } from './peer-protocol.ts';
import type { Clock, LogImage, LogStore } from './ports.ts';

export interface FirstBootOptions extends FormationOptions {
  readonly clock: Clock;
  readonly logStore: LogStore;
  readonly tell: (frame: FormationFrame) => void;
  /** The data-dir notes the cluster it belongs to; the record is durable by then. */
  readonly markFormed: (clusterUuid: string) => Promise<void>;
  readonly formed: (record: ClusterRecord, image: LogImage) => void;
  readonly failed: (error: unknown) => void;
}

/** A log that begins with its first entry. */
const wholeLog: LogFloor = {
  index: logIndex(0),
  term: term(0),
  configuration: { index: logIndex(0), payload: new Uint8Array() },
};

/** Frames can be lost, so what was said is said again. */
const REPEAT_MS = 200;

export class FirstBoot {
  readonly #options: FirstBootOptions;
  readonly #formation: Formation;
  #toldMs = Number.NEGATIVE_INFINITY;
  /** Chosen, and on its way to the disk. */
  #writing: ClusterRecord | undefined;

  constructor(options: FirstBootOptions) {
    this.#options = options;
    this.#formation = createFormation(options);
  }

  get problem(): string {
    return this.#writing === undefined ? this.#formation.problem() : 'the cluster is forming';
  }

  connected(hello: Hello): void {
    this.#formation.connected(hello);
    this.#advance();
  }

  broken(peer: NodeId): void {
    this.#formation.broken(peer);
  }

  heard(from: NodeId, frame: FormationFrame): void {
    this.#formation.heard(from, frame);
    this.#write();
  }

  /** Single members need nobody; everyone else repeats what it knows. */
  tick(): void {
    if (this.#options.clock.now() >= this.#toldMs + REPEAT_MS) this.#advance();
  }

  #advance(): void {
    this.#toldMs = this.#options.clock.now();
    this.#options.tell(this.#frame());
    this.#write();
  }

  /** From the moment a record is chosen no other one is named, whoever comes with an empty disk while this one is being
   * written: else the others could form a second cluster with this node in it. */
  #frame(): FormationFrame {
    if (this.#writing === undefined) return this.#formation.frame();
    return { ...formedFrame(this.#writing), formed: false };
  }

  #write(): void {
    const record = this.#formation.record();
    if (record === undefined || this.#writing !== undefined) return;
    this.#writing = record;
    void this.#form(record);
  }

  async #form(record: ClusterRecord): Promise<void> {
    const payload = encodeClusterRecord(record);
    const image = firstImage(payload);
    try {
      await this.#options.logStore.append({
        sequence: 0,
        term: image.hardState.term,
        hardState: image.hardState,
        truncateAfter: undefined,
        floor: undefined,
        entries: [
          {
            index: image.lastIndex,
            term: image.hardState.term,
            kind: 'bootstrap',
            payload,
          },
        ],
      });
      await this.#options.markFormed(record.clusterUuid);
    } catch (error) {
      this.#options.failed(error);
      return;
    }
    this.#options.formed(record, image);
  }
}

/** The log with its first record: committed by what it is, because it is equal on every node that has one. */
function firstImage(payload: Uint8Array): LogImage {
  const first = logIndex(1);
  return {
    hardState: { term: term(1), votedFor: undefined, commitIndex: first },
    floor: wholeLog,
    configurations: [{ index: first, payload }],
    runs: [{ firstIndex: first, term: term(1) }],
    lastIndex: first,
  };
}

/** What a member that has written the record tells one that has not. */
export function formedFrame(record: ClusterRecord): FormationFrame {
  return {
    kind: 'formation',
    known: record.members,
    proposedUuid: record.clusterUuid,
    formed: true,
  };
}
