// `register --keep`: what happens to a registration while the registry answers, is away, forgets, or fences.
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { FakeContext } from '../support/cli-context.ts';
import { type Answer, type Asked, ScriptedRegistry } from '../support/scripted-registry.ts';

const ok = (message: object): Answer => ({ kind: 'ok', message });
const registered = (generation: number): Answer =>
  ok({ revision: generation, generation, heartbeat_interval_ms: 10_000 });
const renewed = ok({ revision: 1, failures: [], heartbeat_interval_ms: 10_000 });
const lost = (reason: 'UNKNOWN' | 'FENCED'): Answer =>
  ok({ revision: 1, failures: [{ instance_id: 'i', reason }], heartbeat_interval_ms: 10_000 });
const away: Answer = { kind: 'error', code: status.UNAVAILABLE, details: 'no_quorum: no leader' };

interface Kept {
  readonly exitCode: number;
  readonly asked: readonly Asked[];
  readonly context: FakeContext;
}

/** Plays `beats` as the answers to heartbeats; after the last one a signal comes, unless the command has ended by then. */
async function keep(beats: readonly Answer[]): Promise<Kept> {
  const context = new FakeContext();
  let beat = 0;
  let generation = 0;
  await using registry = await ScriptedRegistry.start(({ method }) => {
    if (method === 'Register') return registered(++generation);
    if (method === 'Deregister') return ok({ revision: 9, existed: true });
    const answer = beats[beat++] ?? renewed;
    if (beat >= beats.length) context.interrupt();
    return answer;
  });
  const line = `register --service s --host h --port 1 --id i --keep --timeout-ms 5000 --endpoints ${registry.endpoint}`;
  const exitCode = await runProgram(line.split(' '), context, '');
  return { exitCode, asked: registry.asked, context };
}

const methods = (kept: Kept): readonly string[] => kept.asked.map(({ method }) => method);
const last = (kept: Kept): Asked | undefined => kept.asked.at(-1);

describe('a kept registration', () => {
  test('is renewed at the interval the registry told, and deregistered by generation at a signal', async () => {
    const kept = await keep([renewed, renewed]);
    expect(methods(kept)).toEqual(['Register', 'Heartbeat', 'Heartbeat', 'Deregister']);
    expect(kept.context.runtime.slept).toEqual([10_000, 10_000]);
    expect(kept.asked[1]?.request['beats']).toEqual([
      { namespace: '', instance_id: 'i', generation: '1' },
    ]);
    expect(last(kept)?.request).toMatchObject({ instance_id: 'i', generation: '1' });
    expect(kept.exitCode).toBe(0);
  });

  test('survives an outage: it tries sooner, says so once, and goes on', async () => {
    const kept = await keep([...Array.from({ length: 20 }, () => away), renewed, renewed]);
    expect(kept.exitCode).toBe(0);
    expect(kept.context.err).toEqual(['heartbeat failed, trying on: no_quorum: no leader']);
    expect(kept.context.out).toContain('heartbeats go on');
    expect(kept.context.runtime.slept).toContain(1000);
  });

  test('is registered again, as stated at first, when the registry has forgotten it', async () => {
    const kept = await keep([lost('UNKNOWN'), renewed]);
    expect(methods(kept)).toEqual(['Register', 'Heartbeat', 'Register', 'Heartbeat', 'Deregister']);
    expect(kept.asked[2]?.request['instance']).toEqual(kept.asked[0]?.request['instance']);
    expect(kept.asked[2]?.request['request_id']).not.toBe(kept.asked[0]?.request['request_id']);
    expect(last(kept)?.request).toMatchObject({ generation: '2' });
    expect(kept.exitCode).toBe(0);
  });

  test('ends with exit code 1 when somebody else took the id, and neither registers nor removes the newer one (G10)', async () => {
    const kept = await keep([lost('FENCED'), renewed]);
    expect(methods(kept)).toEqual(['Register', 'Heartbeat']);
    expect(kept.exitCode).toBe(1);
    expect(kept.context.err.join()).toContain('i was registered anew by somebody else');
  });
});
