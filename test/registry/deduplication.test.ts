// G4 in the state machine: a write retried with its request_id happens once and answers the same.
import { describe, expect, test } from 'vitest';
import type { ApplyResult, CommandBody } from '../../src/registry/index.ts';
import {
  deregister,
  NONE,
  register,
  registerBatch,
  rev,
  type Session,
  sessionOf,
  setStatus,
} from './fixtures.ts';

const WINDOW_MS = 600_000;

function answersIn(session: Session): readonly string[] {
  session.image();
  return [...session.stored.keys()].filter((key) => key.startsWith('d/'));
}

describe('G4: exactly once by request_id', () => {
  const cases: readonly {
    readonly name: string;
    readonly before: readonly CommandBody[];
    readonly body: CommandBody;
    readonly first: ApplyResult;
  }[] = [
    {
      name: 'a registration',
      before: [],
      body: register({ instanceId: 'a' }),
      first: { kind: 'registered', revision: rev(1), generations: [rev(1)] },
    },
    {
      name: 'an unchanged registration',
      before: [register({ instanceId: 'a' })],
      body: register({ instanceId: 'a' }),
      first: { kind: 'registered', revision: rev(1), generations: [rev(1)] },
    },
    {
      name: 'a batch',
      before: [register({ instanceId: 'b' })],
      body: registerBatch({ instanceId: 'a' }, { instanceId: 'b' }),
      first: { kind: 'registered', revision: rev(2), generations: [rev(2), rev(1)] },
    },
    {
      name: 'a deregistration',
      before: [register({ instanceId: 'a' })],
      body: deregister('a'),
      first: { kind: 'deregistered', revision: rev(2), existed: true },
    },
    {
      name: 'existed = false',
      before: [],
      body: deregister('a'),
      first: { kind: 'deregistered', revision: NONE, existed: false },
    },
    {
      name: 'a refusal of the generation',
      before: [register({ instanceId: 'a' })],
      body: deregister('a', 7),
      first: { kind: 'generationNotCurrent', revision: rev(1), current: rev(1) },
    },
    {
      name: 'a status',
      before: [register({ instanceId: 'a' })],
      body: setStatus('a', { maintenance: true }),
      first: { kind: 'statusSet', revision: rev(2) },
    },
    {
      name: 'not found',
      before: [],
      body: setStatus('a', { maintenance: true }),
      first: { kind: 'notFound', revision: NONE },
    },
  ];

  test.for(cases)(
    '$name: a replay gets the first answer and changes nothing, also after a restart',
    ({ before, body, first }) => {
      let session = sessionOf();
      for (const earlier of before) session.apply(earlier);
      expect(session.apply(body, { requestId: 'r' }).result).toEqual(first);
      // The world moves on, so that applying again would do something else.
      session.apply(deregister('a'));
      session.apply(register({ instanceId: 'a', port: 99 }));
      for (let replay = 0; replay < 2; replay++) {
        const { revision } = session.registry;
        expect(session.apply(body, { requestId: 'r' })).toEqual({
          result: first,
          group: undefined,
        });
        expect(session.registry.revision).toBe(revision);
        session = sessionOf({}, session.image());
      }
    },
  );

  test('a refusal for too many instances is remembered too', () => {
    const { apply } = sessionOf({ maxInstances: 1 });
    apply(register({ instanceId: 'a' }));
    const refused = apply(register({ instanceId: 'b' }), { requestId: 'r' }).result;
    expect(refused.kind).toBe('tooManyInstances');
    apply(deregister('a'));
    expect(apply(register({ instanceId: 'b' }), { requestId: 'r' }).result).toEqual(refused);
  });

  test('a replayed Register never revives what was deregistered since', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }), { requestId: 'r' });
    apply(deregister('a'));
    apply(register({ instanceId: 'a' }), { requestId: 'r' });
    expect(registry.get('default', 'a')).toBeUndefined();
  });

  test('the same id with another body is refused, and the first answer stays', () => {
    const { apply, registry } = sessionOf();
    const first = apply(register({ instanceId: 'a' }), { requestId: 'r' }).result;
    const other = apply(register({ instanceId: 'a', port: 2 }), { requestId: 'r' });
    expect(other).toEqual({
      result: { kind: 'requestIdReused', revision: rev(1) },
      group: undefined,
    });
    expect(registry.get('default', 'a')?.generation).toBe(1);
    expect(apply(register({ instanceId: 'a' }), { requestId: 'r' }).result).toEqual(first);
  });

  test('its scope is the kind of command', () => {
    const { apply, registry } = sessionOf();
    apply(register({ instanceId: 'a' }), { requestId: 'r' });
    apply(setStatus('a', { maintenance: true }), { requestId: 'r' });
    apply(deregister('a'), { requestId: 'r' });
    expect(registry.revision).toBe(3);
  });

  test('request ids of any characters keep apart', () => {
    const session = sessionOf();
    const ids = ['a', 'a/b', '/', 'ü', '😀', ' '];
    for (const [n, requestId] of ids.entries()) {
      session.apply(register({ instanceId: `i${n}` }), { requestId });
    }
    const restarted = sessionOf({}, session.image());
    for (const [n, requestId] of ids.entries()) {
      const { result } = restarted.apply(register({ instanceId: `i${n}` }), { requestId });
      expect(result).toMatchObject({ generations: [n + 1] });
    }
    expect(restarted.registry.revision).toBe(ids.length);
  });
});

