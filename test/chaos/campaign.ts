// One run from the first process to the evidence: arena, clients, rounds of faults, calm, final states, run.json.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../support/monotonic-clock.ts';
import { repositoryRoot } from '../support/repository-root.ts';
import type { Arena, ArenaNode, ArenaSettings } from './arena/arena.ts';
import { openArena } from './arena/open-arena.ts';
import { Battle, findingOf } from './battle.ts';
import { readFinals, untilWell } from './cluster-view.ts';
import { Crowd } from './crowd.ts';
import { faults } from './faults/catalog.ts';
import { Broken, type FaultKind } from './faults/fault.ts';
import { Observer } from './observer.ts';
import { rounds } from './schedule.ts';
import { historySuffix, type RunRecord, runFile } from './verdict/evidence.ts';

export interface CampaignSettings {
  readonly seed: number;
  readonly nodes: number;
  /** As asked for; what the host does not allow is left out and named. */
  readonly kinds: readonly FaultKind[];
  readonly durationMs: number;
  /** Ends once the leader was killed so often; default: when the time is over. */
  readonly kills: number | undefined;
  /** Empty; the histories and run.json go here. */
  readonly directory: string;
  /** The program to run. */
  readonly main?: string;
  /** Default: processes of this host. */
  readonly open?: (settings: ArenaSettings) => Promise<Arena>;
  readonly replay: string;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
  /** A few times a second. */
  readonly progress: (now: Progress) => void;
}

export interface Progress {
  readonly elapsedMs: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly resumes: number;
  readonly struck: number;
  readonly leader: string;
  readonly active: readonly string[];
}

/** Small, so that the log is shortened all the time and snapshots are common. */
const smallLimits = {
  ROLLCALL_LIMIT_LOG_ENTRIES: '300',
  ROLLCALL_LIMIT_SNAPSHOT_CHUNK_BYTES: '16384',
  ROLLCALL_LIMIT_SNAPSHOT_IDLE_MS: '2000',
};

/** Long enough for a silent instance to be gone (G8) although the host stalls once, and for every reader to have been told (G6). */
const calmMs = 6000;
const progressEveryMs = 250;

/** Rejects where the harness itself fails; what the registry does wrong is in the record. */
export async function runCampaign(settings: CampaignSettings): Promise<RunRecord> {
  const { directory, nodes } = settings;
  mkdirSync(directory, { recursive: true });
  const main = settings.main ?? join(repositoryRoot(), 'dist', 'cli', 'main.js');
  const open = settings.open ?? openArena;
  const arena = await open({ nodes, directory, main, environment: smallLimits });
  try {
    for (const node of arena.nodes) node.start();
    await untilWell(arena, settings.signal);
    const crowd = await Crowd.gather(arena.endpoints, settings.seed, (name) =>
      join(directory, `${name}${historySuffix}`),
    );
    const observer = new Observer(arena);
    try {
      const record = await fightAndSettle(settings, arena, crowd, observer);
      writeFileSync(join(directory, runFile), `${JSON.stringify(record)}\n`);
      return record;
    } finally {
      observer.stop();
      await crowd.end();
    }
  } finally {
    await arena.close();
  }
}

async function fightAndSettle(
  settings: CampaignSettings,
  arena: Arena,
  crowd: Crowd,
  observer: Observer,
): Promise<RunRecord> {
  const { seed, nodes, kinds, signal, tell, replay } = settings;
  const herd = (count: number): Promise<void> => crowd.herd(count);
  const excuse = (node: ArenaNode, exitCode: number): void => observer.excuse(node, exitCode);
  const battle = new Battle({ arena, herd, excuse, signal, tell });
  const beganAtMs = monotonicMs();
  const timer = setInterval(
    () => settings.progress(progressOf(beganAtMs, crowd, observer, battle)),
    progressEveryMs,
  );
  try {
    await fightRounds(settings, arena, battle, beganAtMs);
    const healedAtMs = monotonicMs();
    const rest = await comeToRest(settings, arena, crowd, battle);
    const endedAtMs = monotonicMs();
    return {
      seed,
      nodes,
      kinds: kinds.filter((kind) => reasonToSkip(arena, kind) === undefined),
      skipped: skippedOf(arena, kinds),
      beganAtMs,
      healedAtMs,
      endedAtMs,
      stable: stableTime(observer, healedAtMs, endedAtMs),
      faults: battle.records,
      sights: observer.sights,
      broken: [...battle.broken, ...observer.broken],
      ...rest,
      replay,
    };
  } finally {
    clearInterval(timer);
  }
}

async function fightRounds(
  settings: CampaignSettings,
  arena: Arena,
  battle: Battle,
  beganAtMs: number,
): Promise<void> {
  const { seed, nodes, durationMs, signal, tell } = settings;
  const skipped = skippedOf(arena, settings.kinds);
  for (const { kind, reason } of skipped) tell(`skipped: ${kind}, as ${reason}`);
  const kinds = settings.kinds.filter((kind) => reasonToSkip(arena, kind) === undefined);
  if (kinds.length === 0) return;
  for (const round of rounds({ seed, nodes, kinds })) {
    if (signal.aborted) return;
    await battle.fight(round);
    const kills = battle.records.filter(({ kind }) => kind === 'killLeader').length;
    const enough = settings.kills !== undefined && kills >= settings.kills;
    if (enough || battle.broken.length > 0) return;
    if (monotonicMs() - beganAtMs > durationMs) return;
  }
}

/** Every write comes to its outcome, every silent instance expires, every reader is told all. */
async function comeToRest(
  { signal }: CampaignSettings,
  arena: Arena,
  crowd: Crowd,
  battle: Battle,
): Promise<Pick<RunRecord, 'finals' | 'hashes'>> {
  if (signal.aborted) return { finals: [], hashes: {} };
  try {
    await untilWell(arena, signal);
    await crowd.settle();
    await delay(calmMs);
    return await readFinals(arena);
  } catch (error) {
    const broken = error instanceof Broken ? error : new Broken('G15', String(error));
    battle.broken.push(findingOf('coming to rest', broken));
    return { finals: [], hashes: {} };
  }
}

function reasonToSkip(arena: Arena, kind: FaultKind): string | undefined {
  const missing = faults[kind].needs.find((ability) => arena.missing.has(ability));
  return missing === undefined ? undefined : arena.missing.get(missing);
}

function skippedOf(arena: Arena, kinds: readonly FaultKind[]): RunRecord['skipped'] {
  return kinds.flatMap((kind) => {
    const reason = reasonToSkip(arena, kind);
    return reason === undefined ? [] : [{ kind, reason }];
  });
}

/** undefined where the term changed meanwhile, or none was seen. */
function stableTime(observer: Observer, fromMs: number, toMs: number): RunRecord['stable'] {
  const terms = new Set(
    observer.sights.filter(({ atMs }) => atMs >= fromMs).flatMap(({ term }) => term ?? []),
  );
  return terms.size === 1 ? { fromMs, toMs } : undefined;
}

function progressOf(beganAtMs: number, crowd: Crowd, observer: Observer, battle: Battle): Progress {
  const { acknowledged, unknown, resumes } = crowd.progress;
  const leaders = observer.sights.slice(-10).filter(({ role }) => role === 'LEADER');
  return {
    elapsedMs: monotonicMs() - beganAtMs,
    acknowledged,
    unknown,
    resumes,
    struck: battle.records.length,
    leader: leaders.at(-1)?.node ?? 'nobody',
    active: battle.active,
  };
}
