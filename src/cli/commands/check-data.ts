// `rollcall check-data`: verifies the data directory of a node that does not run.
import type { Command } from 'commander';
import type { DataCheck } from '../../storage/data-check.ts';
import type { Finding } from '../../storage/data-finding.ts';
import { type CliContext, CommandFailed } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { offline } from '../offline.ts';
import { printable } from '../table.ts';

interface Flags {
  readonly dataDir: string;
  readonly json?: true;
}

export function addCheckData(program: Command, context: CliContext): void {
  program
    .command('check-data')
    .summary('verify the data directory of a stopped node')
    .description(
      'Reads everything in the data directory of a node that does not run, and says what is there and what to do. It changes ' +
        'nothing. Exit code 0: sound, 10: the disk cannot be read, 11: damaged, 14: in use, or of a later version.',
    )
    .requiredOption('--data-dir <dir>', 'of the node, always named')
    .option('--json', 'print the findings as JSON')
    .action((flags: Flags) => check(flags, context));
}

async function check(flags: Flags, context: CliContext): Promise<void> {
  // Loaded late: no command that talks to a cluster needs LevelDB.
  const { checkData, isSound } = await import('../../storage/data-check.ts');
  const result = await offline(() => checkData(flags.dataDir));
  const sound = isSound(result);
  if (flags.json === true) context.print(JSON.stringify({ sound, ...jsonForm(result) }));
  else context.print([...result.findings.map(lineOf), conclusion(result, sound)].join('\n'));
  if (!sound) {
    throw new CommandFailed('', isLater(result) ? EXIT.dataDirRefused : EXIT.damagedData);
  }
}

function lineOf({ part, verdict, text, advice }: Finding): string {
  const first = `${verdict.padEnd(8)} ${part.padEnd(9)} ${printable(text)}`;
  return advice === '' ? first : `${first}\n${' '.repeat(19)}${printable(advice)}`;
}

/** A later version wrote something, and what it did not write is whole. */
const isLater = ({ findings }: DataCheck): boolean =>
  findings.some(({ verdict }) => verdict === 'later') &&
  findings.every(({ verdict }) => verdict !== 'damaged');

function conclusion(result: DataCheck, sound: boolean): string {
  if (sound) return `${result.directory} is sound.`;
  if (isLater(result)) return `${result.directory} is of a later version.`;
  return `${result.directory} is damaged.`;
}

/** As the contract's JSON: snake_case, 64-bit numbers as text, every field there. */
function jsonForm({ directory, identity, findings, log, state, rebuilt }: DataCheck): object {
  const image = log?.image;
  const content = state.kind === 'verified' ? state.image : undefined;
  return {
    data_dir: directory,
    node_id: identity?.nodeId ?? '',
    cluster_id: identity?.clusterId ?? '',
    cluster_uuid: identity?.clusterUuid ?? '',
    incarnation: identity?.incarnation ?? '',
    first_index: String((image?.floor.index ?? 0) + 1),
    last_index: String(image?.lastIndex ?? 0),
    commit_index: String(image?.hardState.commitIndex ?? 0),
    term: String(image?.hardState.term ?? 0),
    applied_index: String(content?.appliedIndex ?? 0),
    state_hash: content?.meta.hash ?? '',
    revision: String(rebuilt?.registry.revision ?? content?.meta.revision ?? 0),
    instances: String(rebuilt?.registry.instanceCount ?? content?.loaded?.instanceCount ?? 0),
    findings,
  };
}
