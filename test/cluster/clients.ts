// The clients of the process test: writers that retry with one request id until they are certain, and readers that
// resume elsewhere with their token. They record what they did and saw (test/checkers/history.ts) and judge nothing.
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import type { Random } from '../../src/lib/random.ts';
import type { RegistryClient } from '../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { WatchMessageRecord, WriteRecord } from '../checkers/history.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { recordMessage } from '../support/grpc-records.ts';
import { RoamingWatch } from '../support/roaming-watch.ts';
import { outcomeOf } from '../support/write-outcome.ts';

interface Answer {
  readonly revision: number;
  readonly changed: boolean;
}

type Attempt = (client: RegistryClient) => Promise<Answer>;

export interface WriterOptions {
  readonly name: string;
  readonly endpoints: readonly string[];
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly record: (write: WriteRecord) => void;
  /** Every refused write is tried again, as long as an uncertain one. Default: four of five, for three seconds. */
  readonly persistent?: boolean;
}

const attemptTimeoutMs = 3000;
/** How long an uncertain write is tried again, and one that was only ever refused. */
const certaintyTimeoutMs = 30_000;
const refusalTimeoutMs = 3000;

function registerAttempt(instanceId: string, mark: string, port: number): Attempt {
  const instance = {
    service_name: `service-${port % 5}`,
    instance_id: instanceId,
    host: '10.0.0.1',
    port,
    ttl_ms: 3_600_000,
    metadata: { mark },
  };
  return async (client) => {
    const answer = await unary<{ revision: string; generation: string }>(
      (options, callback) => client.register({ instance, request_id: mark }, options, callback),
      attemptTimeoutMs,
    );
    return { revision: Number(answer.revision), changed: true };
  };
}

function deregisterAttempt(instanceId: string, mark: string): Attempt {
  const request = { instance_id: instanceId, reason: mark, request_id: mark };
  return async (client) => {
    const answer = await unary<{ revision: string; existed: boolean }>(
      (options, callback) => client.deregister(request, options, callback),
      attemptTimeoutMs,
    );
    return { revision: Number(answer.revision), changed: answer.existed };
  };
}

const portOf = (sequence: number): number => 1 + (sequence % 60_000);

/** The write of a record once more, with its request id: everything of it follows from its mark. */
function attemptOf({ kind, instanceId, mark }: WriteRecord): Attempt {
  if (kind === 'deregister') return deregisterAttempt(instanceId, mark);
  return registerAttempt(instanceId, mark, portOf(Number(mark.split('-m')[1])));
}

/** Sends acknowledged writes again and throws when one is answered otherwise than the first time (G4). The last ones, and some of
 * all before; returns how many. Nobody else writes meanwhile. */
export async function repeatWrites(
  address: string,
  writes: readonly WriteRecord[],
): Promise<number> {
  const acknowledged = writes.filter(({ outcome }) => outcome === 'acknowledged');
  const step = Math.max(1, Math.floor(acknowledged.length / 300));
  const chosen = acknowledged.filter(
    (_, position) => position % step === 0 || position >= acknowledged.length - 100,
  );
  const client = registryClient(address);
  try {
    for (const write of chosen) {
      const { revision, changed } = await attemptOf(write)(client);
      if (revision !== write.revision || changed !== write.changed) {
        throw new Error(
          `G4: ${write.kind} ${write.mark} was answered with revision ${write.revision}, and repeated with ${revision}`,
        );
      }
    }
  } finally {
    client.close();
  }
  return chosen.length;
}

/** One writer: its own instances, one write at a time, a random endpoint for each attempt, until `signal`. */
export async function runWriter(options: WriterOptions): Promise<void> {
  const { name, endpoints, random, signal } = options;
  const clients = endpoints.map(registryClient);
  const live: string[] = [];
  for (let sequence = 0; !signal.aborted; sequence++) {
    const mark = `${name}-m${sequence}`;
    const removes = live.length > 20 || (live.length > 3 && random.next() < 0.25);
    const instanceId = removes
      ? present(live[random.integer(0, live.length)], 'a live instance')
      : `${name}-i${sequence}`;
    const attempt = removes
      ? deregisterAttempt(instanceId, mark)
      : registerAttempt(instanceId, mark, portOf(sequence));
    const retries = random.next() < 0.8 || options.persistent === true;
    const write = await settle(options, clients, attempt, retries);
    options.record({ ...write, kind: removes ? 'deregister' : 'register', instanceId, mark });
    if (removes && write.outcome !== 'rejected') live.splice(live.indexOf(instanceId), 1);
    if (!removes && write.outcome === 'acknowledged') live.push(instanceId);
  }
  for (const client of clients) client.close();
}

type Settled = Omit<WriteRecord, 'kind' | 'instanceId' | 'mark'>;

/** Tries until acknowledged. An unknown outcome is always tried again; a certain refusal only if `retries`, for a while. */
async function settle(
  { random, persistent }: WriterOptions,
  clients: readonly RegistryClient[],
  attempt: Attempt,
  retries: boolean,
): Promise<Settled> {
  const invokedAtMs = performance.now();
  let outcome: 'rejected' | 'unknown' = 'rejected';
  while (performance.now() - invokedAtMs < certaintyTimeoutMs) {
    const client = present(clients[random.integer(0, clients.length)], 'a client');
    try {
      const answer = await attempt(client);
      return { ...answer, invokedAtMs, returnedAtMs: performance.now(), outcome: 'acknowledged' };
    } catch (error) {
      if (outcomeOf(error) === 'unknown') outcome = 'unknown';
      const tired = persistent !== true && performance.now() - invokedAtMs > refusalTimeoutMs;
      if (outcome === 'rejected' && (!retries || tired)) break;
      await delay(5);
    }
  }
  return { invokedAtMs, returnedAtMs: performance.now(), outcome, revision: 0, changed: false };
}

/** A reader of everything, who records what it was told. */
export class Watcher {
  readonly name: string;
  readonly messages: WatchMessageRecord[] = [];
  resets = 0;
  readonly #watch: RoamingWatch;

  constructor(name: string, endpoints: readonly string[], first: number) {
    this.name = name;
    this.#watch = new RoamingWatch(endpoints, first, (message) => {
      this.messages.push(recordMessage(message, performance.now()));
      if (message.reset && !message.more) this.resets++;
    });
  }

  get revision(): number {
    return this.messages.at(-1)?.revision ?? -1;
  }

  /** How often it has gone on elsewhere. */
  get resumes(): number {
    return this.#watch.resumes;
  }

  /** Where its stream is, or is being opened. */
  get endpoint(): string {
    return this.#watch.endpoint;
  }

  /** Leaves its stream and resumes at the next endpoint. */
  moveOn(): void {
    this.#watch.moveOn();
  }

  close(): void {
    this.#watch.close();
  }
}
