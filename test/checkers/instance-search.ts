// Checker B, which trusts no revision: for each instance, is there any order of its operations that respects real time and
// explains every answer (Wing and Gong; in the just-in-time form of Lowe)? An operation may take effect at any moment
// between call and answer, an unanswered one at any moment after its call, or never.
import type { History, Violation, WriteEffect } from './history.ts';

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
  /** Infinity: never answered. */
  readonly returnedAtMs: number;
  readonly what: string;
}

/** A way things may have gone: the state, and which of the open operations have taken effect. */
interface Configuration {
  readonly state: State;
  readonly done: ReadonlySet<number>;
}

/** Beyond this the search of one instance is given up; it is then not judged, which the caller is told. */
const MAX_CONFIGURATIONS = 50_000;
const ABSENT: State = { value: undefined, mayExpire: false };

export interface SearchVerdict {
  readonly violations: readonly Violation[];
  /** Instances whose search was given up. */
  readonly undecided: readonly string[];
}

export function searchInstances(history: History): SearchVerdict {
  const violations: Violation[] = [];
  const undecided: string[] = [];
  for (const [instanceId, operations] of operationsByInstance(history)) {
    const verdict = search(operations);
    if (verdict === 'undecided') undecided.push(instanceId);
    else if (verdict !== undefined) {
      const evidence = `no order of the operations on ${instanceId} explains ${verdict.what}`;
      violations.push({ guarantee: 'G2', evidence });
    }
  }
  return { violations, undecided };
}

function operationsByInstance({ writes, reads = [] }: History): ReadonlyMap<string, Operation[]> {
  const found = new Map<string, Operation[]>();
  for (const write of writes) {
    if (write.effect === undefined) continue;
    const known = found.get(write.instanceId) ?? [];
    found.set(write.instanceId, known);
    if (write.outcome === 'rejected') continue;
    const answered = write.outcome === 'acknowledged';
    known.push({
      step: { kind: 'write', effect: write.effect, answered },
      calledAtMs: write.invokedAtMs,
      returnedAtMs: answered ? write.returnedAtMs : Number.POSITIVE_INFINITY,
      what: `${write.kind} ${write.mark}`,
    });
  }
  for (const read of reads) {
    if (read.consistency !== 'linearizable' || read.service !== undefined) continue;
    const ids = read.instanceId === undefined ? [...found.keys()] : [read.instanceId];
    for (const id of ids) {
      const value = read.values.get(id);
      const known = found.get(id) ?? [];
      found.set(id, known);
      known.push({
        step: { kind: 'read', value },
        calledAtMs: read.invokedAtMs,
        returnedAtMs: read.returnedAtMs,
        what: `the answer "${value ?? 'nothing'}" to ${read.client} at ${read.returnedAtMs.toFixed(1)} ms`,
      });
    }
  }
  return found;
}

/** The first operation that cannot be explained; undefined when all can. */
function search(operations: readonly Operation[]): Operation | 'undecided' | undefined {
  const moments = operations.flatMap((operation, number) => [
    { atMs: operation.calledAtMs, number, operation, returns: false },
    { atMs: operation.returnedAtMs, number, operation, returns: true },
  ]);
  // At one moment calls come first: operations that touch there may overlap.
  moments.sort((a, b) => a.atMs - b.atMs || Number(a.returns) - Number(b.returns));
  const open = new Map<number, Operation>();
  let configurations: readonly Configuration[] = [{ state: ABSENT, done: new Set() }];
  for (const { atMs, number, operation, returns } of moments) {
    if (atMs === Number.POSITIVE_INFINITY) break;
    if (!returns) {
      open.set(number, operation);
      continue;
    }
    const reached = explain(configurations, open, number);
    if (reached === undefined) return 'undecided';
    if (reached.length === 0) return operation;
    open.delete(number);
    configurations = reached;
  }
  return undefined;
}

/** Every way to go on in which operation `due` has taken effect; undefined when there are too many to follow. */
function explain(
  from: readonly Configuration[],
  open: ReadonlyMap<number, Operation>,
  due: number,
): readonly Configuration[] | undefined {
  const seen = new Set<string>();
  const reached = new Map<string, Configuration>();
  const waiting = [...from];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const key = keyOf(next);
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > MAX_CONFIGURATIONS) return undefined;
    if (next.done.has(due)) {
      const done = new Set(next.done);
      done.delete(due);
      const settled = { state: next.state, done };
      reached.set(keyOf(settled), settled);
      continue;
    }
    for (const [number, { step }] of open) {
      if (next.done.has(number)) continue;
      for (const state of after(next.state, step)) {
        waiting.push({ state, done: new Set([...next.done, number]) });
      }
    }
  }
  return [...reached.values()];
}

const keyOf = ({ state, done }: Configuration): string =>
  `${state.value ?? ''}|${state.mayExpire}|${[...done].toSorted((a, b) => a - b).join(' ')}`;

/** The states in which the operation may leave an instance; none when it cannot have happened here. */
function after(state: State, step: Step): readonly State[] {
  // The registry may have removed it by itself just before.
  const before = state.mayExpire && state.value !== undefined ? [state, ABSENT] : [state];
  return before.flatMap((one) => {
    const next = step.kind === 'read' ? afterRead(one, step.value) : afterWrite(one, step);
    return next === undefined ? [] : [next];
  });
}

const afterRead = (state: State, value: string | undefined): State | undefined =>
  state.value === value ? state : undefined;

function afterWrite(
  state: State,
  { effect, answered }: Extract<Step, { readonly kind: 'write' }>,
): State | undefined {
  const exists = state.value !== undefined;
  switch (effect.kind) {
    case 'put':
      return { value: `${effect.mark} ${effect.lifecycle}`, mayExpire: effect.mayExpire };
    case 'remove':
      return effect.existed === undefined || effect.existed === exists ? ABSENT : undefined;
    case 'lifecycle': {
      if (state.value === undefined) return answered ? undefined : state;
      const [mark = ''] = state.value.split(' ');
      return { ...state, value: `${mark} ${effect.lifecycle}` };
    }
  }
}
