// Members come and go: one more joins as a learner, gets its vote and is removed; and a member that has lost its disk is
// replaced by the runbook of docs/operations.md.
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, Broken, type Fault, ofOne } from './fault.ts';
import { commandUntil, takeIn } from './member-command.ts';
import { expectEffect, takeFollower, viewOf } from './node-state.ts';

/** In, a voter, out. */
async function passThrough(field: Battlefield, node: ArenaNode): Promise<string> {
  const beganAtMs = monotonicMs();
  try {
    await takeIn(field, node);
    const view = await viewOf(node);
    await commandUntil(field, `member remove ${node.id}`, node.id, 'absent');
    const tookMs = monotonicMs() - beganAtMs;
    return `learner, voter with ${view?.applied_index ?? 'no'} entries applied, removed; in ${tookMs.toFixed(0)} ms`;
  } finally {
    await field.arena.removeNode(node);
  }
}

export const changeMembers: Fault = {
  kind: 'changeMembers',
  needs: ['members'],
  alone: false,
  takes: () => 0,
  lastsMs: (random) => random.integer(1000, 3000),
  strike: async (field) => {
    const numbers = field.arena.nodes.map(({ id }) => Number(id.slice(1)));
    const node = await field.arena.addNode(`n${Math.max(...numbers) + 1}`);
    const atMs = monotonicMs();
    const passed = passThrough(field, node);
    passed.catch(() => undefined);
    return {
      what: `${node.id} is added, promoted and removed`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: undefined,
      heal: () => passed,
    };
  },
};

/** The words by which a node says that it is not the member it was (src/node/admission.ts and what follows from it). */
const amnesia = /incarnation|another data.dir/;

/** G14: it says what is wrong, and takes no part in anything. */
async function expectFenced(node: ArenaNode): Promise<string> {
  let said = '';
  let part = '';
  await expectEffect(`${node.id} to say that its disk is another one`, 20_000, async () => {
    const { role, applied_index: applied, problems } = await node.status(1000);
    said = problems.find((line) => amnesia.test(line)) ?? '';
    const takesPart = role === 'LEADER' || role === 'CANDIDATE' || applied !== '0';
    if (takesPart) part = `${node.id} without its disk is ${role} and has applied ${applied}`;
    return takesPart || said !== '';
  });
  if (part !== '') throw new Broken('G14', part);
  return said;
}

export const wipe: Fault = {
  kind: 'wipe',
  needs: ['members'],
  ...ofOne,
  lastsMs: (random) => random.integer(1000, 3000),
  strike: async (field) => {
    const node = await takeFollower(field);
    const { id } = node;
    const atMs = monotonicMs();
    await node.kill('SIGKILL');
    await node.disk.wipe();
    node.start();
    return {
      what: `${id} comes back with an empty disk under its old name, and is replaced`,
      nodes: [id],
      holds: [id],
      atMs,
      gap: undefined,
      heal: async () => {
        const said = await expectFenced(node);
        await commandUntil(field, `member remove ${id}`, id, 'absent');
        await takeIn(field, await field.arena.replaceNode(node));
        return `it said "${said}", and is a voter again with a new disk`;
      },
    };
  },
};
