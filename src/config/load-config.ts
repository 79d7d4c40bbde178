// Puts a node's configuration together: defaults < file (--config) < ROLLCALL_* < flags. Whatever is wrong is told with
// the spelling its author used.
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Address, formatAddress, isWildcard, parseAddress } from './address.ts';
import { ConfigError } from './config-error.ts';
import type { Limits } from './limits.ts';
import { limitNames } from './limits.ts';
import {
  configSchema,
  fields,
  type InitialMember,
  type ParsedConfig,
  snakeCase,
} from './schema.ts';

export interface NodeConfig {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly dataDir: string;
  /** Port 0: take a free one. */
  readonly listenClient: Address;
  readonly listenPeer: Address;
  /** Undefined: the listen address, once its port is known. */
  readonly advertiseClient: string | undefined;
  readonly advertisePeer: string | undefined;
  /** Sorted by node id; undefined where none were named. */
  readonly initialMembers: readonly InitialMember[] | undefined;
  /** Client addresses of members of the cluster to join while the data-dir is empty; never together with initialMembers. */
  readonly join: readonly string[] | undefined;
  readonly allowRemoteAdmin: boolean;
  /** What becomes of a node whose log is damaged (docs/adr/0018). */
  readonly repair: ParsedConfig['repair'];
  readonly shutdownMs: number;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly logLevel: ParsedConfig['log_level'];
  /** Undefined: pretty on a terminal, json elsewhere. */
  readonly logFormat: 'json' | 'pretty' | undefined;
  readonly limits: Limits;
}

export interface ConfigSources {
  /** As given on the command line, by flag without the dashes: `node-id`. */
  readonly flags: ReadonlyMap<string, string | boolean>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

export interface LoadedConfig {
  readonly config: NodeConfig;
  /** One sentence each, for the log. */
  readonly warnings: readonly string[];
}

/** Variables of this project that are none of a node's business. */
const FOREIGN_VARIABLES = new Set(['ROLLCALL_CONFIG', 'ROLLCALL_ENDPOINTS']);

interface Setting {
  readonly value: unknown;
  /** How its author spelled it: `--node-id`, `ROLLCALL_NODE_ID`, `n1.yaml: node_id`. */
  readonly spelling: string;
}

/** Throws ConfigError that names the field, variable or flag. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { settings: fromVariables, warnings } = readVariables(sources.environment);
  const configPath = sources.flags.get('config') ?? sources.environment['ROLLCALL_CONFIG'];
  const settings = new Map<string, Setting>([
    ...(typeof configPath === 'string' ? readConfigFile(configPath, sources.readFile) : []),
    ...fromVariables,
    ...readFlags(sources.flags),
  ]);
  const parsed = configSchema.safeParse(nest(settings));
  if (!parsed.success) throw explain(parsed.error, settings);
  return { config: relate(parsed.data, settings), warnings };
}

/** A node with an empty data-dir must be told who forms the cluster, and be one of them, or whom to ask to be taken in: then
 * it forms none, and the result is empty. */
export function requireInitialMembers(config: NodeConfig): readonly InitialMember[] {
  if (config.join !== undefined) return [];
  const members = config.initialMembers;
  if (members === undefined) {
    throw new ConfigError(
      `--initial-members: required while ${config.dataDir} is empty, as in n1=host:7401,n2=host:7401,n3=host:7401; or --join to join a cluster that exists`,
    );
  }
  if (!members.some((member) => member.nodeId === config.nodeId)) {
    throw new ConfigError(`--initial-members: this node, ${config.nodeId}, is not in it`);
  }
  return members;
}

function readVariables(environment: ConfigSources['environment']): {
  readonly settings: ReadonlyMap<string, Setting>;
  readonly warnings: readonly string[];
} {
  const byVariable = new Map(fields.map((field) => [field.variable, field.key]));
  const settings = new Map<string, Setting>();
  const warnings: string[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('ROLLCALL_') || value === undefined) continue;
    const key = byVariable.get(variable);
    if (key !== undefined) settings.set(key, { value, spelling: variable });
    else if (!FOREIGN_VARIABLES.has(variable)) {
      warnings.push(`The variable ${variable} is not known and was ignored.`);
    }
  }
  return { settings, warnings };
}

function readFlags(flags: ConfigSources['flags']): ReadonlyMap<string, Setting> {
  const byFlag = new Map(fields.map((field) => [field.flag, field.key]));
  const settings = new Map<string, Setting>();
  for (const [flag, value] of flags) {
    if (flag === 'config') continue;
    const key = byFlag.get(`--${flag}`);
    if (key === undefined) throw new ConfigError(`--${flag}: no such flag`);
    settings.set(key, { value, spelling: `--${flag}` });
  }
  return settings;
}

function readConfigFile(
  path: string,
  readFile: ConfigSources['readFile'],
): ReadonlyMap<string, Setting> {
  const content = parseFile(path, readFile);
  const settings = new Map<string, Setting>();
  const known = new Set(fields.map((field) => field.key));
  const add = (key: string, value: unknown): void => {
    if (!known.has(key)) throw new ConfigError(`${path}: ${key}: no such field`);
    settings.set(key, { value, spelling: `${path}: ${key}` });
  };
  for (const [key, value] of Object.entries(content)) {
    if (key !== 'limits') add(key, value);
    else {
      if (!isRecord(value)) throw new ConfigError(`${path}: limits: must be a mapping`);
      for (const [name, limit] of Object.entries(value)) add(`limits.${name}`, limit);
    }
  }
  return settings;
}

