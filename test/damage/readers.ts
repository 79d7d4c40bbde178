// Readers, who believe nothing: a witness asks one node again and again, at every level of consistency, and a listener follows all
// changes through one node. What they were told is compared with the truth.
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import type { Consistency } from '../../src/rpc/gen/rollcall/v1/Consistency.ts';
import type { Instance__Output } from '../../src/rpc/gen/rollcall/v1/Instance.ts';
import type { ListInstancesResponse__Output } from '../../src/rpc/gen/rollcall/v1/ListInstancesResponse.ts';
import type { RegistryClient } from '../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { WatchResponse__Output } from '../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { RoamingWatch } from '../support/roaming-watch.ts';
import { endpoint, padding } from './scribe.ts';
import { type Catalogue, contentOf, type Told, type Truth } from './truth.ts';

type Level = Extract<Consistency, string>;
const levels = ['STALE', 'LINEARIZABLE', 'BOUNDED'] as const satisfies readonly Level[];
const maxStalenessMs = 5000;
const askEveryMs = 15;

function entryOf(instance: Instance__Output): readonly [string, string] {
  const { instance_id: id, metadata, host, port, revision } = instance;
  const whole = metadata['padding'] === padding && host === endpoint.host && port === endpoint.port;
  return [id, contentOf(whole ? (metadata['mark'] ?? '') : 'spoiled', revision)];
}

/** The whole catalogue through one node, in one page. */
export async function readAll(
  client: RegistryClient,
  {
    node,
    level,
    truth,
    timeoutMs,
  }: { node: string; level: Level; truth: Truth; timeoutMs: number },
): Promise<Told> {
  const known = truth.head;
  const bounded = level === 'BOUNDED' ? { max_staleness_ms: maxStalenessMs } : {};
  const request = { selector: {}, page_size: 1000, read: { consistency: level, ...bounded } };
  const answer: ListInstancesResponse__Output = await unary<ListInstancesResponse__Output>(
    (options, callback) => client.listInstances(request, options, callback),
    timeoutMs,
  );
  const catalogue = new Map(answer.instances.map(entryOf));
  const told = {
    by: `${node}, asked for a list that is ${level.toLowerCase()},`,
    revision: Number(answer.revision),
    atLeast: level === 'LINEARIZABLE' ? known : 0,
    catalogue,
  };
  truth.told(told);
  return told;
}

/** Asks until it is stopped. */
export class Witness {
  /** Answers by level. */
  readonly answers = new Map<Level, number>();
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(node: string, address: string, truth: Truth) {
    this.#running = this.#run(node, registryClient(address), truth);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(node: string, client: RegistryClient, truth: Truth): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      const level = present(levels[turn % levels.length], 'a level');
      try {
        await readAll(client, { node, level, truth, timeoutMs: 400 });
        this.answers.set(level, (this.answers.get(level) ?? 0) + 1);
      } catch {
        // Not served: that is no wrong answer.
      }
      await delay(askEveryMs);
    }
    client.close();
  }
}

/** Follows everything, wherever it is served. */
export class Listener {
  readonly #name: string;
  readonly #truth: Truth;
  readonly #watch: RoamingWatch;
  #view = new Map<string, string>();
  #revision = -1;

  constructor(name: string, endpoints: readonly string[], first: number, truth: Truth) {
    this.#name = name;
    this.#truth = truth;
    this.#watch = new RoamingWatch(endpoints, first, (message) => this.#take(message));
  }

  get revision(): number {
    return this.#revision;
  }

  close(): void {
    this.#watch.close();
  }

  #take({ changes, revision, reset, more }: WatchResponse__Output): void {
    if (reset) this.#view = new Map();
    const view = this.#view;
    for (const { kind, instance } of changes) {
      if (instance === null) continue;
      if (kind === 'REMOVE') view.delete(instance.instance_id);
      else view.set(...entryOf(instance));
    }
    // A state in parts is one only at its end.
    if (more) return;
    const catalogue: Catalogue = new Map(view);
    const at = Number(revision);
    const { by, atLeast } = { by: `the watch ${this.#name}`, atLeast: this.#revision };
    this.#truth.told({ by, revision: at, atLeast, catalogue });
    this.#revision = at;
  }
}
