// The runbooks of docs/operations.md that need no second cluster and no load, word by word on real processes: first start,
// restart, a state set aside, a quorum lost for a while and for good. The others are run by test:cluster and test:compose.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { present } from '../../src/lib/assert.ts';
import { localize, nodeOf, type Place, readRunbook, runCommands } from '../cluster/runbook.ts';
import { finalList } from '../cluster/final-list.ts';
import { untilEqualHashes } from '../support/equal-hashes.ts';
import { pollUntil } from '../support/poll.ts';
import { freePorts, type ProcessNode } from '../support/process-cluster.ts';

let directory = '';
let places: readonly Place[] = [];
let nodes: readonly ProcessNode[] = [];

const commandsOf = (book: string, part: string): string =>
  present(readRunbook(book).get(part), `${book}: ${part}`);

const at = <T>(list: readonly T[], position: number): T => present(list[position], 'one of three');

/** What the document shows for n1, as the operator of another host types it. */
const forHost = (commands: string, name: string): string =>
  commands
    .replace('--node-id n1', `--node-id ${name}`)
    .replaceAll(/(--listen-(?:client|peer)) 10\.0\.0\.1/g, `$1 10.0.0.${name.slice(1)}`);

/** Runs a part as the operator of that host; the document's n1 stays n1, its directory is the host's. */
const onHost = (position: number, book: string, part: string): Promise<string> =>
  runCommands(
    localize(commandsOf(book, part), places, at(places, position)),
    places.map(({ clientAddress }) => clientAddress),
  );

/** The same of the host that the document calls n1, played by another one. */
const asFirst = (position: number, book: string, part: string): Promise<string> => {
  const place = at(places, position);
  const cast = [{ ...place, documented: 'n1' }];
  return runCommands(localize(commandsOf(book, part), cast, place), [place.clientAddress]);
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rollcall-operations-'));
  const ports = await freePorts(6);
  places = ['n1', 'n2', 'n3'].map((id, position) => ({
    documented: id,
    id,
    clientAddress: `127.0.0.1:${ports[2 * position] ?? 0}`,
    peerAddress: `127.0.0.1:${ports[2 * position + 1] ?? 0}`,
    dataDir: join(directory, id, 'data'),
  }));
  nodes = places.map((place) => {
    mkdirSync(join(directory, place.id));
    const commands = forHost(commandsOf('first', 'on each host, the server'), place.id);
    const log = join(directory, `${place.id}.log`);
    return nodeOf(localize(commands, places, place), place, log, {});
  });
  for (const node of nodes) node.start();
  await onHost(0, 'first', 'from anywhere');
});

afterEach(async () => {
  await Promise.all(nodes.map((node) => node.kill('SIGKILL')));
  rmSync(directory, { recursive: true });
});

const register = (id: string): Promise<string> =>
  runCommands(
    `rollcall register --service payment --host h --port 1 --id ${id} --ttl-ms 3600000`,
    places.map(({ clientAddress }) => clientAddress),
  );

const listedBy = async (node: ProcessNode): Promise<readonly string[]> =>
  [...(await finalList(node.id, node.clientAddress)).instances.keys()].toSorted();

describe('the runbooks of docs/operations.md', () => {
  test('first, restart: three servers form a cluster; after each restart the command waits until the node has caught up (G1)', async () => {
    const formed = await onHost(0, 'first', 'from anywhere');
    expect(formed.match(/^n[123] .*(?:leader|follower)/gm)).toHaveLength(3);
    for (const [position, node] of nodes.entries()) {
      await node.kill('SIGTERM');
      expect(node.exitCode).toBe(0);
      await register(`while-${node.id}-is-away`);
      node.start();
      const table = await asFirst(position, 'restart', 'after each node');
      expect(table).toMatch(new RegExp(`^${node.id} +127`, 'm'));
      expect(await listedBy(node)).toContain(`while-${node.id}-is-away`);
    }
  }, 120_000);

  test('state: a node whose state was set aside has the same again (G12)', async () => {
    await register('one');
    const node = at(nodes, 1);
    await node.kill('SIGTERM');
    await onHost(1, 'state', "on the node's host, while it is stopped");
    expect(existsSync(join(node.dataDir, 'state'))).toBe(false);
    expect(existsSync(join(node.dataDir, 'state.kept'))).toBe(true);
    node.start();
    await pollUntil(async () => (await listedBy(node)).includes('one'), {
      what: 'n2 to have its instance again',
      timeoutMs: 20_000,
    });
    await untilEqualHashes(nodes, 20_000, () => '');
  });

  test('quorum: the survivor answers stale reads, and one node that returns is enough (G1)', async () => {
    await register('one');
    const survivor = at(nodes, 0);
    await pollUntil(async () => (await listedBy(survivor)).includes('one'), {
      what: 'n1 to have it',
      timeoutMs: 10_000,
    });
    await Promise.all([at(nodes, 1).kill('SIGKILL'), at(nodes, 2).kill('SIGKILL')]);
    const shown = await onHost(0, 'quorum', "on the survivor's host");
    expect(shown).toMatch(/payment +one /);
    await expect(register('two')).rejects.toThrow(/no_quorum|refused/);
    at(nodes, 2).start();
    await onHost(0, 'first', 'from anywhere');
    await register('two');
    expect(await listedBy(survivor)).toEqual(['one', 'two']);
  });

  test('quorum: lost for good, a new cluster forms where the old directories were set aside', async () => {
    await register('one');
    await Promise.all(nodes.map((node) => node.kill('SIGKILL')));
    for (const [position, node] of nodes.entries()) {
      await onHost(position, 'quorum', 'on the host of each node, while it is stopped');
      expect(existsSync(`${node.dataDir}.lost`)).toBe(true);
      node.start();
    }
    await onHost(0, 'first', 'from anywhere');
    expect(await listedBy(at(nodes, 0))).toEqual([]);
    await register('two');
  });
});
