// Medians over the rounds, with the range, and the ratio to the peer: in tables for people or as JSON.
import type { Target } from './targets/target.ts';
import {
  type Figure,
  generatorLimit,
  generatorLoadName,
  type Round,
  type Workload,
} from './workloads/workload.ts';

export interface WorkloadReport {
  readonly workload: Workload;
  readonly results: ReadonlyMap<string, readonly Round[]>;
  readonly targets: readonly Target[];
}

interface Summary {
  readonly figure: Figure;
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

function summarize(rounds: readonly Round[]): readonly Summary[] {
  const byName = new Map<string, Figure[]>();
  for (const round of rounds) {
    if (round.void !== undefined) continue;
    for (const figure of round.figures) {
      byName.set(figure.name, [...(byName.get(figure.name) ?? []), figure]);
    }
  }
  return [...byName.values()].flatMap((figures) => {
    const [first] = figures;
    if (first === undefined) return [];
    const values = figures.map(({ value }) => value).toSorted((a, b) => a - b);
    return [
      {
        figure: first,
        median: values[Math.floor((values.length - 1) / 2)] ?? Number.NaN,
        minimum: values[0] ?? Number.NaN,
        maximum: values.at(-1) ?? Number.NaN,
      },
    ];
  });
}

const shown = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2);

/** Where the generator was nearly saturated, the system may be faster than the figure says. */
function busy(results: WorkloadReport['results']): readonly string[] {
  return [...results].flatMap(([name, rounds]) =>
    summarize(rounds).flatMap(({ figure, median }) =>
      figure.name.startsWith(generatorLoadName) && median > generatorLimit
        ? [`NOTE ${figure.name} on ${name} is ${shown(median)}: the generator may be the limit`]
        : [],
    ),
  );
}

function lines({ workload, results, targets }: WorkloadReport): readonly string[] {
  const own = summarize(results.get('rollcall') ?? []);
  const peers = targets
    .filter(({ name }) => name !== 'rollcall')
    .map(({ name }) => ({ name, summaries: summarize(results.get(name) ?? []) }));
  const rows = own.map(({ figure, median, minimum, maximum }) => {
    const text = `${figure.name.padEnd(48)} ${shown(median)} ${figure.unit} (${shown(minimum)} to ${shown(maximum)})`;
    const comparisons = peers.flatMap(({ name, summaries }) => {
      const other = summaries.find((candidate) => candidate.figure.name === figure.name);
      if (other === undefined) return [];
      const ratio = `ratio ${shown(median / other.median)} (${figure.better} is better)`;
      return [
        `${name} ${shown(other.median)} (${shown(other.minimum)} to ${shown(other.maximum)}), ${ratio}`,
      ];
    });
    return [text, ...comparisons].join('; ');
  });
  const voids = [...results].flatMap(([name, rounds]) =>
    rounds.flatMap((round) =>
      round.void === undefined ? [] : [`VOID round on ${name}: ${round.void}`],
    ),
  );
  return [`## ${workload.name}: ${workload.summary}`, ...rows, ...voids, ...busy(results), ''];
}

export function report(
  reports: readonly WorkloadReport[],
  { host, json }: { readonly host: string; readonly json: boolean },
): string {
  if (!json) {
    const systems = reports[0]?.targets.map(({ name, version }) => `${name} ${version}`) ?? [];
    return [`${systems.join(' and ')} on ${host}`, '', ...reports.flatMap(lines), ''].join('\n');
  }
  const document = reports.map(({ workload, results, targets }) => ({
    benchmark: workload.name,
    host,
    systems: targets.map(({ name, version }) => ({
      name,
      version,
      figures: summarize(results.get(name) ?? []).map(({ figure, ...rest }) => ({
        ...figure,
        ...rest,
      })),
      void: (results.get(name) ?? []).flatMap((round) => round.void ?? []),
    })),
  }));
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
