// The one loop. Inputs wait in a bounded queue; a turn steps all of them, hands in the proposals and reads that gathered
// meanwhile, and then takes one Ready: that is group commit. Nothing in a turn awaits anything.
import type { Input, Raft, Ready } from '../raft/index.ts';
import type { Clock } from './ports.ts';

export interface Loop {
  /** Queues an input. False: the queue is full and the input was dropped; only peers' messages may be treated so. */
  push(input: Input): boolean;
  /** Asks for a turn although no input is queued. */
  wake(): void;
  /** Time that passed, to be told to the core after the input that is waiting: ticks, or one gap. */
  elapsed(ticks: number, gap: boolean): void;
  stop(): void;
}

export interface LoopOptions {
  readonly clock: Clock;
  readonly raft: Raft;
  /** Steps what gathered on this side since the last turn: proposals and reads. */
  readonly feed: () => void;
  readonly run: (ready: Ready) => void;
  /** The turn's end: answers, frames to peers, time-outs. True asks for another turn. */
  readonly finish: () => boolean;
  /** Anything thrown inside a turn: a broken invariant. The loop has stopped. */
  readonly broken: (error: unknown) => void;
}

/** Inputs from peers between two turns; a turn follows at once, so this bounds one burst. */
const MAX_QUEUED = 65_536;
/** Follow-up Readies of one turn (what applying sets free); the rest waits for the next. */
const MAX_READIES = 8;

export function createLoop(options: LoopOptions): Loop {
  const { clock, raft } = options;
  let queue: Input[] = [];
  let dueTicks = 0;
  let gapTicks = 0;
  let scheduled = false;
  let stopped = false;

  const wake = (): void => {
    if (scheduled || stopped) return;
    scheduled = true;
    clock.defer(turn);
  };

  const stepTime = (): void => {
    if (gapTicks > 0) raft.step({ kind: 'clockGap', ticks: gapTicks });
    gapTicks = 0;
    for (; dueTicks > 0; dueTicks--) raft.step({ kind: 'tick' });
  };

  const turn = (): void => {
    scheduled = false;
    if (stopped) return;
    try {
      const inputs = queue;
      queue = [];
      for (const input of inputs) raft.step(input);
      stepTime();
      options.feed();
      for (let readies = 0; readies < MAX_READIES && raft.hasReady(); readies++) {
        options.run(raft.takeReady());
        if (stopped) return;
      }
      if (options.finish() || raft.hasReady()) wake();
    } catch (error) {
      stopped = true;
      options.broken(error);
    }
  };

  return {
    push(input) {
      if (stopped) return false;
      if (queue.length >= MAX_QUEUED && input.kind === 'message') return false;
      queue.push(input);
      wake();
      return true;
    },
    wake,
    elapsed(ticks, gap) {
      if (gap) {
        gapTicks += ticks;
        dueTicks = Math.max(dueTicks, 1);
      } else {
        dueTicks += ticks;
      }
      wake();
    },
    stop() {
      stopped = true;
      queue = [];
    },
  };
}
