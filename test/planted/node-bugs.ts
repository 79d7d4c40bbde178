// Bugs of storage, of the node's loop, of leases and watches, each to be found by the tests of its part.
import { type Hunter, type PlantedBug, tests } from './bug.ts';

function inFile(
  name: string,
  file: string,
  find: string,
  replace: string,
  hunter: Hunter,
): PlantedBug {
  return { name, patches: [{ file, find, replace }], hunter };
}

const tornTail =
  'const torn = hasZeroSector(frame) && (await firstWritten(window, end)) === undefined;';

export const nodeBugs: readonly PlantedBug[] = [
  inFile(
    'a torn last write taken for rot',
    'storage/wal/recovery.ts',
    tornTail,
    'const torn = (await firstWritten(window, end)) === undefined && end < 0;',
    tests('storage/wal/torn-tail.test.ts'),
  ),
  inFile(
    'rot in the last write taken for a torn one',
    'storage/wal/recovery.ts',
    tornTail,
    'const torn = (await firstWritten(window, end)) === undefined;',
    tests('storage/wal/rot.test.ts'),
  ),
  inFile(
    'a log frame is believed without its checksum',
    'storage/wal/frame.ts',
    'return crc32(frame.subarray(headerBytes, end), header.previousCrc) === frame.readUInt32LE(8);',
    'return end > 0;',
    tests('storage/wal/rot.test.ts'),
  ),
  inFile(
    'a promise leaves before its batch is durable',
    'node/ready-runner.ts',
    'if (durable === issued)',
    'if (durable <= issued)',
    tests('node/ready-runner.test.ts'),
  ),
  inFile(
    'the state on disk runs ahead of the log',
    'node/state-flusher.ts',
    'if (batch === undefined || batch.appliedIndex > this.#host.persistedIndex()) return;',
    'if (batch === undefined) return;',
    tests('node/state-flusher.test.ts'),
  ),
  inFile(
    'a lease expires without a confirmed round',
    'node/lease-expirer.ts',
    'if (isConfirmed) {',
    'if (isConfirmed || asked.length > 0) {',
    tests('node/lease-table.test.ts'),
  ),
  inFile(
    'an expiry removes a newer generation',
    'registry/apply.ts',
    'return record?.generation === item.generation ? record : undefined;',
    'return record;',
    tests('registry/meaning.test.ts', 'registry/model.test.ts'),
  ),
  inFile(
    'a request_id is answered whatever the body',
    'registry/apply.ts',
    'const isRetry = first.fingerprint === fingerprint;',
    "const isRetry = first.fingerprint !== '' || fingerprint !== '';",
    tests('registry/deduplication.test.ts'),
  ),
  inFile(
    'a resumed watch skips the first revision it missed',
    'node/watch-cursor.ts',
    "return { kind: 'behind', from: nextRevision(sent) };",
    "return { kind: 'behind', from: nextRevision(nextRevision(sent)) };",
    tests('node/watch-resume.test.ts'),
  ),
  inFile(
    'a heartbeat is acknowledged without a confirmed round',
    'node/heartbeat-rounds.ts',
    'if (confirmed) this.#settle(call);',
    'if (confirmed || calls.length > 0) this.#settle(call);',
    tests('node/lease-table.test.ts'),
  ),
  inFile(
    'a proposal whose place another entry took is told as applied',
    'node/proposals.ts',
    'if (proposal.term !== term) proposal',
    'if (proposal.term > term) proposal',
    tests('node/writes.test.ts'),
  ),
  inFile(
    'a replica that a majority contradicts goes on',
    'node/hash-comparison.ts',
    'if (agreeing.length > voters.size / 2) return',
    'if (agreeing.length > voters.size) return',
    tests('node/state-hash.test.ts'),
  ),
];
