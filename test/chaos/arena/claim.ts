// Which process owns what on this host. A claim is made before anything else and given back after everything else, so
// that whatever a killed run left behind is known to the next one. Claims are symbolic links: made at once or not at all.
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/lib/assert.ts';

/** Beside which everything is named: `owner` in names of devices and namespaces, `token` in the environment of processes. */
export interface Claim {
  readonly owner: number;
  /** The owner and the moment it started, since process ids are used again. */
  readonly token: string;
  /** Of the run; images and mounts are in its `disks`. */
  readonly directory: string;
}

/** Of every process that an arena starts. */
export const claimVariable = 'CHAOS_ARENA';

const isRoot = (): boolean => process.getuid?.() === 0;
/** Where claims are. */
export const claimDirectory = (): string =>
  isRoot() ? '/run/rollcall-chaos' : join(tmpdir(), `rollcall-chaos-${process.getuid?.() ?? 0}`);

/** When a process started, in ticks since the host did; undefined when there is none of that id. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program may have blanks; after its closing bracket come the fields from the third on.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

const isAlive = ({ owner, token }: Claim): boolean => token === `${owner}-${startOf(owner)}`;

/** For this process, which may have one arena at a time. */
export function makeClaim(directory: string): Claim {
  const owner = process.pid;
  const token = `${owner}-${present(startOf(owner), 'this process is listed in /proc')}`;
  mkdirSync(claimDirectory(), { recursive: true, mode: 0o700 });
  const path = join(claimDirectory(), `owner-${token}`);
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    throw new Error('this process has an arena already, and may have one at a time');
  }
  symlinkSync(directory, path);
  return { owner, token, directory };
}

/** Takes the number if nobody has it: of the network 10.213.<number>.0/24. */
export function claimNumber({ token }: Claim, number: number): boolean {
  try {
    symlinkSync(token, join(claimDirectory(), `number-${number}`));
    return true;
  } catch {
    return false;
  }
}

/** The last step of giving everything back. */
export function dropClaim({ token }: Claim): void {
  for (const name of entries('number-')) {
    if (targetOf(name) === token) unlink(name);
  }
  unlink(`owner-${token}`);
}

/** Of owners that are gone. */
export function abandonedClaims(): readonly Claim[] {
  return entries('owner-')
    .map((name) => {
      const token = name.slice('owner-'.length);
      return { owner: Number.parseInt(token, 10), token, directory: targetOf(name) };
    })
    .filter((claim) => claim.directory !== '' && !isAlive(claim));
}

function entries(prefix: string): readonly string[] {
  try {
    return readdirSync(claimDirectory()).filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}

/** '' when somebody else has just removed it. */
function targetOf(name: string): string {
  try {
    return readlinkSync(join(claimDirectory(), name));
  } catch {
    return '';
  }
}

function unlink(name: string): void {
  try {
    unlinkSync(join(claimDirectory(), name));
  } catch {
    // Somebody else who cleared up after the same run has removed it already.
  }
}
