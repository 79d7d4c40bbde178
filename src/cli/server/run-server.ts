// `rollcall server`: one node, composed from its parts, from the first check of its ports to its clean end.
import { randomInt } from 'node:crypto';
import { createGrpcServer, type GrpcDoor } from '../../api/grpc/server.ts';
import { type Address, formatAddress } from '../../config/address.ts';
import { ConfigError } from '../../config/config-error.ts';
import type { Limits } from '../../config/limits.ts';
import type { LoadedConfig, NodeConfig } from '../../config/load-config.ts';
import { nodeId } from '../../lib/ids.ts';
import { seededRandom } from '../../lib/random.ts';
import { createNode } from '../../node/node.ts';
import type { Fatal } from '../../node/ports.ts';
import type { RegistryNode, RetentionLimits } from '../../node/registry-node.ts';
import type { DataDir } from '../../storage/data-dir.ts';
import { componentLogger, createLogger, type Logger } from '../../telemetry/logger.ts';
import { writeDiskMark } from '../../storage/disk-mark.ts';
import { freeSpaceAt } from '../../storage/free-space.ts';
import { createGrpcPeerTransport } from '../../transport/grpc-peer-transport.ts';
import type { ReadyNotice } from '../child-channel.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { checkListen } from '../listen-check.ts';
import { softwareVersion } from '../software-version.ts';
import { systemClock } from '../system-clock.ts';
import { joinRequest } from './join-cluster.ts';
import { openStorage, type Storage } from './open-storage.ts';
import { codeAtRun, endProcess, exitCodeOf, guardProcess, messageOf } from './process-end.ts';

/** A 32-bit seed for every generator of this process. */
const SEEDS = 2 ** 32;
/** LevelDB's work and file access share libuv's pool, whose 4 threads are too few for both. */
const MIN_POOL_THREADS = 8;
/** Of --shutdown-ms: for closing the stores once calls have ended. */
const CLOSING_SHARE = 0.2;

interface RunningNode {
  readonly node: RegistryNode;
  readonly door: GrpcDoor;
  readonly storage: Storage;
  readonly clientAddress: string;
  readonly peerAddress: string;
}

/** Runs until a signal, or until the parent process is gone. Resolves to the exit code of a clean end. */
export async function runServer(
  { config, warnings }: LoadedConfig,
  context: CliContext,
): Promise<number> {
  const format = config.logFormat ?? (context.isTerminal ? 'pretty' : 'json');
  const logger = createLogger({ level: config.logLevel, format, descriptor: 1 });
  const { log } = logger;
  const mark = (reason: string): Promise<void> =>
    writeDiskMark(config.dataDir, { reason, unixTimeMs: systemClock.unixNow() });
  const end = endProcess(logger, mark);
  const fatal: Fatal = (code, reason, cause) =>
    end(codeAtRun(code, cause, config.repair), reason, cause);
  guardProcess(fatal);
  for (const warning of [...warnings, ...poolWarning(context)]) log.warn(warning);

  const ended = endOfService(context, log);
  // The node's own timers never hold the process; between start and stop this one does.
  const alive = setInterval(() => undefined, 60_000);
  try {
    const running = await start(config, log, fatal);
    announce(running, config, log);
    await ended;
    await stop(running, config, log);
    return EXIT.done;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // Somebody took the port between the check and now.
    if (isAddressTaken(error)) throw new ConfigError(`--listen-peer: ${messageOf(error)}`);
    fatal(exitCodeOf(error) ?? EXIT.brokenInvariant, messageOf(error), error);
    // It exits by itself, with a code of its own.
    return await new Promise<never>(() => undefined);
  } finally {
    clearInterval(alive);
    logger.flush();
  }
}

async function start(config: NodeConfig, log: Logger, fatal: Fatal): Promise<RunningNode> {
  const listenClient = await checkListen(config.listenClient, '--listen-client');
  const listenPeer = await checkListen(config.listenPeer, '--listen-peer');
  const storage = await openStorage(config, log);
  const clientAddress = config.advertiseClient ?? formatAddress(listenClient);
  const peerAddress = config.advertisePeer ?? formatAddress(listenPeer);
  const { node, door } = await startNode(config, log, fatal, {
    storage,
    listenClient,
    listenPeer,
    clientAddress,
    peerAddress,
  });
  return { node, door, storage, clientAddress, peerAddress };
}

interface Places {
  readonly storage: Storage;
  readonly listenClient: Address;
  readonly listenPeer: Address;
  readonly clientAddress: string;
  readonly peerAddress: string;
}

