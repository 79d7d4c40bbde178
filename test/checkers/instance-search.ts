// Checker B, which trusts no revision: for each instance, is there any order of its operations that respects real time and
// explains every answer (Wing and Gong; in the just-in-time form of Lowe)? An operation may take effect at any moment
// between call and answer, an unanswered one at any moment after its call, or never.
import type { History, ReadRecord, Violation, WriteEffect, WriteRecord } from './history.ts';
import type { Fate } from './write-fates.ts';

interface State {
  /** Mark and lifecycle, undefined while not registered. */
  readonly value: string | undefined;
  readonly mayExpire: boolean;
}

type Step =
  | { readonly kind: 'read'; readonly value: string | undefined }
  | { readonly kind: 'write'; readonly effect: WriteEffect; readonly answered: boolean };

interface Operation {
  readonly step: Step;
  readonly calledAtMs: number;
  /** From then on it takes no effect any more. Infinity: it may at any time. */
  readonly returnedAtMs: number;
  readonly source: WriteRecord | ReadRecord;
}

/** A way things may have gone: the state, and which of the open operations have taken effect, as bits of their places. */
interface Configuration {
  readonly state: State;
  readonly answered: number;
  readonly unanswered: number;
}

/** An operation that was called and has not returned. */
interface Open {
  readonly step: Step;
  readonly answered: boolean;
  readonly bit: number;
}

/** Beyond this the search of one instance is given up; it is then not judged, which the caller is told. */
const MAX_CONFIGURATIONS = 20_000;
/** Places of operations open at one time, answered and not. */
const MAX_OPEN = 30;
const MAINTENANCE = ' maintenance';
const ABSENT: State = { value: undefined, mayExpire: false };

export interface SearchVerdict {
  readonly violations: readonly Violation[];
  /** Instances whose search was given up. */
  readonly undecided: readonly string[];
}

/** `fateOf`: what is known of writes of unknown outcome; without it they may take effect at any time. */
export function searchInstances(
  history: History,
  fateOf: (write: WriteRecord) => Fate = () => ANY_TIME,
): SearchVerdict {
  const violations: Violation[] = [];
  const undecided: string[] = [];
  const writes = writesByInstance(history);
  const reads = readsByInstance(history);
  // One instance after the other: all of a long history at once would not fit.
  for (const instanceId of new Set([...writes.keys(), ...reads.one.keys()])) {
    const own = writes.get(instanceId) ?? [];
    const firstMs = own.reduce(
      (first, { invokedAtMs }) => Math.min(first, invokedAtMs),
      Number.POSITIVE_INFINITY,
    );
    // Before its first write there is nothing to explain about a read that says that it is not there.
    const seen = reads.all.filter(
      ({ returnedAtMs, values }) => returnedAtMs >= firstMs || values.has(instanceId),
    );
    const operations = [
      ...own.flatMap((write) => writeOperation(write, fateOf)),
      ...seen.map((read) => readOperation(read, instanceId)),
      ...(reads.one.get(instanceId) ?? []).map((read) => readOperation(read, instanceId)),
    ];
    const verdict = search(operations);
    if (verdict === 'undecided') undecided.push(instanceId);
    else if (verdict !== undefined) {
      const evidence = `no order of the operations on ${instanceId} explains ${describe(verdict)}`;
      violations.push({ guarantee: 'G2', evidence });
    }
  }
  return { violations, undecided };
}

const ANY_TIME: Fate = { happened: 'perhaps', byMs: Number.POSITIVE_INFINITY };

function writesByInstance({ writes }: History): ReadonlyMap<string, readonly WriteRecord[]> {
  const found = new Map<string, WriteRecord[]>();
  for (const write of writes) {
    if (write.effect === undefined) continue;
    const known = found.get(write.instanceId);
    if (known === undefined) found.set(write.instanceId, [write]);
    else known.push(write);
  }
  return found;
}

