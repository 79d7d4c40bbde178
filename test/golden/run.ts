// npm run golden -- --name v2: writes golden files of this build, or of that of another commit, into a new folder beside this file.
// What is there already is never written again: it stands for what is on people's disks.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { Command } from 'commander';
import { present } from '../../src/lib/assert.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { ProcessCluster } from '../support/process-cluster.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import { readIdentity } from '../../src/storage/identity.ts';
import type { GivenUp, GoldenBook } from './book.ts';
import { pack } from './pack.ts';
import {
  type BackupPortrait,
  type DataDirPortrait,
  portraitOf,
  portraitOfBackup,
} from './portrait.ts';
import { loseAndReturn, makeEnteringDir, makeGivenUpDir, makeMarkedDir } from './rare-dirs.ts';
import { samplesInHex } from './samples.ts';
import { makeSealedDir } from './sealed-dir.ts';

interface Workshop {
  readonly main: string;
  /** Where the files go. */
  readonly folder: string;
  readonly scratch: string;
  readonly dataDirs: Record<string, DataDirPortrait>;
  readonly backups: Record<string, BackupPortrait>;
  readonly givenUp: Record<string, GivenUp>;
  readonly entering: Record<string, DataDirPortrait>;
}

const patienceMs = 20_000;

const withoutSockets = (path: string): boolean => !basename(path).endsWith('.sock');
/** What a recovery has put aside is not read by anybody. */
const former = (path: string): boolean => path.startsWith('former-');

/** Another copy of a data-dir, whose processes have ended. */
function copyOf({ scratch }: Workshop, name: string, directory: string): string {
  const copy = join(scratch, `${name}-copy`);
  cpSync(directory, copy, { recursive: true, filter: withoutSockets });
  return copy;
}

async function keepDataDir(workshop: Workshop, name: string, directory: string): Promise<void> {
  const copy = copyOf(workshop, name, directory);
  keepPacked(workshop, name, copy);
  workshop.dataDirs[name] = await portraitOf(copy);
}

function keepPacked({ folder }: Workshop, name: string, directory: string): void {
  writeFileSync(join(folder, `${name}.data-dir.br`), pack(directory, former));
}

/** `count` registrations of ten services in turn, and one of each other kind of write. */
async function write(cluster: ProcessCluster, count: number): Promise<void> {
  const client = registryClient(present(cluster.endpoints[0], 'an endpoint'));
  try {
    for (let number = 0; number < count; number++) {
      const instance = {
        namespace: 'default',
        service_name: `service-${number % 10}`,
        instance_id: `instance-${number % 25}`,
        host: '10.0.0.9',
        port: 8000 + number,
        metadata: { number: String(number) },
        tags: ['golden', `t${number % 3}`],
      };
      const request = { instance, request_id: `golden-${number}` };
      await unary((options, callback) => client.register(request, options, callback), patienceMs);
    }
    const away = { namespace: 'default', instance_id: 'instance-1', maintenance: 'ON' } as const;
    await unary((options, callback) => client.setStatus(away, options, callback), patienceMs);
    const gone = { namespace: 'default', instance_id: 'instance-2', reason: 'golden' };
    await unary((options, callback) => client.deregister(gone, options, callback), patienceMs);
  } finally {
    client.close();
  }
}

/** A data-dir as a process leaves it; resolves with the directory of the ended cluster. */
async function runCluster(workshop: Workshop, name: string, count: number): Promise<string> {
  const { main, scratch } = workshop;
  const environment = count < 100 ? {} : { ROLLCALL_LIMIT_LOG_ENTRIES: '100' };
  const directory = join(scratch, name);
  const cluster = await ProcessCluster.start({
    main,
    directory,
    environment,
    startWithinMs: 60_000,
  });
  try {
    await write(cluster, count);
    const hash = await cluster.waitForEqualHashes();
    if (count >= 100) {
      const file = join(scratch, 'golden.backup');
      rollcall(main, ['snapshot', 'save', file, '--endpoints', cluster.endpoints.join(',')]);
      workshop.backups['saved'] = await portraitOfBackup(file);
      const packed = brotliCompressSync(readFileSync(file));
      writeFileSync(join(workshop.folder, 'saved.backup.br'), packed);
    }
    process.stdout.write(`${name}: ${count} registrations, hash ${hash}\n`);
  } finally {
    await cluster.stop('SIGTERM');
  }
  const dataDir = join(directory, 'n1');
  await keepDataDir(workshop, name, dataDir);
  return directory;
}

function rollcall(main: string, words: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`rollcall ${words.join(' ')} ended with ${status}: ${stderr}`);
}

