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
  settled: boolean;
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
  #reused = 0;

  /** `ready`: the next segment is there already, zeroed. */
  constructor(settings: SpareSettings, ready: boolean) {
    this.#settings = settings;
    if (ready) this.#spare = { failure: Promise.resolve(undefined), settled: true };
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

  /** Resolves once segment `id` is there, to be written to; true when that had to be waited for. Rejects when it cannot be
   * made. */
  async take(id: number): Promise<boolean> {
    const spare = (this.#spare ??= this.#begin(id));
    const waited = !spare.settled;
    const failure = await spare.failure;
    if (failure === undefined) {
      this.#spare = undefined;
      return waited;
    }
    this.#spare = undefined;
    // That there was no space a while ago does not say that there is none now. Any other failure leaves the disk's word in doubt.
    if (waited || !isOutOfSpace(failure)) throw failure;
    return this.take(id);
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

  async close(): Promise<void> {
    this.#cancelled = true;
    await this.#spare?.failure;
  }

  #begin(id: number): Spare {
    const { files, directory, segmentBytes: bytes, log } = this.#settings;
    const recycled = this.#recycled;
    const preparation: Preparation = { id, bytes, recycled };
    if (recycled !== undefined) this.#reused++;
    this.#recycled = undefined;
    const spare: Spare = {
      settled: false,
      failure: prepareSegment(files, directory, preparation, () => this.#cancelled)
        .then(
          () => undefined,
          (error: unknown) => {
            const file = segmentPath(directory, id);
            log?.error({ err: error, file }, 'the next log segment cannot be prepared');
            // It is zeroed from its beginning again, whatever was written of it.
            if (isOutOfSpace(error)) this.#recycled ??= recycled;
            return error instanceof Error ? error : new Error(String(error));
          },
        )
        .finally(() => (spare.settled = true)),
    };
    return spare;
  }
}

const isOutOfSpace = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
