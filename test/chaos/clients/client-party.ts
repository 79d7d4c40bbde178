// All clients of one process, and what they are ordered to do. What is said and heard goes over any channel: the IPC channel
// of a process of its own (program.ts), or none.
import type { ClientAnswer, ClientOrder, ClientSettings } from './event.ts';
import { ClientWorld } from './client-world.ts';
import { gatherHerd } from './herd.ts';
import { HistoryFile } from './history-file.ts';
import { startKeepers } from './keepers.ts';
import { startLoyal } from './loyal.ts';
import { startSessions } from './sessions.ts';
import { startSilent } from './silent.ts';
import { watchForStalls } from './stalls.ts';
import { startWalkers } from './walkers.ts';
import { Watchers } from './watchers.ts';
import { startWriters } from './writers.ts';

const PROGRESS_MS = 200;

export class ClientParty {
  readonly #world: ClientWorld;
  readonly #watchers: Watchers;
  readonly #file: HistoryFile;
  readonly #tell: (answer: ClientAnswer) => void;
  readonly #telling: NodeJS.Timeout;
  readonly #noStalls: () => void;

  private constructor(settings: ClientSettings, tell: (answer: ClientAnswer) => void) {
    this.#tell = tell;
    const file = new HistoryFile(settings.history);
    this.#file = file;
    this.#world = new ClientWorld(settings, (event) => file.write(event));
    this.#watchers = new Watchers(this.#world);
    this.#noStalls = watchForStalls(this.#world);
    this.#telling = setInterval(() => this.#progress(), PROGRESS_MS);
  }

  /** The first write begins when every watcher has its first state; then `ready` is told. */
  static async begin(
    settings: ClientSettings,
    tell: (answer: ClientAnswer) => void,
  ): Promise<ClientParty> {
    const party = new ClientParty(settings, tell);
    await party.#watchers.ready();
    tell({ kind: 'ready' });
    const world = party.#world;
    const plays = [startWriters, startKeepers, startLoyal, startSilent];
    for (const start of [...plays, startSessions, startWalkers]) start(world);
    return party;
  }

  /** Resolves when the order was carried out, and then says so. */
  async obey(order: ClientOrder): Promise<void> {
    switch (order.kind) {
      case 'settle':
        await this.#world.work.settled();
        this.#progress();
        this.#file.flush();
        this.#tell({ kind: 'settled' });
        return;
      case 'herd':
        await gatherHerd(this.#world, this.#watchers.holding(), order.count);
        this.#tell({ kind: 'herded' });
        return;
      case 'end':
        await this.end();
    }
  }

  /** Whatever is still open stays without a record. */
  end(): Promise<void> {
    this.#world.work.rest();
    clearInterval(this.#telling);
    this.#noStalls();
    this.#watchers.close();
    this.#world.nodes.close();
    this.#file.end();
    return Promise.resolve();
  }

  #progress(): void {
    const watchedRevision = this.#watchers.revision;
    this.#tell({ kind: 'progress', ...this.#world.tally, watchedRevision });
  }
}
