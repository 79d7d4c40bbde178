// `rollcall dev`: a whole cluster on this machine, each node an operating-system process of its own.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RegistryClient } from '../../client/index.ts';
import { parseAddress } from '../../config/address.ts';
import { ConfigError } from '../../config/config-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { checkListen } from '../listen-check.ts';
import { waitUntilWritable } from '../writable.ts';
import { openNodeLog } from './node-log.ts';
import { NodeProcess } from './node-process.ts';
import { highestPort, type PlannedNode, planNodes } from './plan.ts';

export interface DevOptions {
  readonly nodes: number;
  readonly basePort: number;
  readonly dataDir: string;
  readonly verbose: boolean;
}

const DEFAULT_BASE_PORT = 7400;
const TRY_TIMEOUT_MS = 1000;
/** Longer than a server's own --shutdown-ms, so that only a node that hangs is killed. */
const STOP_GRACE_MS = 8000;
/** LevelDB's work and file access share libuv's pool, whose 4 threads are too few for both. */
const MIN_POOL_THREADS = 8;

/** Runs until interrupted, or until no node can go on. Resolves to the exit code. */
export async function runDev(options: DevOptions, context: CliContext): Promise<number> {
  const { nodes, basePort, dataDir } = options;
  if (highestPort(nodes, basePort) > 65_535) {
    throw new ConfigError(`--base-port: ${basePort} leaves no room for ${nodes} nodes below 65536`);
  }
  const plans = planNodes(nodes, basePort, dataDir);
  refuseOtherSize(dataDir, nodes);
  for (const plan of plans) await checkPorts(plan);
  for (const plan of plans) makeDirectory(plan.dataDir);

  const interruption = context.interruption();
  const cluster = new DevCluster(plans, options, context);
  cluster.start();
  const client = new RegistryClient({
    endpoints: plans.map((plan) => plan.clientAddress),
    timeoutMs: TRY_TIMEOUT_MS,
    runtime: context.runtime,
  });
  const over = new AbortController();
  try {
    const announced = announceWritable(client, options, context, over.signal);
    const code = await cluster.untilOver(interruption);
    // Also when a node that stays down ended it: nobody is left whom writes could be announced for.
    over.abort();
    await cluster.stop();
    await announced;
    return code;
  } finally {
    client.close();
  }
}

const isLogFile = (name: string): boolean => name.startsWith('node.log');

/** Data of a cluster of another size would never form one of this size; better said than waited for. */
function refuseOtherSize(directory: string, nodes: number): void {
  let found: readonly string[] = [];
  try {
    // A folder with a log file alone is one that never became a node.
    found = readdirSync(directory)
      .filter((name) => /^n[1-9]$/.test(name))
      .filter((name) => readdirSync(join(directory, name)).some((file) => !isLogFile(file)));
  } catch {
    return;
  }
  if (found.length > 0 && found.length !== nodes) {
    throw new ConfigError(
      `--nodes: ${directory} holds a cluster of ${found.length}; take --nodes ${found.length} or another --data-dir`,
    );
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'failed';
    throw new ConfigError(`--data-dir: ${path} cannot be made: ${reason}`);
  }
}

async function checkPorts(plan: PlannedNode): Promise<void> {
  for (const text of [plan.clientAddress, plan.peerAddress]) {
    const address = parseAddress(text);
    if (address !== undefined) await checkListen(address, `--base-port, node ${plan.name}`);
  }
}

async function announceWritable(
  client: RegistryClient,
  options: DevOptions,
  context: CliContext,
  signal: AbortSignal,
): Promise<void> {
  // A cluster that cannot form says so through its nodes; this waits as long as it takes.
  if ((await waitUntilWritable(client, Number.POSITIVE_INFINITY, signal)) !== undefined) return;
  const endpoints =
    options.basePort === DEFAULT_BASE_PORT && options.nodes === 3
      ? ''
      : ` --endpoints ${client.endpoints.join(',')}`;
  context.print('The cluster accepts writes. Next, in another terminal:');
  context.print(
    `  npx rollcall register --service payment --host 127.0.0.1 --port 8080 --keep${endpoints}`,
  );
}

class DevCluster {
  readonly #nodes: readonly NodeProcess[];
  readonly #context: CliContext;
  #over: ((code: number) => void) | undefined;

  constructor(plans: readonly PlannedNode[], options: DevOptions, context: CliContext) {
    this.#context = context;
    const environment = nodeEnvironment(context);
    this.#nodes = plans.map((plan) => this.#prepare(plan, environment, options));
  }

  start(): void {
    for (const node of this.#nodes) node.start();
  }

  /** 0 once interrupted, another code when the cluster cannot go on. */
  untilOver(interruption: AbortSignal): Promise<number> {
    return new Promise((resolve) => {
      this.#over = resolve;
      interruption.addEventListener('abort', () => resolve(EXIT.done), { once: true });
    });
  }

  async stop(): Promise<void> {
    const lastResort = (): void => {
      for (const node of this.#nodes) node.kill();
    };
    // A second Ctrl-C ends this process at once; its nodes must not stay behind.
    process.once('exit', lastResort);
    const ends = await Promise.all(this.#nodes.map((node) => node.stop(STOP_GRACE_MS)));
    process.removeListener('exit', lastResort);
    ends.forEach((end, position) => {
      if (end === EXIT.done) return;
      const name = this.#nodes[position]?.plan.name ?? '';
      const how = end === 'killed' ? 'had to be killed' : `stopped with exit code ${end}`;
      this.#context.warn(`${name} ${how}`);
    });
    this.#context.print('All nodes have stopped.');
  }

  #prepare(plan: PlannedNode, environment: NodeJS.ProcessEnv, options: DevOptions): NodeProcess {
    const logFile = join(plan.dataDir, 'node.log');
    const main = fileURLToPath(new URL('../main.js', import.meta.url));
    const context = this.#context;
    const node: NodeProcess = new NodeProcess({
      plan,
      command: [process.execPath, '--enable-source-maps', main],
      environment,
      log: openNodeLog(logFile),
      events: {
        onReady: (pid) =>
          context.print(`${plan.name}  ${plan.clientAddress}  pid ${pid}  data ${plan.dataDir}`),
        onDied: (end, exitCode, restartMs) => {
          const next =
            restartMs === undefined
              ? `not started again, see ${logFile}`
              : `starting again in ${restartMs / 1000} s`;
          context.warn(`${plan.name} died (${end}); ${next}`);
          if (restartMs === undefined) this.#stayedDown(node, exitCode ?? EXIT.failed);
        },
        ...(options.verbose
          ? { onLine: (line: string) => context.print(`${plan.name} | ${line}`) }
          : {}),
      },
    });
    return node;
  }

  /** Without a node that never came up there will be no cluster; and without any node there is none left. */
  #stayedDown(node: NodeProcess, exitCode: number): void {
    const anyAlive = this.#nodes.some((other) => other.alive);
    if (!node.wasReady || !anyAlive) this.#over?.(exitCode);
  }
}

/** The nodes are told everything by flags; what this shell has set for other nodes is none of theirs. */
function nodeEnvironment(context: CliContext): NodeJS.ProcessEnv {
  const inherited = Object.entries(context.environment).filter(
    ([name]) => !name.startsWith('ROLLCALL_'),
  );
  const threads = Number(context.environment['UV_THREADPOOL_SIZE'] ?? 0);
  return {
    ...Object.fromEntries(inherited),
    UV_THREADPOOL_SIZE: String(Math.max(MIN_POOL_THREADS, Number.isInteger(threads) ? threads : 0)),
  };
}
