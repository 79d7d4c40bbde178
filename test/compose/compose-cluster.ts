// The cluster of docker-compose.cluster.yml under a project name of its own: its containers, the host's pids of their
// processes, and what can be done to them from outside. For the compose test and for chaos in containers.
import { execFile, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { present } from '../../src/lib/assert.ts';
import type { StatusResponse__Output } from '../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import { runCommands } from '../cluster/runbook.ts';
import { untilEqualHashes } from '../support/equal-hashes.ts';
import { fetchStatus } from '../support/grpc-client.ts';
import { pollUntil } from '../support/poll.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import { type Engine, shellFunctions } from './engine.ts';

const composeFile = 'docker-compose.cluster.yml';

export interface ComposeOptions {
  readonly engine: Engine;
  /** Names containers, volumes and network; its own, so that nobody's cluster is touched. */
  readonly project?: string;
  /** What the nodes run, by ROLLCALL_IMAGE; built from the checkout where it does not exist. */
  readonly image: string;
  /** Compose files that add to that of the cluster; absolute. */
  readonly additions?: readonly string[];
}

/** One container of the cluster. Its process is known by the host's pid, and may be another one after each call. */
export class ComposeNode {
  readonly id: string;
  /** As published on the host. */
  readonly clientAddress: string;
  readonly #cluster: ComposeCluster;

  constructor(id: string, clientAddress: string, cluster: ComposeCluster) {
    this.id = id;
    this.clientAddress = clientAddress;
    this.#cluster = cluster;
  }

  status(timeoutMs = 1000): Promise<StatusResponse__Output> {
    return fetchStatus(this.clientAddress, timeoutMs);
  }

  /** Asked of the engine, by the labels that both versions of compose give: compose itself takes a second to answer. */
  async container(): Promise<string> {
    const labels = [`project=${this.#cluster.project}`, `service=${this.id}`, 'oneoff=False'];
    const filters = labels.flatMap((label) => ['--filter', `label=com.docker.compose.${label}`]);
    const id = (await this.#cluster.docker('ps', '-aq', ...filters)).trim();
    return present(id === '' ? undefined : id, `${this.id} has a container`);
  }

  /** `docker inspect` with a Go template, as `{{.State.Pid}}`. */
  async inspect(template: string): Promise<string> {
    return (await this.#cluster.docker('inspect', '-f', template, await this.container())).trim();
  }

  /** The host's pid of the node's process; throws while it does not run. */
  async pid(): Promise<number> {
    const pid = Number(await this.inspect('{{.State.Pid}}'));
    return present(pid > 0 ? pid : undefined, `${this.id} has a process`);
  }

  /** Straight to the process, past the engine, which therefore does not take it for a wish of the operator. Needs root. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.pid(), signal);
  }

  /** Freezes every process of the container, by its cgroup. */
  async pause(): Promise<void> {
    await this.#cluster.docker('pause', await this.container());
  }

  async unpause(): Promise<void> {
    await this.#cluster.docker('unpause', await this.container());
  }

  /** SIGTERM, and SIGKILL after the grace period; it stays stopped until `start`. */
  async stop(): Promise<void> {
    await this.#cluster.compose('stop', this.id);
  }

  async start(): Promise<void> {
    await this.#cluster.compose('start', this.id);
  }

  /** Pulls the cable: neither the other nodes nor clients on the host reach it, and it reaches nobody. */
  async disconnect(): Promise<void> {
    await this.#cluster.docker(
      'network',
      'disconnect',
      this.#cluster.network,
      await this.container(),
    );
  }

  /** Its address may be another one afterwards; its name is the same. */
  async connect(): Promise<void> {
    const words = ['connect', '--alias', this.id, this.#cluster.network, await this.container()];
    await this.#cluster.docker('network', ...words);
  }
}

export class ComposeCluster {
  readonly nodes: readonly ComposeNode[];
  readonly project: string;
  readonly network: string;
  readonly #engine: Engine;
  #image: string;
  readonly #files: readonly string[];
  readonly #interruption = new AbortController();

  constructor({ engine, project = 'rollcall-test', image, additions = [] }: ComposeOptions) {
    this.#engine = engine;
    this.project = project;
    this.network = `${project}_default`;
    this.#image = image;
    this.#files = [composeFile, ...additions].flatMap((file) => ['-f', file]);
    this.nodes = ['127.0.0.1:7400', '127.0.0.1:7410', '127.0.0.1:7420'].map(
      (address, position) => new ComposeNode(`n${position + 1}`, address, this),
    );
  }

  get endpoints(): readonly string[] {
    return this.nodes.map((node) => node.clientAddress);
  }

  /** What `up` takes from now on. */
  useImage(image: string): void {
    this.#image = image;
  }

  #environment(): Readonly<Record<string, string>> {
    return { COMPOSE_PROJECT_NAME: this.project, ROLLCALL_IMAGE: this.#image };
  }

  async #execute(
    words: readonly string[],
    signal: AbortSignal | undefined,
    timeoutMs = 300_000,
  ): Promise<string> {
    const [program = '', ...rest] = words;
    const { stdout } = await promisify(execFile)(program, rest, {
      cwd: repositoryRoot(),
      env: { ...process.env, ...this.#environment() },
      maxBuffer: 64 << 20,
      timeout: timeoutMs,
      signal,
    });
    return stdout;
  }

  docker(...words: string[]): Promise<string> {
    return this.#execute(['docker', ...words], this.#interruption.signal);
  }

  /** Compose on the file of the cluster; resolves with what it printed, rejects with its words of failure. */
  compose(...words: string[]): Promise<string> {
    const all = [...this.#engine.compose, ...this.#files, ...words];
    return this.#execute(all, this.#interruption.signal);
  }

  /** Commands of a document as they stand there, in a shell that means this project and its image. */
  run(commands: string): Promise<string> {
    return runCommands(commands, this.endpoints, {
      environment: this.#environment(),
      functions: shellFunctions(this.#engine),
      signal: this.#interruption.signal,
      timeoutMs: 300_000,
    });
  }

  /** Every container, volume and network of the project goes, whatever state they are in; a command under way is ended. */
  async remove(): Promise<void> {
    this.#interruption.abort(new Error('the cluster is being removed'));
    const down = ['--profile', 'demo', 'down', '-v', '--remove-orphans', '--timeout', '5'];
    const words = [...this.#engine.compose, '-f', composeFile, ...down];
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#execute(words, undefined, 60_000);
      } catch (error) {
        if (attempt === 3) throw error;
      }
      // A command that was ended in the middle may have made one more.
      const filter = `label=com.docker.compose.project=${this.project}`;
      const left = await this.#execute(['docker', 'ps', '-aq', '--filter', filter], undefined);
      if (left.trim() === '') return;
      if (attempt === 3) throw new Error(`containers of ${this.project} are left: ${left}`);
    }
  }

  async waitForLeader(timeoutMs = 60_000): Promise<ComposeNode> {
    let found: ComposeNode | undefined;
    await pollUntil(
      async () => {
        const answers = await Promise.allSettled(this.nodes.map((node) => node.status(500)));
        const told = answers.flatMap((answer) =>
          answer.status === 'fulfilled' ? [answer.value.leader_id] : [],
        );
        found = this.nodes.find(({ id }) => told.filter((leader) => leader === id).length >= 2);
        return found !== undefined;
      },
      { what: 'a leader', timeoutMs, everyMs: 20, explain: this.logTails },
    );
    return present(found, 'the poll ended with a leader');
  }

  readonly waitForEqualHashes = (
    nodes: readonly Pick<ComposeNode, 'status'>[] = this.nodes,
    timeoutMs = 60_000,
  ): Promise<string> => untilEqualHashes(nodes, timeoutMs, this.logTails);

  /** The last lines of every container's log, for a failing test. */
  readonly logTails = (lines = 15): string => {
    const [program, ...rest] = this.#engine.compose;
    const words = [...rest, '-f', composeFile, 'logs', '--no-color', '--tail', String(lines)];
    const { stdout } = spawnSync(program, words, {
      cwd: repositoryRoot(),
      env: { ...process.env, ...this.#environment() },
      encoding: 'utf8',
      timeout: 20_000,
    });
    return stdout;
  };
}

/** Addresses of the host that the containers want and somebody else has. */
export async function takenAddresses(addresses: readonly string[]): Promise<readonly string[]> {
  const taken = await Promise.all(
    addresses.map(
      (address) =>
        new Promise<boolean>((resolve) => {
          const [host = '', port = ''] = address.split(':');
          const server = createServer();
          server.once('error', () => resolve(true));
          server.listen(Number(port), host, () => server.close(() => resolve(false)));
        }),
    ),
  );
  return addresses.filter((_, position) => taken[position] === true);
}
