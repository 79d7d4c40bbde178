// Takes a backup from the first node that gives one. What has begun is not continued at another node: its bytes would be others.
import type { ServiceError } from '@grpc/grpc-js';
import type { SnapshotChunk__Output } from '../rpc/gen/rollcall/v1/SnapshotChunk.ts';
import { ClientError, clientErrorFrom } from './client-error.ts';
import type { RegistryClient } from './registry-client.ts';

/** A node without a quorum says so within 2 s; for the rest it may have to wait for its disk. */
const FIRST_PART_MS = 15_000;
const NEXT_PART_MS = 30_000;

/** Yields the bytes of the backup. Throws ClientError when no endpoint gives one, and when one breaks off. */
export async function* takeBackup(
  client: RegistryClient,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: ClientError | undefined;
  for (const endpoint of client.endpoints) {
    let begun = false;
    try {
      for await (const part of takeFrom(client, endpoint, signal)) {
        begun = true;
        yield part;
      }
      return;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (begun || signal.aborted || error.fate === 'final') throw error;
      // What a node says tells more than that another one cannot be reached.
      if (failure === undefined || failure.unreachable) failure = error;
    }
  }
  throw failure ?? new ClientError('no endpoint', { fate: 'final', status: 'INVALID_ARGUMENT' });
}

async function* takeFrom(
  client: RegistryClient,
  endpoint: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const call = client.clusterStub(endpoint).saveSnapshot({});
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const parts = (call as AsyncIterable<SnapshotChunk__Output>)[Symbol.asyncIterator]();
  try {
    for (let patienceMs = FIRST_PART_MS; ; patienceMs = NEXT_PART_MS) {
      const { value, done } = await inTime(client, endpoint, parts.next(), patienceMs);
      if (done === true) return;
      yield value.data;
    }
  } catch (error) {
    throw isServiceError(error) ? clientErrorFrom(error, endpoint) : error;
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel();
    await parts.return?.().catch(() => undefined);
  }
}

async function inTime<T>(
  { runtime }: RegistryClient,
  endpoint: string,
  next: Promise<T>,
  patienceMs: number,
): Promise<T> {
  const over = new AbortController();
  const late = runtime.sleep(patienceMs, over.signal).then(() => {
    if (over.signal.aborted) return next;
    const message = `${endpoint} sent nothing for ${patienceMs} ms`;
    throw new ClientError(message, { fate: 'retry', status: 'DEADLINE_EXCEEDED' });
  });
  try {
    return await Promise.race([next, late]);
  } finally {
    over.abort();
    next.catch(() => undefined);
    late.catch(() => undefined);
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
