// Instances as people state them: with flags, or in a JSON or YAML file. The registry checks the values; here only the
// form is checked, so that a misspelled field is not silently left out.
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { formatAddress, parseAddress } from '../config/address.ts';
import { ConfigError } from '../config/config-error.ts';
import type { Instance } from '../rpc/gen/rollcall/v1/Instance.ts';
import type { CliContext } from './context.ts';

export interface InstanceFlags {
  readonly service?: string;
  readonly host?: string;
  readonly port?: number;
  readonly id?: string;
  readonly status?: 'starting' | 'healthy' | 'draining';
  readonly tag?: readonly string[];
  readonly meta?: readonly string[];
  readonly zone?: string;
  readonly region?: string;
  readonly serviceVersion?: string;
  readonly weight?: number;
  readonly ttlMs?: number;
}

/** An instance with its id filled in. */
export type NamedInstance = Instance & { readonly instance_id: string };

const MAX_ID_LENGTH = 128;
const MAX_FILE_INSTANCES = 1000;

/** `service-host-port-8hex`; a long host is cut so that the id keeps its limit. */
export function defaultInstanceId(
  instance: Instance,
  randomHex: (bytes: number) => string,
): string {
  const tail = `-${instance.port ?? 0}-${randomHex(4)}`;
  const head = `${instance.service_name ?? ''}-${instance.host ?? ''}`;
  return head.slice(0, MAX_ID_LENGTH - tail.length) + tail;
}

export function instanceFromFlags(
  flags: InstanceFlags,
  namespace: string | undefined,
  context: CliContext,
): NamedInstance {
  const { service, host, port } = flags;
  if (service === undefined || host === undefined || port === undefined) {
    const missing = Object.entries({ service, host, port }).find(
      ([, value]) => value === undefined,
    );
    throw new ConfigError(`--${missing?.[0] ?? 'service'}: required, unless there is --file`);
  }
  const instance: Instance = {
    service_name: service,
    host,
    port,
    tags: [...(flags.tag ?? [])],
    metadata: Object.fromEntries((flags.meta ?? []).map(metadataPair)),
    ...(namespace === undefined ? {} : { namespace }),
    ...(flags.status === undefined ? {} : { status: STATUSES[flags.status] }),
    ...(flags.zone === undefined ? {} : { zone: flags.zone }),
    ...(flags.region === undefined ? {} : { region: flags.region }),
    ...(flags.serviceVersion === undefined ? {} : { version: flags.serviceVersion }),
    ...(flags.weight === undefined ? {} : { weight: flags.weight }),
    ...(flags.ttlMs === undefined ? {} : { ttl_ms: flags.ttlMs }),
  };
  const id = flags.id ?? defaultInstanceId(instance, (bytes) => context.randomHex(bytes));
  return { ...instance, instance_id: id };
}

const STATUSES = { starting: 'STARTING', healthy: 'HEALTHY', draining: 'DRAINING' } as const;

function metadataPair(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new ConfigError(`--meta: "${text}" is not key=value`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

const word = z.string({ error: 'must be text' });
const number = z.int({ error: 'must be a whole number' }).min(0, { error: 'must not be negative' });
/** 64-bit numbers come as text from our own JSON. */
const counter = z.union([number, z.string().regex(/^-?\d+$/)], { error: 'must be a whole number' });
/** Numbers and booleans are kept as their text; lists and mappings are refused. */
const plainText = z
  .union([z.string(), z.number(), z.boolean()], { error: 'must be text, a number or a boolean' })
  .transform(String);

function enumWord<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z
    .string()
    .transform((text) => text.toUpperCase())
    .pipe(z.enum(words, { error: `must be one of ${words.join(', ').toLowerCase()}` }));
}

const fileInstance = z.strictObject({
  namespace: word.optional(),
  service_name: word,
  instance_id: word.optional(),
  host: word,
  port: number,
  status: enumWord([
    'STATUS_UNSPECIFIED',
    'STARTING',
    'HEALTHY',
    'UNHEALTHY',
    'DRAINING',
  ]).optional(),
  metadata: z.record(z.string(), plainText, { error: 'must be a mapping' }).optional(),
  tags: z.array(word, { error: 'must be a list' }).optional(),
  version: plainText.optional(),
  region: word.optional(),
  zone: word.optional(),
  weight: number.optional(),
  ports: z.record(z.string(), number, { error: 'must be a mapping' }).optional(),
  checks: z
    .array(z.unknown())
    .max(0, { error: 'active checks are not in this version' })
    .optional(),
  ttl_ms: number.optional(),
  generation: counter.optional(),
  revision: counter.optional(),
  registered_at_ms: counter.optional(),
  last_heartbeat_ms: counter.optional(),
  deregister_after_ms: number.max(0, { error: 'active checks are not in this version' }).optional(),
  maintenance: z.boolean().optional(),
  lifecycle: enumWord(['UNSPECIFIED', 'SERVING', 'STARTING', 'DRAINING']).optional(),
});

/** One instance, a list of them, or an answer of `get` or `instances` as printed with --json. */
export function instancesFromFile(
  path: string,
  namespace: string | undefined,
  context: CliContext,
): readonly NamedInstance[] {
  const items = listItems(readContent(path, context));
  if (items.length === 0) throw new ConfigError(`--file: ${path} holds no instance`);
  if (items.length > MAX_FILE_INSTANCES) {
    throw new ConfigError(
      `--file: ${path} holds ${items.length} instances, limit ${MAX_FILE_INSTANCES}`,
    );
  }
  return items.map((item, position) => {
    const parsed = fileInstance.safeParse(item);
    if (!parsed.success) {
      const where = items.length === 1 ? [] : [`instances[${position}]`];
      throw new ConfigError(`--file: ${path}: ${describeIssue(parsed.error, where)}`);
    }
    const stated = withoutUndefined(parsed.data) as Instance;
    const instance = namespace === undefined ? stated : { namespace, ...stated };
    const id =
      instance.instance_id ?? defaultInstanceId(instance, (bytes) => context.randomHex(bytes));
    return { ...instance, instance_id: id };
  });
}

function readContent(path: string, context: CliContext): unknown {
  try {
    return parseYaml(context.readText(path));
  } catch (error) {
    const [line = ''] = error instanceof Error ? error.message.split('\n') : [];
    throw new ConfigError(`--file: ${path} cannot be read: ${line}`);
  }
}

function listItems(content: unknown): readonly unknown[] {
  if (Array.isArray(content)) return content;
  if (typeof content !== 'object' || content === null) return content === null ? [] : [content];
  if ('instances' in content && Array.isArray(content.instances)) return content.instances;
  if ('instance' in content) return [content.instance];
  return [content];
}

function describeIssue(error: z.ZodError, where: readonly string[]): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'not an instance';
  if (issue.code === 'unrecognized_keys') {
    return `${[...where, ...issue.path, issue.keys[0] ?? ''].join('.')}: no such field`;
  }
  const path = [...where, ...issue.path].join('.');
  return path === '' ? 'not an instance' : `${path}: ${issue.message}`;
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}

/** host:port for people; IPv6 in brackets. */
export function instanceAddress(instance: {
  readonly host: string;
  readonly port: number;
}): string {
  const text = formatAddress(instance);
  return parseAddress(text) === undefined ? `${instance.host}:${instance.port}` : text;
}
