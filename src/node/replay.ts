// From what the disk holds to a core that can start: the state on disk, the committed entries after it applied in bounded
// pieces, and the rest of the log as the core's tail.
import { assert } from '../lib/assert.ts';
import { type LogIndex, logIndex } from '../lib/ids.ts';
import type { LogEntry, RaftConfig, RaftStart } from '../raft/index.ts';
import { type AppliedPoint, type Applier, pointOf, SLICE } from './applier.ts';
import type { LogImage, LogStore, StateImage } from './ports.ts';

export interface ReplayOptions {
  readonly config: RaftConfig;
  readonly image: LogImage;
  readonly logStore: LogStore;
  /** Where the state store stands, and with it the registry. */
  readonly state: Pick<StateImage, 'appliedIndex' | 'appliedTerm' | 'configuration'>;
  readonly applier: Applier;
  /** After each piece; what is applied may go to disk. */
  readonly progressed: () => void;
  readonly ended: () => boolean;
}

const PIECE_BYTES = 4 << 20;

/** Resolves with where the core starts; undefined if the node ended meanwhile. Rejects when the log cannot be read. */
export async function replay(options: ReplayOptions): Promise<RaftStart | undefined> {
  const { image, logStore, config } = options;
  const { appliedIndex } = options.state;
  // Not a defect of ours: a state batch is written only once the log holds all of it.
  if (appliedIndex > image.lastIndex) {
    throw new Error(
      `the state store holds everything up to index ${appliedIndex} and the log ends at ${image.lastIndex}: the log has lost acknowledged entries; restore the whole data directory as it was, or remove this member and join it again with an empty one`,
    );
  }
  // The state on disk was committed, so the hint in the log may be older than that.
  const { floor, configurations, runs, lastIndex } = image;
  const committed = logIndex(Math.max(image.hardState.commitIndex, appliedIndex, floor.index));
  assert(committed <= lastIndex, 'the log holds everything that it knows to be committed');
  // What the log no longer has cannot be applied: the state has been lost, and a snapshot has to bring it back.
  const whole = appliedIndex >= floor.index;
  options.applier.moveTo(startingPoint(options));
  if (whole && !(await applyUpTo(committed, options))) return undefined;
  const tail: LogEntry[] = [];
  for await (const piece of pieces(logStore, whole ? committed : floor.index, lastIndex)) {
    for (const entry of piece) tail.push(entry);
    if (options.ended()) return undefined;
  }
  return {
    config,
    hardState: { ...image.hardState, commitIndex: committed },
    floor,
    configurations,
    runs,
    lastIndex,
    tail,
    appliedIndex: whole ? committed : appliedIndex,
  };
}

/** False when the node ended meanwhile. */
async function applyUpTo(committed: LogIndex, options: ReplayOptions): Promise<boolean> {
  const { logStore, applier } = options;
  for await (const piece of pieces(logStore, applier.index, committed)) {
    applier.add(piece);
    while (applier.run(SLICE));
    options.progressed();
    if (options.ended()) return false;
  }
  return true;
}

/** Term and configuration in effect at an index at or above the floor are functions of (floor, log); below it only the state
 * store has kept them. */
function startingPoint({ image, state }: ReplayOptions): AppliedPoint {
  const { floor, runs, configurations } = image;
  const index = state.appliedIndex;
  if (index === 0 || index < floor.index) return pointOf(state);
  const run = runs.findLast(({ firstIndex }) => firstIndex <= index);
  const configuration = configurations.findLast((brought) => brought.index <= index);
  return {
    index,
    term: run?.term ?? floor.term,
    configuration: configuration ?? floor.configuration,
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
