// G5 as a property: whatever is written and however readers read, block and resume, on this node or another, what a
// reader holds is what its selector shows of the state at the message's revision.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Applied,
  createRegistryLoader,
  type Registry,
  type Selector,
} from '../../src/registry/index.ts';
import { selector } from './catalogue.ts';
import { Reader, type SeenChange, viewOf, WatchWorld } from './watch-world.ts';

const SELECTORS: readonly Selector[] = [
  selector(),
  selector({ services: ['s0'] }),
  selector({ services: ['s0', 's1'], healthyOnly: true }),
  selector({ namespace: '*', statuses: ['draining'] }),
  selector({ namespace: '*', services: ['s1'] }),
];
const IDS = ['a', 'b', 'c', 'd'] as const;
const READERS = 4;

type Step =
  | {
      readonly kind: 'register';
      readonly ids: readonly string[];
      readonly service: string;
      readonly port: number;
    }
  | { readonly kind: 'deregister'; readonly id: string }
  | { readonly kind: 'drain'; readonly id: string }
  | { readonly kind: 'maintain'; readonly id: string; readonly on: boolean }
  | { readonly kind: 'turn' }
  | { readonly kind: 'room'; readonly reader: number; readonly messages: number }
  | {
      readonly kind: 'resume';
      readonly reader: number;
      readonly node: number;
      readonly room: number;
    }
  | { readonly kind: 'lag'; readonly node: number; readonly groups: number }
  | { readonly kind: 'snapshot'; readonly node: number }
  | { readonly kind: 'wait' };

const kind = <K extends Step['kind']>(name: K) => fc.constant(name);
const id = fc.constantFrom(...IDS);
const reader = fc.nat(READERS - 1);
const node = fc.nat(1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind('register'),
      ids: fc.subarray([...IDS], { minLength: 1 }),
      service: fc.constantFrom('s0', 's1', 's2'),
      port: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: kind('deregister'), id }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('drain'), id }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('maintain'), id, on: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('turn') }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: kind('room'), reader, messages: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('resume'),
      reader,
      node,
      room: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('lag'), node, groups: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: kind('snapshot'), node }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('wait') }) },
);

