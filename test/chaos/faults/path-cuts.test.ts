// Cuts of paths between nodes: counted, so that one fault does not mend what another still cuts.
import { describe, expect, test } from 'vitest';
import type { ArenaNode } from '../arena/arena.ts';
import { between, PathCuts } from './path-cuts.ts';

/** Only what cuts use of a node: its name, and whom it no longer hears. */
function deafNode(id: string): { readonly node: ArenaNode; readonly deafTo: Set<string> } {
  const deafTo = new Set<string>();
  const network = {
    deafen: async (from: ArenaNode) => void deafTo.add(from.id),
    hear: async (from: ArenaNode) => void deafTo.delete(from.id),
  };
  return { node: { id, network } as unknown as ArenaNode, deafTo };
}

describe('cuts', () => {
  test('between two sides work both ways, and not within a side', async () => {
    const [one, two, three] = [deafNode('n1'), deafNode('n2'), deafNode('n3')];
    await new PathCuts().cut(between([one.node], [two.node, three.node]));
    expect([...one.deafTo].toSorted()).toEqual(['n2', 'n3']);
    expect([...two.deafTo]).toEqual(['n1']);
    expect([...three.deafTo]).toEqual(['n1']);
  });

  test('of two faults on one path last until both have ended', async () => {
    const [one, two] = [deafNode('n1'), deafNode('n2')];
    const cuts = new PathCuts();
    const path = { from: one.node, at: two.node };
    await cuts.cut([path]);
    await cuts.cut([path]);
    await cuts.mend([path]);
    expect([...two.deafTo]).toEqual(['n1']);
    await cuts.mend([path]);
    expect([...two.deafTo]).toEqual([]);
  });

  test('and mendings asked for at once are done in that order', async () => {
    const [one, two] = [deafNode('n1'), deafNode('n2')];
    const cuts = new PathCuts();
    const path = { from: one.node, at: two.node };
    await Promise.all([cuts.cut([path]), cuts.mend([path]), cuts.cut([path])]);
    expect([...two.deafTo]).toEqual(['n1']);
  });
});