/** Linearizable reads of everything, and those of one instance. */
function readsByInstance({ reads = [] }: History): {
  readonly all: readonly ReadRecord[];
  readonly one: ReadonlyMap<string, readonly ReadRecord[]>;
} {
  const all: ReadRecord[] = [];
  const one = new Map<string, ReadRecord[]>();
  for (const read of reads) {
    const { consistency, service, instanceId } = read;
    if (consistency !== 'linearizable' || service !== undefined) continue;
    const known = instanceId === undefined ? all : one.get(instanceId);
    if (known !== undefined) known.push(read);
    else if (instanceId !== undefined) one.set(instanceId, [read]);
  }
  return { all, one };
}

function writeOperation(
  write: WriteRecord,
  fateOf: (write: WriteRecord) => Fate,
): readonly Operation[] {
  const { effect, outcome, invokedAtMs, returnedAtMs } = write;
  if (effect === undefined || outcome === 'rejected') return [];
  const fate: Fate =
    outcome === 'acknowledged' ? { happened: 'yes', byMs: returnedAtMs } : fateOf(write);
  if (fate.happened === 'no') return [];
  const step = { kind: 'write', effect, answered: fate.happened === 'yes' } as const;
  return [{ step, calledAtMs: invokedAtMs, returnedAtMs: fate.byMs, source: write }];
}

function readOperation(read: ReadRecord, instanceId: string): Operation {
  const step = { kind: 'read', value: read.values.get(instanceId) } as const;
  const { invokedAtMs: calledAtMs, returnedAtMs } = read;
  return { step, calledAtMs, returnedAtMs, source: read };
}

function describe({ step, source, returnedAtMs }: Operation): string {
  if ('mark' in source) return `${source.kind} ${source.mark}`;
  const value = step.kind === 'read' ? step.value : undefined;
  return `the answer "${value ?? 'nothing'}" to ${source.client} at ${returnedAtMs.toFixed(1)} ms`;
}

/** The first operation that cannot be explained; undefined when all can. */
function search(operations: readonly Operation[]): Operation | 'undecided' | undefined {
  const moments = operations.flatMap((operation) => [
    { atMs: operation.calledAtMs, operation, returns: false },
    { atMs: operation.returnedAtMs, operation, returns: true },
  ]);
  // At one moment calls come first: operations that touch there may overlap.
  moments.sort((a, b) => a.atMs - b.atMs || Number(a.returns) - Number(b.returns));
  const open = new Map<Operation, Open>();
  let configurations: readonly Configuration[] = [{ state: ABSENT, answered: 0, unanswered: 0 }];
  for (const { atMs, operation, returns } of moments) {
    if (atMs === Number.POSITIVE_INFINITY) break;
    if (!returns) {
      const called = place(operation, open);
      if (called === undefined) return 'undecided';
      open.set(operation, called);
      if (called.answered) configurations = configurations.map((one) => withReads(one, [called]));
      continue;
    }
    const due = open.get(operation);
    if (due === undefined) return 'undecided';
    const reached = explain(configurations, [...open.values()], due);
    if (reached === undefined) return 'undecided';
    if (reached.length === 0) return operation;
    open.delete(operation);
    configurations = reached;
  }
  return undefined;
}

function place({ step }: Operation, open: ReadonlyMap<Operation, Open>): Open | undefined {
  const answered = step.kind === 'read' || step.answered;
  let taken = 0;
  for (const other of open.values()) if (other.answered === answered) taken |= other.bit;
  for (let at = 0; at < MAX_OPEN; at++) {
    const bit = 1 << at;
    if ((taken & bit) === 0) return { step, answered, bit };
  }
  return undefined;
}

/** Every way to go on from where the operation `due` returns: in which it has taken effect, if it was answered; else also those
 * in which it never will. undefined when there are too many. */
