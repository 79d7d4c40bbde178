// One node of an arena: its process, the host it lives on, its disk and its clock.
import { join } from 'node:path';
import { ProcessNode } from '../../support/process-cluster.ts';
import type { StatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import type {
  ArenaNode,
  NodeCable,
  NodeClock,
  NodeDisk,
  NodeNetwork,
  NodeRelease,
} from './arena.ts';
import { fixedCable, onlyInContainers, onlyRelease } from './not-offered.ts';

/** What a node is made of. */
export interface NodeParts {
  readonly id: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly dataDir: string;
  readonly directory: string;
  /** The server and all that goes before it; each word before it gives its process to the next. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly network: NodeNetwork;
  /** Of this node, which it is told to kill when its power is cut. */
  readonly disk: (node: ArenaNode) => NodeDisk;
  readonly clock: (node: ArenaNode) => NodeClock;
  /** What ends with a process is ended before the next. */
  readonly beforeStart: () => void;
}

export class HostedNode implements ArenaNode {
  readonly id: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly network: NodeNetwork;
  readonly disk: NodeDisk;
  readonly clock: NodeClock;
  readonly cable: NodeCable = fixedCable(onlyInContainers);
  readonly release: NodeRelease = onlyRelease(onlyInContainers);
  readonly #process: ProcessNode;
  readonly #beforeStart: () => void;

  constructor(parts: NodeParts) {
    this.id = parts.id;
    this.clientAddress = parts.clientAddress;
    this.peerAddress = parts.peerAddress;
    this.dataDir = parts.dataDir;
    this.logFile = join(parts.directory, `${parts.id}.log`);
    this.network = parts.network;
    this.#beforeStart = parts.beforeStart;
    this.disk = parts.disk(this);
    this.clock = parts.clock(this);
    const { id, clientAddress, peerAddress, dataDir, command, environment } = parts;
    const addresses = { clientAddress, peerAddress, dataDir, logFile: this.logFile };
    this.#process = new ProcessNode({ id, ...addresses, command, environment, wrapped: false });
  }

  get running(): boolean {
    return this.#process.running;
  }

  get pid(): number {
    if (!this.running) throw new Error(`${this.id} does not run`);
    return this.#process.pid;
  }

  get exitCode(): number | undefined {
    return this.#process.exitCode;
  }

  start(): void {
    if (this.running) return;
    this.#beforeStart();
    this.#process.start();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return this.#process.kill(signal);
  }

  status(timeoutMs = 1000): Promise<StatusResponse__Output> {
    return this.#process.status(timeoutMs);
  }
}
