// Looks at every node many times a second, as an operator with a very fast `rollcall status` would: what each says of itself,
// and whether a process ended that nobody ended.
import { readFileSync } from 'node:fs';
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
  /** Who is about to end by itself, and how. */
  readonly #excused = new Map<ArenaNode, number>();
  /** How long each had waited for a processor at the last look, of which process. */
  readonly #waited = new Map<string, { readonly pid: number; readonly ms: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#timer = setInterval(() => this.#look(), everyMs);
  }

  /** A fault makes it end by itself, once, and with this exit code. */
  excuse(node: ArenaNode, exitCode: number): void {
    this.#excused.set(node, exitCode);
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

  /** Unless a fault has said so, none lets a process end by itself otherwise than with 0. */
  #watchEnd(node: ArenaNode): void {
    if (node.running) {
      this.#ended.delete(node);
      return;
    }
    const { exitCode } = node;
    if (exitCode === undefined || exitCode === 0 || this.#ended.has(node)) return;
    this.#ended.add(node);
    const excused = this.#excused.get(node);
    this.#excused.delete(node);
    if (exitCode === excused) return;
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
        (status) => this.#note(sightOf(node, status), node),
        () => this.#note({ atMs: monotonicMs(), node: node.id }, node),
      )
      .finally(() => this.#asked.delete(node));
  }

  #note(sight: Sight, node?: ArenaNode): void {
    const waitedMs = node === undefined ? undefined : this.#waitedSince(node);
    this.sights.push(waitedMs === undefined ? sight : { ...sight, waitedMs });
  }

  #waitedSince(node: ArenaNode): number | undefined {
    const pid = node.running ? node.pid : undefined;
    const ms = pid === undefined ? undefined : runDelayMs(pid);
    if (pid === undefined || ms === undefined) return undefined;
    const before = this.#waited.get(node.id);
    this.#waited.set(node.id, { pid, ms });
    return before?.pid === pid ? ms - before.ms : undefined;
  }
}

/** How long the main thread of a process was ready to run and did not, since it began (proc(5), schedstat). */
function runDelayMs(pid: number): number | undefined {
  try {
    const nanoseconds = Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]);
    return Number.isFinite(nanoseconds) ? nanoseconds / 1e6 : undefined;
  } catch {
    return undefined;
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