function explain(
  from: readonly Configuration[],
  open: readonly Open[],
  due: Open,
): readonly Configuration[] | undefined {
  if (due.answered && from.every(({ answered }) => (answered & due.bit) !== 0)) {
    return from.map((one) => ({ ...one, answered: one.answered & ~due.bit }));
  }
  const seen = new Frontier();
  const reached = new Frontier();
  const waiting = from.filter((one) => seen.add(one));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.size > MAX_CONFIGURATIONS) return undefined;
    if (!due.answered) reached.add({ ...next, unanswered: next.unanswered & ~due.bit });
    else if ((next.answered & due.bit) !== 0) {
      reached.add({ ...next, answered: next.answered & ~due.bit });
      continue;
    }
    for (const one of successors(next, open)) {
      const marked = withReads(one, open);
      if (seen.add(marked)) waiting.push(marked);
    }
  }
  return reached.all();
}

/** A read changes nothing, so one that may have happened in this state is best taken to have happened. */
function withReads(from: Configuration, open: readonly Open[]): Configuration {
  let { answered } = from;
  for (const { step, bit } of open) {
    if (step.kind === 'read' && step.value === from.state.value) answered |= bit;
  }
  return { ...from, answered };
}

function successors(from: Configuration, open: readonly Open[]): readonly Configuration[] {
  const found: Configuration[] = [];
  // The registry may remove it by itself.
  if (from.state.mayExpire && from.state.value !== undefined)
    found.push({ ...from, state: ABSENT });
  for (const { step, answered, bit } of open) {
    const done = answered ? from.answered : from.unanswered;
    if (step.kind === 'read' || (done & bit) !== 0) continue;
    const state = afterWrite(from.state, step);
    if (state === undefined) continue;
    found.push({
      state,
      answered: answered ? from.answered | bit : from.answered,
      unanswered: answered ? from.unanswered : from.unanswered | bit,
    });
  }
  return found;
}

/** Configurations without those that another one makes superfluous: the same, with fewer of the operations spent that need
 * never happen. */
class Frontier {
  readonly #byKey = new Map<string, Configuration[]>();
  size = 0;

  /** False when it is superfluous. */
  add(one: Configuration): boolean {
    const key = `${one.state.value ?? ''}|${one.state.mayExpire}|${one.answered}`;
    const known = this.#byKey.get(key) ?? [];
    if (known.some((other) => (other.unanswered & ~one.unanswered) === 0)) return false;
    const kept = known.filter((other) => (one.unanswered & ~other.unanswered) !== 0);
    this.size += 1 + kept.length - known.length;
    this.#byKey.set(key, [...kept, one]);
    return true;
  }

  all(): readonly Configuration[] {
    return [...this.#byKey.values()].flat();
  }
}

const maintenanceOf = (value: string | undefined): string =>
  value?.endsWith(MAINTENANCE) === true ? MAINTENANCE : '';

function afterWrite(
  state: State,
  { effect, answered }: Extract<Step, { readonly kind: 'write' }>,
): State | undefined {
  const exists = state.value !== undefined;
  switch (effect.kind) {
    case 'put': {
      // Maintenance is the operator's: it stays when the instance registers again.
      const value = `${effect.mark} ${effect.lifecycle}${maintenanceOf(state.value)}`;
      return { value, mayExpire: effect.mayExpire };
    }
    case 'remove':
      return effect.existed === undefined || effect.existed === exists ? ABSENT : undefined;
    case 'lifecycle': {
      if (state.value === undefined) return answered ? undefined : state;
      const [mark = ''] = state.value.split(' ');
      return { ...state, value: `${mark} ${effect.lifecycle}${maintenanceOf(state.value)}` };
    }
    case 'maintenance': {
      if (state.value === undefined) return answered ? undefined : state;
      const [mark = '', lifecycle = ''] = state.value.split(' ');
      return { ...state, value: `${mark} ${lifecycle}${effect.on ? MAINTENANCE : ''}` };
    }
  }
}
