// The registry as registry.proto describes it, written as plainly as possible: a map of instances, a list of answers, the last
// change of each service. Slow, and independent of the code under test but for status and fingerprints.
import type { ApplyResult, Command, CommandBody, RegisterItem } from '../../src/registry/index.ts';
import type { Lifecycle, Status } from '../../src/registry/index.ts';
import { deriveStatus } from '../../src/registry/status.ts';
import { hex, rev } from './fixtures.ts';

export interface NaiveInstance {
  readonly namespace: string;
  readonly serviceName: string;
  readonly instanceId: string;
  readonly body: string;
  readonly lifecycle: Lifecycle;
  readonly maintenance: boolean;
  readonly status: Status;
  readonly generation: number;
  readonly revision: number;
  readonly registeredAtMs: number;
}

interface NaiveAnswer {
  readonly key: string;
  readonly fingerprint: string;
  readonly result: ApplyResult;
  readonly timeMs: number;
}

export interface NaiveLimits {
  readonly maxInstances: number;
  readonly maxRememberedAnswers: number;
  readonly rememberAnswersMs: number;
}

export class NaiveRegistry {
  readonly #limits: NaiveLimits;
  revision = 0;
  timeMs = 0;
  instances = new Map<string, NaiveInstance>();
  /** Last revision that touched each service with instances. */
  services = new Map<string, number>();
  #answers: NaiveAnswer[] = [];
  constructor(limits: NaiveLimits) {
    this.#limits = limits;
  }

  apply(command: Command): ApplyResult {
    const { header, body, fingerprint } = command;
    this.timeMs = Math.max(this.timeMs, header.registryTimeMs);
    if (header.requestId === '') return this.#applyBody(command);
    const key = `${body.kind} ${header.requestId}`;
    const live = (answer: NaiveAnswer): boolean =>
      this.timeMs - answer.timeMs < this.#limits.rememberAnswersMs;
    this.#answers = this.#answers.filter(live);
    const known = this.#answers.find((answer) => answer.key === key);
    if (known !== undefined) {
      if (known.fingerprint === fingerprint) return known.result;
      return { kind: 'requestIdReused', revision: rev(this.revision) };
    }
    const result = this.#applyBody(command);
    this.#answers.push({ key, fingerprint, result, timeMs: this.timeMs });
    if (this.#answers.length > this.#limits.maxRememberedAnswers) this.#answers.shift();
    return result;
  }

  #applyBody(command: Command): ApplyResult {
    const before = new Map(this.instances);
    const result = this.#decide(command.body, command.header.unixTimeMs);
    this.#count(before);
    return result;
  }

  /** Raises the revision if the instances changed, which is all that may raise it. */
  #count(before: ReadonlyMap<string, NaiveInstance>): void {
    const touched = new Set<string>();
    for (const key of new Set([...before.keys(), ...this.instances.keys()])) {
      const [was, is] = [before.get(key), this.instances.get(key)];
      if (was === is) continue;
      for (const side of [was, is]) {
        if (side !== undefined) touched.add(`${side.namespace}/${side.serviceName}`);
      }
    }
    if (touched.size === 0) return;
    this.revision += 1;
    for (const service of touched) this.services.set(service, this.revision);
    const alive = new Set(
      [...this.instances.values()].map((one) => `${one.namespace}/${one.serviceName}`),
    );
    for (const service of this.services.keys()) {
      if (!alive.has(service)) this.services.delete(service);
    }
  }

  #decide(body: CommandBody, unixMs: number): ApplyResult {
    const now = rev(this.revision);
    const next = rev(this.revision + 1);
    if (body.kind === 'register') return this.#register([body.item], body.ifGeneration, unixMs);
    if (body.kind === 'registerBatch') return this.#register(body.items, 0, unixMs);
    if (body.kind === 'expire') {
      const due = body.items.filter(
        (item) => this.#find(item.namespace, item.instanceId)?.generation === item.generation,
      );
      for (const item of due) this.instances.delete(`${item.namespace}/${item.instanceId}`);
      return { kind: 'expired', revision: due.length > 0 ? next : now, count: due.length };
    }
    const key = `${body.namespace}/${body.instanceId}`;
    const instance = this.instances.get(key);
    if (instance === undefined) {
      if (body.kind === 'setStatus') return { kind: 'notFound', revision: now };
      return { kind: 'deregistered', revision: now, existed: false };
    }
    if (body.generation !== 0 && body.generation !== instance.generation) {
      const current = rev(instance.generation);
      return { kind: 'generationNotCurrent', revision: now, current };
    }
    if (body.kind === 'deregister') {
      this.instances.delete(key);
      return { kind: 'deregistered', revision: next, existed: true };
    }
    const lifecycle = body.lifecycle ?? instance.lifecycle;
    const maintenance = body.maintenance ?? instance.maintenance;
    if (lifecycle === instance.lifecycle && maintenance === instance.maintenance) {
      return { kind: 'statusSet', revision: now };
    }
    const status = deriveStatus(lifecycle, maintenance);
    this.instances.set(key, { ...instance, lifecycle, maintenance, status, revision: next });
    return { kind: 'statusSet', revision: next };
  }

  #register(items: readonly RegisterItem[], ifGeneration: number, unixMs: number): ApplyResult {
    const now = rev(this.revision);
    const next = rev(this.revision + 1);
    const present = items.map((item) => this.#find(item.namespace, item.instanceId));
    if (ifGeneration !== 0 && present[0]?.generation !== ifGeneration) {
      const current = rev(present[0]?.generation ?? 0);
      return { kind: 'generationNotCurrent', revision: now, current };
    }
    const changed = items.filter((item, n) => {
      const was = present[n];
      return was?.body !== hex(item.body) || was.lifecycle !== item.lifecycle;
    });
    const added = present.filter((was) => was === undefined).length;
    const limit = this.#limits.maxInstances;
    if (added > 0 && this.instances.size + added > limit) {
      return { kind: 'tooManyInstances', revision: now, limit };
    }
    for (const item of changed) {
      const { namespace, serviceName, instanceId, lifecycle } = item;
      const key = `${namespace}/${instanceId}`;
      const maintenance = this.instances.get(key)?.maintenance ?? false;
      this.instances.set(key, {
        namespace,
        serviceName,
        instanceId,
        body: hex(item.body),
        lifecycle,
        maintenance,
        status: deriveStatus(lifecycle, maintenance),
        generation: next,
        revision: next,
        registeredAtMs: unixMs,
      });
    }
    const generations = items.map((item) =>
      rev(this.#find(item.namespace, item.instanceId)?.generation ?? 0),
    );
    return { kind: 'registered', revision: changed.length > 0 ? next : now, generations };
  }

  #find(namespace: string, instanceId: string): NaiveInstance | undefined {
    return this.instances.get(`${namespace}/${instanceId}`);
  }
}
