// A client process as the harness holds it: started, ordered about, and heard.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Deferred, deferred } from '../../../src/lib/deferred.ts';
import type { ClientAnswer, ClientOrder, ClientProgress, ClientSettings } from './event.ts';

export interface ClientHandle {
  /** The last that it told; zeros before the first. */
  readonly progress: ClientProgress;
  /** Resolves when every watcher has its first state and the first write begins. Rejects when the process ended before. */
  readonly ready: Promise<void>;
  /** Begins nothing new; resolves when every write has its outcome. Rejects when the process ended before. */
  settle(): Promise<void>;
  /** So many readers more connect at once; resolves when each was answered or gave up. One herd at a time. */
  herd(count: number): Promise<void>;
  /** Ends it; resolves when it is gone and everything is written down. */
  end(): Promise<void>;
  /** Resolves when it ended as it was told to, and rejects when it did not. */
  readonly exited: Promise<void>;
}

type Reply = Exclude<ClientAnswer['kind'], 'progress'>;

const nothing: ClientProgress = {
  kind: 'progress',
  acknowledged: 0,
  rejected: 0,
  unknown: 0,
  reads: 0,
  messages: 0,
  resumes: 0,
  watchedRevision: 0,
  lastAcknowledgedAtMs: 0,
};

/** Starts test/chaos/clients/program as a process of its own; it is compiled when this is. */
export function startClients(settings: ClientSettings): ClientHandle {
  return new ClientProcess(settings);
}

class ClientProcess implements ClientHandle {
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #expected = new Map<Reply, Deferred<void>[]>();
  #progress = nothing;
  #endOrdered = false;
  #gone: Error | undefined;

  constructor(settings: ClientSettings) {
    this.#name = settings.name;
    const program = fileURLToPath(new URL('./program.js', import.meta.url));
    this.#child = fork(program, [JSON.stringify(settings)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: ['--enable-source-maps'],
    });
    this.exited = this.#untilExit();
    // Whoever waits for it is told; nobody has to.
    this.exited.catch(() => undefined);
    this.#child.on('message', (answer: ClientAnswer) => this.#hear(answer));
    this.ready = this.#expect('ready');
    this.ready.catch(() => undefined);
  }

  get progress(): ClientProgress {
    return this.#progress;
  }

  settle(): Promise<void> {
    return this.#order({ kind: 'settle' }, 'settled');
  }

  herd(count: number): Promise<void> {
    return this.#order({ kind: 'herd', count }, 'herded');
  }

  end(): Promise<void> {
    this.#endOrdered = true;
    if (this.#child.connected) this.#child.send({ kind: 'end' } satisfies ClientOrder);
    return this.exited;
  }

  #order(order: ClientOrder, reply: Reply): Promise<void> {
    const replied = this.#expect(reply);
    if (this.#child.connected) this.#child.send(order);
    return replied;
  }

  #expect(reply: Reply): Promise<void> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const expected = deferred<void>();
    this.#expected.set(reply, [...(this.#expected.get(reply) ?? []), expected]);
    return expected.promise;
  }

  #hear(answer: ClientAnswer): void {
    if (answer.kind === 'progress') {
      this.#progress = answer;
      return;
    }
    this.#expected.get(answer.kind)?.shift()?.resolve();
  }

  #untilExit(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (how: string): void => {
        this.#gone = new Error(`client process ${this.#name} ${how}`);
        for (const { reject: tell } of [...this.#expected.values()].flat()) tell(this.#gone);
        this.#expected.clear();
      };
      this.#child.once('error', (cause) => {
        fail(`could not be started: ${cause.message}`);
        reject(new Error(`client process ${this.#name}`, { cause }));
      });
      this.#child.once('exit', (code, signal) => {
        fail(`ended with ${signal ?? `exit code ${code}`}`);
        if (code === 0 && this.#endOrdered) resolve();
        else reject(this.#gone);
      });
    });
  }
}
