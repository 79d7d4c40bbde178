// npm run test:slow-reader: what watch streams that stop reading for a minute cost the node that serves them, under 500
// changes/s. Both followers apply the same changes; one of them has the readers, the other is the control, and in a
// second run they change places. Then the readers read on and must get the latest state of each instance once.
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import protobuf from 'protobufjs/minimal.js';
import { type GrpcConnection, openConnection } from '../../bench/load/grpc-connection.ts';
import { instanceValue } from '../../bench/targets/payload.ts';
import { present } from '../../src/lib/assert.ts';
import { clientConstructors } from '../../src/rpc/clients.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessCluster, type ProcessNode } from '../support/process-cluster.ts';

const readerCount = 64;
const instanceCount = 500;
const changesPerSecond = 500;
const warmUpSeconds = 15;
const stalledSeconds = 60;
const allowedKibPerReader = 1024;

const { Watch } = clientConstructors().Registry.service;
type Message = ReturnType<typeof Watch.responseDeserialize>;

/** Registers instance after instance with a weight that rises, at a steady pace. */
class Writer {
  readonly #connection: GrpcConnection;
  /** The weight last acknowledged. */
  readonly weights = new Map<string, number>();
  acknowledged = 0;
  errors = 0;
  #sequence = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(address: string) {
    this.#connection = openConnection(address);
  }

  start(): void {
    this.#stopped = false;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  close(): void {
    this.#connection.close();
  }

  async #run(): Promise<void> {
    const startMs = performance.now();
    const first = this.#sequence;
    const pending = new Set<Promise<void>>();
    while (!this.#stopped) {
      const due = first + ((performance.now() - startMs) / 1000) * changesPerSecond;
      while (this.#sequence < due && pending.size < instanceCount) {
        const write = this.#write(this.#sequence++).finally(() => pending.delete(write));
        pending.add(write);
      }
      await delay(10);
    }
    await Promise.all(pending);
  }

  async #write(sequence: number): Promise<void> {
    const id = `slow-${sequence % instanceCount}`;
    const weight = 1 + Math.floor(sequence / instanceCount);
    const weighed = protobuf.Writer.create().uint32(0x60).uint32(weight).finish();
    const instance = Buffer.concat([instanceValue('slow', id), weighed]);
    const request = protobuf.Writer.create().uint32(0x0a).bytes(instance).finish();
    try {
      await this.#connection.unary('/rollcall.v1.Registry/Register', request);
      this.acknowledged += 1;
      this.weights.set(id, weight);
    } catch {
      this.errors += 1;
    }
  }
}

/** A Watch on a connection of its own, whose bytes are taken only once `read` was called. */
class StallingReader {
  readonly messages: Message[] = [];
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  #pending = Buffer.alloc(0);
  failed = false;

  constructor(address: string) {
    this.#session = connect(`http://${address}`);
    this.#session.on('error', () => (this.failed = true));
    this.#stream = this.#session.request({
      ':method': 'POST',
      ':path': Watch.path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    this.#stream.on('error', () => (this.failed = true));
    const request = Watch.requestSerialize({ selector: { services: ['slow'] } });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(request.length, 1);
    this.#stream.write(Buffer.concat([head, request]));
  }

