// Who this data-dir belongs to, in one small file that people can read. Written whole through a temporary file; any
// difference from what was written, down to white space, is damage.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { nodeId as toNodeId } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { LostLog } from '../node/peer-protocol.ts';
import { DataDirError, replaceAdvice } from './errors.ts';
import { type StateFiles, stateFiles } from './state-files.ts';

export interface Identity {
  /** 2 where it replaces a lost one, so that a version before, which would begin anew, refuses it by name. */
  readonly formatVersion: 1 | 2;
  readonly nodeId: string;
  readonly clusterId: string;
  /** 32 hex digits, drawn when the directory was made: a node that comes back with an empty disk has another one. */
  readonly incarnation: string;
  /** Hex; '' until the first record of the log is durable. */
  readonly clusterUuid: string;
  /** Its former log is lost (docs/adr/0018). Until its own log makes it a member of that cluster again. */
  readonly replaces?: Replaced;
}

interface Replaced extends LostLog {
  /** What belongs to the former incarnation is out of the way. Until then nothing else may begin here. */
  readonly setAside: boolean;
}

export const IDENTITY_FILE = 'identity.json';

/** The same in every version: so a file of a later one is told from a damaged one. */
function sealed(fields: object): string {
  const checksum = crc32(JSON.stringify(fields)).toString(16).padStart(8, '0');
  return `${JSON.stringify({ ...fields, checksum }, undefined, 2)}\n`;
}

function encodeIdentity(identity: Identity): string {
  const { formatVersion, nodeId, clusterId, incarnation, clusterUuid, replaces } = identity;
  const fields = { formatVersion, nodeId, clusterId, incarnation, clusterUuid };
  if (replaces === undefined) return sealed(fields);
  const { incarnations, clusterUuid: cluster, members, found, setAside } = replaces;
  const rows = members.map((member) => [member.nodeId, member.peerAddress]);
  return sealed({
    ...fields,
    replaces: { incarnations, clusterUuid: cluster, members: rows, found, setAside },
  });
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
  if (format !== 1 && format !== 2) {
    throw new UnknownFormatError(path, `format ${String(format)}`, 'formats 1 and 2');
  }
  const identity: Identity = {
    formatVersion: format,
    nodeId: word('nodeId', /./),
    clusterId: word('clusterId', /./),
    incarnation: word('incarnation', /^[0-9a-f]{32}$/),
    clusterUuid: word('clusterUuid', /^[0-9a-f]*$/),
    ...(format === 2 ? { replaces: replacedOf(fields.get('replaces')) } : {}),
  };
  // Written anew it must give the same text: that checks every bit that no field holds.
  if (encodeIdentity(identity) !== text) throw new Error('it has other fields');
  return identity;
}

/** What is not of this form does not give the same text again, or throws. */
function replacedOf(value: unknown): Replaced {
  const { incarnations, clusterUuid, members, found, setAside } = (value ?? {}) as Record<
    string,
    unknown
  >;
  const whole =
    Array.isArray(incarnations) &&
    incarnations.length > 0 &&
    Array.isArray(members) &&
    members.every((row) => Array.isArray(row) && row.length === 2) &&
    typeof setAside === 'boolean';
  if (!whole) throw new Error('its replaces is not one');
  return {
    incarnations: incarnations.map(String),
    clusterUuid: String(clusterUuid),
    members: members.map(([id, peerAddress]: unknown[]) => ({
      nodeId: toNodeId(String(id)),
      peerAddress: String(peerAddress),
    })),
    found: String(found),
    setAside,
  };
}

/** undefined when there is none. @throws DataDirError 11 when it is damaged. @throws UnknownFormatError 14 */
export async function readIdentity(directory: string): Promise<Identity | undefined> {
  const path = join(directory, IDENTITY_FILE);
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
export async function writeIdentity(
  directory: string,
  identity: Identity,
  files: StateFiles = stateFiles,
): Promise<void> {
  const path = join(directory, IDENTITY_FILE);
  const temporary = `${path}.tmp`;
  await files.remove(temporary);
  await files.write(temporary, Buffer.from(encodeIdentity(identity)));
  await files.rename(temporary, path);
  await files.syncDirectory(directory);
}
