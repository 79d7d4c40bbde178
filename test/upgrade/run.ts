// npm run test:upgrade: clusters of processes of earlier builds, upgraded node by node in every order under load, and back where formats
// allow it. Without containers; those are in test:compose.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { say } from '../cluster/campaign.ts';
import { unpack } from '../golden/pack.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import { Builds, type EarlierBuild } from './builds.ts';
import { expectRefusal, rollOver } from './roll.ts';

interface Earlier {
  readonly commit: string;
  readonly what: string;
  /** Everything that this version writes while members stay and the log is whole can be read there. */
  readonly back: boolean;
}

const earlierBuilds: readonly Earlier[] = [
  { commit: '5c4543f', what: 'where the first issue ended', back: false },
  { commit: 'dd80a71', what: 'the first release, before members and snapshots', back: true },
];

const orders: readonly (readonly string[])[] = [
  ['n1', 'n2', 'n3'],
  ['n3', 'n2', 'n1'],
  ['n1', 'n3', 'n2'],
  ['n2', 'n1', 'n3'],
  ['n2', 'n3', 'n1'],
  ['n3', 'n1', 'n2'],
];

interface Options {
  readonly quick?: true;
  readonly seed: string;
  readonly from?: string;
}

function fingerprint(directory: string): string {
  const hash = createHash('sha256');
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const name of names.toSorted()) hash.update(name).update(readFileSync(name));
  return hash.digest('hex');
}

/** A log that was shortened is nothing that the first release can go on with: it says so, and leaves every byte as it is. */
async function refuseShortened(build: Extract<EarlierBuild, { kind: 'built' }>): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'rollcall-refusal-'));
  try {
    const dataDir = join(scratch, 'n1');
    unpack(readFileSync(join(repositoryRoot(), 'test/golden/v1/trimmed.data-dir.br')), dataDir);
    const before = fingerprint(dataDir);
    await expectRefusal(build.main, dataDir, 11, scratch);
    if (fingerprint(dataDir) !== before) throw new Error('the refused data-dir was changed');
    say(`  ${build.commit} refuses a log that was shortened, and changes nothing`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

async function upgrade({ quick, seed, from: only }: Options): Promise<void> {
  const builds = new Builds();
  const to = { name: 'this checkout', main: join(repositoryRoot(), 'dist/cli/main.js') };
  let passed = 0;
  let skipped = 0;
  try {
    for (const { commit, what, back } of earlierBuilds) {
      if (only !== undefined && only !== commit) continue;
      const build = builds.build(commit);
      if (build.kind === 'missing') {
        say(`skipped: ${commit}, ${what}: ${build.reason}`);
        skipped++;
        continue;
      }
      say(`${commit}, ${what}`);
      for (const [at, order] of (quick === true ? orders.slice(0, 1) : orders).entries()) {
        const from = { name: commit, main: build.main };
        await rollOver({
          from,
          to,
          order,
          back: back && (at === 0 || quick !== true),
          seed: Number(seed) + at * 1000,
        });
        passed++;
      }
      if (back) {
        await refuseShortened(build);
        passed++;
      }
    }
  } finally {
    builds.remove();
  }
  say(`${passed} passed, 0 failed, ${skipped} skipped`);
}

await new Command('test:upgrade')
  .description(
    'upgrades clusters of earlier builds node by node under load, and goes back where formats allow it',
  )
  .option('--quick', 'one order of each build instead of all six')
  .option('--seed <n>', 'what the clients do', '1')
  .option('--from <commit>', 'this build only')
  .action(upgrade)
  .parseAsync();
