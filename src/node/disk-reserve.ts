// How much room the disk of this node has left, against the reserve it is to keep: looked at now and then, never on the path of
// a write (docs/adr/0019).
import type { Clock, LogStore } from './ports.ts';

export interface DiskReserveHost {
  readonly clock: Clock;
  /** Bytes that this process may still write on the file system of the data-dir; undefined where nobody can tell. */
  readonly freeSpace: (() => Promise<number>) | undefined;
  readonly reserveBytes: number;
  readonly logStore: Pick<LogStore, 'starved' | 'resume'>;
  /** The state store could not be written for lack of space, and has not been since. */
  readonly stateStarved: () => boolean;
  readonly log: { info(fields: object): void; warn(fields: object): void };
}

export const RESERVE = 'disk_reserve_bytes';

const INTERVAL_MS = 1000;
/** Room is back once a quarter more than the reserve is free: at the very edge nobody's answer would last. */
const BACK_SHARE = 1.25;
/** The log asks for a new segment again where there is at least this share of the reserve; trying costs what is left meanwhile. */
const RETRY_SHARE = 0.5;
const MEBIBYTE = 1 << 20;

export class DiskReserve {
  readonly #host: DiskReserveHost;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #looking = false;
  #freeBytes: number | undefined;
  #below = false;
  #blind = false;

  constructor(host: DiskReserveHost) {
    this.#host = host;
  }

  /** As last measured; undefined before the first time, and where nobody can tell. */
  get freeBytes(): number | undefined {
    return this.#freeBytes;
  }

  /** There is less than the reserve, or something could not be written for lack of space. */
  get short(): boolean {
    const { logStore, stateStarved } = this.#host;
    return this.#below || logStore.starved !== 'no' || stateStarved();
  }

  tick(nowMs: number): void {
    if (this.#looking || nowMs < this.#lookedMs + INTERVAL_MS) return;
    this.#lookedMs = nowMs;
    const { freeSpace } = this.#host;
    if (freeSpace === undefined) return this.#resume();
    this.#looking = true;
    freeSpace().then(
      (bytes) => this.#measured(bytes),
      (error: unknown) => this.#failed(error),
    );
  }

  /** One plain sentence each. */
  problems(): readonly string[] {
    const { logStore, stateStarved, reserveBytes } = this.#host;
    const problems: string[] = [];
    if (this.#below) {
      const free = `${mebibytes(this.#freeBytes ?? 0)} MiB are free on this node's disk`;
      problems.push(`${free}, less than ${RESERVE} (${mebibytes(reserveBytes)} MiB): make room`);
    }
    if (logStore.starved === 'appends') {
      problems.push(
        "this node's log waits for disk space: until there is some it acknowledges nothing and does not vote",
      );
    } else if (logStore.starved === 'spare') {
      problems.push("there is no disk space for the next segment of this node's log");
    }
    if (stateStarved()) {
      problems.push(
        'there is no disk space for the state of this node: its log is kept meanwhile, and the state is tried again',
      );
    }
    return problems;
  }

  #measured(bytes: number): void {
    const { reserveBytes, log } = this.#host;
    this.#looking = false;
    this.#blind = false;
    this.#freeBytes = bytes;
    const below = bytes < (this.#below ? reserveBytes * BACK_SHARE : reserveBytes);
    const fields = { free_bytes: bytes, reserve_bytes: reserveBytes };
    if (below && !this.#below) log.warn({ event: 'disk_reserve_reached', ...fields });
    if (!below && this.#below) log.info({ event: 'disk_space_back', ...fields });
    this.#below = below;
    if (bytes >= reserveBytes * RETRY_SHARE) this.#resume();
  }

  /** A file system that cannot be asked says nothing about its room: the last figure stays. */
  #failed(error: unknown): void {
    this.#looking = false;
    if (!this.#blind) this.#host.log.warn({ event: 'disk_space_unknown', err: error });
    this.#blind = true;
    this.#resume();
  }

  #resume(): void {
    if (this.#host.logStore.starved !== 'no') this.#host.logStore.resume();
  }
}

const mebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(1);
