// Partitions: paths between nodes that pass nothing, silently, as where a switch is dead. Clients reach every node all the time.
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../../src/lib/random.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, type Fault, NoEffect, type Strike, ofOne } from './fault.ts';
import { expectEffect, idsOf, leaderSeenBy, takeFollower, takeLeader } from './node-state.ts';
import { between, type Path } from './path-cuts.ts';

interface Cut {
  readonly paths: readonly Path[];
  readonly what: string;
  /** The nodes it strikes: no other fault may. */
  readonly struck: readonly ArenaNode[];
  readonly gap: Strike['gap'];
  /** One of each side, where the two sides must come to see different leaders. */
  readonly sides?: readonly [ArenaNode, ArenaNode];
}

const minority = (nodes: number): number => Math.floor((nodes - 1) / 2);

const cutting = {
  needs: ['network'],
  lastsMs: (random: Random) => random.integer(1500, 6000),
  ...ofOne,
} as const satisfies Partial<Fault>;

/** What each node has dropped so far. */
type Drops = ReadonlyMap<ArenaNode, number>;

/** The deaf ends of these paths that must drop something: those that another fault holds may be down, or not be members yet. */
async function dropsBefore(field: Battlefield, paths: readonly Path[]): Promise<Drops> {
  const ends = [...new Set(paths.map(({ at }) => at))];
  const free = field.free().filter((node) => ends.includes(node));
  return dropsOf(free.length > 0 ? free : ends);
}

async function dropsOf(nodes: Iterable<ArenaNode>): Promise<Drops> {
  const drops = [...nodes].map(async (node) => [node, await node.network.dropped()] as const);
  return new Map(await Promise.all(drops));
}

/** Each of them must have dropped something since; says how much. */
async function expectDrops(before: Drops): Promise<string> {
  let words = '';
  await expectEffect('packets to be dropped at every deaf end', 3000, async () => {
    const now = await dropsOf(before.keys());
    const rises = [...now].map(
      ([node, count]) => [node.id, count - (before.get(node) ?? 0)] as const,
    );
    words = rises.map(([id, rise]) => `${rise} at ${id}`).join(', ');
    return rises.every(([, rise]) => rise > 0);
  });
  return `dropped ${words}`;
}

async function expectDifferentViews([one, two]: readonly [ArenaNode, ArenaNode]): Promise<string> {
  let words = '';
  await expectEffect(`${one.id} and ${two.id} to see different leaders`, 4000, async () => {
    const [first, second] = await Promise.all([leaderSeenBy(one), leaderSeenBy(two)]);
    words = `${one.id} sees ${first}, ${two.id} sees ${second}`;
    return first !== second;
  });
  return words;
}

async function strikeCut(field: Battlefield, cut: Cut): Promise<Strike> {
  const { paths, what, struck, gap, sides } = cut;
  const before = await dropsBefore(field, paths);
  const atMs = monotonicMs();
  await field.cuts.cut(paths);
  return {
    what,
    nodes: idsOf(struck),
    holds: idsOf(struck),
    atMs,
    gap,
    heal: async () => {
      try {
        const dropped = await expectDrops(before);
        if (sides === undefined) return dropped;
        return `${dropped}; ${await expectDifferentViews(sides)}`;
      } finally {
        await field.cuts.mend(paths);
      }
    },
  };
}

const without = (nodes: readonly ArenaNode[], left: readonly ArenaNode[]): readonly ArenaNode[] =>
  nodes.filter((node) => !left.includes(node));

/** Some of them, as many as wanted, drawn without repeats. */
function drawSome(random: Random, nodes: readonly ArenaNode[], count: number): ArenaNode[] {
  const left = [...nodes];
  const drawn: ArenaNode[] = [];
  while (drawn.length < count && left.length > 0) {
    drawn.push(...left.splice(random.integer(0, left.length), 1));
  }
  return drawn;
}

export const isolateLeader: Fault = {
  kind: 'isolateLeader',
  ...cutting,
  strike: async (field) => {
    const leader = await takeLeader(field);
    const others = without(field.arena.nodes, [leader]);
    const [witness = leader] = without(field.free(), [leader]);
    return strikeCut(field, {
      paths: between([leader], others),
      what: `${leader.id}, the leader, cut off from all others`,
      struck: [leader],
      gap: 'partition',
      sides: [leader, witness],
    });
  },
};

