// A reader of everything, or of one service: begins at one node and goes on at the next with its token when its stream ends,
// when nothing comes any more, and now and then of its own accord. A stuck one stops reading for seconds at a time.
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { present } from '../../../src/lib/assert.ts';
import type { Random } from '../../../src/lib/random.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { WatchRequest } from '../../../src/rpc/gen/rollcall/v1/WatchRequest.ts';
import type { WatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import type { WatchMessageRecord } from '../../checkers/history.ts';
import { registryClient } from '../../support/grpc-client.ts';
import { recordMessage } from '../../support/grpc-records.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ClientWorld } from './client-world.ts';

export interface WatcherOptions {
  readonly name: string;
  readonly random: Random;
  /** undefined: everything. */
  readonly service: string | undefined;
  readonly sticks: boolean;
  /** Where it begins, as a position among the endpoints. */
  readonly first: number;
}

/** What a watcher holds after a whole message. */
export interface Held {
  readonly token: string;
  readonly revision: number;
  /** instance id -> content. */
  readonly instances: ReadonlyMap<string, string>;
}

/** After a stream that told something; doubled after each that did not. */
const REOPEN_MS = 20;
const MAX_REOPEN_MS = 400;
const LOOK_MS = 200;
/** Without a message for so long the node is taken to be gone: a paused one says nothing, and does not hang up either. */
const SILENCE_MS = 3000;
const MIN_STAY_MS = 2000;
const MAX_STAY_MS = 12_000;
const MAX_STUCK_MS = 4000;

export class Watcher {
  readonly name: string;
  readonly service: string | undefined;
  readonly #world: ClientWorld;
  readonly #random: Random;
  readonly #sticks: boolean;
  readonly #looking: NodeJS.Timeout;
  readonly #instances = new Map<string, string>();
  #position: number;
  #token = '';
  #revision = -1;
  #whole = false;
  #client: RegistryClient | undefined;
  #stream: ClientDuplexStream<WatchRequest, WatchResponse__Output> | undefined;
  /** Where its stream goes on, until that has told something. */
  #resumedAt: string | undefined;
  #reopenMs = REOPEN_MS;
  #lastAtMs = 0;
  #leaveAtMs = 0;
  #stuckUntilMs = 0;
  #closed = false;

  constructor(world: ClientWorld, options: WatcherOptions) {
    this.#world = world;
    this.name = options.name;
    this.service = options.service;
    this.#random = options.random;
    this.#sticks = options.sticks;
    this.#position = options.first;
    const service = options.service === undefined ? {} : { service: options.service };
    world.note({ kind: 'watch', watcher: this.name, ...service, atMs: monotonicMs() });
    this.#open();
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Up to which it has been shown everything; -1 before its first state. */
  get revision(): number {
    return this.#revision;
  }

  /** undefined in the middle of a state that is being restated. */
  held(): Held | undefined {
    if (!this.#whole) return undefined;
    return { token: this.#token, revision: this.#revision, instances: new Map(this.#instances) };
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#looking);
    this.#leave();
  }

  #leave(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
    this.#client?.close();
    this.#client = undefined;
  }

  #open(): void {
    if (this.#closed) return;
    const { endpoints } = this.#world.nodes;
    const endpoint = present(endpoints[this.#position++ % endpoints.length], 'there is a node');
    const nowMs = monotonicMs();
    this.#resumedAt = this.#token === '' ? undefined : endpoint;
    this.#lastAtMs = nowMs;
    this.#leaveAtMs = nowMs + this.#random.integer(MIN_STAY_MS, MAX_STAY_MS);
    this.#stuckUntilMs = 0;
    this.#client = registryClient(endpoint);
    const stream = this.#client.watch();
    this.#stream = stream;
    stream.on('data', (message: WatchResponse__Output) => {
      if (stream === this.#stream) this.#take(message);
    });
    const again = (): void => {
      if (stream !== this.#stream) return;
      this.#leave();
      setTimeout(() => this.#open(), this.#reopenMs);
      this.#reopenMs = Math.min(2 * this.#reopenMs, MAX_REOPEN_MS);
    };
    stream.on('error', again);
    stream.on('end', again);
    stream.write({
      selector: { services: this.service === undefined ? [] : [this.service] },
      resume_token: this.#token,
      read: { consistency: 'STALE' },
    });
  }

  #take(message: WatchResponse__Output): void {
    const nowMs = monotonicMs();
    if (this.#resumedAt !== undefined) {
      this.#world.tally.resumes++;
      const endpoint = this.#resumedAt;
      this.#world.note({ kind: 'resumed', watcher: this.name, atMs: nowMs, endpoint });
    }
    this.#resumedAt = undefined;
    this.#reopenMs = REOPEN_MS;
    const told = recordMessage(message, nowMs);
    this.#world.note({ kind: 'message', watcher: this.name, message: told });
    this.#world.tally.messages++;
    this.#lastAtMs = nowMs;
    this.#token = message.resume_token;
    this.#whole = !told.more;
    applyMessage(this.#instances, told);
    if (!told.more) this.#revision = told.revision;
  }

  #look(): void {
    const nowMs = monotonicMs();
    const { resting } = this.#world.work;
    if (this.#stuckUntilMs > 0) {
      if (nowMs < this.#stuckUntilMs && !resting) return;
      this.#stuckUntilMs = 0;
      this.#lastAtMs = nowMs;
      this.#stream?.resume();
    }
    if (this.#stream === undefined) return;
    const silent = nowMs - this.#lastAtMs > SILENCE_MS;
    if (silent || (nowMs > this.#leaveAtMs && !resting)) {
      this.#leave();
      this.#open();
      return;
    }
    if (this.#sticks && !resting && this.#whole && this.#random.next() < 0.15) {
      this.#stuckUntilMs = nowMs + this.#random.next() * MAX_STUCK_MS;
      this.#stream.pause();
    }
  }
}

/** What a reader holds after a message. */
export function applyMessage(
  instances: Map<string, string>,
  { reset, changes }: WatchMessageRecord,
): void {
  if (reset) instances.clear();
  for (const { kind, instanceId, content } of changes) {
    if (kind === 'put') instances.set(instanceId, content);
    else instances.delete(instanceId);
  }
}
