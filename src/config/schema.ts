// The one schema of a node's configuration. Every field carries its unit, default, range and reason; flags, variables,
// file keys and --help are derived from it.
import { z } from 'zod';
import { formatAddress, isWildcard, parseAddress } from './address.ts';
import { limitNames, limitSpecs } from './limits.ts';

/** What --help and the documents say about a field, beside its default. */
interface FieldNotes {
  /** What stands for the value in --help. */
  readonly placeholder: string;
  readonly unit: string;
  readonly range: string;
  /** Why one would set it, or what it means. */
  readonly why: string;
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const LARGEST_CLUSTER = 7;
/** Addresses of --join: each is asked in turn, so many more would only delay the answer. */
const MOST_ENTRANCES = 16;

/** Numbers arrive as numbers from files and as decimal text from flags and variables. */
function integer(min: number, max: number) {
  const range = `must be a whole number, ${min} to ${max}`;
  return z
    .union([z.number(), z.string().regex(/^\d{1,15}$/, { error: range })], { error: range })
    .transform(Number)
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error: range });
}

function label() {
  const error = 'must be a DNS label: 1 to 63 of a-z, 0-9 and -, not at the ends';
  return z.string({ error }).regex(LABEL, { error });
}

function address(lowestPort: 0 | 1) {
  const error = `must be host:port or [ipv6]:port with a port of ${lowestPort} to 65535`;
  return z
    .string({ error })
    .refine((text) => (parseAddress(text)?.port ?? -1) >= lowestPort, { error });
}

const advertised = () =>
  address(1).refine((text) => !isWildcard(parseAddress(text) ?? { host: '', port: 0 }), {
    error: 'must be an address that others can dial',
  });