  read(): void {
    this.#stream.on('data', (bytes: Buffer) => {
      this.#pending = Buffer.concat([this.#pending, bytes]);
      while (this.#pending.length >= 5) {
        const end = 5 + this.#pending.readUInt32BE(1);
        if (this.#pending.length < end) return;
        this.messages.push(Watch.responseDeserialize(this.#pending.subarray(5, end)));
        this.#pending = this.#pending.subarray(end);
      }
    });
  }

  get revision(): number {
    return Number(this.messages.at(-1)?.revision ?? 0);
  }

  close(): void {
    this.#session.destroy();
  }
}

let passed = 0;
let failed = 0;
function check(what: string, holds: boolean, figure: string): void {
  if (holds) passed += 1;
  else failed += 1;
  process.stdout.write(`${holds ? 'ok  ' : 'FAIL'} ${what}: ${figure}\n`);
}

function rssKib(node: ProcessNode): number {
  const status = readFileSync(`/proc/${node.pid}/status`, 'utf8');
  return Number(present(/VmRSS:\s+(\d+) kB/.exec(status)?.[1], 'Linux tells VmRSS'));
}

/** Medians of the resident memory of both nodes over five seconds, since a single look meets a garbage collection. */
async function memoryOf(nodes: readonly ProcessNode[]): Promise<readonly number[]> {
  const samples: (readonly number[])[] = [];
  for (let count = 0; count < 25; count++) {
    samples.push(nodes.map(rssKib));
    await delay(200);
  }
  return nodes.map((_, position) => {
    const sorted = samples.map((sample) => sample[position] ?? 0).toSorted((a, b) => a - b);
    return present(sorted[Math.floor(sorted.length / 2)], 'a median of samples');
  });
}

/** What a reader was sent after its first gap: the backlog. Before it come the messages that were under way. */
function backlogOf(messages: readonly Message[]): readonly Message[] {
  const gap = messages.findIndex(
    ({ revision }, position) =>
      position > 0 && Number(revision) > Number(messages[position - 1]?.revision) + 1,
  );
  return gap === -1 ? [] : messages.slice(gap);
}

function isLatestOnce(reader: StallingReader, weights: ReadonlyMap<string, number>): boolean {
  const backlog = backlogOf(reader.messages).flatMap(({ changes }) => changes);
  const ids = new Set(backlog.map(({ instance }) => instance?.instance_id));
  const areLatest = backlog.every(
    ({ instance }) => weights.get(instance?.instance_id ?? '') === instance?.weight,
  );
  return areLatest && ids.size === backlog.length && ids.size === weights.size;
}

/** One minute with stalled readers on `loaded` and none on `control`. */
async function run(writer: Writer, loaded: ProcessNode, control: ProcessNode): Promise<void> {
  const before = await memoryOf([loaded, control]);
  const readers = Array.from(
    { length: readerCount },
    () => new StallingReader(loaded.clientAddress),
  );
  const { acknowledged } = writer;
  const startMs = performance.now();
  await pollUntil(async () => Number((await loaded.status()).watches) === readerCount, {
    what: 'the watches',
    timeoutMs: 10_000,
  });
  await delay(stalledSeconds * 1000 - 5000);
  const after = await memoryOf([loaded, control]);
  const rate = ((writer.acknowledged - acknowledged) * 1000) / (performance.now() - startMs);
  const [grown = 0, grownControl = 0] = after.map((kib, at) => kib - (before[at] ?? 0));
  const perReader = (grown - grownControl) / readerCount;
  process.stdout.write(
    `${loaded.id} with ${readerCount} stalled readers grew by ${grown} KiB, ${control.id} without by ${grownControl} KiB\n`,
  );
  const allowed = `limit ${allowedKibPerReader} KiB`;
  check(
    'a stalled reader adds',
    perReader < allowedKibPerReader,
    `${perReader.toFixed(0)} KiB, ${allowed}`,
  );
  check('changes meanwhile', rate > 0.9 * changesPerSecond, `${rate.toFixed(0)}/s`);
  // Nothing changes while they catch up, so that "the latest state" is one state.
  await writer.stop();
  const last = Number((await loaded.status()).revision);
  const resumedMs = performance.now();
  for (const reader of readers) reader.read();
  const caughtUp = (): boolean => readers.every(({ revision }) => revision === last);
  await pollUntil(caughtUp, { what: 'the backlog', timeoutMs: 20_000 });
  const tookMs = performance.now() - resumedMs;
  const exact = readers.filter((reader) => isLatestOnce(reader, writer.weights)).length;
  const whole = readers.filter((reader) => !reader.failed).length;
  check('streams that lived', whole === readerCount, `${whole} of ${readerCount}`);
  check(
    'got each latest state once',
    exact === readerCount,
    `${exact} of ${readerCount} in ${tookMs.toFixed(0)} ms`,
  );
  for (const reader of readers) reader.close();
}

/** A cluster of its own for each run: a node whose memory has grown for readers before has room for more. */
async function runOnNewCluster(loadedPosition: 0 | 1): Promise<void> {
  const cluster = await ProcessCluster.start();
  try {
    const leader = await cluster.waitForLeader();
    const followers = cluster.nodes.filter((node) => node !== leader);
    const loaded = present(followers[loadedPosition], 'a follower');
    const control = present(followers[1 - loadedPosition], 'the other follower');
    const writer = new Writer(leader.clientAddress);
    writer.start();
    await delay(warmUpSeconds * 1000);
    await run(writer, loaded, control);
    check(
      'writes that failed',
      writer.errors === 0,
      `${writer.errors} of ${writer.acknowledged + writer.errors}`,
    );
    writer.close();
  } finally {
    await cluster.stop();
  }
}

await runOnNewCluster(0);
await runOnNewCluster(1);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
