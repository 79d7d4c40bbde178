// What the engine says in one line is what happened to one node.
import { describe, expect, test } from 'vitest';
import { eventOf } from './container-events.ts';

const line = (Action: string, more: Readonly<Record<string, string>> = {}): string => {
  const own = { 'com.docker.compose.project': 'rollcall-chaos-7', image: 'rollcall-test:local' };
  const Actor = { ID: 'c0ffee', Attributes: { ...own, ...more } };
  return JSON.stringify({ status: Action, id: 'c0ffee', Type: 'container', Action, Actor });
};
const n2 = { 'com.docker.compose.service': 'n2' };

describe('an event of the engine', () => {
  test('tells which node was started, in which container', () => {
    const expected = { kind: 'started', service: 'n2', container: 'c0ffee' };
    expect(eventOf(line('start', n2))).toEqual(expected);
  });

  test.for([0, 12, 137])('tells that a process ended with %i', (exitCode) => {
    const expected = { kind: 'ended', service: 'n2', container: 'c0ffee', exitCode };
    expect(eventOf(line('die', { ...n2, exitCode: String(exitCode) }))).toEqual(expected);
  });

  test('of something else, or of a container that is no node, tells nothing', () => {
    expect(eventOf(line('exec_start: node', n2))).toBeUndefined();
    expect(eventOf(line('start'))).toBeUndefined();
  });
});
