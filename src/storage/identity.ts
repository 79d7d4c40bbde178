// Who this data-dir belongs to, in one small file that people can read. Written whole through a temporary file; any
// difference from what was written, down to white space, is damage.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import { DataDirError, replaceAdvice } from './errors.ts';
import { diskFiles } from './wal/wal-files.ts';

export interface Identity {
  readonly formatVersion: 1;
  readonly nodeId: string;
  readonly clusterId: string;
  /** 32 hex digits, drawn when the directory was made: a node that comes back with an empty disk has another one. */
  readonly incarnation: string;
  /** Hex; '' until the first record of the log is durable. */
  readonly clusterUuid: string;
}

const fileName = 'identity.json';

/** The same in every version: so a file of a later one is told from a damaged one. */
function sealed(fields: object): string {
  const checksum = crc32(JSON.stringify(fields)).toString(16).padStart(8, '0');
  return `${JSON.stringify({ ...fields, checksum }, undefined, 2)}\n`;
}

function encodeIdentity(identity: Identity): string {
  const { formatVersion, nodeId, clusterId, incarnation, clusterUuid } = identity;
  return sealed({ formatVersion, nodeId, clusterId, incarnation, clusterUuid });
}

function decodeIdentity(text: string, path: string): Identity {
  const { checksum: _, ...content } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  if (sealed(content) !== text) throw new Error('it does not match its checksum');
  const fields = new Map<string, unknown>(Object.entries(content));
  const word = (name: string, pattern: RegExp): string => {
    const value = fields.get(name);
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw new Error(`its ${name} is not one`);
  };
  const format = fields.get('formatVersion');
  if (format !== 1) throw new UnknownFormatError(path, `format ${String(format)}`, 'format 1');
  const identity: Identity = {
    formatVersion: 1,
    nodeId: word('nodeId', /./),
    clusterId: word('clusterId', /./),
    incarnation: word('incarnation', /^[0-9a-f]{32}$/),
    clusterUuid: word('clusterUuid', /^[0-9a-f]*$/),
  };
  // Written anew it must give the same text: that checks every bit that no field holds.
  if (encodeIdentity(identity) !== text) throw new Error('it has other fields');
  return identity;
}

/** undefined when there is none. @throws DataDirError 11 when it is damaged. @throws UnknownFormatError 14 */
export async function readIdentity(directory: string): Promise<Identity | undefined> {
  const path = join(directory, fileName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new DataDirError(11, `${path} cannot be read`, error);
  }
  try {
    return decodeIdentity(text, path);
  } catch (error) {
    if (error instanceof UnknownFormatError) throw error;
    throw new DataDirError(
      11,
      `${path} is damaged. Who this node is cannot be guessed: restore that file. ` + replaceAdvice,
      error,
    );
  }
}

/** Replaces the identity; durable when it resolves. */
export async function writeIdentity(directory: string, identity: Identity): Promise<void> {
  const path = join(directory, fileName);
  const temporary = `${path}.tmp`;
  await diskFiles.remove(temporary);
  const file = await diskFiles.open(temporary, 'create');
  try {
    await file.write(Buffer.from(encodeIdentity(identity)), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await diskFiles.rename(temporary, path);
  await diskFiles.syncDirectory(directory);
}
