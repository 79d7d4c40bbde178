// One line on a whole world: what each node says of itself, who is on the way back, how far the readers are.
import type { Machine } from './machine.ts';
import type { Watcher } from './watcher.ts';

export interface Pictured {
  readonly machines: readonly Machine[];
  /** Those that are to get back the place that they had. */
  readonly awaited: readonly Machine[];
  readonly watchers: readonly Pick<Watcher, 'name' | 'revision'>[];
  readonly openCalls: number;
}

export function pictureOf({ machines, awaited, watchers, openCalls }: Pictured): string {
  const returning = awaited.map(({ id }) => `${id} is on its way back`);
  const readers = watchers.map(({ name, revision }) => `${name} at ${revision}`);
  return [...machines.map(lineOf), ...returning, ...readers, `${openCalls} calls open`].join(' | ');
}

function lineOf({ id, node }: Machine): string {
  const status = node?.status();
  if (status === undefined) return `${id} down`;
  const { role, term, leaderId, appliedIndex, commitIndex, lastIndex, revision } = status;
  const indexes = `${appliedIndex}/${commitIndex}/${lastIndex}`;
  const late = status.caughtUp ? '' : 'not caught up ';
  return `${id} ${role} term ${term} leader ${leaderId} applied ${indexes} revision ${revision} ${status.stateHash} ${late}${status.problems.join('; ')}`;
}
