// What is left of a project of containers goes by its name alone, and so do commands that are still making it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { projectOf, sweepProject } from './container-sweep.ts';

const sleeper = (project: string): ReturnType<typeof spawn> =>
  spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], {
    env: { ...process.env, COMPOSE_PROJECT_NAME: project },
    stdio: 'ignore',
  });

describe('the sweep of a project', () => {
  test.runIf(process.platform === 'linux')(
    'ends the commands of that project that are under way, and nobody else',
    async () => {
      const project = projectOf(process.pid);
      const [own, other] = [sleeper(project), sleeper(`${project}-other`)];
      const ended = once(own, 'exit');
      await Promise.all([own, other].map((child) => once(child, 'spawn')));
      sweepProject(project);
      expect(await ended).toEqual([null, 'SIGKILL']);
      expect(other.exitCode).toBeNull();
      other.kill();
      expect(await once(other, 'exit')).toEqual([null, 'SIGTERM']);
    },
  );
});
