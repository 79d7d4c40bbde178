// Serves snapshots of this node's state to peers that pull them (section 7, with the transfer turned round): each from a
// fixed view of the state store, one chunk per request, so the peer's pace is the pace and nothing is made ahead. What is read is
// hashed on the way: of a state that is not what was written nobody is given the end.
import type { LogIndex, NodeId } from '../lib/ids.ts';
import { type ImageHasher, imageHasher, type StoredRecord } from '../registry/index.ts';
import type { Clock, StateSnapshot, StateStore } from './ports.ts';
import type { SnapshotChunk, SnapshotRequest } from './peer-protocol.ts';
import { checksumOf, encodeChunk } from './snapshot-stream.ts';
import { damageOf, UNREADABLE } from './state-scrub.ts';

export interface SnapshotSourceHost {
  readonly clock: Clock;
  readonly stateStore: Pick<StateStore, 'snapshot'>;
  readonly cluster: () => { readonly clusterId: string; readonly clusterUuid: string };
  /** Where this node's log begins: a snapshot from below it would leave a gap. */
  readonly floorIndex: () => LogIndex;
  readonly chunkBytes: number;
  /** A snapshot nobody has asked for so long is closed. */
  readonly idleMs: number;
  /** Drawn anew in each life of the process: a snapshot is never taken for one of a former life. */
  readonly firstId: number;
  readonly log: { info(fields: object): void };
  /** The state store cannot be read back, or what it holds is not what was written: it is not to be trusted. */
  readonly damaged: (reason: string, cause?: unknown) => void;
}

type Reply = (chunk: SnapshotChunk) => void;
interface Asked {
  readonly request: SnapshotRequest;
  readonly reply: Reply;
}

interface Transfer {
  readonly id: string;
  readonly view: StateSnapshot;
  /** Behind which key chunk n begins, and how many records come before it. */
  readonly starts: { readonly after: string; readonly records: number }[];
  /** Of the first `hashed` chunks, each taken in once, however often it is asked for. */
  readonly hasher: ImageHasher;
  hashed: number;
  readonly openedMs: number;
  usedMs: number;
  closed: boolean;
}

/** What one peer has open or is asking for. */
interface Client {
  transfer: Transfer | undefined;
  readonly asked: Asked[];
  working: boolean;
}

/** A peer asks for a few chunks ahead; more than this is dropped, and asked for again. */
const MAX_ASKED = 16;
/** A snapshot of which nothing but the beginning was asked for is still the newest for so long. */
const FRESH_MS = 5000;

export class SnapshotSource {
  readonly #host: SnapshotSourceHost;
  readonly #clients = new Map<NodeId, Client>();
  #nextId: number;
  #stopped = false;

  constructor(host: SnapshotSourceHost) {
    this.#host = host;
    this.#nextId = host.firstId;
  }

