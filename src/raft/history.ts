// The configurations of the log, oldest first (dissertation 4.1). Who belongs to the cluster is always the last of them:
// a function of (floor, log), never a state of its own that could survive what it came from.
import { assert } from '../lib/assert.ts';
import type { LogIndex, NodeId } from '../lib/ids.ts';
import type { Configuration, LogEntry, Membership } from './types.ts';

/** A configuration with what it says. */
export interface InEffect {
  readonly configuration: Configuration;
  readonly membership: Membership;
}

/** The first one is in effect at the floor; the others came with entries after it, ascending. */
export type History = readonly [InEffect, ...InEffect[]];

export type ReadMembership = (payload: Uint8Array) => Membership;

const NOBODY: Membership = { voters: [], learners: [] };

export function openHistory(
  read: ReadMembership,
  atFloor: Configuration,
  after: readonly Configuration[],
): History {
  let history: History = [decode(read, atFloor)];
  for (const configuration of after) history = withNext(read, history, configuration);
  return history;
}

/** The configuration that an entry brings; undefined for all other entries. */
export function configurationOf(entry: LogEntry): Configuration | undefined {
  if (entry.kind !== 'bootstrap' && entry.kind !== 'membership') return undefined;
  return { index: entry.index, payload: entry.payload };
}

export function withNext(
  read: ReadMembership,
  history: History,
  configuration: Configuration,
): History {
  assert(configuration.index > newest(history).configuration.index, 'configurations rise');
  return [...history, decode(read, configuration)];
}

/** What is left once the entries after `after` are dropped. */
export function truncateHistory(history: History, after: LogIndex): History {
  const [atFloor, ...rest] = history;
  return [atFloor, ...rest.filter(({ configuration }) => configuration.index <= after)];
}

/** The same configurations, seen from a floor at `index`. */
export function raiseHistory(history: History, index: LogIndex): History {
  const below = history.filter(({ configuration }) => configuration.index <= index);
  const above = history.filter(({ configuration }) => configuration.index > index);
  return [below.at(-1) ?? history[0], ...above];
}

export function newest(history: History): InEffect {
  return history.at(-1) ?? history[0];
}

function decode(read: ReadMembership, configuration: Configuration): InEffect {
  // Nothing was ever written here: the node has not learnt of a cluster.
  if (configuration.payload.length === 0) return { configuration, membership: NOBODY };
  const membership = read(configuration.payload);
  const { voters, learners } = membership;
  assert(voters.length > 0, 'a configuration has at least one voter');
  assert(isAscending(voters) && isAscending(learners), 'members are named once, ascending');
  assert(!learners.some((one) => voters.includes(one)), 'voters and learners are disjoint');
  return { configuration, membership };
}

export function isAscending(ids: readonly NodeId[]): boolean {
  return ids.every((id, at) => at === 0 || (ids[at - 1] ?? id) < id);
}
