// Reads as gRPC calls, and their records.
import type { ServiceError } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { GetInstanceResponse__Output } from '../../../src/rpc/gen/rollcall/v1/GetInstanceResponse.ts';
import type { Instance__Output } from '../../../src/rpc/gen/rollcall/v1/Instance.ts';
import type { ListInstancesRequest } from '../../../src/rpc/gen/rollcall/v1/ListInstancesRequest.ts';
import type { ListInstancesResponse__Output } from '../../../src/rpc/gen/rollcall/v1/ListInstancesResponse.ts';
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import type { ReadRecord } from '../../checkers/history.ts';
import { unary } from '../../support/grpc-client.ts';
import { contentOf, valueOf } from '../../support/grpc-records.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ClientWorld } from './client-world.ts';

/** Without a quorum the answer comes within two seconds. */
const READ_TIMEOUT_MS = 2500;

export type Consistency = ReadRecord['consistency'];

/** What was asked for. Times are those of the first call. */
export type Asked = Pick<
  ReadRecord,
  | 'client'
  | 'consistency'
  | 'invokedAtMs'
  | 'minRevision'
  | 'maxStalenessMs'
  | 'service'
  | 'instanceId'
>;

const LEVELS = { linearizable: 'LINEARIZABLE', bounded: 'BOUNDED', stale: 'STALE' } as const;

export function readOptions({ consistency, minRevision, maxStalenessMs = 0 }: Asked) {
  const level = LEVELS[consistency];
  return { consistency: level, min_revision: minRevision, max_staleness_ms: maxStalenessMs };
}

export const listCall = (
  client: RegistryClient,
  request: ListInstancesRequest,
): Promise<ListInstancesResponse__Output> =>
  unary<ListInstancesResponse__Output>(
    (options, callback) => client.listInstances(request, options, callback),
    READ_TIMEOUT_MS,
  );

/** undefined where there is no such instance: the answer then says of no revision that it is of. */
export async function getCall(
  client: RegistryClient,
  asked: Asked,
): Promise<GetInstanceResponse__Output | undefined> {
  const request = { instance_id: asked.instanceId ?? '', read: readOptions(asked) };
  try {
    return await unary<GetInstanceResponse__Output>(
      (options, callback) => client.getInstance(request, options, callback),
      READ_TIMEOUT_MS,
    );
  } catch (error) {
    if ((error as ServiceError).code === status.NOT_FOUND) return undefined;
    throw error;
  }
}

export function noteRead(
  world: ClientWorld,
  asked: Asked,
  revision: number,
  found: readonly Instance__Output[],
): void {
  world.tally.reads++;
  world.note({
    kind: 'read',
    read: {
      ...asked,
      returnedAtMs: monotonicMs(),
      revision,
      instances: found.map((one) => [one.instance_id, contentOf(one)]),
      values: found.map((one) => [one.instance_id, valueOf(one)]),
    },
  });
}

/** The code and the first word of the details, as `UNAVAILABLE no_quorum`. */
export function noteFailedRead(world: ClientWorld, client: string, error: unknown): void {
  const { code, details } = error as ServiceError;
  if (typeof code !== 'number') throw error;
  const word = /^[a-z_]+(?=:)/.exec(details)?.[0];
  const name = status[code] ?? `status ${code}`;
  const said = word === undefined ? name : `${name} ${word}`;
  world.note({ kind: 'readFailed', client, atMs: monotonicMs(), code: said });
}
