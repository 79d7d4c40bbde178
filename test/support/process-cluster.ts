// A cluster of real server processes on loopback, for process tests, the demo and the benchmarks: the built
// `rollcall server`, real disks, real signals. Ends only the processes it started, by pid.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../src/lib/assert.ts';
import { type AskedNode, untilEqualHashes } from './equal-hashes.ts';
import { pollUntil } from './poll.ts';
import { fetchStatus } from './grpc-client.ts';
import { repositoryRoot } from './repository-root.ts';
import type { StatusResponse__Output } from '../../src/rpc/gen/rollcall/v1/StatusResponse.ts';

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<{ port: number; close: () => Promise<void> }>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            const port = typeof address === 'object' && address !== null ? address.port : 0;
            resolve({ port, close: () => new Promise((done) => server.close(() => done())) });
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => server.close()));
  return servers.map((server) => server.port);
}

export interface ProcessClusterOptions {
  readonly nodes?: number;
  /** Where data and logs go; a temporary directory, removed at stop, by default. */
  readonly directory?: string;
  /** The program: this repository's build by default; the build of another commit to compare with. */
  readonly main?: string;
  /** Further flags for every server. */
  readonly flags?: readonly string[];
  /** Further variables for every server. */
  readonly environment?: Readonly<Record<string, string>>;
  /** For the first leader, in milliseconds. Default 20 000. */
  readonly startWithinMs?: number;
  /** A command to run the server under, as `['strace', '-f', …]`, its output into `directory`; by default none. */
  readonly wrap?: (nodeId: string, directory: string) => readonly string[];
}

