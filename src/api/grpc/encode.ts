// Responses, written field by field. Instances are not encoded here: their bytes are those the catalogue keeps, put in
// place as they are (`repeated bytes` and `repeated Instance` have the same form on the wire).
import protobuf from 'protobufjs/minimal.js';
import type { Member } from '../../node/peer-protocol.ts';
import type { HeartbeatAnswer, NodeStatus } from '../../node/registry-node.ts';
import type { Role } from '../../raft/index.ts';
import type { ServiceSummary } from '../../registry/index.ts';
import type { BeatInput } from '../requests.ts';
import { bytesKey, numberKey } from './wire-reader.ts';

type Writer = protobuf.Writer;

const start = (): Writer => protobuf.Writer.create();
/** grpc-js demands a Buffer, and under Node the writer makes one. */
const finish = (writer: Writer): Buffer => writer.finish() as Buffer;

/** Numbers beyond 32 bits: revisions, indexes, Unix times. All of ours fit a number exactly. */
function putLong(writer: Writer, field: number, value: number): void {
  if (value !== 0) writer.uint32(numberKey(field)).uint64(value);
}

function putNumber(writer: Writer, field: number, value: number): void {
  if (value !== 0) writer.uint32(numberKey(field)).uint32(value);
}

function putFlag(writer: Writer, field: number, value: boolean): void {
  if (value) writer.uint32(numberKey(field)).bool(true);
}

function putText(writer: Writer, field: number, value: string): void {
  if (value !== '') writer.uint32(bytesKey(field)).string(value);
}

function putMessage(writer: Writer, field: number, write: (message: Writer) => void): void {
  const message = writer.uint32(bytesKey(field)).fork();
  write(message);
  message.ldelim();
}

export function encodeSnapshotChunk(data: Uint8Array): Buffer {
  return finish(start().uint32(bytesKey(1)).bytes(data));
}

export function encodeRegisterResponse(
  revision: number,
  generation: number,
  heartbeatIntervalMs: number,
): Buffer {
  const writer = start();
  putLong(writer, 1, revision);
  putLong(writer, 2, generation);
  putNumber(writer, 3, heartbeatIntervalMs);
  return finish(writer);
}

export function encodeRegisterBatchResponse(
  revision: number,
  generations: readonly number[],
  heartbeatIntervalMs: number,
): Buffer {
  const writer = start();
  putLong(writer, 1, revision);
  putMessage(writer, 2, (packed) => {
    for (const generation of generations) packed.uint64(generation);
  });
  putNumber(writer, 3, heartbeatIntervalMs);
  return finish(writer);
}

export function encodeDeregisterResponse(revision: number, existed: boolean): Buffer {
  const writer = start();
  putLong(writer, 1, revision);
  putFlag(writer, 2, existed);
  return finish(writer);
}

export function encodeSetStatusResponse(revision: number): Buffer {
  const writer = start();
  putLong(writer, 1, revision);
  return finish(writer);
}

const FAILURE_NUMBER = { unknown: 1, fenced: 2 } as const;

/** `beats` are those of the request, at the positions that the answer names. */
export function encodeHeartbeatResponse(
  answer: HeartbeatAnswer,
  beats: readonly BeatInput[],
): Buffer {
  const writer = start();
  putLong(writer, 1, answer.revision);
  for (const { position, reason } of answer.failures) {
    putMessage(writer, 2, (failure) => {
      putText(failure, 1, beats[position]?.namespace ?? '');
      putText(failure, 2, beats[position]?.instanceId ?? '');
      putNumber(failure, 3, FAILURE_NUMBER[reason]);
    });
  }
  putNumber(writer, 3, answer.heartbeatIntervalMs);
  return finish(writer);
}

export function encodeGetInstanceResponse(
  revision: number,
  instance: Uint8Array,
  ageMs: number,
): Buffer {
  const writer = start();
  putLong(writer, 1, revision);
  writer.uint32(bytesKey(2)).bytes(instance);
  putNumber(writer, 3, ageMs);
  return finish(writer);
}

