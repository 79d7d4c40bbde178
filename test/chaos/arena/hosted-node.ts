// One node of an arena of this host: its process, the host it lives on, its disk and its clock.
import { ProcessNode } from '../../support/process-cluster.ts';
import type { StatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/StatusResponse.ts';
import type { ArenaNode } from './arena.ts';
import { EquippedNode, type NodeEquipment, type NodePlace } from './equipped-node.ts';
import { fixedCable, onlyInContainers, onlyRelease } from './not-offered.ts';

/** What a node is made of. */
export interface NodeParts extends NodePlace {
  /** The server and all that goes before it; each word before it gives its process to the next. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Of this node, which the disk is told to kill when its power is cut. */
  readonly equipment: (node: ArenaNode) => Omit<NodeEquipment, 'cable' | 'release'>;
  /** What ends with a process is ended before the next. */
  readonly beforeStart: () => void;
}

export class HostedNode extends EquippedNode {
  readonly #process: ProcessNode;
  readonly #beforeStart: () => void;

  constructor(parts: NodeParts) {
    super(parts, (node) => ({
      ...parts.equipment(node),
      cable: fixedCable(onlyInContainers),
      release: onlyRelease(onlyInContainers),
    }));
    this.#beforeStart = parts.beforeStart;
    const { id, clientAddress, peerAddress, dataDir, logFile, command, environment } = parts;
    const addresses = { clientAddress, peerAddress, dataDir, logFile };
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