export class ProcessNode {
  readonly id: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly dataDir: string;
  readonly logFile: string;
  #child: ChildProcess | undefined;
  readonly #command: readonly string[];
  /** The server is a child of the command, so a signal goes to the whole group. */
  readonly #wrapped: boolean;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(options: {
    id: string;
    clientAddress: string;
    peerAddress: string;
    dataDir: string;
    logFile: string;
    command: readonly string[];
    wrapped: boolean;
    environment?: Readonly<Record<string, string>>;
  }) {
    this.id = options.id;
    this.clientAddress = options.clientAddress;
    this.peerAddress = options.peerAddress;
    this.dataDir = options.dataDir;
    this.logFile = options.logFile;
    this.#command = options.command;
    this.#wrapped = options.wrapped;
    this.#environment = options.environment ?? {};
  }

  get running(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  get pid(): number {
    return present(this.#child?.pid, `${this.id} is running`);
  }

  /** undefined while it runs or when a signal ended it. */
  get exitCode(): number | undefined {
    return this.#child?.exitCode ?? undefined;
  }

  start(): void {
    if (this.running) return;
    const log = openSync(this.logFile, 'a');
    const [program, ...rest] = this.#command;
    this.#child = spawn(present(program, 'a command has a program'), rest, {
      stdio: ['ignore', log, log],
      detached: this.#wrapped,
      env: { ...process.env, UV_THREADPOOL_SIZE: '8', ...this.#environment },
    });
    closeSync(log);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.#wrapped ? -this.pid : this.pid, signal);
  }

  /** Sends the signal and waits for the process to be gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.signal(signal);
    await pollUntil(() => !this.running, {
      what: `${this.id} to end after ${signal}`,
      timeoutMs: 15_000,
      everyMs: 2,
    });
  }

  status(timeoutMs = 1000): Promise<StatusResponse__Output> {
    return fetchStatus(this.clientAddress, timeoutMs);
  }
}

export class ProcessCluster {
  readonly directory: string;
  readonly #nodes: ProcessNode[];
  /** Every node that was ever one of them: whatever happens, none outlives the cluster. */
  readonly #all: Set<ProcessNode>;
  readonly #temporary: boolean;

  private constructor(nodes: readonly ProcessNode[], directory: string, temporary: boolean) {
    this.#nodes = [...nodes];
    this.#all = new Set(nodes);
    this.directory = directory;
    this.#temporary = temporary;
  }

  /** Starts all nodes and waits until one leads and every node knows it. */
  static async start(options: ProcessClusterOptions = {}): Promise<ProcessCluster> {
    const count = options.nodes ?? 3;
    const temporary = options.directory === undefined;
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'rollcall-'));
    mkdirSync(directory, { recursive: true });
    const ports = await freePorts(2 * count);
    const ids = Array.from({ length: count }, (_, position) => `n${position + 1}`);
    const address = (position: number): string => `127.0.0.1:${ports[position] ?? 0}`;
    const members = ids.map((id, position) => `${id}=${address(count + position)}`).join(',');
    const main = options.main ?? join(repositoryRoot(), 'dist', 'cli', 'main.js');
    const nodes = ids.map((id, position) => {
      const dataDir = join(directory, id);
      const flags = ['--node-id', id, '--data-dir', dataDir, '--initial-members', members];
      flags.push('--listen-client', address(position), '--listen-peer', address(count + position));
      const wrap = options.wrap?.(id, directory) ?? [];
      const command = [
        ...wrap,
        process.execPath,
        '--enable-source-maps',
        main,
        'server',
        ...flags,
        ...(options.flags ?? []),
      ];
      return new ProcessNode({
        id,
        clientAddress: address(position),
        peerAddress: address(count + position),
        dataDir,
        logFile: join(directory, `${id}.log`),
        command,
        wrapped: wrap.length > 0,
        environment: options.environment ?? {},
      });
    });
    const cluster = new ProcessCluster(nodes, directory, temporary);
    for (const node of nodes) node.start();
    try {
      await cluster.waitForLeader(options.startWithinMs);
    } catch (error) {
      await cluster.stop('SIGKILL');
      throw error;
    }
    return cluster;
  }

  get nodes(): readonly ProcessNode[] {
    return this.#nodes;
  }

  /** From now on one of the nodes: in the place of the one of its name, else beside the others. */
  adopt(node: ProcessNode): void {
    const position = this.#nodes.findIndex(({ id }) => id === node.id);
    if (position < 0) this.#nodes.push(node);
    else this.#nodes[position] = node;
    this.#all.add(node);
  }

  /** No longer one of the nodes, though it may go on running. */
  forget(node: ProcessNode): void {
    const position = this.#nodes.indexOf(node);
    if (position >= 0) this.#nodes.splice(position, 1);
  }

  get endpoints(): readonly string[] {
    return this.nodes.map((node) => node.clientAddress);
  }

  pids(): readonly number[] {
    return this.nodes.filter((node) => node.running).map((node) => node.pid);
  }

  /** The node that leads, as a majority of the running nodes says; undefined while they do not agree. */
  async leader(): Promise<ProcessNode | undefined> {
    const running = this.nodes.filter((node) => node.running);
    const answers = await Promise.allSettled(running.map((node) => node.status(500)));
    const votes = new Map<string, number>();
    for (const answer of answers) {
      if (answer.status !== 'fulfilled' || answer.value.leader_id === '') continue;
      votes.set(answer.value.leader_id, (votes.get(answer.value.leader_id) ?? 0) + 1);
    }
    const majority = Math.floor(this.nodes.length / 2) + 1;
    const winner = [...votes].find(([, count]) => count >= majority)?.[0];
    return this.nodes.find((node) => node.id === winner && node.running);
  }

  async waitForLeader(timeoutMs = 20_000): Promise<ProcessNode> {
    let found: ProcessNode | undefined;
    await pollUntil(
      async () => {
        found = await this.leader();
        return found !== undefined;
      },
      { what: 'a leader', timeoutMs, everyMs: 20, explain: () => this.logTails() },
    );
    return present(found, 'the poll ended with a leader');
  }

  /** Waits until these nodes have applied the same index with the same hash; returns the hash. */
  waitForEqualHashes(
    nodes: readonly AskedNode[] = this.nodes,
    timeoutMs = 20_000,
  ): Promise<string> {
    return untilEqualHashes(nodes, timeoutMs, () => this.logTails());
  }

  /** The last lines of every node's log, for a failing test. */
  logTails(lines = 15): string {
    return this.nodes
      .map((node) => {
        let text = '';
        try {
          text = readFileSync(node.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
        } catch {
          text = '(no log)';
        }
        return `--- ${node.id} exit ${node.exitCode ?? 'none'}\n${text}`;
      })
      .join('\n');
  }

  /** Stops every node, SIGTERM by default, and removes a temporary directory. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    for (const node of this.#all) node.signal('SIGCONT');
    await Promise.all([...this.#all].map((node) => node.kill(signal)));
    if (this.#temporary) rmSync(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}
