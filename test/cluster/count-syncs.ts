// npm run test:syncs: at 256 registrations in flight, how many device syncs each node makes for the writes it
// acknowledges, counted by strace from outside: synchronous log writes (pwrite64 on a file opened with O_DSYNC), fsync
// and fdatasync, LevelDB's own included. The promise is at most one sync per 16 acknowledged writes on a node.
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { closedLoop } from '../../bench/load/closed-loop.ts';
import { openConnection } from '../../bench/load/grpc-connection.ts';
import { registerRequest } from '../../bench/targets/payload.ts';
import { present } from '../../src/lib/assert.ts';
import { ProcessCluster } from '../support/process-cluster.ts';

const inFlight = 256;
const writesPerSync = 16;

function requireStrace(): void {
  try {
    execFileSync('strace', ['-V'], { stdio: 'ignore' });
  } catch {
    process.stdout.write('strace is not installed; on Debian: apt-get install strace\n');
    process.exit(2);
  }
}

/** Counts the syncs in one trace: descriptors opened with O_DSYNC sync at each write. */
async function countSyncs(trace: string): Promise<number> {
  const synchronous = new Set<string>();
  let count = 0;
  const unfinishedOpens = new Map<string, boolean>();
  for await (const line of createInterface({ input: createReadStream(trace) })) {
    const pid = line.split(' ', 1)[0] ?? '';
    if (line.includes('openat(')) {
      const dsync = line.includes('O_DSYNC');
      const descriptor = / = (\d+)$/.exec(line)?.[1];
      if (descriptor === undefined) unfinishedOpens.set(pid, dsync);
      else if (dsync) synchronous.add(descriptor);
      else synchronous.delete(descriptor);
    } else if (line.includes('openat resumed')) {
      const descriptor = / = (\d+)$/.exec(line)?.[1] ?? '';
      if (unfinishedOpens.get(pid) === true) synchronous.add(descriptor);
      else synchronous.delete(descriptor);
    } else if (/\b(fsync|fdatasync)\(/.test(line)) count++;
    else {
      const descriptor = /\bpwrite(?:64|v)\((\d+)/.exec(line)?.[1];
      if (descriptor !== undefined && synchronous.has(descriptor)) count++;
    }
  }
  return count;
}

requireStrace();
const traced = 'trace=openat,pwrite64,pwritev,fsync,fdatasync';
let traces = '';
const cluster = await ProcessCluster.start({
  wrap: (nodeId, directory) => {
    traces = directory;
    const output = join(directory, `${nodeId}.trace`);
    return ['strace', '-f', '--seccomp-bpf', '-s', '0', '-e', traced, '-o', output];
  },
});
try {
  const leader = await cluster.waitForLeader();
  const syncsNow = async (): Promise<readonly number[]> => {
    const counts: number[] = [];
    for (const node of cluster.nodes)
      counts.push(await countSyncs(join(traces, `${node.id}.trace`)));
    return counts;
  };
  const before = await syncsNow();
  const connections = Array.from({ length: 8 }, () => openConnection(leader.clientAddress));
  const result = await closedLoop({
    inFlight,
    seconds: 10,
    maxOperations: 50_000,
    operation: (caller, sequence) =>
      present(connections[caller % 8], 'a connection').unary(
        '/rollcall.v1.Registry/Register',
        registerRequest(`syncs-${sequence % 50}`, `syncs-${sequence}`),
      ),
  });
  for (const connection of connections) connection.close();
  await cluster.waitForEqualHashes();
  const after = await syncsNow();
  let failed = result.errors > 0 || result.operations < 1000;
  process.stdout.write(
    `${result.operations} writes acknowledged, ${result.errors} errors, ${result.perSecond.toFixed(0)}/s under strace\n`,
  );
  for (const [position, node] of cluster.nodes.entries()) {
    const syncs = (after[position] ?? 0) - (before[position] ?? 0);
    const ratio = result.operations / syncs;
    // A trace without a single sync has not seen the disk, whatever the ratio says.
    if (!(syncs > 0) || ratio < writesPerSync) failed = true;
    const role = node === leader ? 'leader' : 'follower';
    process.stdout.write(
      `${node.id} (${role}): ${syncs} syncs, one per ${ratio.toFixed(1)} writes\n`,
    );
  }
  process.stdout.write(failed ? '0 passed, 1 failed\n' : '1 passed, 0 failed\n');
  process.exitCode = failed ? 1 : 0;
} finally {
  await cluster.stop();
}
