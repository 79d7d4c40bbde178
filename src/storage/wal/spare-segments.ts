// The segments beside the log: the next one, zeroed ahead of its use, and one that the log let go of, kept to be zeroed
// again. Both are prepared in the background, so that a roll finds what it needs.
import type { Logger } from 'pino';
import {
  prepareSegment,
  segmentPath,
  unfinishedSuffix,
  type Preparation,
  type Segment,
} from './segment.ts';
import { type Deferred, deferred } from '../../lib/deferred.ts';
import { isOutOfSpace } from '../errors.ts';
import { sectorBytes } from './frame.ts';
import type { WalFiles } from './wal-files.ts';

export interface SpareSettings {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly files: WalFiles;
  readonly log: Logger | undefined;
}

/** The next segment, ready or being zeroed. */
interface Spare {
  readonly id: number;
  settled: boolean;
  /** There was no disk space for it. */
  starved: boolean;
  /** Resolves, with the error if there was one. */
  readonly failure: Promise<Error | undefined>;
}

export class SpareSegments {
  readonly #settings: SpareSettings;
  #spare: Spare | undefined;
  /** Path of a file that held a segment of the present size; its name is durable, its content is still what it was. */
  #recycled: string | undefined;
  /** Stops the preparation of a segment that will not be needed any more. */
  #cancelled = false;
  #ending = false;
  /** Set while a segment is waited for that finds no space; resolves when it is to be tried again. */
  #space: Deferred<void> | undefined;
  #reused = 0;

  /** `ready`: this segment, the next one, is there already, zeroed. */
  constructor(settings: SpareSettings, ready: number | undefined) {
    this.#settings = settings;
    if (ready === undefined) return;
    const failure = Promise.resolve(undefined);
    this.#spare = { id: ready, failure, settled: true, starved: false };
  }

  /** What they take on disk, once prepared. At most two segments. */
  get bytes(): number {
    const count = (this.#spare === undefined ? 0 : 1) + (this.#recycled === undefined ? 0 : 1);
    return count * this.#settings.segmentBytes;
  }

  /** Segments that were made of one the log had let go of. */
  get reused(): number {
    return this.#reused;
  }

  /** Begins to make segment `id`, unless it was begun. That it fails matters only once it is needed. */
  prepare(id: number): void {
    this.#spare ??= this.#begin(id);
  }

  /** The next segment was begun, and there was no disk space for it; `appends`: somebody waits for it. */
  get starved(): 'no' | 'spare' | 'appends' {
    if (this.#space !== undefined) return 'appends';
    return this.#spare?.starved === true ? 'spare' : 'no';
  }

  /** Begins again what found no space. */
  resume(): void {
    if (this.#space !== undefined) this.#space.resolve();
    else if (this.#spare?.starved === true) this.#spare = this.#begin(this.#spare.id);
  }

  /** Resolves once segment `id` is there, to be written to; true when that had to be waited for. Rejects when it cannot be made;
   * where only space is lacking it waits for `resume`, since nothing of what is to be written was begun. */
  async take(id: number): Promise<boolean> {
    for (let waited = false; ; ) {
      const spare = (this.#spare ??= this.#begin(id));
      const early = spare.settled;
      waited ||= !early;
      const failure = await spare.failure;
      this.#spare = undefined;
      if (failure === undefined) return waited;
      // Any other failure leaves the disk's word in doubt.
      if (!isOutOfSpace(failure)) throw failure;
      // That there was no space a while ago does not say that there is none now.
      if (early) continue;
      if (!this.#ending) await this.#spaceMayBeBack();
      if (this.#ending) throw failure;
    }
  }

  /** Removes a segment from the log, or keeps its file for a later one. Its name is gone for good when this resolves: the next
   * older one must be gone before, or a crash could leave a gap that looks like a loss. */
  async letGo({ path, sectors }: Segment): Promise<void> {
    const { directory, files, segmentBytes } = this.#settings;
    const keeps = this.#recycled === undefined && sectors * sectorBytes === segmentBytes;
    const kept = path + unfinishedSuffix;
    if (keeps) await files.rename(path, kept);
    else await files.remove(path);
    // Only then may it be zeroed: until the new name is durable, a power cut brings the old one back.
    await files.syncDirectory(directory);
    if (keeps) this.#recycled = kept;
  }

  /** From now on space that is lacking is not waited for. */
  end(): void {
    this.#ending = true;
    this.#space?.resolve();
  }

  /** Resolves once nothing is under way. */
  async close(): Promise<void> {
    this.#cancelled = true;
    await this.#spare?.failure;
  }

  async #spaceMayBeBack(): Promise<void> {
    this.#space = deferred<void>();
    await this.#space.promise;
    this.#space = undefined;
  }

  #begin(id: number): Spare {
    const { files, directory, segmentBytes: bytes, log } = this.#settings;
    const recycled = this.#recycled;
    const preparation: Preparation = { id, bytes, recycled };
    if (recycled !== undefined) this.#reused++;
    this.#recycled = undefined;
    const spare: Spare = {
      id,
      settled: false,
      starved: false,
      failure: prepareSegment(files, directory, preparation, () => this.#cancelled)
        .then(
          () => undefined,
          (error: unknown) => {
            const file = segmentPath(directory, id);
            log?.error({ err: error, file }, 'the next log segment cannot be prepared');
            spare.starved = isOutOfSpace(error);
            // It is zeroed from its beginning again, whatever was written of it.
            if (spare.starved) this.#recycled ??= recycled;
            return error instanceof Error ? error : new Error(String(error));
          },
        )
        .finally(() => (spare.settled = true)),
    };
    return spare;
  }
}
