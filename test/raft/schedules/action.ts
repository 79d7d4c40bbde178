// What a schedule is made of, and how fast-check draws one.
import {
  type Arbitrary,
  array,
  boolean,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
} from 'fast-check';

/** Members and packets are named by numbers that are taken modulo what exists, so that every action always means something;
 * LEADER means whoever leads the latest term, and CANDIDATE whoever campaigns. */
export type Action =
  /** Time passes on one member. */
  | { readonly kind: 'tick'; readonly member: number; readonly ticks: number }
  /** Time passes on all, and everything that can be delivered is, so that schedules get anywhere. */
  | { readonly kind: 'calm'; readonly ticks: number }
  /** The same while one process is stopped; what is sent to it waits. */
  | { readonly kind: 'pause'; readonly member: number; readonly ticks: number }
  | { readonly kind: 'deliver'; readonly packet: number }
  | { readonly kind: 'deliverTo'; readonly member: number }
  | { readonly kind: 'flush'; readonly backwards: boolean }
  | { readonly kind: 'duplicate'; readonly packet: number; readonly late: boolean }
  /** Holds a packet back until `deliverLate` picks it, however much happens meanwhile. */
  | { readonly kind: 'delay'; readonly packet: number }
  | { readonly kind: 'deliverLate'; readonly packet: number }
  | { readonly kind: 'lose'; readonly packet: number }
  | { readonly kind: 'loseTo'; readonly member: number }
  | { readonly kind: 'cut'; readonly sides: number; readonly oneWay: boolean }
  /** Cuts this member off, and a friend with it (perhaps itself). */
  | { readonly kind: 'isolate'; readonly member: number; readonly friend: number }
  | { readonly kind: 'heal' }
  /** `late`: what is on its way to the member is held back, so that its next life may get it. */
  | { readonly kind: 'crash'; readonly member: number; readonly late: boolean }
  | { readonly kind: 'restart'; readonly member: number }
  /** How disk and state machine work from now on; a slow state machine applies only when told to. */
  | {
      readonly kind: 'pace';
      readonly member: number;
      readonly disk: DiskPace;
      readonly slowApply: boolean;
    }
  | { readonly kind: 'write'; readonly member: number; readonly count: number }
  | { readonly kind: 'release'; readonly member: number; readonly count: number }
  | { readonly kind: 'report'; readonly member: number; readonly count: number }
  | { readonly kind: 'apply'; readonly member: number; readonly count: number }
  /** The state machine's own store takes in what is applied and durable. */
  | { readonly kind: 'flushState'; readonly member: number }
  | { readonly kind: 'answerFetch'; readonly member: number }
  | { readonly kind: 'unreachable'; readonly member: number; readonly peer: number }
  | { readonly kind: 'disconnected'; readonly member: number; readonly peer: number }
  | { readonly kind: 'clockGap'; readonly member: number; readonly ticks: number }
  | {
      readonly kind: 'propose';
      readonly member: number;
      readonly count: number;
      readonly size: number;
    }
  /** To every member that believes it leads. */
  | { readonly kind: 'proposeToLeaders'; readonly count: number; readonly size: number }
  | { readonly kind: 'read'; readonly member: number }
  /** The next inputs of this member share one Ready. */
  | { readonly kind: 'gather'; readonly member: number; readonly inputs: number };

/** `prompt`: writes and reports at once. `untold`: writes at once, and the core learns of it when told to. `stuck`: writes
 * when told to. */
export type DiskPace = 'prompt' | 'untold' | 'stuck';

/** Limits small enough that every window, cache and queue fills up. */
interface Limits {
  readonly maxAppendBytes: number;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  readonly maxUncommittedBytes: number;
  readonly maxPendingReads: number;
  readonly maxCachedBytes: number;
}

export interface Schedule {
  readonly members: 3 | 5;
  readonly seed: number;
  /** True: every log begins with the same first record, as after the first boot of a cluster. */
  readonly bootstrapped: boolean;
  readonly limits: Limits;
  readonly actions: readonly Action[];
}

export const LEADER = 5;
const CANDIDATE = 6;

const member = nat(CANDIDATE);
const packet = nat(299);
const count = integer({ min: 1, max: 4 });