/** Bytes of a varint. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** Writes a varint below 2^32 at `at` and returns the place behind it. */
export function putVarint(target: Buffer, at: number, value: number): number {
  let place = at;
  let rest = value;
  while (rest >= 0x80) {
    target[place++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[place++] = rest;
  return place;
}

/** Encoded messages as the elements of the repeated field 2, which both kinds of list use. */
export function encodeItems(items: readonly Uint8Array[]): Buffer {
  let size = 0;
  for (const item of items) size += 1 + varintSize(item.length) + item.length;
  const block = Buffer.allocUnsafe(size);
  let at = 0;
  for (const item of items) {
    block[at] = bytesKey(2);
    at = putVarint(block, at + 1, item.length);
    block.set(item, at);
    at += item.length;
  }
  return block;
}

export interface PageFrame {
  readonly revision: number;
  readonly ageMs: number;
  readonly nextPageToken: string;
  /** ListInstances only. */
  readonly allUnhealthy: boolean;
}

/** A page around items that are encoded already. */
export function encodePage(items: Buffer, frame: PageFrame): Buffer {
  const head = start();
  putLong(head, 1, frame.revision);
  const tail = start();
  putNumber(tail, 3, frame.ageMs);
  putText(tail, 4, frame.nextPageToken);
  putFlag(tail, 5, frame.allUnhealthy);
  return Buffer.concat([head.finish(), items, tail.finish()]);
}

/** Of at most `maxBytes`, as long as that holds the rest of it: tags that no longer fit are left out, the last ones first.
 * Nothing bounds the tags of a service's instances together, and one service must not make its namespace unlistable. */
export function encodeServiceSummary(summary: ServiceSummary, maxBytes: number): Uint8Array {
  const writer = start();
  putText(writer, 1, summary.namespace);
  putText(writer, 2, summary.serviceName);
  putNumber(writer, 3, summary.healthy);
  putNumber(writer, 4, summary.total);
  putLong(writer, 6, summary.revision);
  for (const tag of summary.tags) {
    const bytes = protobuf.util.utf8.length(tag);
    if (writer.len + 1 + varintSize(bytes) + bytes > maxBytes) break;
    writer.uint32(bytesKey(5)).string(tag);
  }
  return writer.finish();
}

const ROLE_NUMBER = {
  follower: 1,
  preCandidate: 2,
  candidate: 2,
  leader: 3,
} as const satisfies Record<Role, number>;
const LEARNER_NUMBER = 4;

function putMembers(writer: Writer, field: number, members: readonly Member[]): void {
  for (const member of members) {
    putMessage(writer, field, (message) => {
      putText(message, 1, member.nodeId);
      putText(message, 2, member.peerAddress);
      putText(message, 3, member.clientAddress);
      putFlag(message, 4, member.learner);
      putText(message, 5, member.incarnation);
    });
  }
}

export function encodeMembersResponse(members: readonly Member[]): Buffer {
  const writer = start();
  putMembers(writer, 1, members);
  return finish(writer);
}

export function encodeStatusResponse(status: NodeStatus, version: string): Buffer {
  const writer = start();
  putText(writer, 1, status.clusterId);
  putText(writer, 2, status.nodeId);
  putText(writer, 3, version);
  putNumber(writer, 4, status.learner ? LEARNER_NUMBER : ROLE_NUMBER[status.role]);
  putLong(writer, 5, status.term);
  putText(writer, 6, status.leaderId);
  putLong(writer, 7, status.lastIndex);
  putLong(writer, 8, status.commitIndex);
  putLong(writer, 9, status.appliedIndex);
  putLong(writer, 10, status.revision);
  putText(writer, 11, status.stateHash);
  putLong(writer, 12, status.stateHashIndex);
  putMembers(writer, 13, status.members);
  putLong(writer, 14, status.instances);
  putLong(writer, 15, status.watches);
  for (const problem of status.problems) writer.uint32(bytesKey(16)).string(problem);
  putLong(writer, 17, status.firstIndex);
  putLong(writer, 18, status.logBytes);
  putLong(writer, 19, status.stateBytes);
  putLong(writer, 20, status.diskFreeBytes);
  putLong(writer, 21, status.scrubbedRecords);
  putLong(writer, 22, status.scrubbedAtMs);
  return finish(writer);
}

/** HealthCheckResponse. */
export function encodeHealth(servingStatus: number): Buffer {
  const writer = start();
  putNumber(writer, 1, servingStatus);
  return finish(writer);
}

/** HealthListResponse. */
export function encodeHealthList(statuses: readonly (readonly [string, number])[]): Buffer {
  const writer = start();
  for (const [name, servingStatus] of statuses) {
    putMessage(writer, 1, (entry) => {
      entry.uint32(bytesKey(1)).string(name);
      putMessage(entry, 2, (response) => putNumber(response, 1, servingStatus));
    });
  }
  return finish(writer);
}
