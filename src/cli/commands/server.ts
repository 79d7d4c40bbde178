// `rollcall server`: the flags of a node, made from the configuration's schema.
import type { Command } from 'commander';
import { loadConfig } from '../../config/load-config.ts';
import { type Field, fields } from '../../config/schema.ts';
import { type CliContext, CommandFailed } from '../context.ts';

/** Given alone they mean yes, and true or false may follow; everything else takes a value. */
const SWITCHES = new Set(['allow_remote_admin']);

/** Units of fields whose unit and range are not plain from the name of the value. */
const NOTED = new Set(['bytes', 'count', 'milliseconds', 'n1=host:port,…', 'host:port,…']);

export function addServer(program: Command, context: CliContext): void {
  const command = program
    .command('server')
    .summary('run one node')
    .description(
      'Runs one node. Each flag is also a key of the file (--node-id is node_id, --limit-tags is tags under ' +
        'limits) and a variable (ROLLCALL_NODE_ID). Order: defaults < file < variables < flags.',
    )
    .option('--config <file>', 'YAML or JSON');
  for (const field of fields) {
    command.optionsGroup(field.key.startsWith('limits.') ? 'Limits:' : 'Options:');
    const value = SWITCHES.has(field.key)
      ? ' [bool]'
      : ` <${field.notes.placeholder.toLowerCase()}>`;
    command.option(`${field.flag}${value}`, describeField(field));
  }
  command.action(async () => {
    const loaded = loadConfig({
      flags: givenFlags(command),
      environment: context.environment,
      readFile: (path) => context.readText(path),
    });
    // Loaded late: no other command needs LevelDB, the peers' door or the node.
    const { runServer } = await import('../server/run-server.ts');
    const code = await runServer(loaded, context);
    if (code !== 0) throw new CommandFailed('', code);
  });
}

function describeField({ preset, notes }: Field): string {
  const range = NOTED.has(notes.unit) ? `${notes.unit}, ${notes.range}` : words(notes);
  const facts = [range, preset === undefined ? undefined : `default: ${preset}`];
  const known = facts.filter((fact) => fact !== undefined);
  return known.length === 0 ? notes.why : `${notes.why} (${known.join('; ')})`;
}

function words({ unit, range }: Field['notes']): string | undefined {
  return unit === 'word' ? `one of ${range}` : undefined;
}

/** Flags as given, `node-id` to its value; defaults are none of the command line's business. */
function givenFlags(command: Command): ReadonlyMap<string, string | boolean> {
  const given = new Map<string, string | boolean>();
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'cli') continue;
    given.set(option.name(), command.getOptionValue(name) as string | boolean);
  }
  return given;
}
