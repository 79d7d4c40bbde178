// A cluster of three server processes whose machines can be lost for good, and the runbooks of docs/recovery.md, and that of
// docs/operations.md for one lost disk, followed on it.
import { cpSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { present } from '../../src/lib/assert.ts';
import { localize, nodeOf, type Place, readRunbook, runCommands } from '../cluster/runbook.ts';
import { freePorts, ProcessCluster, ProcessNode } from '../support/process-cluster.ts';
import { repositoryRoot } from '../support/repository-root.ts';

const documentedBackup = '/backup/registry.backup';
/** Of a machine that has much else to do. */
const patienceMs = 120_000;

/** Runbooks that are not in docs/recovery.md. */
const elsewhere: Readonly<Record<string, string>> = { replace: 'operations.md' };

export interface Following {
  /** The node on whose host it is done. Default: n1. */
  readonly host?: string;
  /** What the operator types. */
  readonly typed?: string;
}

export class Town {
  readonly cluster: ProcessCluster;
  readonly backup: string;
  /** Nodes beside the cluster, which nothing else ends. */
  readonly #outsiders: ProcessNode[] = [];

  private constructor(cluster: ProcessCluster) {
    this.cluster = cluster;
    this.backup = join(cluster.directory, 'registry.backup');
  }

  static async start(): Promise<Town> {
    return new Town(await ProcessCluster.start({ startWithinMs: patienceMs }));
  }

  node(id: string): ProcessNode {
    const found = this.cluster.nodes.find((node) => node.id === id);
    return present(found, `${id} is one of the nodes`);
  }

  get places(): readonly Place[] {
    return this.cluster.nodes.map((node) => placeOf(node));
  }

  /** Runs one part of a runbook, as it stands in the document. */
  follow(book: string, part: string, { host = 'n1', typed }: Following = {}): Promise<string> {
    const place = placeOf(this.node(host));
    const answered = typed === undefined ? '' : `exec <<< '${typed}'\n`;
    return runCommands(answered + this.#commands(book, part, place), [place.clientAddress]);
  }

  /** Starts the server that a part of a runbook starts, in the place of the node of that name. */
  startServer(book: string, part: string, id: string): ProcessNode {
    const place = placeOf(this.node(id));
    const commands = this.#commands(book, part, place);
    const node = nodeOf(commands, place, join(this.cluster.directory, `${id}-next.log`), {});
    this.cluster.adopt(node);
    node.start();
    return node;
  }

  /** The disk is gone. A copy of what it held is kept elsewhere, as on a machine that everybody believes to be lost. */
  async lose(id: string): Promise<string> {
    const node = this.node(id);
    await node.kill('SIGKILL');
    const copy = join(this.cluster.directory, `${id}-elsewhere`);
    cpSync(node.dataDir, copy, {
      recursive: true,
      filter: (path) => !basename(path).endsWith('.sock'),
    });
    rmSync(node.dataDir, { recursive: true });
    return copy;
  }

  /** The disk of a stopped node is empty again. */
  empty(id: string): void {
    rmSync(this.node(id).dataDir, { recursive: true });
  }

  /** The lost machine is found, and started as it was: its own name, its own data, at other addresses. */
  async find(id: string, dataDir: string): Promise<ProcessNode> {
    const [client = 0, peer = 0] = await freePorts(2);
    const clientAddress = `127.0.0.1:${client}`;
    const peerAddress = `127.0.0.1:${peer}`;
    const main = join(repositoryRoot(), 'dist', 'cli', 'main.js');
    const flags = ['--node-id', id, '--data-dir', dataDir];
    const doors = ['--listen-client', clientAddress, '--listen-peer', peerAddress];
    const node = new ProcessNode({
      id,
      clientAddress,
      peerAddress,
      dataDir,
      logFile: join(this.cluster.directory, `${id}-found.log`),
      command: [process.execPath, '--enable-source-maps', main, 'server', ...flags, ...doors],
      wrapped: false,
    });
    this.#outsiders.push(node);
    node.start();
    return node;
  }

  /** From "Announce the others" on: n1 serves alone, and the others come with empty directories. */
  async completeCluster(): Promise<void> {
    await this.follow('restore', 'on the host of n1, then');
    this.startServer('restore', 'on the host of n2, the server', 'n2');
    this.startServer('restore', 'on the host of n3, the server', 'n3');
    await this.follow('restore', 'on the host of n1, afterwards');
    await this.expectWhole();
  }

  /** All three have their votes and the same state. */
  async expectWhole(): Promise<void> {
    await this.cluster.waitForLeader(patienceMs);
    await this.cluster.waitForEqualHashes(this.cluster.nodes, patienceMs);
    const { members } = await this.node('n1').status();
    const voters = members.filter(({ learner }) => !learner).map(({ node_id: id }) => id);
    if (voters.join() !== 'n1,n2,n3') throw new Error(`the voters are ${voters.join()}`);
  }

  #commands(book: string, part: string, host: Place): string {
    const commands = readRunbook(book, elsewhere[book] ?? 'recovery.md').get(part);
    const told = present(commands, `runbook ${book} has a part "${part}"`);
    return localize(told, this.places, host).replaceAll(documentedBackup, this.backup);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#outsiders.map((node) => node.kill('SIGKILL')));
    await this.cluster[Symbol.asyncDispose]();
  }
}

function placeOf({ id, clientAddress, peerAddress, dataDir }: ProcessNode): Place {
  return { documented: id, id, clientAddress, peerAddress, dataDir };
}
