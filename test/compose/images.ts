// The images that the tests build, under names of their own, and how they go away again.
import { spawnSync } from 'node:child_process';

/** Names that nobody else's images have: the ones of the documents are the user's own. */
export const images = {
  /** This checkout. */
  local: 'rollcall-test:local',
  /** This checkout under another name: what the documents call rollcall:next. */
  next: 'rollcall-test:next',
  /** The first release, from the history. */
  before: 'rollcall-test:before',
} as const;

/** The documented commands, on the test's own images. */
export const withTestImages = (commands: string): string =>
  commands.replaceAll('rollcall:next', images.next).replaceAll('rollcall:local', images.local);

/** The build's own layers stay a while as a cache, under the label that the Dockerfile gives them. */
export function removeImages(): void {
  const quietly = { stdio: 'ignore', timeout: 60_000 } as const;
  spawnSync('docker', ['image', 'rm', '-f', ...Object.values(images)], quietly);
  const old = ['--filter', 'label=rollcall.stage', '--filter', 'until=72h'];
  spawnSync('docker', ['image', 'prune', '-f', ...old], quietly);
}
