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
import type { GoldenBook } from './book.ts';
import { pack } from './pack.ts';
import {
  type BackupPortrait,
  type DataDirPortrait,
  portraitOf,
  portraitOfBackup,
} from './portrait.ts';
import { samplesInHex } from './samples.ts';
import { makeSealedDir } from './sealed-dir.ts';

interface Workshop {
  readonly main: string;
  /** Where the files go. */
  readonly folder: string;
  readonly scratch: string;
  readonly dataDirs: Record<string, DataDirPortrait>;
  readonly backups: Record<string, BackupPortrait>;
}

const patienceMs = 20_000;

const withoutSockets = (path: string): boolean => !basename(path).endsWith('.sock');
/** What a recovery has put aside is not read by anybody. */
const former = (path: string): boolean => path.startsWith('former-');

async function keepDataDir(workshop: Workshop, name: string, directory: string): Promise<void> {
  const copy = join(workshop.scratch, `${name}-copy`);
  cpSync(directory, copy, { recursive: true, filter: withoutSockets });
  const packed = pack(copy, former);
  workshop.dataDirs[name] = await portraitOf(copy);
  writeFileSync(join(workshop.folder, `${name}.data-dir.br`), packed);
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

/** What only this build can be asked for. */
async function writeThisFormat(workshop: Workshop): Promise<Readonly<Record<string, string>>> {
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
  return samplesInHex();
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
  const workshop = { main: program, folder, scratch, dataDirs: {}, backups: {} };
  mkdirSync(folder);
  try {
    if (!onlySamples) await runCluster(workshop, 'stopped', 40);
    const written = onlySamples
      ? await samplesInHex()
      : main === undefined
        ? await writeThisFormat(workshop)
        : {};
    const { dataDirs, backups } = workshop;
    const book: GoldenBook = { writtenBy: commit, dataDirs, backups, samples: written };
    writeFileSync(join(folder, 'book.json'), `${JSON.stringify(book, undefined, 2)}\n`);
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
