// Notes in the data-dir, once, that the log makes this incarnation a member (G14). Until that is durable the data-dir may begin anew
// under the same incarnation, so nothing that speaks for this node as a member may have left it.
import { present } from '../lib/assert.ts';
import type { LogIndex } from '../lib/ids.ts';
import type { PersistBatch } from '../raft/index.ts';
import type { Roster } from './roster.ts';

/** Why a node ends that cannot note it. */
export const NOT_NOTED = 'the data directory could not note its cluster';

export interface MembershipNoteHost {
  readonly roster: () => Pick<Roster, 'record' | 'index' | 'standing'>;
  /** Durable when it resolves. */
  readonly write: (clusterUuid: string) => Promise<void>;
}

export class MembershipNote {
  readonly #host: MembershipNoteHost;
  #state: 'open' | 'writing' | 'written' = 'open';

  constructor(host: MembershipNoteHost) {
    this.#host = host;
  }

  /** The configuration in effect means this very data-dir, which does not say so yet. */
  get due(): boolean {
    const { record, standing } = this.#host.roster();
    return this.#state !== 'written' && record !== undefined && standing !== 'outside';
  }

  /** undefined while nothing waits for it. */
  get problem(): string | undefined {
    if (this.#state !== 'writing') return undefined;
    return 'this node is noting in its data directory that it is a member: until then it neither votes nor acknowledges';
  }

  /** What the log held when it was opened may be such a membership already: to be noted before anything begins. */
  async writeAtStart(lastIndex: LogIndex): Promise<void> {
    if (this.due && this.#host.roster().index <= lastIndex) await this.write();
  }

  /** The entry is durable. Not before: a crash in between would leave a member whose log knows nothing of it. */
  async write(): Promise<void> {
    const { record } = this.#host.roster();
    if (record === undefined || this.#state === 'written') return;
    this.#state = 'writing';
    await this.#host.write(record.clusterUuid);
    this.#state = 'written';
  }

  /** The first boot has written it. */
  written(): void {
    this.#state = 'written';
  }
}

export interface NoteGateOptions {
  readonly note: Pick<MembershipNote, 'due' | 'write'>;
  /** This batch is durable, and so are all before it. */
  readonly tell: (batch: PersistBatch) => void;
  readonly failed: (error: unknown) => void;
  readonly broken: (error: unknown) => void;
}

/** Between the disk and whoever is told of it. Opens for good once the membership is noted; before the entry that makes this node a
 * member it is open, too. */
export interface NoteGate {
  /** Another configuration is in effect. It is durable with the batch `sequence`. */
  configured(sequence: number): void;
  durable(batch: PersistBatch): void;
  stop(): void;
}

export function createNoteGate({ note, tell, failed, broken }: NoteGateOptions): NoteGate {
  /** The batch with the entry that makes this node a member, until that is noted. */
  let member: number | undefined;
  /** The newest that became durable meanwhile: it vouches for those before it. */
  let waiting: PersistBatch | undefined;
  let stopped = false;

  const noted = (): void => {
    if (stopped) return;
    const newest = present(waiting, 'a durable batch made the membership be noted');
    member = undefined;
    waiting = undefined;
    tell(newest);
  };

  return {
    configured(sequence) {
      if (note.due) member ??= sequence;
    },
    durable(batch) {
      if (member === undefined || batch.sequence < member) return tell(batch);
      const writing = waiting !== undefined;
      waiting = batch;
      if (!writing) note.write().then(noted, failed).catch(broken);
    },
    stop() {
      stopped = true;
    },
  };
}
