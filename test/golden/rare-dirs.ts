// Data-dirs in which something is under way, or has been: a log that was given up, a disk that failed, a recovery that was
// interrupted, a member that went and returned. Each is made from the files that processes have left.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../src/lib/assert.ts';
import { nodeId } from '../../src/lib/ids.ts';
import { openDataDir } from '../../src/storage/data-dir.ts';
import { writeDiskMark } from '../../src/storage/disk-mark.ts';
import { EPOCH_BUILT } from '../../src/storage/epoch-place.ts';
import { pollUntil } from '../support/poll.ts';
import type { ProcessCluster } from '../support/process-cluster.ts';

const patienceMs = 60_000;

/** n1 has set its log aside, and not been started since: what lies in damaged-log is whole here, and can be put back. */
export async function makeGivenUpDir(directory: string): Promise<void> {
  const dataDir = await openDataDir(directory, { nodeId: 'n1', clusterId: 'rollcall' });
  const members = ['n2', 'n3'].map((id) => ({
    nodeId: nodeId(id),
    peerAddress: `${id}.example:7401`,
  }));
  await dataDir.giveUpLog({ found: 'The log is damaged: 0000000001.wal, byte 512', members });
  await dataDir.release();
}

export async function makeMarkedDir(directory: string): Promise<void> {
  await writeDiskMark(directory, { reason: 'Syncing the log: EIO', unixTimeMs: 1_800_000_000_000 });
}

/** What `rollcall recover` has made, as it was before it took the place of what had been there. */
export function makeEnteringDir(recovered: string): void {
  const built = join(recovered, EPOCH_BUILT);
  mkdirSync(built);
  for (const part of ['identity.json', 'wal', 'state']) {
    renameSync(join(recovered, part), join(built, part));
  }
}

/** The log of n3 is lost, and n3 returns: the logs of the others tell of each step. */
export async function loseAndReturn(cluster: ProcessCluster): Promise<void> {
  const lost = present(cluster.nodes[2], 'there are three');
  await lost.kill('SIGTERM');
  rmSync(join(lost.dataDir, 'wal'), { recursive: true });
  lost.start();
  await pollUntil(
    async () => {
      const { members } = await lost.status();
      const own = members.find(({ node_id: id }) => id === lost.id);
      return own?.learner === false && !existsSync(join(lost.dataDir, 'damaged-log'));
    },
    { what: 'n3 to return', timeoutMs: patienceMs, explain: () => cluster.logTails() },
  );
}
