// One node of an arena of containers: the process that is in its container at the moment, as the engine tells of it. What dies
// is started again by the restart policy, which `start` therefore only waits for.
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import type { StatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import { present } from '../../../src/lib/assert.ts';
import type { ComposeNode } from '../../compose/compose-cluster.ts';
import { pollUntil } from '../../support/poll.ts';
import { isGone } from '../../support/process-state.ts';
import type { ContainerEvent } from './container-events.ts';
import { type ContainerLife, ContainerLog } from './container-log.ts';
import type { NodeRelease } from './arena.ts';
import { EquippedNode } from './equipped-node.ts';
import { fixedClock } from './node-clock.ts';
import { fixedDisk } from './not-offered.ts';
import { wholeNetwork } from './peer-network.ts';

export interface ContainerNodeParts {
  readonly node: ComposeNode;
  readonly peerAddress: string;
  readonly directory: string;
  readonly notOffered: string;
  /** `docker inspect` of any container. */
  readonly inspect: (container: string, template: string) => Promise<string>;
  readonly release: (node: ContainerNode) => NodeRelease;
}

/** Whoever looks every 50 ms shall see that a process had ended before the next one runs. */
const visibleMs = 120;
const endTimeoutMs = 30_000;
/** In a container. */
const dataDir = '/var/lib/rollcall';
/** The restart policy waits for a minute at most. */
const beginTimeoutMs = 120_000;

export class ContainerNode extends EquippedNode {
  readonly #node: ComposeNode;
  readonly #inspect: ContainerNodeParts['inspect'];
  readonly #log: ContainerLog;
  /** The present one, or the last. */
  #life: ContainerLife | undefined;
  #ended = true;
  #endedWith: number | undefined;
  /** It was told to start, and the engine has not told yet that it did. */
  #awaited = false;
  /** What the engine told is taken in one by one. */
  #told: Promise<void> = Promise.resolve();

  constructor({ node, peerAddress, directory, notOffered, inspect, release }: ContainerNodeParts) {
    const { id, clientAddress } = node;
    const logFile = join(directory, `${id}.log`);
    super({ id, clientAddress, peerAddress, dataDir, logFile }, () => ({
      network: wholeNetwork(notOffered),
      disk: fixedDisk(notOffered),
      clock: fixedClock(notOffered),
      cable: { pull: () => node.disconnect(), plug: () => node.connect() },
      release: { name: () => release(this).name(), exchange: () => release(this).exchange() },
    }));
    this.#node = node;
    this.#inspect = inspect;
    this.#log = new ContainerLog(logFile);
  }

  get running(): boolean {
    return this.#awaited || this.#alive;
  }

  /** While the next process is awaited, that of the last one. */
  get pid(): number {
    if (!this.running) throw new Error(`${this.id} does not run`);
    return present(this.#life, `${this.id} has had a process`).pid;
  }

  get exitCode(): number | undefined {
    return this.running ? undefined : this.#endedWith;
  }

  /** With what the process before the present one ended; undefined where a signal ended it. */
  get endedWith(): number | undefined {
    return this.#endedWith;
  }

  get container(): string | undefined {
    return this.#life?.container;
  }

  get #alive(): boolean {
    return !this.#ended && this.#life !== undefined && !isGone(this.#life.pid);
  }

  start(): void {
    this.#awaited = !this.#alive;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#alive) process.kill(this.pid, signal);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const life = this.#life;
    if (life === undefined || this.#ended) return;
    this.signal(signal);
    await pollUntil(() => this.#ended || this.#life !== life, {
      what: `${this.id} to end after ${signal}`,
      timeoutMs: endTimeoutMs,
      everyMs: 2,
    });
  }

  /** Rejects at once while no process is known: the answer would be that of one which nobody could strike. */
  status(timeoutMs = 1000): Promise<StatusResponse__Output> {
    if (this.#alive) return this.#node.status(timeoutMs);
    return Promise.reject(new Error(`${this.id} does not run`));
  }

  /** Until a process runs that is in another container than `before`. */
  async begun(before?: string): Promise<void> {
    await pollUntil(() => this.#alive && this.container !== before, {
      what: `a process in a new container of ${this.id}`,
      timeoutMs: beginTimeoutMs,
    });
  }

  hear(event: ContainerEvent): void {
    this.#told = this.#told.then(() => this.#take(event));
  }

  close(): void {
    this.#log.close();
  }

  async #take({ kind, container, exitCode }: ContainerEvent): Promise<void> {
    switch (kind) {
      case 'ended': {
        this.#ended = true;
        this.#awaited = false;
        this.#endedWith = exitCode !== undefined && exitCode < 128 ? exitCode : undefined;
        return;
      }
      case 'started': {
        if (this.#ended) await delay(visibleMs);
        const life = await this.#look(container);
        if (life === undefined) return;
        this.#life = life;
        this.#ended = false;
        this.#awaited = false;
        this.#log.follow(life);
      }
    }
  }

  /** undefined where the process is gone already; then the engine tells that next. */
  async #look(container: string): Promise<ContainerLife | undefined> {
    try {
      const words = await this.#inspect(container, '{{.State.Pid}} {{.State.StartedAt}}');
      const [pid, startedAt = ''] = words.trim().split(' ');
      return Number(pid) > 0 ? { container, pid: Number(pid), startedAt } : undefined;
    } catch {
      return undefined;
    }
  }
}
