// True histories, made by a tiny model of the registry: one state, one revision after the other, clients that overlap, readers
// that lag, are merged and are reset. Whatever it makes, no checker may blame; whatever is then altered, one must.
import { seededRandom, type Random } from '../../src/lib/random.ts';
import type {
  BeatRecord,
  ChangeRecord,
  History,
  KeepRecord,
  ReadRecord,
  WriteEffect,
  WriteRecord,
} from './history.ts';
import { contentText, valueText } from './instance-text.ts';
import { ModelReader } from './model-reader.ts';

export interface ModelOptions {
  readonly seed: number;
  /** At most so many. */
  readonly operations: number;
  /** No operation is begun after it. Default: never. */
  readonly endMs?: number;
  readonly instances: number;
  /** Readers of everything; one more reads one service alone. */
  readonly watchers: number;
  /** Between the effects of two operations, on average. */
  readonly stepMs: number;
  /** Of all operations, those that read. */
  readonly readShare: number;
  /** Now and then every reader misses some revisions at once, as after the death of all nodes. */
  readonly deaths: boolean;
  /** Times in which the registry answers nobody, ascending; leases wait for it. */
  readonly silences?: readonly { readonly fromMs: number; readonly toMs: number }[];
}

export const smallModel: ModelOptions = {
  seed: 1,
  operations: 300,
  instances: 12,
  watchers: 3,
  stepMs: 4,
  readShare: 0.3,
  deaths: false,
};

interface Instance {
  readonly id: string;
  readonly service: string;
  readonly mark: string;
  readonly lifecycle: string;
  readonly maintenance: boolean;
  readonly generation: number;
  readonly revision: number;
  readonly ttlMs: number;
}

const TTL_MS = 1000;

export function modelHistory(options: ModelOptions): History {
  const model = new Model(options);
  const { operations, endMs = Number.POSITIVE_INFINITY } = options;
  for (let count = 0; count < operations && model.nowMs < endMs; count++) model.step();
  return model.history();
}