function parseFile(
  path: string,
  readFile: ConfigSources['readFile'],
): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    // JSON is YAML, so one parser reads both. What it only warns of, as a tag that it does not know, is meant otherwise than it is read.
    const text = readFile(path);
    const excess = excessOf(text);
    if (excess !== undefined) throw new Error(excess);
    const document = parseDocument(text, { logLevel: 'silent' });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    content = document.toJS();
  } catch (error) {
    const [firstLine = ''] = error instanceof Error ? error.message.split('\n') : [];
    throw new ConfigError(`--config: ${path} cannot be read: ${firstLine}`);
  }
  if (content === null || content === undefined) return {};
  if (!isRecord(content)) throw new ConfigError(`--config: ${path} is not a mapping of fields`);
  return content;
}

const MOST_FILE_CHARACTERS = 65_536;
const MOST_BRACKETS = 100;

/** What no configuration has, and what the parser may take minutes for, or end the process over, as for thousands of brackets within each other. */
function excessOf(text: string): string | undefined {
  if (text.length > MOST_FILE_CHARACTERS) {
    return `it has ${text.length} characters, limit ${MOST_FILE_CHARACTERS}`;
  }
  const brackets = text.match(/[[{]/g)?.length ?? 0;
  if (brackets > MOST_BRACKETS) return `it has ${brackets} brackets, limit ${MOST_BRACKETS}`;
  const nested = /^(?: {40}|(?:[ \t]*[-?:](?=[ \t]).?){4})/m.test(text);
  return nested ? 'it is nested deeper than any configuration' : undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function nest(settings: ReadonlyMap<string, Setting>): unknown {
  const top: Record<string, unknown> = {};
  const limits: Record<string, unknown> = {};
  for (const [key, { value }] of settings) {
    if (key.startsWith('limits.')) limits[key.slice('limits.'.length)] = value;
    else top[key] = value;
  }
  return { ...top, limits };
}

/** The first problem, in one line that names the culprit as it was spelled. */
function explain(error: z.ZodError, settings: ReadonlyMap<string, Setting>): ConfigError {
  const issue = error.issues[0];
  if (issue === undefined) return new ConfigError('the configuration is not valid');
  const key = issue.path.join('.');
  const setting = settings.get(key);
  if (setting === undefined) {
    const flag = fields.find((field) => field.key === key)?.flag ?? key;
    return new ConfigError(`${flag}: required, ${issue.message}`);
  }
  const shown = JSON.stringify(setting.value) ?? String(setting.value);
  const short = shown.length > 80 ? `${shown.slice(0, 77)}…` : shown;
  return new ConfigError(`${setting.spelling}: ${issue.message} (got ${short})`);
}

/** Checks what spans fields and gives the parts their types. */
function relate(parsed: ParsedConfig, settings: ReadonlyMap<string, Setting>): NodeConfig {
  const spell = (key: string): string =>
    settings.get(key)?.spelling ?? `--${key.replaceAll('_', '-')}`;
  if (parsed.election_ms < 3 * parsed.heartbeat_ms) {
    throw new ConfigError(
      `${spell('election_ms')}: ${parsed.election_ms} is less than three heartbeats of ${parsed.heartbeat_ms} ms`,
    );
  }
  if (parsed.join !== undefined && parsed.initial_members !== undefined) {
    throw new ConfigError(
      `${spell('join')}: not together with ${spell('initial_members')}: a node forms a new cluster or joins one that exists`,
    );
  }
  for (const door of ['client', 'peer'] as const) {
    const listen = parsed[`listen_${door}`];
    if (parsed[`advertise_${door}`] === undefined && isWildcard(listenAddress(listen))) {
      throw new ConfigError(
        `--advertise-${door}: required, because others cannot dial ${spell(`listen_${door}`)} ${listen}`,
      );
    }
  }
  return {
    nodeId: parsed.node_id,
    clusterId: parsed.cluster_id,
    dataDir: parsed.data_dir,
    listenClient: listenAddress(parsed.listen_client),
    listenPeer: listenAddress(parsed.listen_peer),
    advertiseClient: canonical(parsed.advertise_client),
    advertisePeer: canonical(parsed.advertise_peer),
    initialMembers: parsed.initial_members,
    join: parsed.join,
    allowRemoteAdmin: parsed.allow_remote_admin,
    repair: parsed.repair,
    shutdownMs: parsed.shutdown_ms,
    heartbeatMs: parsed.heartbeat_ms,
    electionMs: parsed.election_ms,
    logLevel: parsed.log_level,
    logFormat: parsed.log_format,
    limits: Object.fromEntries(
      limitNames.map((name) => [name, parsed.limits[snakeCase(name)]]),
    ) as Limits,
  };
}

function listenAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new ConfigError(`${text}: not an address`);
  return address;
}

const canonical = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : formatAddress(listenAddress(text));
