// Many readers who connect at the same moment with the token of one watcher, as after an outage of the network between them
// and the registry. What each is told first, on top of what the watcher held, is recorded as a read of everything.
import { present } from '../../../src/lib/assert.ts';
import type { WatchResponse__Output } from '../../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import { registryClient } from '../../support/grpc-client.ts';
import { recordMessage } from '../../support/grpc-records.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ClientWorld } from './client-world.ts';
import { applyMessage, type Held } from './watcher.ts';

/** A reader that was refused, or whose node is gone, tries the next one until then. */
const PATIENCE_MS = 30_000;
const ATTEMPT_MS = 6000;
const RETRY_MS = 50;
/** The others are told the same; their answers are counted. */
const RECORDED = 10;

let herds = 0;

/** Resolves once each of them was answered; false where one gave up. */
export async function gatherHerd(
  world: ClientWorld,
  held: Held | undefined,
  count: number,
): Promise<boolean> {
  const herd = `${world.settings.name}.herd${herds++}`;
  const { endpoints } = world.nodes;
  const readers = Array.from({ length: count }, async (_, number): Promise<boolean> => {
    const giveUpMs = monotonicMs() + PATIENCE_MS;
    for (let position = number; monotonicMs() < giveUpMs; position++) {
      const endpoint = present(endpoints[position % endpoints.length], 'there is a node');
      const recorded = number < RECORDED ? `${herd}.${number}` : undefined;
      if (await glance(world, endpoint, held, recorded)) return true;
      await world.work.pauseThrough(RETRY_MS);
    }
    const atMs = monotonicMs();
    world.note({ kind: 'readFailed', client: `${herd}.${number}`, atMs, code: 'herd gave up' });
    return false;
  });
  return (await Promise.all(readers)).every((answered) => answered);
}

/** One stream until its first whole message. False where it ended before. */
function glance(
  world: ClientWorld,
  endpoint: string,
  held: Held | undefined,
  recordedAs: string | undefined,
): Promise<boolean> {
  const invokedAtMs = monotonicMs();
  const client = registryClient(endpoint);
  const stream = client.watch();
  const instances = new Map(held?.instances);
  return new Promise((resolve) => {
    const leave = (answered: boolean): void => {
      clearTimeout(timer);
      stream.removeAllListeners('data');
      stream.cancel();
      client.close();
      resolve(answered);
    };
    const timer = setTimeout(() => leave(false), ATTEMPT_MS);
    // A cancelled stream ends with an error, too; the second end changes nothing.
    stream.on('error', () => leave(false));
    stream.on('end', () => leave(false));
    stream.on('data', (answer: WatchResponse__Output) => {
      const message = recordMessage(answer, monotonicMs());
      applyMessage(instances, message);
      if (message.more) return;
      world.tally.messages++;
      if (held !== undefined) world.tally.resumes++;
      if (recordedAs !== undefined) {
        const { atMs: returnedAtMs, revision } = message;
        const minRevision = held?.revision ?? 0;
        const told = [...instances];
        world.note({
          kind: 'read',
          read: {
            client: recordedAs,
            consistency: 'stale',
            invokedAtMs,
            returnedAtMs,
            minRevision,
            revision,
            instances: told,
            values: [],
          },
        });
      }
      leave(true);
    });
    stream.write({
      selector: {},
      resume_token: held?.token ?? '',
      read: { consistency: 'STALE' },
    });
  });
}
