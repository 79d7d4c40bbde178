// The state hashes of this node and of the others (G12): told to everyone, compared, and judged.
import type { LogIndex, NodeId } from '../lib/ids.ts';
import { createHashComparison, type HashComparison, type HashVerdict } from './hash-comparison.ts';
import type { NodeParts } from './node-parts.ts';
import type { ClusterRecord } from './peer-protocol.ts';

export interface HashReportsHost {
  readonly parts: NodeParts;
  /** The configuration in effect. */
  readonly record: () => ClusterRecord | undefined;
  /** What this node has applied. */
  readonly appliedIndex: () => LogIndex;
  /** False while the log is replayed: what it gave in the past, the others have compared. */
  readonly telling: () => boolean;
}

export class HashReports {
  readonly #host: HashReportsHost;
  readonly #comparison: HashComparison;
  #difference: string | undefined;

  constructor(host: HashReportsHost) {
    this.#host = host;
    const { record, appliedIndex } = host;
    const { nodeId: self } = host.parts.options.self;
    this.#comparison = createHashComparison({ self, record, appliedIndex });
  }

  /** One plain sentence once this node's state was seen to differ from another's. */
  get problem(): string | undefined {
    return this.#difference;
  }

  /** This node's own hash at an index where all are compared. */
  due(index: LogIndex, hash: string): void {
    const { options, outbox } = this.#host.parts;
    const self = options.self.nodeId;
    this.#judge(this.#comparison.report(self, index, hash));
    if (!this.#host.telling()) return;
    for (const { nodeId } of this.#host.record()?.members ?? []) {
      if (nodeId !== self) outbox.add(nodeId, { kind: 'stateHash', index, hash });
    }
  }

  heard(from: NodeId, index: LogIndex, hash: string): void {
    this.#judge(this.#comparison.report(from, index, hash));
  }

  #judge(verdict: HashVerdict): void {
    if (verdict.kind === 'nothing') return;
    const { fatal, options } = this.#host.parts;
    const others = verdict.peers.join(' and ');
    const difference = `the state of this node at index ${verdict.index} differs from that of ${others}`;
    if (verdict.kind === 'outvoted') return fatal(12, `${difference}, which are a majority`);
    if (this.#difference === undefined) {
      options.log.error({ event: 'state_differs', detail: difference });
    }
    this.#difference = difference;
  }
}
