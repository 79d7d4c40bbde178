// A reader of everything, or of one service: begins on one node, goes on at the next with its token when its stream ends, and may be slow: then
// its sink takes one message at a time.
import type { Random } from '../../src/lib/random.ts';
import { revision } from '../../src/lib/ids.ts';
import type { WatchCursor } from '../../src/node/watch-hub.ts';
import type { WatchMessageRecord } from '../checkers/history.ts';
import type { Machine } from './machine.ts';
import { everything } from './reader.ts';
import { decodeWatchMessage, simWatchFormat } from './record-text.ts';
import type { ClientWorld } from './session.ts';
import type { Process } from './timeline.ts';

const REOPEN_MS = 30;
const OPEN_TIMEOUT_MS = 3000;
const LOOK_MS = 100;

interface Watching {
  readonly slowMs: number;
  readonly service: string;
}

export class Watcher {
  readonly name: string;
  readonly messages: WatchMessageRecord[] = [];
  readonly #world: ClientWorld;
  readonly #random: Random;
  readonly #slowMs: number;
  #position: number;
  #token = '';
  #stream = 0;
  #slow: boolean;
  /** undefined: everything. */
  readonly service: string | undefined;

  constructor(world: ClientWorld, name: string, random: Random, { slowMs, service }: Watching) {
    this.#world = world;
    this.name = name;
    this.service = service === '' ? undefined : service;
    this.#random = random;
    this.#slowMs = slowMs;
    this.#slow = slowMs > 0;
    this.#position = random.integer(0, world.machines().length);
    void this.#open();
  }

  get revision(): number {
    return this.messages.findLast(({ more }) => !more)?.revision ?? -1;
  }

  /** Takes what comes at once from now on. */
  hurry(): void {
    this.#slow = false;
  }

  /** Goes on at the next node although this one serves it well. */
  move(): void {
    this.#stream++;
    void this.#open();
  }

  async #open(): Promise<void> {
    const { timeline, door, coverage } = this.#world;
    const machines = this.#world.machines();
    const stream = ++this.#stream;
    const machine = machines[this.#position++ % machines.length];
    if (machine === undefined) return;
    const resumeToken = this.#token;
    if (resumeToken !== '') coverage.count('watchResumes');
    this.#world.tell(this.name, `watches ${machine.id} from revision ${this.revision}`);
    const reply = await door.call(machine, OPEN_TIMEOUT_MS, async (node, process) => {
      const consistency = 'stale';
      await node.read({ consistency, minRevision: revision(0), maxStalenessMs: 0 });
      if (stream !== this.#stream) return;
      const sink = new Sink(this.#world, process, {
        stop: () => stream !== this.#stream,
        slow: () => (this.#slow ? this.#slowMs * this.#random.next() : 0),
        take: (bytes) => this.#take(bytes),
        ended: () => this.#again(stream),
      });
      sink.cursor = node.watches.open({
        selector: { ...everything, services: this.service === undefined ? [] : [this.service] },
        resumeToken,
        format: simWatchFormat,
        sink,
        acknowledges: false,
      });
      this.#lookAfter(machine, process, stream);
    });
    if (reply.kind !== 'value') {
      await timeline.sleep(REOPEN_MS, undefined, 'watcher waits');
      this.#again(stream);
    }
  }

  /** The connection breaks when the process at its other end dies. */
  #lookAfter(machine: Machine, process: Process, stream: number): void {
    const { timeline } = this.#world;
    timeline.after(LOOK_MS, undefined, 'watcher looks', () => {
      if (stream !== this.#stream) return;
      if (machine.process === process) this.#lookAfter(machine, process, stream);
      else this.#again(stream);
    });
  }

  #again(stream: number): void {
    if (stream === this.#stream) void this.#open();
  }

  #take(bytes: Uint8Array): void {
    const { timeline, coverage } = this.#world;
    const { resumeToken, revision: at, reset, more, changes } = decodeWatchMessage(bytes);
    coverage.count('watchMessages');
    if (reset && this.messages.length > 0) coverage.count('watchResets');
    const last = this.revision;
    if (this.service === undefined && !reset && changes.length > 0 && at > last + 1) {
      coverage.count('watchMerges');
    }
    this.#token = resumeToken;
    this.messages.push({ atMs: timeline.nowMs, revision: at, reset, more, changes });
  }
}

interface SinkHost {
  readonly stop: () => boolean;
  readonly slow: () => number;
  readonly take: (bytes: Uint8Array) => void;
  readonly ended: () => void;
}

class Sink {
  cursor: WatchCursor | undefined;
  readonly #world: ClientWorld;
  readonly #process: Process;
  readonly #host: SinkHost;
  #lastMs = 0;

  constructor(world: ClientWorld, process: Process, host: SinkHost) {
    this.#world = world;
    this.#process = process;
    this.#host = host;
  }

  write(message: Uint8Array): boolean {
    const { timeline, door, coverage } = this.#world;
    if (this.#host.stop()) {
      this.cursor?.close();
      return true;
    }
    // In the order written, whatever the delays.
    this.#lastMs = Math.max(this.#lastMs, timeline.nowMs + door.delayMs());
    timeline.at(this.#lastMs, undefined, 'watch message', () => {
      if (!this.#host.stop()) this.#host.take(message);
    });
    const slowMs = this.#host.slow();
    if (slowMs === 0) return true;
    coverage.count('blockedSinks');
    timeline.after(slowMs, this.#process, 'sink drains', () => {
      if (this.#host.stop()) this.cursor?.close();
      else this.cursor?.drained();
    });
    return false;
  }

  end(): void {
    const { timeline, door } = this.#world;
    this.#lastMs = Math.max(this.#lastMs, timeline.nowMs + door.delayMs());
    timeline.at(this.#lastMs, undefined, 'watch ends', () => this.#host.ended());
  }
}