/** Two nodes that apply the same log, the second one later if it is told to lag; and readers that move between them. */
class Drill {
  readonly nodes: readonly WatchWorld[];
  readonly readers: {
    reader: Reader;
    node: number;
    readonly selector: Selector;
    checked: number;
  }[] = [];
  /** The view of each selector at each revision, written down when the first node reaches it. */
  readonly views: Map<string, number>[][] = [];
  readonly log: ((world: WatchWorld) => Applied)[] = [];
  readonly applied = [0, 0];
  readonly lagging = [0, 0];
  /** The records of each node, as its state store has them. */
  readonly stored = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()];
  merged = 0;
  resets = 0;
  snapshots = 0;
  exact = 0;

  constructor(ringChanges: number) {
    const limits = { ringChanges, mergeBehind: 2, messageBytes: 900 };
    this.nodes = [new WatchWorld(limits), new WatchWorld(limits)];
    for (const { registry } of this.nodes) this.note(registry);
    for (let nth = 0; nth < READERS; nth++) {
      const chosen = SELECTORS[nth % SELECTORS.length] ?? selector();
      this.readers.push({ reader: new Reader(3), node: 0, selector: chosen, checked: 0 });
      this.open(nth, 0, '', 3);
    }
  }

  note(registry: Registry): void {
    this.views[registry.revision] ??= SELECTORS.map((each) => viewOf(registry, each));
  }

  open(nth: number, onNode: number, token: string, room: number): void {
    const seat = this.readers[nth];
    if (seat === undefined) return;
    seat.reader.cursor?.close();
    const next = new Reader(room);
    // The client keeps what it held, and the order of revisions goes on.
    for (const [key, value] of seat.reader.state) next.state.set(key, value);
    const { last } = seat.reader;
    if (last !== undefined && token !== '') next.received.push({ ...last, more: false });
    seat.checked = next.received.length;
    seat.node = onNode;
    seat.reader = next;
    this.nodes[onNode]?.open(seat.selector, token, next);
  }

  write(command: (world: WatchWorld) => Applied): void {
    this.log.push(command);
    this.catchUp(0);
    this.catchUp(1);
  }

  catchUp(onNode: number): void {
    const world = this.nodes[onNode];
    if (world === undefined) return;
    for (const command of this.log.slice(this.applied[onNode])) {
      if (this.lagging[onNode]) {
        this.lagging[onNode] = (this.lagging[onNode] ?? 0) - 1;
        return;
      }
      const applied = command(world);
      this.applied[onNode] = (this.applied[onNode] ?? 0) + 1;
      for (const { key, value } of world.registry.takeDirty()) {
        if (value === undefined) this.stored[onNode]?.delete(key);
        else this.stored[onNode]?.set(key, value);
      }
      if (applied.group === undefined) continue;
      this.note(world.registry);
      world.publish(applied);
    }
  }

  /** A node that lags gets the state of the other one at once. */
  snapshot(onNode: number): void {
    const [world, other, content] = [
      this.nodes[onNode],
      this.nodes[1 - onNode],
      this.stored[1 - onNode],
    ];
    const ahead = this.applied[1 - onNode] ?? 0;
    if (world === undefined || other === undefined || ahead <= (this.applied[onNode] ?? 0)) return;
    const loader = createRegistryLoader();
    loader.add([...(content ?? [])].map(([key, value]) => ({ key, value })));
    const loaded = loader.finish(other.registry.meta());
    if (loaded === undefined) throw new Error('the records are those of the hash');
    world.registry.replace(loaded);
    world.hub.restart();
    this.stored[onNode] = new Map(content);
    this.applied[onNode] = ahead;
    this.lagging[onNode] = 0;
    this.snapshots++;
  }

  /** Every message since the last check leaves its reader with the view at its revision; exact streams skip nothing. */
  check(): void {
    for (const seat of this.readers) {
      const { received, state } = seat.reader;
      const which = SELECTORS.indexOf(seat.selector);
      const last = received.at(-1);
      for (; seat.checked < received.length; seat.checked++) {
        const seen = received[seat.checked];
        const previous = received[seat.checked - 1];
        if (seen === undefined) continue;
        if (seen.reset) this.resets++;
        else if (previous !== undefined && seen.changes.length > 0 && !previous.more) {
          this.account(which, previous.revision, seen.revision, seen.changes);
        }
      }
      if (last === undefined || last.more) continue;
      expect(state).toEqual(this.views[last.revision]?.[which]);
    }
  }

  /** Between two messages of a stream that is no reset: either one revision that shows something, or a merged message. */
  account(which: number, from: number, to: number, changes: readonly SeenChange[]): void {
    let shown = 0;
    for (let at = from + 1; at <= to; at++) {
      if (!sameView(this.views[at - 1]?.[which], this.views[at]?.[which])) shown++;
    }
    expect(shown, 'a message tells of something').toBeGreaterThan(0);
    expect(sameView(this.views[to - 1]?.[which], this.views[to]?.[which])).toBe(false);
    if (shown === 1) this.exact++;
    else this.merged++;
    const keys = changes.map(
      ({ kind: what, namespace, service, id: name }) => `${what} ${namespace}/${service}/${name}`,
    );
    expect(new Set(keys).size, 'no change is told twice in a message').toBe(keys.length);
  }

  take(move: Step): void {
    switch (move.kind) {
      case 'register':
        return this.write(({ catalogue }) =>
          catalogue.register(
            ...move.ids.map((name) => ({ id: name, service: move.service, port: move.port })),
          ),
        );
      case 'deregister':
        return this.write(({ catalogue }) => catalogue.deregister(move.id));
      case 'drain':
        return this.write(({ catalogue }) => catalogue.setLifecycle(move.id, 'draining'));
      case 'maintain':
        return this.write(({ catalogue }) => catalogue.setMaintenance(move.id, move.on));
      case 'turn':
        for (const world of this.nodes) world.clock.turn();
        return undefined;
      case 'room':
        return this.readers[move.reader]?.reader.drain(move.messages);
      case 'resume':
        return this.open(
          move.reader,
          move.node,
          this.readers[move.reader]?.reader.last?.resumeToken ?? '',
          move.room,
        );
      case 'lag':
        this.lagging[move.node] = move.groups;
        return undefined;
      case 'snapshot':
        return this.snapshot(move.node);
      case 'wait':
        for (const world of this.nodes) {
          world.clock.pass(4000);
          world.hub.tick(world.clock.now());
        }
        return undefined;
    }
  }

  /** Faults end: both nodes catch up, everybody reads on. */
  finish(): void {
    this.lagging.fill(0);
    this.catchUp(0);
    this.catchUp(1);
    for (let rounds = 0; rounds < 50; rounds++) {
      for (const { reader: each } of this.readers) each.drain(5);
      for (const world of this.nodes) world.clock.rest();
    }
    for (const world of this.nodes) {
      world.clock.pass(5000);
      world.hub.tick(world.clock.now());
      world.clock.rest();
    }
    this.check();
    const final = this.nodes[0]?.registry.revision;
    // G6: every open stream has reached the last revision, by a change or a progress mark.
    for (const seat of this.readers) expect(seat.reader.last?.revision).toBe(final);
  }
}

function sameView(
  one: Map<string, number> | undefined,
  other: Map<string, number> | undefined,
): boolean {
  if (one === undefined || other === undefined || one.size !== other.size) return false;
  return [...one].every(([key, value]) => other.get(key) === value);
}

test('G5, G6: every stream adds up to the state at its revisions, across blockages, resumes and nodes', () => {
  const reached = { exact: 0, merged: 0, resets: 0, snapshots: 0 };
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 30, maxLength: 120 }),
      fc.constantFrom(4, 12, 1000),
      (steps, ringChanges) => {
        const drill = new Drill(ringChanges);
        for (const move of steps) {
          drill.take(move);
          drill.check();
        }
        drill.finish();
        reached.exact += drill.exact;
        reached.merged += drill.merged;
        reached.resets += drill.resets;
        reached.snapshots += drill.snapshots;
      },
    ),
    { numRuns: 400 },
  );
  // The schedules reach what they are about.
  expect(reached.exact).toBeGreaterThan(2000);
  expect(reached.merged).toBeGreaterThan(100);
  expect(reached.resets).toBeGreaterThan(1500);
  expect(reached.snapshots).toBeGreaterThan(100);
});
