// Reads of the simulated clients at every consistency: single instances, lists, and walks through pages on changing nodes.
import { type Revision, revision } from '../../src/lib/ids.ts';
import type { Random } from '../../src/lib/random.ts';
import type { Consistency, RegistryNode } from '../../src/node/registry-node.ts';
import type { InstanceRecord, ListPosition, Selector } from '../../src/registry/index.ts';
import type { ReadRecord } from '../checkers/history.ts';
import { contentOf, valueOf } from './record-text.ts';
import { anyMachine, type ClientWorld, type Session } from './session.ts';

const READ_TIMEOUT_MS = 2500;
const MAX_PAGES = 40;
const MAX_STALENESS_MS = 300;

export const everything: Selector = {
  namespace: 'default',
  services: [],
  healthyOnly: false,
  tags: [],
  metadata: new Map(),
  zone: '',
  region: '',
  version: '',
  statuses: [],
};

interface Wanted {
  readonly consistency: Consistency;
  readonly service?: string;
  readonly instanceId?: string;
}

interface Found {
  readonly revision: Revision;
  readonly records: readonly InstanceRecord[];
}

export async function read(
  world: ClientWorld,
  session: Session,
  random: Random,
  wanted: Wanted,
): Promise<void> {
  const { timeline, door, coverage } = world;
  const { consistency } = wanted;
  const minRevision = random.next() < 0.6 ? session.seen : revision(0);
  const invokedAtMs = timeline.nowMs;
  const machine = anyMachine(world, random);
  if (consistency === 'linearizable') {
    world.records.readsBegun.push({ node: machine.id, atMs: invokedAtMs });
  }
  const reply = await door.call(machine, READ_TIMEOUT_MS, async (node) => {
    await node.read({ consistency, minRevision, maxStalenessMs: MAX_STALENESS_MS });
    if (machine.lacksState)
      world.blame('G13', `${machine.id} serves while its state is on its way`);
    return look(node, wanted);
  });
  if (reply.kind !== 'value') {
    coverage.count('readFailures');
    return;
  }
  coverage.count(
    consistency === 'linearizable'
      ? 'linearizableReads'
      : consistency === 'bounded'
        ? 'boundedReads'
        : 'staleReads',
  );
  session.saw(reply.value.revision);
  const maxStalenessMs = MAX_STALENESS_MS;
  note(world, session, { ...wanted, minRevision, maxStalenessMs, invokedAtMs }, reply.value);
}

/** In the turn of the permit. */
function look(node: RegistryNode, { service, instanceId }: Wanted): Found {
  const { registry } = node;
  if (instanceId !== undefined) {
    const record = registry.get('default', instanceId);
    return { revision: registry.revision, records: record === undefined ? [] : [record] };
  }
  const selector = service === undefined ? everything : { ...everything, services: [service] };
  const { records } = registry.list(selector, undefined, { count: 1000, bytes: 1 << 20 });
  return { revision: registry.revision, records };
}

type Asked = Wanted & Pick<ReadRecord, 'minRevision' | 'maxStalenessMs' | 'invokedAtMs'>;

function note(world: ClientWorld, session: Session, asked: Asked, found: Found): void {
  const record: ReadRecord = {
    client: session.name,
    ...asked,
    returnedAtMs: world.timeline.nowMs,
    revision: found.revision,
    instances: new Map(found.records.map((one) => [one.instanceId, contentOf(one)])),
    values: new Map(found.records.map((one) => [one.instanceId, valueOf(one)])),
  };
  const values = [...record.values].map(([id, value]) => `${id}: ${value}`).join(', ');
  world.tell(session.name, `read ${asked.consistency} at ${found.revision}: ${values}`);
  world.records.reads.push(record);
}

/** Every page on another node; all of them are of the revision of the first. */
export async function walk(
  world: ClientWorld,
  session: Session,
  random: Random,
  pageSize: number,
): Promise<void> {
  const { timeline, door, coverage } = world;
  const invokedAtMs = timeline.nowMs;
  const records: InstanceRecord[] = [];
  let at: Revision | undefined;
  let after: ListPosition | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const from = at;
    const behind = after;
    const reply = await door.call(anyMachine(world, random), READ_TIMEOUT_MS, async (node) => {
      const consistency = from === undefined ? 'linearizable' : 'stale';
      const minRevision = from ?? revision(0);
      await node.read({ consistency, minRevision, maxStalenessMs: MAX_STALENESS_MS });
      return pageOf(node, from, behind, pageSize);
    });
    if (reply.kind !== 'value' || reply.value === undefined) {
      coverage.count('walksCutShort');
      return;
    }
    at = reply.value.revision;
    records.push(...reply.value.records);
    session.saw(at);
    if (!reply.value.more) {
      coverage.count('walksFinished');
      const asked = { consistency: 'linearizable', minRevision: 0, invokedAtMs } as const;
      note(world, session, asked, { revision: at, records });
      return;
    }
    after = reply.value.records.at(-1);
  }
}

/** As the doors cut pages: undone to the walk's revision from the ring, undefined where that no longer reaches back. */
function pageOf(
  node: RegistryNode,
  at: Revision | undefined,
  after: ListPosition | undefined,
  count: number,
): (Found & { readonly more: boolean }) | undefined {
  const { registry, watches } = node;
  const wanted = at ?? registry.revision;
  const undo = wanted === registry.revision ? undefined : watches.changesAbove(wanted);
  if (undo === undefined && wanted !== registry.revision) return undefined;
  const { records, more } = registry.list(everything, after, { count, bytes: 1 << 20 }, undo);
  return { revision: wanted, records, more };
}