export const split: Fault = {
  kind: 'split',
  ...cutting,
  takes: minority,
  strike: async (field) => {
    const { random } = field;
    const leader = await takeLeader(field);
    const withLeader = random.next() < 0.5;
    const most = Math.max(1, minority(field.arena.nodes.length));
    const size = random.integer(1, most + 1);
    const followers = drawSome(
      random,
      without(field.free(), [leader]),
      withLeader ? size - 1 : size,
    );
    const side = withLeader ? [leader, ...followers] : followers;
    const other = without(field.arena.nodes, side);
    const [one, two] = [side[0], without(field.free(), side)[0]];
    return strikeCut(field, {
      paths: between(side, other),
      what: `${idsOf(side).join(' and ')} ${withLeader ? 'with' : 'without'} the leader on the one side, ${idsOf(other).join(', ')} on the other`,
      struck: side,
      gap: withLeader ? 'partition' : undefined,
      ...(one === undefined || two === undefined ? {} : { sides: [one, two] }),
    });
  },
};

export const partial: Fault = {
  kind: 'partial',
  ...cutting,
  strike: async (field) => {
    const one = field.random.next() < 0.5 ? await takeLeader(field) : await takeFollower(field);
    const [two = one] = drawSome(field.random, without(field.free(), [one]), 1);
    return strikeCut(field, {
      paths: between([one], [two]),
      what: `${one.id} and ${two.id} do not hear each other, both hear the rest`,
      struck: [one, two],
      gap: undefined,
    });
  },
};

export const oneWay: Fault = {
  kind: 'oneWay',
  ...cutting,
  strike: async (field) => {
    const leader = await takeLeader(field);
    const others = without(field.arena.nodes, [leader]);
    const deaf = field.random.next() < 0.5;
    return strikeCut(field, {
      paths: others.map((other) =>
        deaf ? { from: other, at: leader } : { from: leader, at: other },
      ),
      what: deaf
        ? `${leader.id}, the leader, is heard and hears nobody`
        : `${leader.id}, the leader, hears all and is heard by nobody`,
      struck: [leader],
      gap: undefined,
    });
  },
};

export const bridge: Fault = {
  kind: 'bridge',
  ...cutting,
  takes: minority,
  strike: async (field) => {
    const { nodes } = field.arena;
    const hub = field.random.next() < 0.5 ? await takeLeader(field) : await takeFollower(field);
    const others = without(nodes, [hub]);
    const side = drawSome(field.random, others, Math.floor(others.length / 2));
    const other = without(others, side);
    return strikeCut(field, {
      paths: between(side, other),
      what: `${idsOf(side).join(' and ')} | ${idsOf(other).join(' and ')}, and ${hub.id} hears both sides`,
      struck: others,
      gap: undefined,
    });
  },
};

/** A link that comes and goes: cut and whole again until it is healed. */
async function flapOf(
  field: Battlefield,
  paths: readonly Path[],
  everyMs: number,
  until: AbortSignal,
): Promise<number> {
  let flaps = 0;
  while (!until.aborted) {
    await field.cuts.cut(paths);
    try {
      await delay(everyMs);
    } finally {
      await field.cuts.mend(paths);
    }
    flaps++;
    await delay(everyMs);
  }
  return flaps;
}

export const flap: Fault = {
  kind: 'flap',
  needs: ['network'],
  ...ofOne,
  lastsMs: (random) => random.integer(3000, 8000),
  strike: async (field) => {
    const node = field.random.next() < 0.5 ? await takeLeader(field) : await takeFollower(field);
    const paths = between([node], without(field.arena.nodes, [node]));
    const everyMs = field.random.integer(100, 900);
    const before = await dropsBefore(field, paths);
    const stop = new AbortController();
    const atMs = monotonicMs();
    const flapping = flapOf(field, paths, everyMs, AbortSignal.any([stop.signal, field.signal]));
    flapping.catch(() => undefined);
    return {
      what: `${node.id} cut off and back every ${everyMs} ms`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: undefined,
      heal: async () => {
        stop.abort();
        const flaps = await flapping;
        if (flaps < 2) throw new NoEffect(`${node.id} was cut off ${flaps} times only`);
        return `cut off ${flaps} times, ${await expectDrops(before)}`;
      },
    };
  },
};

export const loss: Fault = {
  kind: 'loss',
  needs: ['network'],
  alone: false,
  takes: () => 0,
  lastsMs: (random) => random.integer(3000, 8000),
  strike: async (field) => {
    const free = field.free();
    const some = free.length > 0 ? free : field.arena.nodes;
    const nodes = drawSome(field.random, some, field.random.integer(1, 3));
    const share = field.random.integer(5, 31) / 100;
    const before = await dropsOf(nodes);
    const atMs = monotonicMs();
    await Promise.all(nodes.map((node) => node.network.lose(share)));
    return {
      what: `${(share * 100).toFixed(0)} % of the packets to ${idsOf(nodes).join(', ')} lost`,
      nodes: idsOf(nodes),
      holds: [],
      atMs,
      gap: undefined,
      heal: async () => {
        try {
          return await expectDrops(before);
        } finally {
          await Promise.all(nodes.map((node) => node.network.lose(0)));
        }
      },
    };
  },
};
