// --join: what a node asks of the members, what it makes of the answer, and how a refusal reads among its problems.
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { joinRequest } from '../../src/cli/server/join-cluster.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { nodeId } from '../../src/lib/ids.ts';
import { type Answer, ScriptedRegistry } from '../support/scripted-registry.ts';

const self = {
  nodeId: nodeId('n4'),
  incarnation: 'ab'.repeat(16),
  peerAddress: 'n4:7401',
  clientAddress: 'n4:7400',
};
const sent = {
  node_id: 'n4',
  peer_address: 'n4:7401',
  client_address: 'n4:7400',
  learner: false,
  incarnation: self.incarnation,
};
const n1 = {
  node_id: 'n1',
  peer_address: 'n1:7401',
  client_address: 'n1:7400',
  learner: false,
  incarnation: '1'.repeat(32),
};

function request(endpoints: string | undefined, formed = false, logged: string[] = []) {
  const join = endpoints === undefined ? [] : [['join', endpoints] as const];
  const { config } = loadConfig({
    flags: new Map<string, string>([['node-id', 'n4'], ...join]),
    environment: {},
    readFile: () => '',
  });
  return joinRequest(config, formed, pino({}, { write: (line) => logged.push(line) }));
}

describe('--join', () => {
  test('asks the members to take in this node, and makes members of the answer', async () => {
    await using registry = await ScriptedRegistry.start(() => ({
      kind: 'ok',
      message: { members: [n1, { ...sent, learner: true }] },
    }));
    const members = await request(registry.endpoint)?.(self);
    expect(registry.asked).toEqual([{ method: 'AddMember', request: { member: sent } }]);
    expect(members).toEqual([
      {
        nodeId: 'n1',
        incarnation: '1'.repeat(32),
        peerAddress: 'n1:7401',
        clientAddress: 'n1:7400',
      },
      self,
    ]);
  });

  test('tells a refusal in the words of the cluster', async () => {
    const details = 'already_exists: n4 is a member already, with another data directory';
    const answer = (): Answer => ({ kind: 'error', code: status.ALREADY_EXISTS, details });
    await using registry = await ScriptedRegistry.start(answer);
    await expect(request(registry.endpoint)?.(self)).rejects.toThrow(details);
  });

  test('says that nobody listens', async () => {
    await expect(request('127.0.0.1:1')?.(self)).rejects.toThrow(
      '127.0.0.1:1 refused the connection',
    );
  });

  test('is ignored, with a line in the log, where the data-dir belongs to a cluster', () => {
    const logged: string[] = [];
    expect(request('127.0.0.1:1', true, logged)).toBeUndefined();
    expect(logged.map((line) => (JSON.parse(line) as { event: string }).event)).toEqual([
      'join_ignored',
    ]);
  });

  test('is not asked for without the flag', () => {
    expect(request(undefined)).toBeUndefined();
  });
});
