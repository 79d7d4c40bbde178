// Which Docker engine and which compose this host has, and what to say where it has none.
import { spawnSync } from 'node:child_process';

export interface Engine {
  readonly kind: 'engine';
  /** The words before compose's own: `docker compose` (v2) or `docker-compose` (v1). */
  readonly compose: readonly [program: string, ...words: string[]];
  /** Of the engine and of compose, for the report. */
  readonly versions: string;
}

export interface NoEngine {
  readonly kind: 'none';
  /** Why, and how to get one. */
  readonly reason: string;
}

function ask(program: string, ...words: string[]): string | undefined {
  const { status, stdout } = spawnSync(program, words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 60_000,
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** Compose v2 is what users have and is taken where it is; v1 is what Debian's packages bring. */
export function findEngine(): Engine | NoEngine {
  const engine = ask('docker', 'version', '--format', '{{.Server.Version}}');
  if (engine === undefined) {
    const reason =
      'no Docker engine answers. Get one (Debian: apt-get install docker.io docker-compose) and start it (dockerd), as a user who may use it';
    return { kind: 'none', reason };
  }
  const second = ask('docker', 'compose', 'version', '--short');
  if (second !== undefined) {
    const versions = `Docker ${engine}, compose ${second}`;
    return { kind: 'engine', compose: ['docker', 'compose'], versions };
  }
  const first = ask('docker-compose', 'version', '--short');
  if (first !== undefined) {
    const versions = `Docker ${engine}, docker-compose ${first}`;
    return { kind: 'engine', compose: ['docker-compose'], versions };
  }
  const reason =
    'an engine runs, but neither `docker compose` nor docker-compose is installed (Debian: apt-get install docker-compose)';
  return { kind: 'none', reason };
}

/** For bash: lets the documents say `docker compose` where only docker-compose is installed. */
export function shellFunctions({ compose: [program] }: Engine): string {
  if (program === 'docker') return '';
  return 'docker() { if [ "$1" = compose ]; then shift; command docker-compose "$@"; else command docker "$@"; fi; }\n';
}
