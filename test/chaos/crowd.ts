// The clients of a run: readers in one process, writers, keepers and the rest in another. Readers are there before the first
// write, so that every revision has a witness.
import { seededRandom } from '../../src/lib/random.ts';
import { type ClientHandle, startClients } from './clients/client-handle.ts';
import type { ClientProgress, ClientSettings } from './clients/event.ts';

type Play = Omit<ClientSettings, 'name' | 'endpoints' | 'seed' | 'history'>;

const readers: Play = {
  writers: 0,
  keepers: 0,
  silent: 0,
  sessions: 0,
  walkers: 1,
  watchers: 4,
  stuckWatchers: 1,
};

const writers: Play = {
  writers: 6,
  keepers: 4,
  silent: 3,
  sessions: 2,
  walkers: 0,
  watchers: 0,
  stuckWatchers: 0,
};

export class Crowd {
  readonly #readers: ClientHandle;
  readonly #writers: ClientHandle;

  private constructor(readersHandle: ClientHandle, writersHandle: ClientHandle) {
    this.#readers = readersHandle;
    this.#writers = writersHandle;
  }

  /** Resolves once all of them are at work. */
  static async gather(
    endpoints: readonly string[],
    seed: number,
    historyOf: (name: string) => string,
  ): Promise<Crowd> {
    const random = seededRandom(seed);
    const start = async (name: string, play: Play): Promise<ClientHandle> => {
      const history = historyOf(name);
      const own = { name, endpoints, seed: random.integer(1, 2 ** 31), history };
      const handle = startClients({ ...own, ...play });
      await handle.ready;
      return handle;
    };
    const reading = await start('readers', readers);
    try {
      return new Crowd(reading, await start('writers', writers));
    } catch (error) {
      await reading.end();
      throw error;
    }
  }

  /** Of all processes together. */
  get progress(): ClientProgress {
    const { progress: reads } = this.#readers;
    const { progress: writes } = this.#writers;
    return {
      kind: 'progress',
      acknowledged: reads.acknowledged + writes.acknowledged,
      rejected: reads.rejected + writes.rejected,
      unknown: reads.unknown + writes.unknown,
      reads: reads.reads + writes.reads,
      messages: reads.messages + writes.messages,
      resumes: reads.resumes + writes.resumes,
      watchedRevision: reads.watchedRevision,
      lastAcknowledgedAtMs: Math.max(reads.lastAcknowledgedAtMs, writes.lastAcknowledgedAtMs),
    };
  }

  herd(count: number): Promise<void> {
    return this.#readers.herd(count);
  }

  /** Begins nothing new and brings every write to its outcome; readers go on. */
  async settle(): Promise<void> {
    await Promise.all([this.#writers.settle(), this.#readers.settle()]);
  }

  /** Ends the processes once everything is written down. */
  async end(): Promise<void> {
    await Promise.all([this.#writers.end(), this.#readers.end()]);
  }
}
