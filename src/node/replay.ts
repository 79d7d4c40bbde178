// From what the disk holds to a core that can start: the state on disk, the committed entries after it applied in bounded
// pieces, and the rest of the log as the core's tail.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex } from '../lib/ids.ts';
import type { LogEntry, RaftConfig, RaftStart } from '../raft/index.ts';
import { type Applier, SLICE } from './applier.ts';
import type { LogImage, LogStore } from './ports.ts';

export interface ReplayOptions {
  readonly config: RaftConfig;
  readonly image: LogImage;
  readonly logStore: LogStore;
  readonly applier: Applier;
  /** After each piece; what is applied may go to disk. */
  readonly progressed: () => void;
  readonly ended: () => boolean;
}

const PIECE_BYTES = 4 << 20;

/** Resolves with where the core starts; undefined if the node ended meanwhile. Rejects when the log cannot be read. */
export async function replay(options: ReplayOptions): Promise<RaftStart | undefined> {
  const { image, logStore, applier, config } = options;
  // Not a defect of ours: a state batch is written only once the log holds all of it.
  if (applier.index > image.lastIndex) {
    throw new Error(
      `the state store holds everything up to index ${applier.index} and the log ends at ${image.lastIndex}: the log has lost acknowledged entries; restore the whole data directory as it was, or remove this member and join it again with an empty one`,
    );
  }
  // The state on disk was committed, so the hint in the log may be older than that.
  const committed = logIndex(Math.max(image.hardState.commitIndex, applier.index));
  assert(committed <= image.lastIndex, 'the log holds everything that it knows to be committed');
  for await (const piece of pieces(logStore, applier.index, committed)) {
    applier.add(piece);
    while (applier.run(SLICE));
    options.progressed();
    if (options.ended()) return undefined;
  }
  const tail: LogEntry[] = [];
  for await (const piece of pieces(logStore, committed, image.lastIndex)) {
    for (const entry of piece) tail.push(entry);
  }
  return {
    config,
    hardState: { ...image.hardState, commitIndex: committed },
    runs: image.runs,
    lastIndex: image.lastIndex,
    tail,
    appliedIndex: committed,
  };
}

async function* pieces(
  logStore: LogStore,
  after: LogIndex,
  to: LogIndex,
): AsyncGenerator<readonly LogEntry[]> {
  for (let done = after; done < to; ) {
    const piece = await logStore.read(logIndex(done + 1), to, PIECE_BYTES);
    const last = piece.at(-1);
    assert(last !== undefined && last.index > done, 'the log store gives at least one entry');
    done = last.index;
    yield piece;
  }
}
