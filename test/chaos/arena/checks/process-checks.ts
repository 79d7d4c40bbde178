// Processes: signals hit the server itself, and nodes come and go.
import { readFileSync, readlinkSync } from 'node:fs';
import { pollUntil } from '../../../support/poll.ts';
import { type Check, expect, leaderOf } from './ground.ts';

function stateOf(pid: number): string {
  try {
    return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  } catch {
    return 'gone';
  }
}

const signals: Check = {
  title: 'signals hit the server itself',
  needs: [],
  run: async (arena) => {
    const node = await leaderOf(arena);
    const { pid } = node;
    const said = readFileSync(node.logFile, 'utf8').includes(`"pid":${pid},`);
    expect(said, `process ${pid} of ${node.id} is not what its log says it is`);
    node.signal('SIGSTOP');
    await pollUntil(() => stateOf(pid) === 'T', { what: 'a stop', timeoutMs: 5000 });
    node.signal('SIGCONT');
    await pollUntil(() => stateOf(pid) !== 'T', { what: 'to go on', timeoutMs: 5000 });
    await node.kill();
    expect(stateOf(pid) === 'gone' && node.exitCode === undefined, `${pid} is there`);
    const next = await leaderOf(arena);
    node.start();
    expect(next !== node, `${node.id} was killed and leads`);
    return `${node.id} stopped, went on and was killed; ${next.id} leads`;
  },
};

const hosts: Check = {
  title: 'each node has a network of its own',
  needs: ['network'],
  run: (arena) => {
    const namespaces = [process.pid, ...arena.nodes.map(({ pid }) => pid)].map((pid) =>
      readlinkSync(`/proc/${pid}/ns/net`),
    );
    expect(new Set(namespaces).size === namespaces.length, namespaces.join(' '));
    return Promise.resolve(arena.endpoints.join(' '));
  },
};

const members: Check = {
  title: 'a node is added as a learner, and taken away with all it had',
  needs: [],
  run: async (arena) => {
    const node = await arena.addNode('n4');
    node.start();
    await pollUntil(async () => (await node.status()).role === 'LEARNER', {
      what: 'n4 to be a learner',
      timeoutMs: 30_000,
      everyMs: 50,
    });
    const { pid } = node;
    await arena.removeNode(node);
    expect(stateOf(pid) === 'gone' && arena.nodes.length === 3, 'n4 is there');
    return `n4 followed at ${node.peerAddress}`;
  },
};

export const processChecks: readonly Check[] = [hosts, signals, members];
