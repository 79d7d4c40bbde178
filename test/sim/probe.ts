// A write and a linearizable read through one node, in calm weather: both must succeed (G15).
import { revision } from '../../src/lib/ids.ts';
import type { Machine } from './machine.ts';
import type { ClientWorld } from './session.ts';

const TIMEOUT_MS = 1000;
/** G15 allows 5 s. A node whose writes are all waiting to learn what became of them refuses more for 1.5 s. */
const PATIENCE_MS = 3500;
const RETRY_MS = 200;

/** What failed, in words; undefined: nothing. A node that was just being restarted is asked again. */
export async function probe(world: ClientWorld, machine: Machine): Promise<string | undefined> {
  const { timeline, coverage } = world;
  const untilMs = timeline.nowMs + PATIENCE_MS;
  for (;;) {
    const failed = await probeOnce(world, machine);
    if (failed === undefined) {
      coverage.count('probes');
      return undefined;
    }
    if (timeline.nowMs > untilMs) return failed;
    await timeline.sleep(RETRY_MS, undefined, 'probe again');
  }
}

async function probeOnce({ door }: ClientWorld, machine: Machine): Promise<string | undefined> {
  const wrote = await door.call(machine, TIMEOUT_MS, (node) =>
    node.write(
      {
        kind: 'deregister',
        namespace: 'default',
        instanceId: 'nobody',
        generation: revision(0),
        reason: '',
      },
      { requestId: '', actor: 'probe' },
    ),
  );
  if (wrote.kind !== 'value') return `${machine.id} did not serve a write: ${wordsOf(wrote)}`;
  const read = await door.call(machine, TIMEOUT_MS, (node) =>
    node.read({ consistency: 'linearizable', minRevision: revision(0), maxStalenessMs: 0 }),
  );
  if (read.kind !== 'value') return `${machine.id} did not serve a read: ${wordsOf(read)}`;
  return undefined;
}

const wordsOf = (reply: { readonly kind: string; readonly error?: Error }): string =>
  reply.error === undefined ? reply.kind : reply.error.message;
