// The log of a node that is down, written anew with the same content into small segments: a real one fills 64 MiB before it has a
// second segment.
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type LogIndex, logIndex } from '../../src/lib/ids.ts';
import { readIdentity } from '../../src/storage/identity.ts';
import { inspectLog } from '../../src/storage/wal/inspect.ts';
import { openWal } from '../../src/storage/wal/open-wal.ts';

const largestSegment = 16 << 10;
/** Room for the record of who the members are. */
const smallestSegment = 4 << 10;
const sectorBytes = 512;
const pieceBytes = 1 << 10;

/** `logBytes`: of what is written, of which each segment is to hold a part only. Default: so much that segments are as large as can be. */
export async function respool(dataDir: string, logBytes = Infinity): Promise<void> {
  const quarter = Math.min(largestSegment, logBytes / 4);
  const wanted = Math.floor(quarter / sectorBytes) * sectorBytes;
  const segmentBytes = Math.max(smallestSegment, wanted);
  const identity = await readIdentity(dataDir);
  if (identity === undefined) throw new Error('a node that was a member has an identity');
  const owner = identity.incarnation;
  const [from, to] = [join(dataDir, 'wal'), join(dataDir, 'wal.respooled')];
  const log = await inspectLog(from, owner);
  const wal = await openWal(to, { owner, segmentBytes, maxFrameBytes: 4 << 10 });
  const { hardState, floor, lastIndex } = log.image;
  let sequence = 0;
  // What is said to be committed has to be there already.
  const append = async (
    upTo: LogIndex,
    rest: Pick<Parameters<typeof wal.append>[0], 'entries' | 'floor'>,
  ): Promise<void> => {
    const commitIndex = logIndex(Math.min(hardState.commitIndex, upTo));
    await wal.append({
      sequence: sequence++,
      term: hardState.term,
      hardState: { ...hardState, commitIndex },
      truncateAfter: undefined,
      ...rest,
    });
  };
  if (floor.index > 0) await append(floor.index, { floor, entries: [] });
  for (let done = floor.index; done < lastIndex; ) {
    const entries = await log.read(logIndex(done + 1), lastIndex, pieceBytes);
    done = entries.at(-1)?.index ?? lastIndex;
    await append(done, { floor: undefined, entries });
  }
  await append(lastIndex, { floor: undefined, entries: [] });
  await wal.close();
  rmSync(from, { recursive: true });
  renameSync(to, from);
}
