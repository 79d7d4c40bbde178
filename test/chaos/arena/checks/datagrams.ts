// Datagrams from one node's host to another's: unlike a connection, each shows by itself whether the path took it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { run } from '../command.ts';
import type { ArenaNode } from '../arena.ts';
import { ipOf } from '../peer-network.ts';
import { present } from '../../../../src/lib/assert.ts';

const port = 7500;

/** Says that it listens, and how many came when its input ends. */
const receiver = `
  let count = 0;
  const socket = require('node:dgram').createSocket('udp4', () => { count += 1; });
  socket.bind(${port}, () => console.log('ready'));
  process.stdin.on('end', () => { console.log(count); process.exit(); }).resume();
`;

/** One after the other, so that no queue overflows on the way. */
const sender = `
  const [address, count] = process.argv.slice(1);
  const socket = require('node:dgram').createSocket('udp4');
  let sent = 0;
  const next = () => {
    if (sent === Number(count)) return setTimeout(() => socket.close(), 200);
    sent += 1;
    socket.send('datagram', ${port}, address, () => setImmediate(next));
  };
  next();
`;

const at = (node: ArenaNode): readonly string[] => [`--net=/proc/${node.pid}/ns/net`, '--'];

/** How many of so many datagrams arrive. */
export async function arrivals(from: ArenaNode, to: ArenaNode, count: number): Promise<number> {
  const listening = spawn('nsenter', [...at(to), process.execPath, '-e', receiver], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: listening.stdout })[Symbol.asyncIterator]();
  try {
    await lines.next();
    const send = [process.execPath, '-e', sender, ipOf(to), String(count)];
    await run('nsenter', [...at(from), ...send]);
    const ended = once(listening, 'exit');
    listening.stdin.end();
    const { value } = await lines.next();
    await ended;
    return Number(present(value, 'the receiver said how many came'));
  } finally {
    listening.kill('SIGKILL');
  }
}
