// A fault as data, as something done to the arena, and as something that was seen to have happened. A run in which a fault
// was not seen to have its effect is void.
import type { Random } from '../../../src/lib/random.ts';
import type { Ability, Arena, ArenaNode } from '../arena/arena.ts';
import type { PathCuts } from './path-cuts.ts';

export type FaultKind =
  | 'killLeader'
  | 'killFollower'
  | 'killAll'
  | 'pauseLeader'
  | 'pauseAll'
  /** The leader stands still, and when it goes on it is alone. */
  | 'wakeCutOff'
  /** Nobody hears the leader, and it hears nobody. */
  | 'isolateLeader'
  /** A minority, with or without the leader, on its own. */
  | 'split'
  /** Two nodes do not hear each other; both hear the rest. */
  | 'partial'
  /** The leader is heard and hears nobody, or the other way round. */
  | 'oneWay'
  | 'flap'
  /** The leader's cable is pulled: neither nodes nor clients reach it. */
  | 'disconnectLeader'
  /** Two sides, and one node that hears both. */
  | 'bridge'
  | 'loss'
  | 'slowDisk'
  /** Writes fail. */
  | 'diskError'
  /** No room left on the disk of one node, or of a majority. */
  | 'fullDisk'
  | 'fullDisks'
  | 'tornTail'
  /** A bit in the middle of the log has flipped. */
  | 'rotLog'
  | 'powerCut'
  | 'powerCutAll'
  /** Files of the state store deleted or damaged while the node is down. */
  | 'damageState'
  /** A record of the state store is gone, in good order for LevelDB. */
  | 'loseRecord'
  | 'wipe'
  | 'rollingRestart'
  /** One release to another, one node after the other. */
  | 'rollingUpgrade'
  | 'changeMembers'
  /** A follower is away for so long that it needs a snapshot. */
  | 'leaveBehind'
  | 'herd'
  | 'wallClock';

/** What a fault may use. */
export interface Battlefield {
  readonly arena: Arena;
  readonly random: Random;
  /** Whoever leads now, as most nodes say; waits up to 10 s for one. */
  readonly leader: () => Promise<ArenaNode>;
  /** Nodes that no other fault holds at the moment; a fault takes what it strikes and gives it back when it is healed. */
  readonly free: () => readonly ArenaNode[];
  readonly cuts: PathCuts;
  /** It is going to end by itself, once, and with this exit code. */
  readonly excuse: (node: ArenaNode, exitCode: number) => void;
  /** So many readers more connect at once; resolves when all were answered. */
  readonly herd: (count: number) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface Strike {
  /** In words, for the timeline: "kill -9 of n2, the leader". */
  readonly what: string;
  /** For the timeline. */
  readonly nodes: readonly string[];
  /** Those of them that no other fault may strike meanwhile. */
  readonly holds: readonly string[];
  /** When it took effect, and whether writes may stop meanwhile: begins a fail-over gap. */
  readonly atMs: number;
  readonly gap: 'kill' | 'pause' | 'partition' | 'powerCutAll' | undefined;
  /** Undoes it, waits until the effect was seen, and says in words what was seen. Rejects with NoEffect. */
  readonly heal: () => Promise<string>;
}

/** The fault was done and changed nothing: whatever follows proves nothing. */
export class NoEffect extends Error {
  override readonly name = 'NoEffect';
}

/** Something happened that must not, whatever the fault: a guarantee did not hold. */
export class Broken extends Error {
  override readonly name = 'Broken';
  readonly guarantee: string;
  /** What was waited for since then did not come: no wonder where the host let nobody run. */
  readonly sinceMs: number | undefined;

  constructor(guarantee: string, evidence: string, sinceMs?: number) {
    super(evidence);
    this.guarantee = guarantee;
    this.sinceMs = sinceMs;
  }
}

export interface Fault {
  readonly kind: FaultKind;
  readonly needs: readonly Ability[];
  /** How long it lasts, drawn from the seed, before `heal`. */
  readonly lastsMs: (random: Random) => number;
  /** Takes a majority away, or all that a second fault would need: nothing else strikes meanwhile. */
  readonly alone: boolean;
  /** How many of so many members it keeps from a majority, so that faults together leave one. 0 where it only disturbs. */
  readonly takes: (nodes: number) => number;
  readonly strike: (field: Battlefield) => Promise<Strike>;
}

/** A node is not there for the others, and a majority goes on without it: other faults may strike meanwhile. */
export const ofOne = { alone: false, takes: () => 1 } as const satisfies Partial<Fault>;

/** Nobody is there. */
export const ofAll = {
  alone: true,
  takes: (nodes: number) => nodes,
} as const satisfies Partial<Fault>;