/** What is under way in them no process leaves behind for long. */
async function keepRareDirs(workshop: Workshop, stopped: string, recovered: string) {
  const marked = copyOf(workshop, 'to-mark', stopped);
  await makeMarkedDir(marked);
  await keepDataDir(workshop, 'marked', marked);
  const givenUp = copyOf(workshop, 'given-up', stopped);
  await makeGivenUpDir(givenUp);
  keepPacked(workshop, 'given-up', givenUp);
  workshop.givenUp['given-up'] = {
    identity: present(await readIdentity(givenUp), 'it says who it is'),
    former: await portraitOf(join(givenUp, 'damaged-log')),
  };
  const entering = copyOf(workshop, 'entering', recovered);
  makeEnteringDir(entering);
  keepPacked(workshop, 'entering', entering);
  workshop.entering['entering'] = present(workshop.dataDirs['recovered'], 'it was kept');
  await keepDataDir(workshop, 'returned', join(await runReturn(workshop), 'n1'));
}

async function runReturn({ main, scratch }: Workshop): Promise<string> {
  const directory = join(scratch, 'returned');
  const cluster = await ProcessCluster.start({ main, directory, startWithinMs: 60_000 });
  try {
    await write(cluster, 40);
    await loseAndReturn(cluster);
    await cluster.waitForEqualHashes();
  } finally {
    await cluster.stop('SIGTERM');
  }
  return directory;
}

/** What only this build can be asked for. */
async function writeThisFormat(
  workshop: Workshop,
  stopped: string,
): Promise<Readonly<Record<string, string>>> {
  const { main, scratch } = workshop;
  const trimmed = await runCluster(workshop, 'trimmed', 300);
  const restored = join(scratch, 'restored');
  const place = ['--node-id', 'n1', '--data-dir', restored];
  const doors = ['--listen-client', '127.0.0.1:7400', '--listen-peer', '127.0.0.1:7401'];
  rollcall(main, ['snapshot', 'restore', join(scratch, 'golden.backup'), ...place, ...doors]);
  await keepDataDir(workshop, 'restored', restored);
  const survivor = join(trimmed, 'n2');
  rollcall(main, ['recover', '--data-dir', survivor, '--yes-i-accept-data-loss']);
  await keepDataDir(workshop, 'recovered', survivor);
  const sealed = join(scratch, 'sealed');
  await makeSealedDir(sealed);
  await keepDataDir(workshop, 'sealed', sealed);
  await keepRareDirs(workshop, join(stopped, 'n1'), survivor);
  return samplesInHex();
}

/** Of another commit's build its data-dir only. */
async function writeAll(
  workshop: Workshop,
  main: string | undefined,
): Promise<Readonly<Record<string, string>>> {
  const stopped = await runCluster(workshop, 'stopped', 40);
  return main === undefined ? writeThisFormat(workshop, stopped) : {};
}

async function writeGolden({ name, main, onlySamples = false }: Options): Promise<void> {
  const root = repositoryRoot();
  const folder = join(root, 'test/golden', name);
  if (existsSync(folder)) throw new Error(`${folder} is there: golden files are never rewritten`);
  const program = main ?? join(root, 'dist/cli/main.js');
  const commit = execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], {
    cwd: dirname(program),
    encoding: 'utf8',
  }).trim();
  const scratch = mkdtempSync(join(tmpdir(), 'rollcall-golden-'));
  const portraits = { dataDirs: {}, givenUp: {}, entering: {}, backups: {} };
  const workshop: Workshop = { main: program, folder, scratch, ...portraits };
  mkdirSync(folder);
  try {
    const written = onlySamples ? await samplesInHex() : await writeAll(workshop, main);
    const book: GoldenBook = { writtenBy: commit, ...portraits, samples: written };
    const bookFile = join(folder, 'book.json');
    writeFileSync(bookFile, `${JSON.stringify(book, undefined, 2)}\n`);
    execFileSync('npx', ['biome', 'format', '--write', bookFile], { cwd: root });
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  } finally {
    rmSync(scratch, { recursive: true });
  }
  process.stdout.write(`written: ${folder}\n`);
}

interface Options {
  readonly name: string;
  readonly main?: string;
  readonly onlySamples?: boolean;
}

await new Command('golden')
  .description('writes golden files of a build into test/golden/NAME, which must not be there yet')
  .requiredOption(
    '--name <name>',
    'v2, v3, … for the formats of this build, the commit for another one',
  )
  .option('--main <path>', 'dist/cli/main.js of the build of another commit: its data-dir only')
  .option('--only-samples', 'the formats that fit into a line, where nothing else has changed')
  .action((options: Options) => writeGolden(options))
  .parseAsync();