class Model {
  readonly #random: Random;
  readonly #options: ModelOptions;
  readonly #state = new Map<string, Instance>();
  /** When it is expired unless it is gone or renewed by then. */
  readonly #due = new Map<string, number>();
  readonly #kept = new Map<string, number>();
  readonly #writes: WriteRecord[] = [];
  readonly #reads: ReadRecord[] = [];
  readonly #beats: BeatRecord[] = [];
  readonly #keeps: KeepRecord[] = [];
  readonly #appliedAtMs: number[] = [];
  readonly #readers: ModelReader[];
  #nowMs = 100;
  #beatMs = 0;
  #revision = 0;
  #marks = 0;
  #silences = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#readers = Array.from(
      { length: options.watchers },
      (_, at) => new ModelReader(`w${at}`, undefined, this.#random, at > 0),
    );
    this.#readers.push(new ModelReader('service', 'pay', this.#random, false));
    for (const reader of this.#readers) reader.begin(this.#nowMs);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  step(): void {
    this.#nowMs += this.#random.next() * 2 * this.#options.stepMs;
    this.#beSilent();
    this.#expire();
    this.#beat();
    if (this.#random.next() < this.#options.readShare) this.#read();
    else this.#write();
    if (this.#options.deaths && this.#random.next() < 0.01) this.#dieOut();
  }

  history(): History {
    for (const [id, fromMs] of this.#kept) {
      this.#keeps.push({ instanceId: id, fromMs, toMs: this.#nowMs });
    }
    const texts = this.#texts();
    for (const reader of this.#readers) reader.end(this.#nowMs + 50, this.#revision, texts);
    const endMs = this.#nowMs + 100;
    return {
      writes: this.#writes,
      reads: this.#reads,
      watches: this.#readers.map(({ watcher, service, messages }) => ({
        watcher,
        service,
        messages,
      })),
      finals: ['n1', 'n2', 'n3'].map((node) => ({
        node,
        revision: this.#revision,
        instances: new Map([...this.#state].map(([id, one]) => [id, contentOf(one)])),
      })),
      leases: {
        beats: this.#beats,
        keeps: this.#keeps,
        appliedAtMs: this.#appliedAtMs,
        stable: { fromMs: this.#nowMs, toMs: endMs },
        clockDrift: 0,
      },
    };
  }

  #texts(): ReadonlyMap<string, ChangeRecord> {
    return new Map([...this.#state].map(([id, one]) => [id, putOf(one, one.mark)]));
  }

  /** One more revision, told to every reader. */
  #commit(change: ChangeRecord): void {
    this.#revision++;
    this.#appliedAtMs.push(this.#nowMs);
    for (const reader of this.#readers) {
      reader.tell(this.#nowMs, this.#revision, change, () => this.#texts());
    }
  }

  #beSilent(): void {
    const next = this.#options.silences?.[this.#silences];
    if (next === undefined || this.#nowMs < next.fromMs) return;
    this.#silences++;
    for (const [id, dueMs] of this.#due) this.#due.set(id, dueMs + next.toMs - this.#nowMs);
    this.#nowMs = next.toMs;
  }

  #dieOut(): void {
    for (const reader of this.#readers) reader.deaf = true;
    for (let count = this.#random.integer(1, 4); count > 0; count--) {
      this.#nowMs += 1;
      this.#write();
    }
    for (const reader of this.#readers) {
      reader.deaf = false;
      reader.restate(this.#nowMs + 1, this.#revision, this.#texts());
    }
    this.#nowMs += 2;
  }

  #expire(): void {
    for (const [id, dueMs] of this.#due) {
      if (dueMs > this.#nowMs) continue;
      this.#due.delete(id);
      this.#state.delete(id);
      const removed = { kind: 'remove', instanceId: id, mark: '', content: '' } as const;
      this.#commit({ ...removed, expired: true });
    }
  }

  /** Signs of life of all that are kept. */
  #beat(): void {
    if (this.#nowMs < this.#beatMs) return;
    this.#beatMs = this.#nowMs + TTL_MS / 5;
    for (const [instanceId] of this.#kept) {
      const sentAtMs = this.#nowMs;
      const outcome = this.#due.has(instanceId) ? 'acknowledged' : 'unknown';
      this.#beats.push({ instanceId, generation: 0, sentAtMs, endedAtMs: sentAtMs, outcome });
      if (this.#due.has(instanceId)) this.#due.set(instanceId, this.#nowMs + TTL_MS + 5);
    }
  }

  #read(): void {
    const random = this.#random;
    const consistency = drawn(random, [
      'linearizable',
      'linearizable',
      'bounded',
      'stale',
    ] as const);
    const choice = random.integer(0, 3);
    const instanceId = choice === 0 ? this.#anyId() : undefined;
    const service = choice === 1 ? 'pay' : undefined;
    const told = [...this.#state.values()].filter(
      (one) =>
        (instanceId === undefined || one.id === instanceId) &&
        (service === undefined || one.service === service),
    );
    this.#reads.push({
      client: `r${random.integer(0, 4)}`,
      consistency,
      invokedAtMs: this.#nowMs - random.next() * 10,
      returnedAtMs: this.#nowMs + random.next() * 10,
      minRevision: Math.max(0, this.#revision - random.integer(0, 5)),
      revision: this.#revision,
      ...(consistency === 'bounded' ? { maxStalenessMs: 100 } : {}),
      ...(service === undefined ? {} : { service }),
      ...(instanceId === undefined ? {} : { instanceId }),
      instances: new Map(told.map((one) => [one.id, contentOf(one)])),
      values: new Map(told.map((one) => [one.id, valueText(one)])),
    });
  }

  #write(): void {
    const luck = this.#random.next();
    if (luck < 0.9) this.#perform('acknowledged', true);
    else if (luck < 0.94) this.#perform('unknown', true);
    else if (luck < 0.97) this.#perform('unknown', false);
    else this.#perform('rejected', false);
  }

  #perform(outcome: WriteRecord['outcome'], happens: boolean): void {
    const random = this.#random;
    const instanceId = this.#anyId();
    const mark = `m${++this.#marks}`;
    const before = this.#state.get(instanceId);
    const kinds = ['register', 'register', 'deregister', 'setStatus'] as const;
    const kind =
      before === undefined ? drawn(random, ['register', 'deregister']) : drawn(random, kinds);
    const after = kind === 'deregister' ? undefined : this.#after(kind, instanceId, mark, before);
    const changed = happens && (before !== undefined || after !== undefined);
    const effect = effectOf(
      kind,
      after,
      outcome === 'acknowledged' ? before !== undefined : undefined,
    );
    if (changed) this.#apply(instanceId, mark, before, after);
    const answered = outcome === 'acknowledged';
    const revision = answered ? this.#revision : 0;
    const names = before !== undefined && kind !== 'register' && random.next() < 0.3;
    const named = names ? { generation: before.generation } : {};
    this.#writes.push({
      kind,
      instanceId,
      mark,
      invokedAtMs: this.#nowMs - random.next() * 10,
      returnedAtMs: this.#nowMs + random.next() * 10,
      outcome,
      revision,
      changed: answered && changed,
      ...named,
      effect,
      ...(answered ? { answers: Array<string>(random.integer(1, 3)).fill(`at ${revision}`) } : {}),
    });
  }

  #after(
    kind: 'register' | 'setStatus',
    id: string,
    mark: string,
    before: Instance | undefined,
  ): Instance {
    const random = this.#random;
    const revision = this.#revision + 1;
    if (kind === 'setStatus' && before !== undefined) {
      return { ...before, revision, lifecycle: drawn(random, ['serving', 'draining']) };
    }
    const ttlMs = random.next() < 0.4 ? TTL_MS : 0;
    const maintenance = before?.maintenance ?? false;
    const own = { mark, lifecycle: 'serving', maintenance, ttlMs };
    const service = drawn(random, ['pay', 'ship']);
    return { id, service, ...own, generation: revision, revision };
  }

