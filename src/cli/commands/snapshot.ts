// `rollcall snapshot …`: backups of the whole registry.
import type { Command } from 'commander';
import { takeBackup } from '../../client/index.ts';
import { counted } from '../../lib/counted.ts';
import type { BackupSummary } from '../../storage/backup-file.ts';
import { addClientOptions, type ClientFlags, withClient } from '../client-options.ts';
import type { CliContext } from '../context.ts';
import { offline } from '../offline.ts';
import { aboveRevision, addPlaceOptions, placeOf } from '../place-options.ts';
import { formatBytes, printable } from '../table.ts';

export function addSnapshot(program: Command, context: CliContext): void {
  const snapshot = program
    .command('snapshot')
    .summary('save a backup, or begin a new cluster with one')
    .description('Backups: see docs/recovery.md.');
  const save = snapshot
    .command('save')
    .summary('save a backup into a file')
    .description(
      'Takes a backup of everything that is registered, with all that was acknowledged before. What is written is read back and ' +
        'verified before it gets its name; a file of that name is replaced then, and not touched when anything fails.',
    )
    .argument('<file>', 'where to; its directory exists');
  addClientOptions(save, { namespace: false }).action((file: string, flags: ClientFlags) =>
    saveSnapshot(file, flags, context),
  );
  addRestore(snapshot, context);
}

interface RestoreFlags {
  readonly aboveRevision: number;
  readonly json?: true;
}

function addRestore(snapshot: Command, context: CliContext): void {
  const restore = snapshot
    .command('restore')
    .summary('begin a new cluster with a backup')
    .description(
      'Makes an empty data directory the only member of a new cluster that begins with the backup. Give it the same flags as ' +
        'the server; the other nodes join that one with empty directories and --join. See docs/recovery.md.',
    )
    .argument('<file>', 'the backup');
  addPlaceOptions(restore)
    .option(...aboveRevision)
    .option('--json', 'print the new cluster as JSON')
    .action((file: string, flags: RestoreFlags) => restoreSnapshot(restore, file, flags, context));
}

async function restoreSnapshot(
  command: Command,
  file: string,
  { aboveRevision: above, json }: RestoreFlags,
  context: CliContext,
): Promise<void> {
  const place = placeOf(command, context);
  const { dataDir } = place;
  const { restoreBackup } = await import('../../storage/restore.ts');
  const plan = { ...place, aboveRevision: above, unixNowMs: context.runtime.unixNow() };
  const restored = await offline(() => restoreBackup(file, dataDir, plan));
  const { clusterUuid, incarnation, revision, backup } = restored;
  if (json === true) {
    const form = {
      ...summaryForm(backup),
      data_dir: dataDir,
      node_id: place.nodeId,
      cluster_id: place.clusterId,
      cluster_uuid: clusterUuid,
      incarnation,
      revision: String(revision),
      former_cluster_uuid: backup.header.clusterUuid,
      former_revision: String(backup.header.meta.revision),
    };
    context.print(JSON.stringify(form));
    return;
  }
  const lines = [
    `${dataDir} is now ${place.nodeId}, the only member of a new cluster ${place.clusterId} (${clusterUuid}).`,
    `It begins at revision ${revision} with the backup: ${sentence(backup)}.`,
    'What was acknowledged after that backup is lost. Old resume and page tokens are told apart from new ones.',
    'Start it with the same flags; start the other nodes with empty data directories and --join.',
  ];
  context.print(lines.map(printable).join('\n'));
}

async function saveSnapshot(path: string, flags: ClientFlags, context: CliContext): Promise<void> {
  // Loaded late: no other command of the client needs the files of a node.
  const { writeBackup } = await import('../../storage/backup-file.ts');
  const signal = context.interruption();
  const summary = await withClient(flags, context, 'read', (client) =>
    offline(() => writeBackup(path, takeBackup(client, signal), context.randomHex(4))),
  );
  if (flags.json === true) context.print(JSON.stringify({ file: path, ...summaryForm(summary) }));
  else context.print(`${printable(path)}: ${sentence(summary)}; written, read back and whole`);
}

function sentence({ preface, header, records, bytes }: BackupSummary): string {
  const { clusterId, index, meta } = header;
  const at = new Date(preface.savedAtMs).toISOString();
  return `cluster ${clusterId} at revision ${meta.revision}, entry ${index}, ${counted(records, 'record')}, ${formatBytes(bytes)}, from ${preface.nodeId} at ${at}`;
}

/** As the contract's JSON: snake_case, 64-bit numbers as text. */
function summaryForm({ preface, header, records, bytes }: BackupSummary): object {
  return {
    cluster_id: header.clusterId,
    cluster_uuid: header.clusterUuid,
    node_id: preface.nodeId,
    saved_at_ms: String(preface.savedAtMs),
    version: preface.softwareVersion,
    index: String(header.index),
    revision: String(header.meta.revision),
    state_hash: header.meta.hash,
    records: String(records),
    bytes: String(bytes),
  };
}
