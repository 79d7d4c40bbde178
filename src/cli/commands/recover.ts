// `rollcall recover`: goes on with one survivor when the majority is lost for good.
import type { Command } from 'commander';
import { formatAddress, parseAddress } from '../../config/address.ts';
import { ConfigError } from '../../config/config-error.ts';
import { counted } from '../../lib/counted.ts';
import type { Recovered, Survivor } from '../../storage/survivor.ts';
import { type CliContext, CommandFailed } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { offline } from '../offline.ts';
import { aboveRevision } from '../place-options.ts';
import { printable } from '../table.ts';

interface Flags {
  readonly dataDir: string;
  readonly advertiseClient?: string;
  readonly advertisePeer?: string;
  readonly aboveRevision: number;
  readonly yesIAcceptDataLoss?: true;
  readonly json?: true;
}

export function addRecover(program: Command, context: CliContext): void {
  program
    .command('recover')
    .summary('go on with one survivor of a lost majority')
    .description(
      'Makes the data directory of one stopped survivor the only member of a new cluster, with everything it holds. Only when ' +
        'the majority is lost for good, and no other member will ever be started again with its old data. It says first what ' +
        'may be lost, and asks. The former data is kept beside the new. See docs/recovery.md.',
    )
    .requiredOption('--data-dir <dir>', 'of the survivor that has the most')
    .option('--advertise-client <addr>', 'where clients reach it, where that has changed')
    .option('--advertise-peer <addr>', 'where other nodes reach it, where that has changed')
    .option(...aboveRevision)
    .option('--yes-i-accept-data-loss', 'do not ask')
    .option('--json', 'print the new cluster as JSON')
    .action((flags: Flags) => recover(flags, context));
}

async function recover(flags: Flags, context: CliContext): Promise<void> {
  const plan = {
    peerAddress: addressOf('--advertise-peer', flags.advertisePeer),
    clientAddress: addressOf('--advertise-client', flags.advertiseClient),
    aboveRevision: flags.aboveRevision,
    unixNowMs: context.runtime.unixNow(),
    confirm: (survivor: Survivor) => confirm(survivor, flags, context),
  };
  const { recoverSurvivor } = await import('../../storage/survivor.ts');
  const recovered = await offline(() => recoverSurvivor(flags.dataDir, plan));
  if (recovered.kind === 'refused') {
    throw new CommandFailed('not confirmed: nothing was changed', EXIT.failed);
  }
  if (flags.json === true) context.print(JSON.stringify(jsonForm(recovered, flags.dataDir)));
  else context.print(outcome(recovered, flags.dataDir).map(printable).join('\n'));
}

function addressOf(flag: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  if (address === undefined || address.port === 0) {
    throw new ConfigError(`${flag}: "${text}" is not host:port`);
  }
  return formatAddress(address);
}

async function confirm(survivor: Survivor, flags: Flags, context: CliContext): Promise<boolean> {
  for (const line of statement(survivor)) context.warn(printable(line));
  if (flags.yesIAcceptDataLoss === true) return true;
  const { nodeId } = survivor.identity;
  return (await context.ask(`Type ${nodeId} to go on: `)).trim() === nodeId;
}

/** What is about to be done, and what it may cost. */
function statement(survivor: Survivor): readonly string[] {
  const { identity, members, self, lastIndex, lastTerm, commitIndex, revision } = survivor;
  const { nodeId, clusterId } = identity;
  const others = members.filter((member) => member !== self).map((member) => member.nodeId);
  const open = lastIndex - commitIndex;
  const written =
    survivor.lastWriteMs === undefined
      ? ''
      : `, its last write of ${new Date(survivor.lastWriteMs).toISOString()}`;
  const standing =
    self === undefined
      ? [`${nodeId} was removed from the cluster: what was written after its removal is not here.`]
      : self.learner
        ? [`${nodeId} had no vote: no write ever waited for it, so it may lack more than others.`]
        : [];
  return [
    `${nodeId} of cluster ${clusterId} (${identity.clusterUuid}) becomes the only member of a new cluster.`,
    `It has ${counted(survivor.instances, 'instance')} at revision ${revision}, entry ${lastIndex} of term ${lastTerm}${written}.`,
    openEntries(open),
    ...unsettledIn(survivor),
    'Lost is whatever the other members acknowledged without this one. How much that is cannot be known here.',
    ...standing,
    ...(others.length === 0 ? [] : aboutOthers(others)),
  ];
}

function openEntries(count: number): string {
  if (count === 0) return 'All of its entries are known here to be committed.';
  const unknown = 'not known here to be committed';
  if (count === 1)
    return `Its last entry is ${unknown}; it is kept: it may have been acknowledged.`;
  return `${count} of its last entries are ${unknown}; they are kept: they may have been acknowledged.`;
}

function unsettledIn({ unsettled, unsettledCount }: Survivor): readonly string[] {
  if (unsettledCount === 0) return [];
  const more = unsettledCount - unsettled.length;
  const names = more === 0 ? unsettled.join(', ') : `${unsettled.join(', ')} and ${more} more`;
  return [
    `Registered by such an entry: ${names}. Another process may hold the same generation: where generations guard something, deregister these afterwards ("Two of three are lost for good" in docs/recovery.md).`,
  ];
}

function aboutOthers(others: readonly string[]): readonly string[] {
  return [
    `The old data of ${others.join(', ')} must never be started again: a majority of it would go on as the old cluster, beside this one.`,
    'If another survivor has a later term at its end, or the same and a higher entry (rollcall check-data), recover that one instead.',
  ];
}

type Done = Exclude<Recovered, { readonly kind: 'refused' }>;

function outcome(recovered: Done, dataDir: string): readonly string[] {
  const kept =
    recovered.former === '' ? [] : [`The former data is kept in ${dataDir}/${recovered.former}.`];
  const next =
    'Start it as before; start the other nodes with empty data directories and --join, and promote them.';
  if (recovered.kind === 'completed') {
    const { nodeId, clusterUuid } = recovered.identity;
    return [
      `What an interrupted call had begun is done: ${nodeId} is the only member of cluster ${clusterUuid}.`,
      ...kept,
      next,
    ];
  }
  const { identity } = recovered.survivor;
  const { clusterUuid, revision } = recovered.epoch;
  return [
    `${identity.nodeId} is now the only member of a new cluster ${identity.clusterId} (${clusterUuid}), from revision ${revision}.`,
    ...kept,
    next,
  ];
}

function jsonForm(recovered: Done, dataDir: string): object {
  const place = { data_dir: dataDir, former: recovered.former };
  if (recovered.kind === 'completed') {
    return { ...place, cluster_uuid: recovered.identity.clusterUuid };
  }
  const { epoch, survivor } = recovered;
  return {
    ...place,
    cluster_uuid: epoch.clusterUuid,
    incarnation: epoch.incarnation,
    revision: String(epoch.revision),
    former_cluster_uuid: survivor.identity.clusterUuid,
    former_revision: String(survivor.revision),
    last_index: String(survivor.lastIndex),
    commit_index: String(survivor.commitIndex),
    instances: String(survivor.instances),
  };
}
