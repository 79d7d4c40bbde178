// One cluster that lives through many cells: its processes, its one writer, its listeners, and what its nodes had on disk some
// time ago.
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { present } from '../../src/lib/assert.ts';
import { clusterClient, registryClient, unary } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import { ProcessCluster, type ProcessNode } from '../support/process-cluster.ts';
import { checkKnown } from './file-classes.ts';
import { Listener, readAll } from './readers.ts';
import { Scribe } from './scribe.ts';
import { readTree, type StoredTree } from './stored-file.ts';
import { Truth } from './truth.ts';

/** `whole`: every log reaches back to its first entry, so a state that is lost comes from there. `trimmed`: logs are cut all the
 * time, so it has to come from another node. */
export const logKinds = ['whole', 'trimmed'] as const;
export type LogKind = (typeof logKinds)[number];

/** Entries kept in a trimmed log: the least that may be asked for. */
export const trimmedEntries = 100;

const environment: Record<LogKind, Readonly<Record<string, string>>> = {
  whole: {},
  trimmed: {
    ROLLCALL_LIMIT_LOG_ENTRIES: String(trimmedEntries),
    // Small and many, so that there is a middle in which to die.
    ROLLCALL_LIMIT_SNAPSHOT_CHUNK_BYTES: '4096',
    ROLLCALL_LIMIT_SNAPSHOT_IDLE_MS: '2000',
  },
};

const firstWrites = 200;

/** One line of a node's log. */
export interface LogLine {
  readonly event?: string;
  readonly msg?: string;
  readonly reason?: string;
  readonly exit_code?: number;
  readonly applied_index?: number;
  readonly err?: { readonly message?: string };
}

export class Field {
  readonly logs: LogKind;
  readonly cluster: ProcessCluster;
  readonly truth: Truth;
  readonly scribe: Scribe;
  readonly patienceMs: number;
  readonly #listeners: readonly Listener[];
  readonly #olds = new Map<string, StoredTree>();

  private constructor(logs: LogKind, cluster: ProcessCluster, truth: Truth, patienceMs: number) {
    this.logs = logs;
    this.cluster = cluster;
    this.truth = truth;
    this.patienceMs = patienceMs;
    this.scribe = new Scribe(cluster.endpoints, truth, patienceMs);
    this.#listeners = cluster.nodes.map(
      (node, position) => new Listener(`begun at ${node.id}`, cluster.endpoints, position, truth),
    );
  }

  static async start(logs: LogKind, patienceMs: number): Promise<Field> {
    const cluster = await ProcessCluster.start({
      environment: { ...environment[logs], ROLLCALL_LOG_LEVEL: 'info' },
      // Three processes at once, which all have yet to find each other.
      startWithinMs: 2 * patienceMs,
    });
    const field = new Field(logs, cluster, new Truth(0, new Map()), patienceMs);
    // Enough that every kind of file has something to lose.
    await field.scribe.bulk(firstWrites);
    return field;
  }

  node(id: string): ProcessNode {
    return present(
      this.cluster.nodes.find((node) => node.id === id),
      `${id} is one of the nodes`,
    );
  }

  others(node: ProcessNode): readonly ProcessNode[] {
    return this.cluster.nodes.filter((other) => other !== node);
  }

  /** What the node's directory held when it was last down. */
  old(node: ProcessNode): StoredTree | undefined {
    return this.#olds.get(node.id);
  }

  /** Ends the process at once, and says what its directory holds then. A name that nobody knows is an error. */
  async kill(node: ProcessNode): Promise<StoredTree> {
    await node.kill('SIGKILL');
    const tree = readTree(node.dataDir);
    checkKnown([...tree.keys()]);
    return tree;
  }

  remember(node: ProcessNode, tree: StoredTree): void {
    this.#olds.set(node.id, tree);
  }

  /** Starts it, and returns where its log begins to be of this life. */
  start(node: ProcessNode): number {
    const { size } = statSync(node.logFile);
    node.start();
    return size;
  }

  logSince(node: ProcessNode, from: number): readonly LogLine[] {
    const text = readFileSync(node.logFile).subarray(from).toString('utf8');
    return text.split('\n').flatMap((line): LogLine[] => {
      try {
        const parsed: unknown = JSON.parse(line);
        return typeof parsed === 'object' && parsed !== null ? [parsed] : [];
      } catch {
        // What is not of the logger, as the words of LevelDB's assertions.
        return line === '' ? [] : [{ msg: line }];
      }
    });
  }

  until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    return pollUntil(condition, {
      what,
      timeoutMs: this.patienceMs,
      explain: () => this.cluster.logTails(6),
    });
  }

  /** Asks until this node leads, whoever leads now. */
  async lead(node: ProcessNode): Promise<void> {
    await this.until(async () => {
      const leader = await this.cluster.leader();
      if (leader === node) return true;
      if (leader === undefined) return false;
      const client = clusterClient(leader.clientAddress);
      try {
        await unary((options, callback) => {
          return client.transferLeadership({ node_id: node.id }, options, callback);
        }, 2000);
      } finally {
        client.close();
      }
      return (await this.cluster.leader()) === node;
    }, `${node.id} to lead`);
  }

  /** Answers a list that is linearizable. */
  async serves(node: ProcessNode): Promise<boolean> {
    const client = registryClient(node.clientAddress);
    try {
      const { truth } = this;
      await readAll(client, { node: node.id, level: 'LINEARIZABLE', truth, timeoutMs: 1000 });
      return true;
    } catch {
      return false;
    } finally {
      client.close();
    }
  }

  /** All nodes run, have applied the same, say so with equal hashes, complain of nothing, and their lists are the truth. */
  async untilWell(): Promise<void> {
    const { nodes } = this.cluster;
    await this.cluster.waitForEqualHashes(nodes, this.patienceMs);
    await this.until(async () => {
      const statuses = await Promise.all(nodes.map((node) => node.status()));
      const problem = statuses.flatMap(({ problems }) => problems)[0];
      if (problem !== undefined) throw new Error(problem);
      return statuses.every(({ members }) => members.every(({ learner }) => !learner));
    }, 'nobody to complain of anything');
    for (const node of nodes) {
      await this.until(() => this.serves(node), `${node.id} to answer`);
    }
    await this.until(
      () => this.#listeners.every(({ revision }) => revision >= this.truth.head),
      'every listener to be told of every write (G6)',
    );
  }

  /** With nobody else there, this node and another one elect and commit. The third one is paused, so that it takes both. */
  async votes(node: ProcessNode): Promise<void> {
    const [witness, third] = this.others(node);
    if (witness === undefined || third === undefined) throw new Error('there are three nodes');
    await this.lead(node);
    third.signal('SIGSTOP');
    try {
      // The one that is to lead needs the vote of the other.
      await this.lead(witness);
      await this.scribe.write(1, { next: () => 1, integer: (from) => from });
    } finally {
      third.signal('SIGCONT');
    }
    await delay(0);
  }

  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    this.scribe.close();
    await this.cluster.stop('SIGKILL');
  }
}
