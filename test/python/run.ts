// npm run test:python: a Python client (grpcio and reflection only) against a real cluster whose leader is killed. Makes
// its own virtual environment under .tmp.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ProcessCluster } from '../support/process-cluster.ts';
import { repositoryRoot } from '../support/repository-root.ts';

const packages = ['grpcio==1.85.1', 'grpcio-reflection==1.85.1'];

function python(): string {
  const environment = join(repositoryRoot(), '.tmp', 'python');
  const interpreter = join(environment, 'bin', 'python');
  if (!existsSync(join(environment, 'ready'))) {
    process.stdout.write('preparing a virtual environment with grpcio\n');
    execFileSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' });
    execFileSync(interpreter, ['-m', 'pip', 'install', '-q', ...packages], { stdio: 'inherit' });
    execFileSync('touch', [join(environment, 'ready')]);
  }
  return interpreter;
}

const interpreter = python();
await using cluster = await ProcessCluster.start();
const leader = await cluster.waitForLeader();
const others = cluster.nodes.filter((node) => node !== leader).map((node) => node.clientAddress);
const script = join(repositoryRoot(), 'test', 'python', 'client.py');
const child = spawn(interpreter, [script, leader.clientAddress, ...others], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
let passed = false;
const lines = createInterface({ input: child.stdout });
lines.on('line', (line) => {
  process.stdout.write(`client: ${line}\n`);
  if (line === 'OK') passed = true;
  if (line === 'KILL') void leader.kill('SIGKILL').then(() => child.stdin.write('killed\n'));
});
const [code] = (await once(child, 'exit')) as [number | null];
clearTimeout(timer);
if (!passed || code !== 0) {
  process.stdout.write(`${cluster.logTails()}\n`);
  process.exitCode = 1;
}
process.stdout.write(passed && code === 0 ? '1 passed, 0 failed\n' : '0 passed, 1 failed\n');
