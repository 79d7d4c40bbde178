// `rollcall register`: state one instance, or a file of them; with --keep, stay and heartbeat until told to stop.
import { type Command, Option } from 'commander';
import { ConfigError } from '../../config/config-error.ts';
import type { RegistryClient } from '../../client/index.ts';
import {
  addClientOptions,
  type ClientFlags,
  newRequestId,
  several,
  wholeNumber,
  withClient,
} from '../client-options.ts';
import type { CliContext } from '../context.ts';
import {
  type InstanceFlags,
  instanceFromFlags,
  instancesFromFile,
  type NamedInstance,
} from '../instance-input.ts';
import { jsonLine } from '../json-output.ts';
import { keepRegistered, type Registration } from '../keep-registered.ts';
import { printable } from '../table.ts';

interface RegisterFlags extends ClientFlags, InstanceFlags {
  readonly check?: readonly string[];
  readonly file?: string;
  readonly keep?: true;
}

export function addRegister(program: Command, context: CliContext): void {
  const command = program
    .command('register')
    .summary('register an instance, or every instance of a file')
    .description(
      'Registers an instance. Registering it again changes it; unchanged, it only renews its lease.\n' +
        'Without heartbeats it is removed once its TTL is over: --keep stays and sends them.',
    )
    .option('--service <name>', 'service name')
    .option('--host <host>', 'IP address or host name')
    .option('--port <n>', 'port', wholeNumber(1, 65_535))
    .option('--id <id>', 'instance id (default: service-host-port-8hex)')
    .addOption(
      new Option('--status <status>', 'default: healthy').choices([
        'starting',
        'healthy',
        'draining',
      ]),
    )
    .option('--tag <tag>', 'may be repeated', several)
    .option('--meta <key=value>', 'may be repeated', several)
    .option('--zone <zone>', 'zone')
    .option('--region <region>', 'region')
    .option('--service-version <version>', 'version of the service')
    .option('--weight <n>', 'default: 100', wholeNumber(0, 65_535))
    .option('--ttl-ms <n>', 'default: 30000', wholeNumber(0, 86_400_000))
    .addOption(new Option('--check <check>').argParser(several).hideHelp())
    .option('--keep', 'stay, heartbeat, and deregister on SIGINT or SIGTERM')
    .option('--file <file>', 'JSON or YAML, one instance or a list; - is standard input');
  addClientOptions(command, { namespace: true }).action((flags: RegisterFlags) =>
    register(flags, context),
  );
}

async function register(flags: RegisterFlags, context: CliContext): Promise<void> {
  if (flags.check !== undefined) {
    throw new ConfigError('--check: active checks are not in this version');
  }
  const instances = readInstances(flags, context);
  await withClient(flags, context, 'write', async (client) => {
    const registrations =
      instances.length === 1
        ? await registerOne(client, instances, flags, context)
        : await registerAll(client, instances, flags, context);
    if (flags.keep === true) {
      await keepRegistered(client, registrations, context, { json: flags.json === true });
    }
  });
}

function readInstances(flags: RegisterFlags, context: CliContext): readonly NamedInstance[] {
  if (flags.file === undefined) return [instanceFromFlags(flags, flags.namespace, context)];
  const stated = ['service', 'host', 'port', 'id', 'status', 'tag', 'meta', 'zone', 'region'];
  const clash = [...stated, 'serviceVersion', 'weight', 'ttlMs'].find((name) => name in flags);
  if (clash !== undefined) {
    const flag = clash.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new ConfigError(`--${flag}: not together with --file, which states the whole instance`);
  }
  return instancesFromFile(flags.file, flags.namespace, context);
}

async function registerOne(
  client: RegistryClient,
  instances: readonly NamedInstance[],
  flags: RegisterFlags,
  context: CliContext,
): Promise<readonly Registration[]> {
  const [instance] = instances;
  if (instance === undefined) return [];
  const answer = await client.register({ instance, request_id: newRequestId(context) });
  context.print(
    flags.json === true
      ? jsonLine(answer)
      : `registered ${printable(instance.instance_id)}, generation ${answer.generation}; ${advice(flags, answer.heartbeat_interval_ms)}`,
  );
  const { generation, heartbeat_interval_ms: intervalMs } = answer;
  return [{ instance, generation, intervalMs }];
}

/** Of a long file the rest is a number; --json has them all. */
const NAMED_AT_MOST = 10;

async function registerAll(
  client: RegistryClient,
  instances: readonly NamedInstance[],
  flags: RegisterFlags,
  context: CliContext,
): Promise<readonly Registration[]> {
  const request = { instances: [...instances], request_id: newRequestId(context) };
  const answer = await client.registerBatch(request);
  if (flags.json === true) context.print(jsonLine(answer));
  else {
    const named = instances.slice(0, NAMED_AT_MOST).map(({ instance_id: id }) => printable(id));
    const more = instances.length - named.length;
    const ids = `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    context.print(
      `registered ${instances.length} instances at revision ${answer.revision} (${ids}); ${advice(flags, answer.heartbeat_interval_ms)}`,
    );
  }
  return instances.map((instance, position) => ({
    instance,
    generation: answer.generations[position] ?? '0',
    intervalMs: answer.heartbeat_interval_ms,
  }));
}

function advice(flags: RegisterFlags, intervalMs: number): string {
  return flags.keep === true
    ? `heartbeating every ${intervalMs} ms until stopped`
    : `heartbeat every ${intervalMs} ms, or use --keep`;
}
