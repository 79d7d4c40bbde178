// What an earlier build cannot go on with it must refuse, and leave as it is.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpack } from '../golden/pack.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessNode } from '../support/process-cluster.ts';
import { repositoryRoot } from '../support/repository-root.ts';

/** Of a machine that has much else to do. */
const patienceMs = 240_000;

function fingerprint(directory: string): string {
  const hash = createHash('sha256');
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const name of names.toSorted()) hash.update(name).update(readFileSync(name));
  return hash.digest('hex');
}

/** A log that was shortened is nothing that the first release can go on with: it says so, and leaves every byte as it is. */
export async function refuseShortened(main: string): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'rollcall-refusal-'));
  try {
    const dataDir = join(scratch, 'n1');
    unpack(readFileSync(join(repositoryRoot(), 'test/golden/v1/trimmed.data-dir.br')), dataDir);
    const before = fingerprint(dataDir);
    await expectRefusal(main, dataDir, 11, scratch);
    if (fingerprint(dataDir) !== before) throw new Error('the refused data-dir was changed');
    return 'refused with 11, and nothing was changed';
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** A data-dir that the build must not take: it ends with this code. */
async function expectRefusal(
  main: string,
  dataDir: string,
  exitCode: number,
  scratch: string,
): Promise<void> {
  const command = [process.execPath, main, 'server', '--node-id', 'n1', '--data-dir', dataDir];
  const doors = ['--listen-client', '127.0.0.1:0', '--listen-peer', '127.0.0.1:0'];
  const logFile = join(scratch, 'refused.log');
  const node = new ProcessNode({
    id: 'n1',
    clientAddress: '',
    peerAddress: '',
    dataDir,
    logFile,
    command: [...command, ...doors],
    wrapped: false,
  });
  node.start();
  try {
    await pollUntil(() => !node.running, { what: 'the refusal', timeoutMs: patienceMs });
  } finally {
    await node.kill('SIGKILL');
  }
  if (node.exitCode !== exitCode) {
    const said = readFileSync(logFile, 'utf8');
    throw new Error(`it ended with ${node.exitCode}, not ${exitCode}:\n${said}`);
  }
}