async function startNode(
  config: NodeConfig,
  log: Logger,
  fatal: Fatal,
  { storage, listenClient, listenPeer, clientAddress, peerAddress }: Places,
): Promise<{ readonly node: RegistryNode; readonly door: GrpcDoor }> {
  const self = nodeId(config.nodeId);
  const { dataDir, logStore, stateStore } = storage;
  const { heartbeatMs, electionMs, limits } = config;
  const transport = createGrpcPeerTransport({
    listen: formatAddress(listenPeer),
    self,
    log: componentLogger(log, 'transport'),
    clock: systemClock,
    heartbeatMs,
    random: seededRandom(randomInt(SEEDS)),
  });
  const version = softwareVersion();
  const { clusterUuid, replaces } = dataDir.identity;
  const belongs = clusterUuid !== '' || replaces !== undefined;
  const join = joinRequest(config, belongs, componentLogger(log, 'node'));
  const node = await createNode({
    self: { nodeId: self, incarnation: dataDir.identity.incarnation, peerAddress, clientAddress },
    clusterId: config.clusterId,
    softwareVersion: version,
    initialMembers: (config.initialMembers ?? []).map((member) => ({
      nodeId: nodeId(member.nodeId),
      peerAddress: member.peerAddress,
    })),
    logStore,
    stateStore,
    transport,
    markFormed: (uuid) => dataDir.markFormed(uuid),
    freeSpace: () => freeSpaceAt(config.dataDir),
    clock: systemClock,
    log: componentLogger(log, 'node'),
    fatal,
    seed: randomInt(SEEDS),
    heartbeatMs,
    electionMs,
    limits,
    retention: retentionOf(limits),
    ...(join === undefined ? {} : { join }),
    ...(replaces === undefined ? {} : { replaces }),
    restored: () => dropDamaged(dataDir, log),
  });
  const door = createGrpcServer({
    node,
    clock: systemClock,
    log: componentLogger(log, 'grpc'),
    limits,
    version,
    allowRemoteAdmin: config.allowRemoteAdmin,
  });
  await door.listen(formatAddress(listenClient)).catch((error: unknown) => {
    throw new ConfigError(`--listen-client: ${formatAddress(listenClient)}: ${messageOf(error)}`);
  });
  return { node, door };
}

/** Nothing depends on it: the next start tries again. */
function dropDamaged(dataDir: DataDir, log: Logger): void {
  dataDir.dropDamaged().catch((error: unknown) => {
    log.warn({ event: 'damaged_log_kept', detail: messageOf(error) });
  });
}

function retentionOf(limits: Limits): RetentionLimits {
  return {
    logEntries: limits.logEntries,
    logBytes: limits.logBytes,
    logBytesForTransfer: limits.logBytesForTransfer,
    chunkBytes: limits.snapshotChunkBytes,
    idleSnapshotMs: limits.snapshotIdleMs,
  };
}

function announce(running: RunningNode, config: NodeConfig, log: Logger): void {
  const { clientAddress, peerAddress, storage } = running;
  log.info({
    event: 'ready',
    node_id: config.nodeId,
    cluster_id: config.clusterId,
    incarnation: storage.dataDir.identity.incarnation,
    client: clientAddress,
    peer: peerAddress,
    data_dir: config.dataDir,
    pid: process.pid,
    version: softwareVersion(),
  });
  const notice: ReadyNotice = { kind: 'ready', clientAddress, peerAddress };
  process.send?.(notice, () => undefined);
}

/** New calls are refused and streams end with a token in hand; then the peers are left, and last the stores are closed. */
async function stop(running: RunningNode, config: NodeConfig, log: Logger): Promise<void> {
  const graceMs = Math.round(config.shutdownMs * (1 - CLOSING_SHARE));
  const cancel = systemClock.after(config.shutdownMs, () => {
    // Nothing acknowledged depends on what is still open: the log is durable before each answer.
    log.warn({ event: 'shutdown_cut_short', shutdown_ms: config.shutdownMs });
    process.exit(EXIT.done);
  });
  await Promise.all([running.node.stop({ graceMs }), running.door.stop({ graceMs })]);
  await running.storage.release();
  cancel();
}

/** Resolves at the first SIGINT or SIGTERM, or when the process that started this one as its child is gone. */
function endOfService(context: CliContext, log: Logger): Promise<void> {
  const interruption = context.interruption();
  return new Promise((resolve) => {
    interruption.addEventListener('abort', () => {
      log.info({ event: 'stopping', cause: 'signal' });
      resolve();
    });
    if (process.channel === undefined) return;
    process.once('disconnect', () => {
      log.warn({ event: 'stopping', cause: 'the parent process is gone' });
      resolve();
    });
  });
}

function isAddressTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

function poolWarning(context: CliContext): readonly string[] {
  const threads = Number(context.environment['UV_THREADPOOL_SIZE'] ?? 4);
  return threads >= MIN_POOL_THREADS
    ? []
    : [`UV_THREADPOOL_SIZE should be ${MIN_POOL_THREADS} or more in this process's environment.`];
}
