// Paths between nodes: cut in one direction, thinned, and whole again.
import { present } from '../../../../src/lib/assert.ts';
import type { Arena, ArenaNode } from '../arena.ts';
import { arrivals } from './datagrams.ts';
import { type Check, expect, leaderOf } from './ground.ts';

function threeOf(arena: Arena): readonly [ArenaNode, ArenaNode, ArenaNode] {
  const [one, two, three] = arena.nodes;
  const why = 'the arena has three nodes';
  return [present(one, why), present(two, why), present(three, why)];
}

const oneWay: Check = {
  title: 'a deaf node hears the others but the one, and is heard',
  needs: ['network'],
  run: async (arena) => {
    const [one, two, three] = threeOf(arena);
    const before = await Promise.all(arena.nodes.map((node) => node.network.dropped()));
    await one.network.deafen(two);
    const lost = await arrivals(two, one, 50);
    const others = [await arrivals(one, two, 50), await arrivals(three, one, 50)];
    await one.status();
    const after = await Promise.all(arena.nodes.map((node) => node.network.dropped()));
    const dropped = after.map((count, position) => count - (before[position] ?? 0));
    await one.network.hear(two);
    const again = await arrivals(two, one, 50);
    const seen = `${lost} of 50 arrived on the cut path, ${others.join(' and ')} on others, ${again} when healed; dropped ${dropped.join(', ')}`;
    expect(lost === 0, `the cut lets through: ${seen}`);
    expect(others.every((count) => count === 50) && again === 50, `too much is cut: ${seen}`);
    const [atOne = 0, atTwo, atThree] = dropped;
    expect(atOne >= 50 && atTwo === 0 && atThree === 0, `the counters are wrong: ${seen}`);
    return seen;
  },
};

const both: Check = {
  title: 'a leader that nobody hears is replaced, and follows when the cut is healed',
  needs: ['network'],
  run: async (arena) => {
    const leader = await leaderOf(arena);
    const others = arena.nodes.filter((node) => node !== leader);
    await Promise.all(
      others.flatMap((node) => [node.network.deafen(leader), leader.network.deafen(node)]),
    );
    let next = await leaderOf(arena);
    const deadline = performance.now() + 20_000;
    while (next === leader && performance.now() < deadline) next = await leaderOf(arena);
    expect(next !== leader, `${leader.id} is cut off and leads`);
    await Promise.all(arena.nodes.map((node) => node.network.heal()));
    const now = await leaderOf(arena);
    return `${leader.id} was cut off, ${next.id} took over, ${now.id} leads the healed cluster`;
  },
};

const loss: Check = {
  title: 'three of ten packets are lost, from nodes only',
  needs: ['network'],
  run: async (arena) => {
    const [one, two] = threeOf(arena);
    const before = await one.network.dropped();
    await one.network.lose(0.3);
    const sent = 1000;
    const arrived = await arrivals(two, one, sent);
    const back = await arrivals(one, two, sent);
    const dropped = (await one.network.dropped()) - before;
    await one.network.heal();
    const seen = `${arrived} of ${sent} arrived, ${back} the other way; ${dropped} dropped`;
    // Six standard deviations around 700.
    expect(arrived > 613 && arrived < 787 && back === sent && dropped >= sent - arrived, seen);
    expect((await arrivals(two, one, sent)) === sent, 'packets are lost after healing');
    return seen;
  },
};

export const networkChecks: readonly Check[] = [oneWay, both, loss];
