// Who and where a node is, for commands that make a data directory: the flags of the server of the same name, from the same file and
// variables.
import { type Command, InvalidArgumentError } from 'commander';
import { type Address, formatAddress } from '../config/address.ts';
import { ConfigError } from '../config/config-error.ts';
import { loadConfig } from '../config/load-config.ts';
import { fields } from '../config/schema.ts';
import type { CliContext } from './context.ts';

export interface NodePlace {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly dataDir: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
}

const KEYS = [
  'node_id',
  'cluster_id',
  'data_dir',
  'listen_client',
  'listen_peer',
  'advertise_client',
  'advertise_peer',
];

export function addPlaceOptions(command: Command): Command {
  command.option('--config <file>', 'YAML or JSON, as for the server');
  for (const { key, flag, notes, preset } of fields) {
    if (!KEYS.includes(key)) continue;
    const why = preset === undefined ? notes.why : `${notes.why} (default: ${preset})`;
    command.option(`${flag} <${notes.placeholder.toLowerCase()}>`, why);
  }
  return command;
}

/** Throws ConfigError as the server would. */
export function placeOf(command: Command, context: CliContext): NodePlace {
  const flags = new Map<string, string>();
  for (const name of ['config', ...KEYS.map((key) => key.replaceAll('_', '-'))]) {
    const option = command.options.find((known) => known.name() === name);
    const value: unknown = option && command.getOptionValue(option.attributeName());
    if (typeof value === 'string') flags.set(name, value);
  }
  const { config } = loadConfig({
    flags,
    environment: context.environment,
    readFile: (path) => context.readText(path),
  });
  const { nodeId, clusterId, dataDir } = config;
  return {
    nodeId,
    clusterId,
    dataDir,
    peerAddress: config.advertisePeer ?? dialled(config.listenPeer, 'peer'),
    clientAddress: config.advertiseClient ?? dialled(config.listenClient, 'client'),
  };
}

function dialled(address: Address, door: string): string {
  if (address.port !== 0) return formatAddress(address);
  throw new ConfigError(`--advertise-${door}: required where --listen-${door} takes a free port`);
}

/** An option of every command that begins a new cluster epoch. */
export const aboveRevision = [
  '--above-revision <n>',
  'another revision that the new ones must be above, as one that a client still holds',
  (text: string): number => {
    const value = Number(text);
    if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value;
    throw new InvalidArgumentError(`It must be a whole number, 0 to ${Number.MAX_SAFE_INTEGER}.`);
  },
  0,
] as const;
