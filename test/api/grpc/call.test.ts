// Every handler answers, whatever it does: grpc-js would leave the client of a rejected handler waiting for its deadline.
import {
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type UnaryHandler, deadlineOf, unary } from '../../../src/api/grpc/call.ts';
import { systemClock } from '../../../src/cli/system-clock.ts';
import { defaultLimits } from '../../../src/config/limits.ts';
import { RegistryError } from '../../../src/lib/registry-error.ts';
import type { CallOptions } from '../../../src/node/registry-node.ts';
import { rawService, serviceNames } from '../../../src/rpc/raw-service.ts';
import { pollUntil } from '../../support/poll.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type DoorWorld, call, failure, startWorld } from './door-world.ts';
import { pino } from 'pino';

let world: DoorWorld;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A server whose Check is this handler, and one call to it. */
async function serve(handler: UnaryHandler, logged: string[] = []) {
  const server = new Server();
  const door = {
    node: world.node,
    clock: systemClock,
    log: pino({}, { write: (line) => logged.push(line) }),
    limits: defaultLimits,
    version: '',
    allowRemoteAdmin: false,
  };
  const service = rawService(serviceNames.health);
  const check = unary(door, handler);
  server.addService(service, { Check: check, List: check, Watch: () => {} });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const Client = makeGenericClientConstructor(service, 'Health');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const start = (options: { deadline?: number } = {}) => {
    type Check = (bytes: Buffer, options: object, done: unknown) => { cancel(): void };
    let started: { cancel(): void } | undefined;
    const answer = call<Buffer>((done) => {
      started = (client['Check'] as unknown as Check).call(client, Buffer.alloc(0), options, done);
      return started;
    });
    return { answer, cancel: () => started?.cancel() };
  };
  return {
    start,
    [Symbol.dispose]() {
      client.close();
      server.forceShutdown();
    },
  };
}

describe('a handler', () => {
  test.for([
    ['rejects', () => Promise.reject(new TypeError('a secret'))],
    [
      'throws at once',
      () => {
        throw new TypeError('a secret');
      },
    ],
    // oxlint-disable-next-line prefer-promise-reject-errors
    ['rejects with no Error', () => Promise.reject('a secret')],
  ] as const)('that %s is INTERNAL, logged, and tells nothing', async ([, handler]) => {
    const logged: string[] = [];
    using server = await serve(handler, logged);
    const told = await failure(server.start({ deadline: Date.now() + 20_000 }).answer);
    expect(told).toMatchObject({ code: status.INTERNAL, message: 'internal error' });
    expect(logged).toHaveLength(1);
    expect(JSON.parse(logged[0] ?? '')).toMatchObject({
      event: 'call_failed',
      method: '/grpc.health.v1.Health/Check',
    });
  });

  test('that rejects with a RegistryError is answered with its status, and not logged', async () => {
    const logged: string[] = [];
    using server = await serve(
      () => Promise.reject(new RegistryError('behind', 'far away')),
      logged,
    );
    const told = await failure(server.start().answer);
    expect(told).toMatchObject({ code: status.UNAVAILABLE, message: 'behind: far away' });
    expect(logged).toEqual([]);
  });

  test('learns that its caller went away, and only then', async () => {
    const seen: CallOptions[] = [];
    using server = await serve((_, caller) => {
      seen.push(caller.patient());
      return seen.length === 1 ? Promise.resolve(Buffer.alloc(0)) : new Promise(() => {});
    });
    await server.start().answer;
    const second = server.start();
    const cancelled = failure(second.answer);
    await pollUntil(() => seen.length === 2, { what: 'the second call', timeoutMs: 5000 });
    second.cancel();
    expect((await cancelled).code).toBe(status.CANCELLED);
    await pollUntil(() => seen[1]?.signal?.aborted === true, { what: 'abort', timeoutMs: 5000 });
    expect(seen[0]?.signal?.aborted).toBe(false);
  });
});

const at = (deadline: number | Date) => ({ getDeadline: () => deadline, getPath: () => '' });

describe('a deadline', () => {
  test('is told in monotonic time, with a part kept back for the answer', () => {
    const clock = new FakeClock();
    const unix = clock.unixNow();
    expect(deadlineOf(at(unix + 10_000), clock)).toBe(clock.now() + 9900);
    expect(deadlineOf(at(new Date(unix + 100)), clock)).toBe(clock.now() + 80);
    expect(deadlineOf(at(unix - 5), clock)).toBe(clock.now());
    expect(deadlineOf(at(Number.POSITIVE_INFINITY), clock)).toBeUndefined();
  });
});
