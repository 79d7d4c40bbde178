// One node, as the doors see it. How it lives is in node-life.ts, what it does while it runs in engine.ts.
import { revision as revisionOf } from '../lib/ids.ts';
import { type ErrorCode, RegistryError } from '../lib/registry-error.ts';
import {
  type ApplyResult,
  type CommandBody,
  fingerprintOf,
  type Registry,
} from '../registry/index.ts';
import { Backups } from './backup.ts';
import { defaultRetention } from './log-retention.ts';
import { NodeLife } from './node-life.ts';
import type { Beat, Member, MemberChange } from './peer-protocol.ts';
import type {
  CallOptions,
  HeartbeatAnswer,
  NodeOptions,
  NodeStatus,
  ReadOptions,
  ReadPermit,
  RegistryNode,
  WriteOptions,
} from './registry-node.ts';
import { shutDown, shuttingDown } from './shutdown.ts';
import { nodeStatus } from './status.ts';
import type { WatchHub } from './watch-hub.ts';
import { writeBytes } from './writes.ts';

/** Starts a node on opened stores. Resolves once it listens to its peers; forming the cluster and replaying the log go on
 * behind that, and status().problems says what is awaited. */
export async function createNode(options: NodeOptions): Promise<RegistryNode> {
  const life = new NodeLife(options);
  await life.start();
  return new Node(life);
}

const RETRY_AFTER_MS = 100;
/** Disks are looked at once a second. */
const RETRY_FULL_DISK_MS = 2000;
const DEFAULT_PENDING_WRITE_BYTES = 64 << 20;

class Node implements RegistryNode {
  readonly #life: NodeLife;
  #stopped: Promise<void> | undefined;

  readonly #backups: Backups;

  constructor(life: NodeLife) {
    this.#life = life;
    this.#backups = backupsOf(life);
  }

  get registry(): Registry {
    return this.#life.parts.registry;
  }

  get watches(): WatchHub {
    return this.#life.parts.hub;
  }

  async write(body: CommandBody, options: WriteOptions): Promise<ApplyResult> {
    this.#refuseWhenStopping();
    const { writes, options: node } = this.#life.parts;
    const { maxPendingWriteBytes = DEFAULT_PENDING_WRITE_BYTES } = node.limits;
    if (writes.callerBytes + writeBytes(body) > maxPendingWriteBytes) {
      throw new RegistryError(
        'resourceExhausted',
        `bytes of writes waiting on this node, limit ${maxPendingWriteBytes}`,
        { retryAfterMs: RETRY_AFTER_MS },
      );
    }
    if (writes.callers >= node.limits.maxPendingWrites) {
      throw new RegistryError(
        'resourceExhausted',
        `writes waiting on this node, limit ${node.limits.maxPendingWrites}`,
        { retryAfterMs: RETRY_AFTER_MS },
      );
    }
    const { signal, requestId, actor } = options;
    return new Promise((resolve, reject) => {
      const forget = writes.submit({
        origin: 'caller',
        body,
        requestId,
        fingerprint: fingerprintOf(body),
        actor,
        deadlineMs: options.deadline ?? Number.POSITIVE_INFINITY,
        done(outcome) {
          signal?.removeEventListener('abort', forget);
          if (outcome.kind === 'applied') resolve(outcome.result);
          else reject(refusal(outcome));
        },
      });
      signal?.addEventListener('abort', forget, { once: true });
      if (signal?.aborted === true) forget();
    });
  }

  async heartbeat(beats: readonly Beat[], _options: CallOptions): Promise<HeartbeatAnswer> {
    this.#refuseWhenStopping();
    return new Promise((resolve, reject) => {
      this.#life.parts.relay.heartbeat(beats, (outcome) => {
        if (outcome.kind === 'failed') reject(refusal(outcome));
        else {
          const { revision, failures, heartbeatIntervalMs } = outcome;
          resolve({ revision, failures, heartbeatIntervalMs });
        }
      });
    });
  }

  async read(options: ReadOptions): Promise<ReadPermit> {
    this.#refuseWhenStopping();
    return this.#life.parts.reads.read(options);
  }

  async lastHeartbeat(
    namespace: string,
    instanceId: string,
    options: CallOptions,
  ): Promise<number | undefined> {
    const { engine, desk, parts } = this.#life;
    if (engine === undefined || this.#life.phase === 'ended') return undefined;
    if (engine.leading) return parts.leases.lastHeartbeat(namespace, instanceId);
    const { leader } = engine.view;
    if (leader === undefined || leader === parts.options.self.nodeId) return undefined;
    const deadline = options.deadline ?? Number.POSITIVE_INFINITY;
    return desk.askLastHeartbeat(leader, namespace, instanceId, deadline);
  }

  async changeMembers(change: MemberChange, options: CallOptions): Promise<readonly Member[]> {
    this.#refuseWhenStopping();
    const { signal, deadline: deadlineMs = Number.POSITIVE_INFINITY } = options;
    return new Promise((resolve, reject) => {
      const forget = this.#life.members.submit(
        change,
        { origin: 'caller', deadlineMs },
        (outcome) => {
          if (outcome.kind === 'done') resolve(outcome.members);
          else reject(refusal(outcome));
        },
      );
      signal?.addEventListener('abort', forget, { once: true });
      if (signal?.aborted === true) forget();
    });
  }

  async *backup(options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
    this.#refuseWhenStopping();
    yield* this.#backups.save(options);
  }

  status(): NodeStatus {
    return nodeStatus(this.#life);
  }

  onHealthChange(listener: () => void): () => void {
    return this.#life.health.onChange(listener);
  }

  stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#stopped ??= shutDown(this.#life, graceMs);
    return this.#stopped;
  }

  #refuseWhenStopping(): void {
    if (this.#life.health.stopping || this.#life.phase === 'ended') throw shuttingDown();
  }
}

function backupsOf(life: NodeLife): Backups {
  const { options, parts } = life;
  const { clock, stateStore, self, softwareVersion, clusterId, log } = options;
  const { chunkBytes, idleSnapshotMs: idleMs } = { ...defaultRetention, ...options.retention };
  return new Backups({
    clock,
    stateStore,
    nodeId: self.nodeId,
    softwareVersion,
    cluster: () => ({ clusterId, clusterUuid: life.record?.clusterUuid ?? '' }),
    async caughtUp(call) {
      const read = { minRevision: revisionOf(0), maxStalenessMs: 0, ...call };
      await parts.reads.read({ consistency: 'linearizable', ...read });
    },
    appliedIndex: () => life.applied.index,
    flushedIndex: () => parts.flusher.flushedIndex,
    chunkBytes,
    idleMs,
    log,
    damaged: (reason, cause) => parts.fatal(10, reason, cause),
  });
}

function refusal(outcome: {
  readonly code: ErrorCode;
  readonly message: string;
  readonly lacks?: 'diskSpace';
}): RegistryError {
  const { code, message, lacks } = outcome;
  if (code !== 'resourceExhausted') return new RegistryError(code, message);
  const retryAfterMs = lacks === 'diskSpace' ? RETRY_FULL_DISK_MS : RETRY_AFTER_MS;
  return new RegistryError(code, message, { retryAfterMs });
}
