// One process per data-dir: a listening Unix socket in it. The kernel closes it with the process, whatever kills it; it is
// found through the directory, so containers that share the volume see it; no pid is trusted.
import { readdir, rm } from 'node:fs/promises';
import { closeSync, constants, openSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataDirError, DiskError, isReadOnly, isRefusedByDisk } from './errors.ts';

export interface DataDirLock {
  release(): Promise<void>;
}

/** A claim becomes a hold once no other socket of the directory lives. One that hangs up without a word is `leaving`. */
type State = 'claiming' | 'holding' | 'leaving';

interface Owner {
  readonly state: State;
  /** For people: `process 4711 on host-a`. '' when it did not say. */
  readonly who: string;
}

const namePattern = /^lock-[0-9a-f]{16}\.sock$/;
const answerWithinMs = 500;
const claimWithinMs = 5_000;
const pollMs = 20;
// sun_path holds 108 bytes on Linux and 104 on macOS, the terminating zero included.
const maxSocketPathBytes = 100;

/**
 * Takes the lock.
 *
 * Each starter listens on a socket of its own name before it looks for others, so of two starters at least the later one
 * sees the other. A claimant gives way to a holder at once and to a claimant with a lower name; otherwise it waits until
 * the other one has gone or holds. Hence never two hold, and among simultaneous starters exactly one does. Only a holder
 * removes dead sockets: a starter whose name vanished before it listened still sees that living holder.
 *
 * @throws DataDirError 14 when another process holds it. @throws DiskError 10 when the disk takes no file, as one that a kernel has made
 * read-only after an error.
 */
export async function lockDataDir(directory: string, uniqueName: string): Promise<DataDirLock> {
  const name = `lock-${uniqueName}.sock`;
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const socketPath = (entry: string): string => shortPath(directory, fd, entry);
  let state: State = 'claiming';
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.unref();
    socket.end(`${state} process ${process.pid} on ${hostname()}\n`);
  });
  const release = async (): Promise<void> => {
    await new Promise<void>((closed) => void server.close(() => closed()));
    await rm(join(directory, name), { force: true });
    closeSync(fd);
  };
  try {
    await listen(server, socketPath(name)).catch((error: unknown) => {
      if (isRefusedByDisk(error)) throw new DiskError(`Locking the data-dir ${directory}`, error);
      const reason = error instanceof Error ? error.message : String(error);
      throw new DataDirError(14, `The data-dir ${directory} cannot be locked: ${reason}`, error);
    });
    const dead = await settleClaim(directory, name, socketPath);
    state = 'holding';
    for (const entry of dead) await rm(join(directory, entry), { force: true });
    return { release };
  } catch (error) {
    await release();
    throw error;
  }
}

/**
 * For who only reads. Where the file system is read-only, as a kernel makes it after an error, no lock can be taken: undefined then, once no
 * living process was found in the directory. No node can start on what is read-only; one that sees the same directory in another
 * way, as through another mount, is not kept out.
 *
 * @throws as lockDataDir.
 */
export async function lockToRead(
  directory: string,
  uniqueName: string,
): Promise<DataDirLock | undefined> {
  try {
    return await lockDataDir(directory, uniqueName);
  } catch (error) {
    if (!(error instanceof DiskError && isReadOnly(error.cause))) throw error;
    await refuseLiving(directory);
    return undefined;
  }
}

async function refuseLiving(directory: string): Promise<void> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const entry of await readdir(directory)) {
      if (!namePattern.test(entry)) continue;
      const owner = await ask(shortPath(directory, fd, entry));
      if (owner !== undefined) throw inUse(directory, owner.who);
    }
  } finally {
    closeSync(fd);
  }
}

/** Resolves with the names of dead sockets once this claim may become a hold. */
async function settleClaim(
  directory: string,
  name: string,
  socketPath: (entry: string) => string,
): Promise<readonly string[]> {
  const deadline = performance.now() + claimWithinMs;
  for (;;) {
    const entries = (await readdir(directory)).filter((entry) => namePattern.test(entry));
    if (!entries.includes(name)) throw inUse(directory, '');
    const dead: string[] = [];
    let rival: Owner | undefined;
    for (const entry of entries) {
      if (entry === name) continue;
      const owner = await ask(socketPath(entry));
      if (owner === undefined) dead.push(entry);
      else if (owner.state === 'holding' || (owner.state === 'claiming' && entry < name)) {
        throw inUse(directory, owner.who);
      } else rival = owner;
    }
    if (rival === undefined) return dead;
    if (performance.now() > deadline) throw inUse(directory, rival.who);
    await delay(pollMs);
  }
}

function inUse(directory: string, who: string): DataDirError {
  const by = who === '' ? 'another process' : who;
  return new DataDirError(14, `The data-dir ${directory} is in use by ${by}`);
}

function shortPath(directory: string, fd: number, entry: string): string {
  const path = join(directory, entry);
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return path;
  if (process.platform === 'linux') return `/proc/self/fd/${fd}/${entry}`;
  throw new DataDirError(
    14,
    `The path of the data-dir ${directory} is too long for the socket that locks it: ` +
      `${Buffer.byteLength(path)} bytes with the socket's name, limit ${maxSocketPathBytes}`,
  );
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject);
      server.unref();
      resolve();
    });
  });
}

/** undefined when nobody listens. Whoever listens but does not answer is taken for a holder: it may be paused. */
function ask(path: string): Promise<Owner | undefined> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ path });
    const finish = (owner: Owner | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(owner);
    };
    const timer = setTimeout(() => finish({ state: 'holding', who: '' }), answerWithinMs);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => (answer += text.slice(0, 1024)));
    socket.on('end', () => {
      finish(ownerOf(answer));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') finish(undefined);
      else finish({ state: error.code === 'ECONNRESET' ? 'leaving' : 'holding', who: '' });
    });
  });
}

function ownerOf(answer: string): Owner {
  if (answer === '') return { state: 'leaving', who: '' };
  const [, state, who] = /^(claiming|holding) (.*)\n$/.exec(answer) ?? [];
  return { state: state === 'claiming' ? 'claiming' : 'holding', who: who ?? '' };
}