describe('the window', () => {
  test('ends after 10 minutes of registry time, and the id may then be used anew', () => {
    const { apply, registry } = sessionOf();
    const body = register({ instanceId: 'a' });
    apply(body, { requestId: 'r', registryTimeMs: 1_000 });
    apply(deregister('a'), { registryTimeMs: 1_000 });
    const last = { requestId: 'r', registryTimeMs: 1_000 + WINDOW_MS - 1 };
    expect(apply(body, last).result).toMatchObject({ revision: 1 });
    const over = { requestId: 'r', registryTimeMs: 1_000 + WINDOW_MS };
    expect(apply(body, over).result).toMatchObject({ revision: 3 });
    expect(registry.get('default', 'a')?.generation).toBe(3);
    // The new answer has a window of its own.
    const later = { requestId: 'r', registryTimeMs: 1_000 + 2 * WINDOW_MS - 1 };
    expect(apply(body, later).result).toMatchObject({ revision: 3 });
  });

  test('is not made longer by replays', () => {
    const { apply } = sessionOf();
    apply(deregister('a'), { requestId: 'r', registryTimeMs: 0 });
    apply(deregister('a'), { requestId: 'r', registryTimeMs: WINDOW_MS - 1 });
    apply(register({ instanceId: 'a' }), { registryTimeMs: WINDOW_MS - 1 });
    const { result } = apply(deregister('a'), { requestId: 'r', registryTimeMs: WINDOW_MS });
    expect(result).toMatchObject({ existed: true });
  });

  test('registry time never goes back: an older header is taken as now', () => {
    const { apply, registry } = sessionOf();
    apply(deregister('a'), { registryTimeMs: 5_000 });
    apply(deregister('a'), { requestId: 'r', registryTimeMs: 1_000 });
    expect(registry.meta().registryTimeMs).toBe(5_000);
    const body = register({ instanceId: 'a' });
    apply(body, { registryTimeMs: 4_000 + WINDOW_MS });
    const replay = apply(deregister('a'), { requestId: 'r', registryTimeMs: 0 });
    expect(replay.result).toMatchObject({ existed: false });
  });

  test('holds a bounded number of answers, the oldest go first', () => {
    const session = sessionOf({ maxRememberedAnswers: 3 });
    for (const id of ['r1', 'r2', 'r3', 'r4']) session.apply(deregister('a'), { requestId: id });
    expect(answersIn(session)).toEqual(['r2', 'r3', 'r4'].map((id) => `d/deregister/${id}`));
    session.apply(register({ instanceId: 'a' }));
    expect(session.apply(deregister('a'), { requestId: 'r2' }).result).toMatchObject({
      existed: false,
    });
    expect(session.apply(deregister('a'), { requestId: 'r1' }).result).toMatchObject({
      existed: true,
    });
  });

  test('is forgotten by any command, a bounded number at a time, and what is over is never replayed', () => {
    const session = sessionOf();
    for (let n = 0; n < 200; n++) session.apply(deregister('a'), { requestId: `r${n}` });
    session.apply(register({ instanceId: 'a' }), { registryTimeMs: WINDOW_MS });
    const left = answersIn(session).length;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(200);
    // r199 is still in the table, but its window is over.
    expect(session.apply(deregister('a'), { requestId: 'r199' }).result).toMatchObject({
      existed: true,
    });
    for (let n = 0; n < 10; n++) session.apply(deregister('zz'));
    expect(answersIn(session)).toEqual(['d/deregister/r199']);
  });

  test('the order of forgetting survives a restart, also through an empty table', () => {
    const limits = { maxRememberedAnswers: 2 };
    let restarted = sessionOf(limits);
    const steady = sessionOf(limits);
    for (const [n, registryTimeMs] of [0, 0, 0, WINDOW_MS, 0, 0, 0, 3 * WINDOW_MS, 0].entries()) {
      const header = { requestId: `r${9 - n}`, registryTimeMs };
      restarted.apply(deregister('a'), header);
      steady.apply(deregister('a'), header);
      // Without an id: forgets, remembers nothing.
      const quiet = { registryTimeMs: registryTimeMs + WINDOW_MS / 2 };
      restarted.apply(deregister('a'), quiet);
      steady.apply(deregister('a'), quiet);
      expect(restarted.registry.meta()).toEqual(steady.registry.meta());
      restarted = sessionOf(limits, restarted.image());
      steady.image();
      expect(new Map(restarted.stored)).toEqual(new Map(steady.stored));
    }
  });
});
