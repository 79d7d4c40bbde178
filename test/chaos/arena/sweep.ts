// Gives back all that belongs to a claim, from names alone: the same for a run that ends, one that is interrupted and one
// that was killed long ago. Synchronous, because a process on its way out waits for nothing.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Claim, claimVariable, dropClaim } from './claim.ts';
import { runAtOnce } from './command.ts';

/** Linux allows 15 characters for a device. */
export const bridgeOf = ({ owner }: Claim): string => `rcz${owner}`;
export const namespacePrefixOf = ({ owner }: Claim): string => `rcz${owner}-`;
export const disksOf = ({ directory }: Claim): string => join(directory, 'disks');

/** Where a host filters bridged traffic too, as one with Docker does, ours has to be let through. */
export const passRule = (bridge: string): readonly string[] => [
  'FORWARD',
  '-i',
  bridge,
  '-o',
  bridge,
  '-j',
  'ACCEPT',
];

/** Ends its processes, takes its devices and mounts away, deletes its disks. Does nothing where nothing is left. */
export function sweep(claim: Claim): void {
  endProcessesOf(`${claimVariable}=${claim.token}`);
  unmountAll(claim);
  rmSync(disksOf(claim), { recursive: true, force: true });
  removeNetwork(claim);
  // What does not go now is left to the next run.
  if (mountsOf(claim).length + namespacesOf(claim).length === 0) dropClaim(claim);
}

/** All that have this in their environment, whoever their parent is by now. */
function processesOf(mark: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
      } catch {
        return false;
      }
    });
}

/** With SIGKILL, all but this one, and whatever they start meanwhile; `mark` is "NAME=value" of their environment. */
export function endProcessesOf(mark: string): void {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const left = processesOf(mark).filter((pid) => pid !== process.pid);
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    if (left.length === 0 || performance.now() > deadline) return;
    pause(5);
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Below the directory of the claim's disks. */
function mountsOf(claim: Claim): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => unescapePath(line.split(' ')[4] ?? ''))
    .filter((path) => path.startsWith(`${disksOf(claim)}/`));
}

/** The kernel writes blanks and backslashes of a path in octal. */
const unescapePath = (path: string): string =>
  path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );

function unmountAll(claim: Claim): void {
  for (const path of mountsOf(claim)) {
    runAtOnce('umount', [path]);
    // Held by somebody who looks at it: it goes when they do.
    if (mountsOf(claim).includes(path)) runAtOnce('umount', ['--lazy', path]);
  }
}

function removeNetwork(claim: Claim): void {
  const bridge = bridgeOf(claim);
  // The kernel takes a namespace apart some time after it was deleted, and its devices with it.
  for (const device of portsOf(bridge)) runAtOnce('ip', ['link', 'delete', device]);
  for (const name of namespacesOf(claim)) runAtOnce('ip', ['netns', 'delete', name]);
  if (runAtOnce('ip', ['-oneline', 'link', 'show', bridge]) === '') return;
  while (runAtOnce('iptables', ['-w', '-S', 'FORWARD']).includes(` -i ${bridge} -o ${bridge} `)) {
    runAtOnce('iptables', ['-w', '-D', ...passRule(bridge)]);
  }
  runAtOnce('ip', ['link', 'delete', bridge]);
}

/** The devices that connect hosts to a bridge, on this side. */
function portsOf(bridge: string): readonly string[] {
  return readdirSync('/sys/class/net').filter((name) => name.startsWith(`${bridge}.`));
}

function namespacesOf(claim: Claim): readonly string[] {
  try {
    return readdirSync('/run/netns').filter((name) => name.startsWith(namespacePrefixOf(claim)));
  } catch {
    return [];
  }
}
