// When a run proves nothing: too little was done, or nobody looked while it mattered.
import { silencesAll, troubledBy } from './availability.ts';
import type { FaultRecord } from './evidence.ts';
import type { Counts } from './judge.ts';
import type { LoadedRun } from './load-history.ts';
import { without } from './times.ts';

/** A cluster that does no more than this is hardly asked anything; of the time in which somebody could answer. */
const LEAST_WRITES_PER_SECOND = 5;
const LEAST_WRITES = 100;
/** Where everybody is away, readers are told when they are back. */
const BACK_MS = 3000;
/** Of instances, for the search that trusts no revision. */
const MOST_UNDECIDED_SHARE = 0.1;

/** In words; none for a run that counts. */
export function voidReasons(loaded: LoadedRun, counts: Counts): readonly string[] {
  return [
    ...loaded.cutShort.map((file) => `${file} was cut short: its process was killed`),
    ...tooLittle(loaded, counts),
    ...withoutEffect(loaded),
    ...unwatched(loaded),
    ...unsearched(loaded, counts),
  ];
}

function tooLittle({ run, reads }: LoadedRun, { acknowledged }: Counts): readonly string[] {
  const found: string[] = [];
  const away = run.faults.filter(({ kind }) => silencesAll.has(kind)).map(troubledBy);
  const times = without({ fromMs: run.beganAtMs, toMs: run.healedAtMs }, away);
  const seconds = times.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs) / 1000, 0);
  const least = Math.max(LEAST_WRITES, seconds * LEAST_WRITES_PER_SECOND);
  if (acknowledged < least) {
    found.push(`too few acknowledged writes: ${acknowledged} of at least ${least.toFixed(0)}`);
  }
  if (!reads.some(({ consistency }) => consistency === 'linearizable')) {
    found.push('no linearizable read was answered');
  }
  if (run.finals.length === 0) found.push('no final list was read');
  if (Object.keys(run.hashes).length < 2) found.push('state hashes of fewer than two nodes');
  return found;
}

function withoutEffect({ run }: LoadedRun): readonly string[] {
  if (run.faults.length === 0) return ['no fault struck'];
  return run.faults
    .filter(({ effect }) => effect === undefined)
    .map(({ kind, what }) => `${kind} had no effect that was seen: ${what}`);
}

function unwatched({ run, watches, resumes }: LoadedRun): readonly string[] {
  const found: string[] = [];
  if (resumes.length === 0) found.push('no reader resumed');
  if (!watches.some(({ service }) => service === undefined)) found.push('no reader of everything');
  const seen = run.faults.some((fault) =>
    watches.some(({ messages }) =>
      messages.some(({ atMs }) => atMs >= fault.atMs && atMs <= lastMomentOf(fault)),
    ),
  );
  if (run.faults.length > 0 && !seen) found.push('no reader was told anything during a fault');
  return found;
}

const lastMomentOf = ({ kind, healedAtMs }: FaultRecord): number =>
  healedAtMs + (silencesAll.has(kind) ? BACK_MS : 0);

function unsearched({ writes }: LoadedRun, { undecided }: Counts): readonly string[] {
  const instances = new Set(writes.map(({ instanceId }) => instanceId)).size;
  if (undecided <= instances * MOST_UNDECIDED_SHARE) return [];
  return [`${undecided} of ${instances} instances were too entangled to be searched`];
}