  #apply(
    id: string,
    mark: string,
    before: Instance | undefined,
    after: Instance | undefined,
  ): void {
    if (after === undefined) {
      this.#state.delete(id);
      this.#due.delete(id);
      this.#commit({ kind: 'remove', instanceId: id, mark, content: '', expired: false });
      return;
    }
    this.#state.set(id, after);
    if (after.generation !== before?.generation) {
      this.#due.delete(id);
      if (after.ttlMs > 0) this.#lease(id);
    }
    this.#commit(putOf(after, mark));
  }

  /** Half of them are kept from now on, the others stay silent. */
  #lease(id: string): void {
    this.#due.set(id, this.#nowMs + TTL_MS + this.#random.next() * 100);
    if (!this.#kept.has(id) && this.#random.next() < 0.5) this.#kept.set(id, this.#nowMs);
  }

  #anyId(): string {
    return `i${this.#random.integer(0, this.#options.instances)}`;
  }
}

const drawn = <const T>(random: Random, from: readonly [T, ...T[]]): T =>
  from[random.integer(0, from.length)] ?? from[0];

function contentOf(one: Instance): string {
  const { service: serviceName, generation, revision } = one;
  return contentText({ serviceName, status: 'UP', generation, revision }, valueText(one));
}

const putOf = (one: Instance, mark: string): ChangeRecord => ({
  kind: 'put',
  instanceId: one.id,
  mark,
  content: contentOf(one),
  generation: one.generation,
  ttlMs: one.ttlMs,
});

function effectOf(
  kind: WriteRecord['kind'],
  after: Instance | undefined,
  existed: boolean | undefined,
): WriteEffect {
  if (kind === 'deregister' || after === undefined) return { kind: 'remove', existed };
  const { mark, lifecycle, ttlMs } = after;
  if (kind === 'setStatus') return { kind: 'lifecycle', lifecycle };
  return { kind: 'put', mark, lifecycle, mayExpire: ttlMs > 0 };
}
