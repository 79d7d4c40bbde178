// Nodes asked right after they refused a connection, as `rollcall status --wait` does while a cluster starts: the channel fails
// calls for a while without trying, and a node that is up by then must not be shown as away.
import { connect, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { askNodes } from '../../src/cli/node-answers.ts';
import { systemRuntime } from '../../src/cli/system-clock.ts';
import { RegistryClient } from '../../src/client/index.ts';
import { freePorts } from '../support/process-cluster.ts';
import { ScriptedRegistry } from '../support/scripted-registry.ts';

let door: Server | undefined;

afterEach(() => door?.close());

/** From now on the port leads to the registry. */
async function openDoor(port: number, registry: ScriptedRegistry): Promise<void> {
  const target = Number(registry.endpoint.split(':')[1]);
  door = createServer((socket) => {
    const onwards = connect(target, '127.0.0.1');
    socket.on('error', () => onwards.destroy()).pipe(onwards);
    onwards.on('error', () => socket.destroy()).pipe(socket);
  });
  await once(door.listen(port, '127.0.0.1'), 'listening');
}

test('a node that has just refused a connection is asked again until it answers, or patience ends', async () => {
  await using registry = await ScriptedRegistry.start(() => ({
    kind: 'ok',
    message: { node_id: 'n2' },
  }));
  const [port = 0] = await freePorts(1);
  const endpoint = `127.0.0.1:${port}`;
  const client = new RegistryClient({ endpoints: [endpoint], runtime: systemRuntime });
  try {
    const [away] = await askNodes(client, [endpoint], 1000, 100);
    expect(away).toEqual({
      endpoint,
      status: undefined,
      problem: `${endpoint} refused the connection`,
    });
    await openDoor(port, registry);
    const [there] = await askNodes(client, [endpoint], 1000, 5000);
    expect(there?.status?.node_id).toBe('n2');
  } finally {
    client.close();
  }
});
