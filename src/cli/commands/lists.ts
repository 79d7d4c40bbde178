// `rollcall services`, `instances` and `get`: the three reads. Lists are walked to their end, one revision throughout.
import { type Command, Option } from 'commander';
import { ClientError } from '../../client/index.ts';
import type { Consistency } from '../../rpc/gen/rollcall/v1/Consistency.ts';
import type { Instance__Output } from '../../rpc/gen/rollcall/v1/Instance.ts';
import { addClientOptions, type ClientFlags, several, withClient } from '../client-options.ts';
import { type CliContext, CommandFailed } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { instanceAddress } from '../instance-input.ts';
import { jsonLine } from '../json-output.ts';
import { formatTable, printable } from '../table.ts';

interface ReadFlags extends ClientFlags {
  readonly consistency?: 'linearizable' | 'bounded' | 'stale';
}

interface InstancesFlags extends ReadFlags {
  readonly healthy?: true;
  readonly tag?: readonly string[];
  readonly zone?: string;
}

/** A walk that outlives the ring of changes starts again; after that many times the cluster changes too fast for it. */
const MAX_WALKS = 3;

const consistencyOption = (): Option =>
  new Option('--consistency <level>', 'default: linearizable').choices([
    'linearizable',
    'bounded',
    'stale',
  ]);

const readOptions = (flags: ReadFlags): { readonly consistency: Consistency } => ({
  consistency: (flags.consistency ?? 'linearizable').toUpperCase() as Consistency,
});

export function addServices(program: Command, context: CliContext): void {
  const command = program
    .command('services')
    .summary('list services')
    .addOption(consistencyOption());
  addClientOptions(command, { namespace: true }).action(async (flags: ReadFlags) => {
    await withClient(flags, context, 'read', async (client) => {
      const answer = await walkPages((page_token) =>
        client.listServices({
          namespace: flags.namespace ?? '',
          read: readOptions(flags),
          page_token,
        }),
      );
      const services = answer.pages.flatMap((page) => page.services);
      if (flags.json === true) {
        context.print(jsonLine({ ...answer.last, services }));
        return;
      }
      const everywhere = flags.namespace === '*';
      context.print(
        formatTable(
          [...(everywhere ? ['namespace'] : []), 'service', 'healthy', 'total', 'tags', 'revision'],
          services.map((service) => [
            ...(everywhere ? [service.namespace] : []),
            service.service_name,
            service.healthy,
            service.total,
            service.tags.join(','),
            service.revision,
          ]),
        ),
      );
    });
  });
}

export function addInstances(program: Command, context: CliContext): void {
  const command = program
    .command('instances')
    .summary('list the instances of a service')
    .argument('<service>', 'service name')
    .option('--healthy', 'only those that take traffic')
    .option('--tag <tag>', 'with this tag; may be repeated', several)
    .option('--zone <zone>', 'in this zone')
    .addOption(consistencyOption());
  addClientOptions(command, { namespace: true }).action(
    async (service: string, flags: InstancesFlags) => {
      const selector = {
        namespace: flags.namespace ?? '',
        services: [service],
        healthy_only: flags.healthy === true,
        tags: [...(flags.tag ?? [])],
        zone: flags.zone ?? '',
      };
      await withClient(flags, context, 'read', async (client) => {
        const answer = await walkPages((page_token) =>
          client.listInstances({ selector, read: readOptions(flags), page_token }),
        );
        const instances = answer.pages.flatMap((page) => page.instances);
        if (flags.json === true) {
          context.print(jsonLine({ ...answer.last, instances }));
          return;
        }
        context.print(instanceTable(instances));
        if (answer.last.all_unhealthy) {
          context.warn('Instances match, but none of them is healthy.');
        }
      });
    },
  );
}

export function addGet(program: Command, context: CliContext): void {
  const command = program
    .command('get')
    .summary('show one instance')
    .argument('<id>', 'instance id')
    .addOption(consistencyOption());
  addClientOptions(command, { namespace: true }).action(async (id: string, flags: ReadFlags) => {
    await withClient(flags, context, 'read', async (client) => {
      const answer = await client.getInstance({
        namespace: flags.namespace ?? '',
        instance_id: id,
        read: readOptions(flags),
      });
      if (answer.instance === null) throw new CommandFailed(`${id}: no instance`, EXIT.failed);
      context.print(flags.json === true ? jsonLine(answer) : instanceDetails(answer.instance));
    });
  });
}

interface Walk<P> {
  readonly pages: readonly P[];
  readonly last: P;
}

async function walkPages<P extends { readonly next_page_token: string }>(
  fetchPage: (pageToken: string) => Promise<P>,
): Promise<Walk<P>> {
  for (let walks = 1; ; walks++) {
    const pages: P[] = [];
    try {
      let page = await fetchPage('');
      pages.push(page);
      while (page.next_page_token !== '') {
        page = await fetchPage(page.next_page_token);
        pages.push(page);
      }
      return { pages, last: page };
    } catch (error) {
      const gone = error instanceof ClientError && error.status === 'FAILED_PRECONDITION';
      if (!gone || pages.length === 0 || walks === MAX_WALKS) throw error;
    }
  }
}

function instanceTable(instances: readonly Instance__Output[]): string {
  return formatTable(
    ['service', 'id', 'address', 'status', 'version', 'zone', 'weight', 'tags', 'generation'],
    instances.map((instance) => [
      instance.service_name,
      instance.instance_id,
      instanceAddress(instance),
      statusText(instance),
      instance.version,
      instance.zone,
      instance.weight,
      instance.tags.join(','),
      instance.generation,
    ]),
  );
}

export function statusText(instance: Instance__Output): string {
  const status = instance.status.toLowerCase();
  return instance.maintenance ? `${status} (maintenance)` : status;
}

const time = (milliseconds: string): string => new Date(Number(milliseconds)).toISOString();

const pairs = (map: Readonly<Record<string, string | number>>): string =>
  Object.entries(map)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

function instanceDetails(instance: Instance__Output): string {
  const lines: readonly (readonly [string, string])[] = [
    ['id', instance.instance_id],
    ['service', instance.service_name],
    ['namespace', instance.namespace],
    ['address', instanceAddress(instance)],
    ['ports', pairs(instance.ports)],
    ['status', statusText(instance)],
    ['lifecycle', instance.lifecycle.toLowerCase()],
    ['version', instance.version],
    ['zone', instance.zone],
    ['region', instance.region],
    ['weight', String(instance.weight)],
    ['tags', instance.tags.join(',')],
    ['metadata', pairs(instance.metadata)],
    ['ttl', `${instance.ttl_ms} ms`],
    ['generation', instance.generation],
    ['revision', instance.revision],
    ['registered', time(instance.registered_at_ms)],
    ['last heartbeat', time(instance.last_heartbeat_ms)],
  ];
  return lines
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name.padEnd(15)} ${printable(value)}`)
    .join('\n');
}
