// The commands of docs/operations.md and docs/recovery.md, as they stand there: taken from between the marks, with the addresses, names and
// directory of the document replaced by those of the cluster under test, and run by a shell. A command that is wrong in the
// document fails here.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { present } from '../../src/lib/assert.ts';
import { ProcessNode } from '../support/process-cluster.ts';
import { repositoryRoot } from '../support/repository-root.ts';

/** The parts of one runbook, by where they are run: "on a member's host", "on the new host, the server", … */
export type Runbook = ReadonlyMap<string, string>;

/** Also within a list, where marks and commands are indented. */
const marked = /<!-- runbook ([a-z]+): ([^>]+) -->\n+ *```\n([^]*?)\n *```/g;

export function readRunbook(name: string, document = 'operations.md'): Runbook {
  const page = readFileSync(join(repositoryRoot(), 'docs', document), 'utf8');
  const parts = [...page.matchAll(marked)].filter(([, book]) => book === name);
  if (parts.length === 0) throw new Error(`docs/${document} has no runbook "${name}"`);
  return new Map(parts.map(([, , where = '', commands = '']) => [where, commands]));
}

export interface Place {
  /** Its name in the document and in the cluster. */
  readonly documented: string;
  readonly id: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly dataDir: string;
}

/** What the document calls n1 is 10.0.0.1 there, and so on. */
const documentedAddress = (name: string, port: number): string => `10.0.0.${name.slice(1)}:${port}`;
const documentedDirectory = '/var/lib/rollcall';
const spellings = /10\.0\.0\.\d:740[01]|\/var\/lib\/rollcall|\bn[1-9]\b/g;

/** The commands with everything of the document replaced; the directory is that of `host`. */
export function localize(commands: string, places: readonly Place[], host: Place): string {
  const actual = new Map<string, string>([[documentedDirectory, host.dataDir]]);
  for (const { documented, id, clientAddress, peerAddress } of places) {
    actual.set(documented, id);
    actual.set(documentedAddress(documented, 7400), clientAddress);
    actual.set(documentedAddress(documented, 7401), peerAddress);
  }
  return commands.replaceAll(spellings, (spelling) =>
    present(actual.get(spelling), `${spelling} of the document has its place in the cluster`),
  );
}

const main = join(repositoryRoot(), 'dist', 'cli', 'main.js');
const shellOptions = ['--noprofile', '--norc', '-euc'];
/** Here `rollcall` is what the document says it is. */
const functionOf = (how: string): string =>
  `rollcall() { ${how} '${process.execPath}' --enable-source-maps '${main}' "$@"; }\n`;

export interface Shell {
  readonly environment?: Readonly<Record<string, string>>;
  /** Further functions, in the words of bash. */
  readonly functions?: string;
  readonly signal?: AbortSignal;
  /** Default: two minutes. */
  readonly timeoutMs?: number;
}

/** Runs commands to their end at the root of the checkout, as an operator would in one shell; resolves with what they printed.
 * Rejects at the first failure with an ExecException, and when it is aborted or out of time: then with all it has started gone. */
export async function runCommands(
  commands: string,
  endpoints: readonly string[],
  { environment = {}, functions = '', signal, timeoutMs = 120_000 }: Shell = {},
): Promise<string> {
  signal?.throwIfAborted();
  // A group of its own, so that an end reaches what the shell has started, too.
  const shell = spawn('bash', [...shellOptions, functionOf('') + functions + commands], {
    cwd: repositoryRoot(),
    env: { ...process.env, ROLLCALL_ENDPOINTS: endpoints.join(','), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const end = (): void => {
    if (shell.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, 'SIGKILL');
  };
  const outOfTime = setTimeout(end, timeoutMs);
  signal?.addEventListener('abort', end);
  try {
    const [stdout, stderr] = await Promise.all([
      text(shell.stdout),
      text(shell.stderr),
      once(shell, 'close'),
    ]);
    signal?.throwIfAborted();
    const { exitCode: code } = shell;
    if (code === 0) return stdout;
    const how = code === null ? 'ended by a signal' : `exit code ${code}`;
    throw Object.assign(new Error(`${how}: ${commands}\n${stderr}`), { code, stdout, stderr });
  } finally {
    clearTimeout(outOfTime);
    signal?.removeEventListener('abort', end);
  }
}

/** The node that the server command of a runbook starts; not started yet. */
export function nodeOf(
  commands: string,
  place: Place,
  logFile: string,
  environment: Readonly<Record<string, string>>,
): ProcessNode {
  // The shell becomes the server, so that signals reach it.
  const command = ['bash', ...shellOptions, functionOf('exec') + commands];
  const { id, clientAddress, peerAddress, dataDir } = place;
  const wrapped = false;
  return new ProcessNode({
    id,
    clientAddress,
    peerAddress,
    dataDir,
    logFile,
    command,
    wrapped,
    environment,
  });
}
