// Disks that fill up: what must go on does, what would need room is refused by name while no majority has some, and service
// comes back without a restart (docs/operations.md, "A full disk").
import { status as codes } from '@grpc/grpc-js';
import { RESERVE } from '../../../src/node/disk-reserve.ts';
import type { SetStatusResponse__Output } from '../../../src/rpc/gen/rollcall/v1/SetStatusResponse.ts';
import { registryClient, unary } from '../../support/grpc-client.ts';
import { monotonicMs } from '../../support/monotonic-clock.ts';
import type { ArenaNode } from '../arena/arena.ts';
import { type Battlefield, type Fault, NoEffect, ofAll, ofOne } from './fault.ts';
import { expectEffect, idsOf, leaderSeenBy, takeAny, viewOf } from './node-state.ts';

const mebibyte = 2 ** 20;
/** It looks at its disk once a second. */
const noticeTimeoutMs = 20_000;
/** A write waits for the node's own patience on a busy host. */
const writeTimeoutMs = 6000;

const short = new RegExp(`${RESERVE}|disk space`);

/** In its own words; '' while it has room. */
async function shortageOf(node: ArenaNode): Promise<string> {
  const view = await viewOf(node);
  return view?.problems.find((problem) => short.test(problem)) ?? '';
}

async function expectShortage(node: ArenaNode): Promise<string> {
  let said = '';
  await expectEffect(`${node.id} to say that its disk is full`, noticeTimeoutMs, async () => {
    said = await shortageOf(node);
    return said !== '';
  });
  return said;
}

async function expectRoom(node: ArenaNode): Promise<void> {
  await expectEffect(`${node.id} to have room again`, noticeTimeoutMs, async () => {
    const view = await viewOf(node);
    return view !== undefined && !view.problems.some((problem) => short.test(problem));
  });
}

/** What a write is answered that would change nothing, but the answer to which would be remembered: the status of an instance that
 * there is not. */
async function answerAt(node: ArenaNode): Promise<string> {
  const client = registryClient(node.clientAddress);
  const own = `full-disk-${monotonicMs()}`;
  const request = { instance_id: 'nobody', status: 'DRAINING', request_id: own } as const;
  try {
    await unary<SetStatusResponse__Output>(
      (options, callback) => client.setStatus(request, options, callback),
      writeTimeoutMs,
    );
    return 'OK';
  } catch (error) {
    const { code, details } = error as { readonly code?: codes; readonly details?: string };
    return `${codes[code ?? codes.UNKNOWN]}: ${details ?? ''}`;
  } finally {
    client.close();
  }
}

async function expectAnswer(node: ArenaNode, wanted: RegExp): Promise<string> {
  let answer = '';
  const seen = expectEffect(`${node.id} to answer with ${wanted}`, noticeTimeoutMs, async () => {
    answer = await answerAt(node);
    return wanted.test(answer);
  });
  await seen.catch((cause: unknown) => {
    throw new NoEffect(`${node.id} answered a write with "${answer}"`, { cause });
  });
  return answer;
}

export const fullDisk: Fault = {
  kind: 'fullDisk',
  needs: ['power'],
  ...ofOne,
  lastsMs: (random) => random.integer(2000, 6000),
  strike: async (field) => {
    const node = takeAny(field);
    // The last byte, or what is less than the reserve.
    const leftBytes = field.random.next() < 0.5 ? 0 : field.random.integer(16, 96) * mebibyte;
    const atMs = monotonicMs();
    await node.disk.fill(leftBytes);
    return {
      what: `the disk of ${node.id} is full but for ${leftBytes / mebibyte} MiB`,
      nodes: [node.id],
      holds: [node.id],
      atMs,
      gap: undefined,
      heal: async () => {
        try {
          const said = await expectShortage(node);
          return `"${said}"; it sees ${await leaderSeenBy(node)}`;
        } finally {
          await node.disk.clear();
          await expectRoom(node);
        }
      },
    };
  },
};

export const fullDisks: Fault = {
  kind: 'fullDisks',
  needs: ['power'],
  ...ofAll,
  lastsMs: (random) => random.integer(2000, 6000),
  strike: async (field) => {
    const nodes = someMajority(field);
    const leftBytes = field.random.integer(16, 96) * mebibyte;
    const atMs = monotonicMs();
    await Promise.all(nodes.map((node) => node.disk.fill(leftBytes)));
    const pids = nodes.map((node) => node.pid);
    return {
      what: `the disks of ${idsOf(nodes).join(', ')} are full but for ${leftBytes / mebibyte} MiB`,
      nodes: idsOf(nodes),
      holds: idsOf(nodes),
      atMs,
      gap: undefined,
      heal: async () => {
        const [witness] = nodes;
        let refused = '';
        try {
          await Promise.all(nodes.map(expectShortage));
          if (witness !== undefined) {
            refused = await expectAnswer(witness, new RegExp(`^RESOURCE_EXHAUSTED: .*${RESERVE}`));
          }
        } finally {
          await Promise.all(nodes.map((node) => node.disk.clear()));
        }
        await Promise.all(nodes.map(expectRoom));
        if (witness !== undefined) await expectAnswer(witness, /^NOT_FOUND/);
        const same = nodes.every((node, position) => node.pid === pids[position]);
        return `"${refused}"; writes again, ${same ? 'the same processes' : 'another process'}`;
      },
    };
  },
};

/** So many that the rest is none. */
function someMajority({ free, arena, random }: Battlefield): readonly ArenaNode[] {
  const left = [...free()];
  const spared = arena.nodes.length - (Math.floor(arena.nodes.length / 2) + 1);
  for (let count = 0; count < spared; count++) left.splice(random.integer(0, left.length), 1);
  return left;
}