const just = <K extends string>(kind: K): Arbitrary<K> => constant(kind);

const action: Arbitrary<Action> = oneof(
  {
    weight: 7,
    arbitrary: record({ kind: just('calm'), ticks: integer({ min: 1, max: 16 }) }),
  },
  {
    weight: 10,
    arbitrary: record({ kind: just('tick'), member, ticks: integer({ min: 1, max: 13 }) }),
  },
  { weight: 1, arbitrary: record({ kind: just('calm'), ticks: integer({ min: 60, max: 75 }) }) },
  {
    weight: 12,
    arbitrary: record({ kind: just('pause'), member, ticks: integer({ min: 1, max: 18 }) }),
  },
  { weight: 16, arbitrary: record({ kind: just('deliver'), packet }) },
  { weight: 8, arbitrary: record({ kind: just('deliverTo'), member }) },
  { weight: 7, arbitrary: record({ kind: just('flush'), backwards: boolean() }) },
  { weight: 12, arbitrary: record({ kind: just('duplicate'), packet, late: boolean() }) },
  { weight: 5, arbitrary: record({ kind: just('delay'), packet }) },
  { weight: 9, arbitrary: record({ kind: just('deliverLate'), packet }) },
  { weight: 3, arbitrary: record({ kind: just('lose'), packet }) },
  { weight: 2, arbitrary: record({ kind: just('loseTo'), member }) },
  {
    weight: 3,
    arbitrary: record({
      kind: just('cut'),
      sides: integer({ min: 1, max: 30 }),
      oneWay: boolean(),
    }),
  },
  { weight: 7, arbitrary: record({ kind: just('isolate'), member, friend: member }) },
  { weight: 4, arbitrary: record({ kind: just('heal') }) },
  { weight: 2, arbitrary: record({ kind: just('crash'), member, late: boolean() }) },
  { weight: 5, arbitrary: record({ kind: just('restart'), member }) },
  {
    weight: 7,
    arbitrary: record({
      kind: just('pace'),
      member,
      disk: constantFrom('prompt' as const, 'untold' as const, 'stuck' as const),
      slowApply: boolean(),
    }),
  },
  { weight: 4, arbitrary: record({ kind: just('write'), member, count }) },
  { weight: 3, arbitrary: record({ kind: just('release'), member, count }) },
  { weight: 3, arbitrary: record({ kind: just('report'), member, count }) },
  { weight: 2, arbitrary: record({ kind: just('apply'), member, count }) },
  { weight: 2, arbitrary: record({ kind: just('flushState'), member }) },
  { weight: 4, arbitrary: record({ kind: just('answerFetch'), member }) },
  { weight: 3, arbitrary: record({ kind: just('unreachable'), member, peer: member }) },
  { weight: 2, arbitrary: record({ kind: just('disconnected'), member, peer: member }) },
  {
    weight: 2,
    arbitrary: record({
      kind: just('clockGap'),
      member,
      ticks: integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 3,
    arbitrary: record({ kind: just('propose'), member, count, size: nat(60) }),
  },
  {
    weight: 7,
    arbitrary: record({ kind: just('proposeToLeaders'), count, size: nat(60) }),
  },
  { weight: 9, arbitrary: record({ kind: just('read'), member }) },
  {
    weight: 3,
    arbitrary: record({
      kind: just('gather'),
      member,
      inputs: integer({ min: 2, max: 6 }),
    }),
  },
);

const limits: Arbitrary<Limits> = record({
  maxAppendBytes: constantFrom(100, 1, 300),
  maxInflightMessages: constantFrom(4, 1, 2),
  maxInflightBytes: constantFrom(1000, 1, 150),
  maxUncommittedBytes: constantFrom(4000, 1, 250),
  maxPendingReads: constantFrom(50, 1, 3),
  maxCachedBytes: constantFrom(4000, 1, 150),
});

/** `actions` is how many a schedule has at most. */
export function arbitrarySchedule(actions: number): Arbitrary<Schedule> {
  return record({
    members: constantFrom(3 as const, 5 as const),
    seed: nat(2 ** 30),
    bootstrapped: boolean(),
    limits,
    actions: array(action, { minLength: 0, maxLength: actions, size: 'max' }),
  });
}
