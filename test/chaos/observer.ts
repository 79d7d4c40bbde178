// Looks at every node many times a second, as an operator with a very fast `rollcall status` would: what each says of itself,
// and whether a process ended that nobody ended.
import type { Violation } from '../checkers/history.ts';
import { clusterClient, unary } from '../support/grpc-client.ts';
import { monotonicMs } from '../support/monotonic-clock.ts';
import type { ClusterClient } from '../../src/rpc/gen/rollcall/v1/Cluster.ts';
import type { StatusResponse__Output } from '../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import type { Arena, ArenaNode } from './arena/arena.ts';
import type { Sight } from './verdict/evidence.ts';

const everyMs = 50;
/** A node that is well answers within a few milliseconds. */
const statusTimeoutMs = 250;

export class Observer {
  readonly sights: Sight[] = [];
  readonly broken: Violation[] = [];
  readonly #arena: Arena;
  readonly #clients = new Map<ArenaNode, ClusterClient>();
  /** Asked and not answered yet. */
  readonly #asked = new Set<ArenaNode>();
  /** Found ended by themselves, in their present life. */
  readonly #ended = new Set<ArenaNode>();
  readonly #latest = new Map<string, Sight>();
  readonly #timer: NodeJS.Timeout;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#timer = setInterval(() => this.#look(), everyMs);
  }

  /** What the node said last; without a term where it did not answer. */
  latest(id: string): Sight | undefined {
    return this.#latest.get(id);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #look(): void {
    const nodes = new Set(this.#arena.nodes);
    for (const [node, client] of this.#clients) {
      if (nodes.has(node)) continue;
      client.close();
      this.#clients.delete(node);
    }
    for (const node of nodes) {
      this.#watchEnd(node);
      if (!this.#asked.has(node)) this.#ask(node);
    }
  }

  /** No fault lets a process end by itself otherwise than with 0. */
  #watchEnd(node: ArenaNode): void {
    if (node.running) {
      this.#ended.delete(node);
      return;
    }
    const { exitCode } = node;
    if (exitCode === undefined || exitCode === 0 || this.#ended.has(node)) return;
    this.#ended.add(node);
    const evidence = `${node.id} ended by itself, with exit code ${exitCode}, by ${monotonicMs().toFixed(0)} ms`;
    this.broken.push({ guarantee: 'G13', evidence });
  }

  #ask(node: ArenaNode): void {
    if (!node.running) {
      this.#note({ atMs: monotonicMs(), node: node.id });
      return;
    }
    this.#asked.add(node);
    const client = this.#clients.get(node) ?? clusterClient(node.clientAddress);
    this.#clients.set(node, client);
    unary<StatusResponse__Output>(
      (options, callback) => client.status({}, options, callback),
      statusTimeoutMs,
    )
      .then(
        (status) => this.#note(sightOf(node, status)),
        () => this.#note({ atMs: monotonicMs(), node: node.id }),
      )
      .finally(() => this.#asked.delete(node));
  }

  #note(sight: Sight): void {
    this.sights.push(sight);
    this.#latest.set(sight.node, sight);
  }
}

function sightOf({ id }: ArenaNode, status: StatusResponse__Output): Sight {
  return {
    atMs: monotonicMs(),
    node: id,
    term: Number(status.term),
    role: status.role,
    leader: status.leader_id,
    appliedIndex: Number(status.applied_index),
    revision: Number(status.revision),
  };
}
