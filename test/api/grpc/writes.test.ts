// Register and its siblings through the door, as "Meaning" of the contract has it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DoorWorld, call, instance, startWorld } from './door-world.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { RegisterResponse__Output } from '../../../src/rpc/gen/rollcall/v1/RegisterResponse.ts';

let world: DoorWorld;
let client: RegistryClient;
beforeAll(async () => {
  world = await startWorld();
  client = world.registry();
});
afterAll(() => world[Symbol.asyncDispose]());

const register = (overrides: Record<string, unknown> = {}, request: Record<string, unknown> = {}) =>
  call<RegisterResponse__Output>((done) =>
    client.register({ instance: instance(overrides), ...request }, done),
  );

describe('Register', () => {
  test('makes a new registration whose generation is its revision', async () => {
    const answer = await register({ instance_id: 'fresh' });
    expect(answer.generation).toBe(answer.revision);
    expect(answer.heartbeat_interval_ms).toBe(10_000);
  });
});
