// Cuts of paths between nodes: counted, so that one fault does not mend what another still cuts.
import { describe, expect, test } from 'vitest';
import { between, type Listener, PathCuts } from './path-cuts.ts';

class DeafNode implements Listener<DeafNode> {
  readonly id: string;
  readonly deafTo = new Set<string>();
  readonly network: Listener<DeafNode>['network'] = {
    deafen: async ({ id }) => void this.deafTo.add(id),
    hear: async ({ id }) => void this.deafTo.delete(id),
  };

  constructor(id: string) {
    this.id = id;
  }
}

describe('cuts', () => {
  test('between two sides work both ways, and not within a side', async () => {
    const [one, two, three] = [new DeafNode('n1'), new DeafNode('n2'), new DeafNode('n3')];
    await new PathCuts<DeafNode>().cut(between([one], [two, three]));
    expect([...one.deafTo].toSorted()).toEqual(['n2', 'n3']);
    expect([...two.deafTo]).toEqual(['n1']);
    expect([...three.deafTo]).toEqual(['n1']);
  });

  test('of two faults on one path last until both have ended', async () => {
    const [one, two] = [new DeafNode('n1'), new DeafNode('n2')];
    const cuts = new PathCuts<DeafNode>();
    const path = { from: one, at: two };
    await cuts.cut([path]);
    await cuts.cut([path]);
    await cuts.mend([path]);
    expect([...two.deafTo]).toEqual(['n1']);
    await cuts.mend([path]);
    expect([...two.deafTo]).toEqual([]);
  });

  test('and mendings asked for at once are done in that order', async () => {
    const [one, two] = [new DeafNode('n1'), new DeafNode('n2')];
    const cuts = new PathCuts<DeafNode>();
    const path = { from: one, at: two };
    await Promise.all([cuts.cut([path]), cuts.mend([path]), cuts.cut([path])]);
    expect([...two.deafTo]).toEqual(['n1']);
  });
});