function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` });
}

/** A setting of the contract whose door or command does not exist yet: only its "no" is accepted. */
function notYet(accepted: string, what: string) {
  return z
    .union([z.string(), z.boolean()], { error: `must be ${accepted}` })
    .transform(String)
    .refine((text) => text === accepted, { error: `${what} not in this version` });
}

const distinct = (values: readonly string[]): boolean => new Set(values).size === values.length;

export interface InitialMember {
  readonly nodeId: string;
  readonly peerAddress: string;
}

function initialMembers() {
  const form = 'must be n1=host:port,n2=host:port,…';
  return z.string({ error: form }).transform((text, context): readonly InitialMember[] => {
    const fail = (problem: string): typeof z.NEVER => {
      context.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    };
    const members: InitialMember[] = [];
    for (const part of text.split(',')) {
      const [nodeId = '', peer = '', ...rest] = part.trim().split('=');
      const parsed = parseAddress(peer);
      if (rest.length > 0 || !LABEL.test(nodeId) || parsed === undefined || parsed.port === 0) {
        return fail(`${form}, and "${part.trim()}" is not of that form`);
      }
      if (isWildcard(parsed)) return fail(`${part.trim()} is no address that others can dial`);
      members.push({ nodeId, peerAddress: formatAddress(parsed) });
    }
    if (!distinct(members.map((member) => member.nodeId))) return fail('names a node twice');
    if (!distinct(members.map((member) => member.peerAddress)))
      return fail('names an address twice');
    if (members.length > LARGEST_CLUSTER) {
      return fail(`${members.length} members, limit ${LARGEST_CLUSTER}`);
    }
    return members.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  });
}

/** Client addresses of members; whoever answers passes the request on to the leader. */
function entrances() {
  const form = 'must be host:port,host:port,…';
  return z.string({ error: form }).transform((text, context): readonly string[] => {
    const fail = (problem: string): typeof z.NEVER => {
      context.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    };
    const addresses: string[] = [];
    for (const part of text.split(',')) {
      const parsed = parseAddress(part.trim());
      if (parsed === undefined || parsed.port === 0) {
        return fail(`${form}, and "${part.trim()}" is not of that form`);
      }
      if (isWildcard(parsed)) return fail(`${part.trim()} is no address that can be dialled`);
      addresses.push(formatAddress(parsed));
    }
    if (addresses.length > MOST_ENTRANCES) {
      return fail(`${addresses.length} addresses, limit ${MOST_ENTRANCES}`);
    }
    return [...new Set(addresses)];
  });
}

/** Given alone on the command line it means yes. */
function flag() {
  const error = 'must be true or false';
  return z
    .union([z.boolean(), z.enum(['true', 'false'])], { error })
    .transform((value) => String(value) === 'true');
}

function note<T extends z.ZodType>(
  schema: T,
  placeholder: string,
  unit: string,
  range: string,
  why: string,
): T {
  return schema.meta({ placeholder, unit, range, why } satisfies FieldNotes);
}

const limitFields = Object.fromEntries(
  limitNames.map((name) => {
    const { min, max, unit, why, default: preset } = limitSpecs[name];
    const schema = integer(min, max).prefault(preset);
    return [snakeCase(name), note(schema, 'N', unit, `${min} to ${max}`, why)];
  }),
);

/** File keys. The flag of `node_id` is --node-id and its variable ROLLCALL_NODE_ID; `limits.tags` is --limit-tags. */
export const configSchema = z.strictObject({
  node_id: note(label(), 'NAME', 'text', 'DNS label', 'name of this node, unique in the cluster'),
  cluster_id: note(
    label().prefault('rollcall'),
    'NAME',
    'text',
    'DNS label',
    'nodes of different clusters refuse each other',
  ),
  data_dir: note(
    z.string({ error: 'must be a path' }).min(1, { error: 'must be a path' }).prefault('./data'),
    'DIR',
    'path',
    'writable',
    'write-ahead log and state of this node; one process at a time',
  ),
  listen_client: note(
    address(0).prefault('127.0.0.1:7400'),
    'ADDR',
    'host:port',
    'port 0 to 65535',
    'gRPC door for clients; port 0 takes a free one, printed in the ready line',
  ),
  listen_peer: note(
    address(0).prefault('127.0.0.1:7401'),
    'ADDR',
    'host:port',
    'port 0 to 65535',
    'door for the other nodes; port 0 takes a free one',
  ),
  listen_http: note(
    notYet('off', 'the HTTP door is').prefault('off'),
    'off',
    'host:port',
    'off',
    'HTTP door; not in this version',
  ),
  listen_dns: note(
    notYet('off', 'the DNS door is').prefault('off'),
    'off',
    'host:port',
    'off',
    'DNS door; not in this version',
  ),
  advertise_client: note(
    advertised().optional(),
    'ADDR',
    'host:port',
    'port 1 to 65535',
    'where clients reach this node, told to others; default: --listen-client',
  ),
  advertise_peer: note(
    advertised().optional(),
    'ADDR',
    'host:port',
    'port 1 to 65535',
    'where nodes reach this node, told to others; default: --listen-peer',
  ),
  initial_members: note(
    initialMembers().optional(),
    'LIST',
    'n1=host:port,…',
    `1 to ${LARGEST_CLUSTER} members`,
    'all members, this node too; this or --join is required while the data-dir is empty. The cluster forms once all are reached',
  ),
  join: note(
    entrances().optional(),
    'ADDRS',
    'host:port,…',
    `1 to ${MOST_ENTRANCES} addresses`,
    'client addresses of members: a node with an empty data-dir asks them to be added as a learner, and waits. In place of --initial-members',
  ),
  allow_remote_admin: note(
    flag().prefault(false),
    'BOOL',
    'flag',
    'true, false',
    'take calls that change the cluster from other hosts too; without access control, anybody who reaches the client door can then remove members',
  ),
  repair: note(
    oneOf(['auto', 'never']).prefault('auto'),
    'WHEN',
    'word',
    'auto, never',
    'auto: a node whose log is damaged sets it aside and asks the other members to take it back in a new incarnation; never: it ends with exit code 11',
  ),
  shutdown_ms: note(
    integer(100, 600_000).prefault(5000),
    'N',
    'milliseconds',
    '100 to 600000',
    'from SIGTERM to exit 0, at most',
  ),
  dns_zone: note(
    notYet('cluster.local', 'the DNS door is').prefault('cluster.local'),
    'ZONE',
    'domain',
    'cluster.local',
    'zone of the DNS door; not in this version',
  ),
  heartbeat_ms: note(
    integer(10, 5000).prefault(50),
    'N',
    'milliseconds',
    '10 to 5000',
    "the leader's sign of life; raise with --election-ms for wide networks",
  ),
  election_ms: note(
    integer(50, 60_000).prefault(300),
    'N',
    'milliseconds',
    '50 to 60000, at least 3 x heartbeat',
    'a follower waits for between this and twice this before it asks for votes',
  ),
  log_level: note(
    oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).prefault('info'),
    'LEVEL',
    'word',
    'trace, debug, info, warn, error, fatal, silent',
    'least level that is logged',
  ),
  log_format: note(
    oneOf(['json', 'pretty']).optional(),
    'FORMAT',
    'word',
    'json, pretty',
    'default: pretty on a terminal, json elsewhere',
  ),
  limits: z.strictObject(limitFields as Readonly<Record<string, z.ZodType<number>>>).prefault({}),
});

export type ParsedConfig = z.output<typeof configSchema>;

/** `maxInstances` is `max_instances` in files. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export interface Field {
  /** Key in a file, `limits.tags` for one below. */
  readonly key: string;
  readonly flag: string;
  readonly variable: string;
  /** Text of the default, undefined where there is none. */
  readonly preset: string | undefined;
  readonly notes: FieldNotes;
}

/** Every field with all its spellings, in the order of the schema. */
export const fields: readonly Field[] = [
  ...Object.entries(configSchema.shape)
    .filter(([key]) => key !== 'limits')
    .map(([key, schema]) => describe(key, key, schema)),
  ...Object.entries(limitFields).map(([key, schema]) =>
    describe(`limits.${key}`, `limit_${key}`, schema),
  ),
];

function describe(key: string, word: string, schema: z.ZodType): Field {
  const preset = schema instanceof z.ZodPrefault ? schema.def.defaultValue : undefined;
  return {
    key,
    flag: `--${word.replaceAll('_', '-')}`,
    variable: `ROLLCALL_${word.toUpperCase()}`,
    preset: preset === undefined ? undefined : `${preset as string | number | boolean}`,
    notes: schema.meta() as unknown as FieldNotes,
  };
}
