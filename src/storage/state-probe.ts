// Reads a LevelDB directory once in a process of its own. LevelDB is built with its assertions on: damaged files do not
// only make it fail, some abort the process or crash it. A node must outlive that, so another process goes first.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

// Without values LevelDB reads the same blocks, and nothing has to be made of them.
// Ends with its parent, whose death closes stdin, so that it never holds LevelDB's lock for longer.
const script = `
const { ClassicLevel } = require(process.argv[1]);
process.stdin.on('end', () => process.exit(2)).on('error', () => process.exit(2)).resume();
const read = async () => {
  const level = new ClassicLevel(process.argv[2], { valueEncoding: 'view' });
  await level.open();
  const iterator = level.iterator({ highWaterMarkBytes: 1048576, values: false });
  while ((await iterator.nextv(4096)).length > 0);
  await iterator.close();
  await level.close();
};
read().then(() => process.exit(0), () => process.exit(1));
`;

/** Longer than any directory takes that is in order: a million records take about 5 s. */
const probeWithinMs = 120_000;
const maxComplaintBytes = 1024;

/** What happened to the process that read `directory`: undefined if it lived, also when LevelDB reported an error, which
 * the caller will meet itself; otherwise a sentence. Where no process can be started the question stays open. */
export async function crashOf(directory: string): Promise<string | undefined> {
  const library = createRequire(import.meta.url).resolve('classic-level');
  let complaint = '';
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['-e', script, library, directory], {
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: probeWithinMs,
      killSignal: 'SIGKILL',
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, maxComplaintBytes);
    });
    child.stdin.on('error', () => undefined);
    child.on('error', () => resolve(undefined));
    child.on('close', (_, signal) => {
      const words = complaint.trim();
      resolve(signal === null ? undefined : `LevelDB ended its process with ${signal}: ${words}`);
    });
  });
}