  serve(from: NodeId, request: SnapshotRequest, reply: Reply): void {
    if (this.#stopped) return;
    let client = this.#clients.get(from);
    if (client === undefined) {
      client = { transfer: undefined, asked: [], working: false };
      this.#clients.set(from, client);
    }
    const again = client.asked.findIndex(
      ({ request: { chunk, snapshotId } }) =>
        chunk === request.chunk && snapshotId === request.snapshotId,
    );
    // Who asks again has waited for long: the work is not doubled, and the answer bears the newest name of the question.
    if (again >= 0) client.asked[again] = { request, reply };
    else if (client.asked.length >= MAX_ASKED) return;
    else client.asked.push({ request, reply });
    if (!client.working) void this.#work(from, client);
  }

  /** The snapshots that are open: the log behind them is what their pullers need next. */
  open(): readonly { readonly peer: NodeId; readonly index: LogIndex }[] {
    return [...this.#clients].flatMap(([peer, { transfer }]) =>
      transfer === undefined || transfer.view.ended
        ? []
        : [{ peer, index: transfer.view.header.index }],
    );
  }

  /** Closes what nobody asks for any more. */
  tick(nowMs: number): void {
    for (const [peer, client] of this.#clients) {
      if (client.working) continue;
      const { transfer } = client;
      if (transfer !== undefined && nowMs < transfer.usedMs + this.#host.idleMs) continue;
      this.#clients.delete(peer);
      if (transfer !== undefined) this.#close(peer, transfer, 'idle');
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const [peer, { transfer }] of this.#clients) {
      if (transfer !== undefined) this.#close(peer, transfer, 'stopped');
    }
    this.#clients.clear();
  }

  /** One request after the other: where a chunk begins is known once the one before it has been read. */
  async #work(peer: NodeId, client: Client): Promise<void> {
    client.working = true;
    for (let asked = client.asked.shift(); asked !== undefined; asked = client.asked.shift()) {
      const { request, reply } = asked;
      let chunk: SnapshotChunk | undefined;
      try {
        const transfer = await this.#transferFor(peer, client, request);
        chunk = transfer === undefined ? gone(request) : await this.#chunk(transfer, request);
      } catch (error) {
        // A snapshot that this node took over itself has ended the view: no damage, but nothing to go on with either.
        if (client.transfer?.view.ended === true) chunk = gone(request);
        else if (!this.#stopped) this.#host.damaged(UNREADABLE, error);
      }
      if (chunk !== undefined && !this.#stopped) reply(chunk);
    }
    client.working = false;
  }

  /** undefined: there is no such chunk, or not yet. Who pulls asks ahead without knowing where the end is. */
  async #chunk(transfer: Transfer, request: SnapshotRequest): Promise<SnapshotChunk | undefined> {
    const start = transfer.starts[request.chunk];
    if (start === undefined) return undefined;
    transfer.usedMs = this.#host.clock.now();
    const { view, starts } = transfer;
    const { records, done } = await view.read(start.after, this.#host.chunkBytes);
    if (transfer.closed) return undefined;
    const total = start.records + records.length;
    const last = records.at(-1);
    if (!done && last !== undefined && starts.length === request.chunk + 1) {
      starts.push({ after: last.key, records: total });
    }
    if (!this.#isWhole(transfer, request.chunk, records, done ? total : undefined)) {
      return undefined;
    }
    const header = { ...this.#host.cluster(), ...view.header };
    const data = encodeChunk({
      header: request.chunk === 0 ? header : undefined,
      records,
      total: done ? total : undefined,
    });
    const { id, chunk } = request;
    const crc = checksumOf(data);
    return { kind: 'snapshotChunk', id, snapshotId: transfer.id, chunk, crc, data, last: done };
  }

  /** False: that was the last chunk, and they do not add up to the state that this is. `total`: of the last chunk. */
  #isWhole(
    transfer: Transfer,
    chunk: number,
    records: readonly StoredRecord[],
    total: number | undefined,
  ): boolean {
    const { view, hasher } = transfer;
    if (chunk === transfer.hashed) {
      transfer.hashed += 1;
      for (const record of records) hasher.add(record);
    }
    const damage = total === undefined ? undefined : damageOf(view.header, hasher, total);
    if (damage !== undefined && !this.#stopped) this.#host.damaged(damage);
    return damage === undefined;
  }

  async #transferFor(
    peer: NodeId,
    client: Client,
    { snapshotId, chunk }: SnapshotRequest,
  ): Promise<Transfer | undefined> {
    if (client.transfer?.view.ended === true) {
      this.#close(peer, client.transfer, 'ended');
      client.transfer = undefined;
    }
    const { transfer } = client;
    if (snapshotId !== '') return transfer?.id === snapshotId ? transfer : undefined;
    if (chunk !== 0) return undefined;
    if (transfer !== undefined && this.#isFresh(transfer)) return transfer;
    if (transfer !== undefined) this.#close(peer, transfer, 'replaced');
    client.transfer = undefined;
    return this.#open(peer, client);
  }

  /** It may have been asked for again before the first answer arrived. Where the log here begins behind it, whoever asks has
   * it already, and needs the next one. */
  #isFresh({ starts, openedMs, view }: Transfer): boolean {
    const { clock, floorIndex } = this.#host;
    const { index } = view.header;
    return starts.length <= 2 && index >= floorIndex() && clock.now() < openedMs + FRESH_MS;
  }

  /** undefined: none can be made now, because too many are open or this node has no state to give. */
  async #open(peer: NodeId, client: Client): Promise<Transfer | undefined> {
    let view: StateSnapshot;
    try {
      view = await this.#host.stateStore.snapshot();
    } catch (error) {
      this.#host.log.info({ event: 'snapshot_refused', peer, err: error });
      return undefined;
    }
    if (this.#stopped || view.header.index < this.#host.floorIndex()) {
      await view.close();
      return undefined;
    }
    const transfer: Transfer = {
      id: `${this.#nextId++}`,
      view,
      starts: [{ after: '', records: 0 }],
      hasher: imageHasher(),
      hashed: 0,
      openedMs: this.#host.clock.now(),
      usedMs: this.#host.clock.now(),
      closed: false,
    };
    client.transfer = transfer;
    this.#host.log.info({
      event: 'snapshot_opened',
      peer,
      snapshot: transfer.id,
      index: view.header.index,
    });
    return transfer;
  }

  #close(peer: NodeId, transfer: Transfer, reason: string): void {
    transfer.closed = true;
    const { id, starts } = transfer;
    this.#host.log.info({
      event: 'snapshot_closed',
      peer,
      snapshot: id,
      chunks: starts.length,
      reason,
    });
    transfer.view.close().catch((error: unknown) => this.#host.damaged(UNREADABLE, error));
  }
}

function gone({ id, chunk }: SnapshotRequest): SnapshotChunk {
  const data = new Uint8Array();
  return {
    kind: 'snapshotChunk',
    id,
    snapshotId: '',
    chunk,
    crc: checksumOf(data),
    data,
    last: false,
  };
}
