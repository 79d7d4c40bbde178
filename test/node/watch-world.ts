// A node's registry and hub, and readers that fold what they are told and check it on the way.
import { pino } from 'pino';
import { expect } from 'vitest';
import type { RegistryError } from '../../src/lib/registry-error.ts';
import { revision } from '../../src/lib/ids.ts';
import type {
  ProjectedChange,
  WatchCursor,
  WatchFormat,
  WatchHub,
  WatchMessage,
  WatchPublisher,
  WatchSink,
} from '../../src/node/watch-hub.ts';
import { createWatchHub, type WatchLimits } from '../../src/node/watch-publisher.ts';
import { type Applied, matches, type Registry, type Selector } from '../../src/registry/index.ts';
import { type Catalogue, createCatalogue, selector } from './catalogue.ts';
import { TurnClock } from './turn-clock.ts';

const CLUSTER = '0123456789abcdef0123456789abcdef';

/** A message as a reader sees it. */
export interface Seen extends Omit<WatchMessage, 'changes'> {
  readonly changes: readonly SeenChange[];
  readonly bytes: number;
}
export interface SeenChange {
  readonly kind: 'put' | 'remove';
  readonly namespace: string;
  readonly service: string;
  readonly id: string;
  /** Of a put: the record's revision. */
  readonly revision: number;
  readonly reason: string;
}

/** JSON, padded with the record's bytes so that sizes are as on the real wire, and counted. */
class CountingFormat implements WatchFormat {
  changes = 0;
  messages = 0;

  encodeChange(change: ProjectedChange): Uint8Array {
    this.changes++;
    const isPut = change.kind === 'put';
    const seen: SeenChange = {
      kind: change.kind,
      namespace: isPut ? change.record.namespace : change.namespace,
      service: isPut ? change.record.serviceName : change.serviceName,
      id: isPut ? change.record.instanceId : change.instanceId,
      revision: isPut ? change.record.revision : 0,
      reason: change.reason,
    };
    return Buffer.from(JSON.stringify(seen));
  }

  encodeMessage({ changes, ...message }: WatchMessage): Uint8Array {
    this.messages++;
    const texts = changes.map((change) => Buffer.from(change).toString());
    return Buffer.from(`${JSON.stringify(message)}\n[${texts.join(',')}]`);
  }
}

export class Reader implements WatchSink {
  readonly received: Seen[] = [];
  readonly raw: Uint8Array[] = [];
  /** What the messages add up to: revision of each visible instance, by namespace/service/id. */
  readonly state = new Map<string, number>();
  ended: RegistryError | undefined;
  /** Messages it takes before it says stop; each `drain` gives it room anew. */
  room: number;
  cursor: WatchCursor | undefined;
  #midReset = false;

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room;
  }

  get last(): Seen | undefined {
    return this.received.at(-1);
  }

  write(message: Uint8Array): boolean {
    expect(this.ended, 'nothing follows the end').toBeUndefined();
    expect(this.room, 'nothing is written to a full sink').toBeGreaterThan(0);
    this.raw.push(message);
    const [head = '', changes = ''] = Buffer.from(message).toString().split('\n');
    const seen: Seen = {
      ...(JSON.parse(head) as Omit<WatchMessage, 'changes'>),
      changes: JSON.parse(changes) as SeenChange[],
      bytes: message.length,
    };
    this.#fold(seen);
    return --this.room > 0;
  }

  end(error: RegistryError): void {
    this.ended = error;
  }

  drain(room: number): void {
    if (this.room > 0 || this.cursor === undefined) return;
    this.room = room;
    this.cursor.drained();
  }

  #fold(seen: Seen): void {
    const before = this.last;
    const continues = this.#midReset && !seen.reset;
    if (before !== undefined && continues) expect(seen.revision).toBe(before.revision);
    else if (before !== undefined && seen.changes.length > 0 && !seen.reset) {
      expect(seen.revision, 'revisions rise (G5)').toBeGreaterThan(before.revision);
    } else if (before !== undefined) {
      expect(seen.revision, 'revisions never fall (G5)').toBeGreaterThanOrEqual(before.revision);
    }
    if (seen.reset) this.state.clear();
    for (const change of seen.changes) {
      const key = `${change.namespace}/${change.service}/${change.id}`;
      if (change.kind === 'remove') {
        expect(this.state.delete(key), `only what is held is removed: ${key}`).toBe(true);
      } else {
        this.state.set(key, change.revision);
      }
    }
    this.#midReset = seen.more;
    this.received.push(seen);
  }
}

export class WatchWorld {
  readonly clock = new TurnClock();
  readonly catalogue: Catalogue;
  readonly hub: WatchHub & WatchPublisher;
  readonly format = new CountingFormat();

  constructor(limits: Partial<WatchLimits> = {}, clusterUuid = CLUSTER, before?: Catalogue) {
    this.catalogue = before ?? createCatalogue();
    this.hub = createWatchHub({
      registry: this.catalogue.registry,
      clock: this.clock,
      limits: { ringChanges: 1000, maxWatches: 1000, messageBytes: 3 * 1024 * 1024, ...limits },
      clusterUuid: () => clusterUuid,
      log: pino({ enabled: false }),
    });
  }

  get registry(): Registry {
    return this.catalogue.registry;
  }

  publish(...all: readonly Applied[]): void {
    for (const { group } of all) if (group !== undefined) this.hub.publish(group);
  }

  open(parts: Partial<Selector> = {}, resumeToken = '', reader = new Reader()): Reader {
    reader.cursor = this.hub.open({
      selector: selector(parts),
      resumeToken,
      format: this.format,
      sink: reader,
      acknowledges: false,
    });
    return reader;
  }

  /** Opens and takes the first turns. */
  watch(parts: Partial<Selector> = {}, resumeToken = '', reader = new Reader()): Reader {
    this.open(parts, resumeToken, reader);
    this.clock.rest();
    return reader;
  }
}

/** What a selector shows of a registry, as a reader holds it. */
export function viewOf(registry: Registry, parts: Selector): Map<string, number> {
  const view = new Map<string, number>();
  for (const record of registry.records()) {
    const { namespace, serviceName, instanceId } = record;
    if (matches(parts, record))
      view.set(`${namespace}/${serviceName}/${instanceId}`, record.revision);
  }
  return view;
}

export const at = revision;
