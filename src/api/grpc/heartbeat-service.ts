// Signs of life: one call, or a stream that answers each message once and in order. Beats that cannot be taken are
// reported in the answer; only what concerns the whole message is an error.
import type { handleBidiStreamingCall } from '@grpc/grpc-js';
import type { BeatFailure } from '../../node/peer-protocol.ts';
import type { CallOptions } from '../../node/registry-node.ts';
import type { ApiLimits } from '../limits.ts';
import type { BeatInput } from '../requests.ts';
import { parseBeat } from '../rules-request.ts';
import { type Door, admitSize, callOptions, failureOf, unary } from './call.ts';
import { decodeHeartbeat } from './decode.ts';
import { encodeHeartbeatResponse } from './encode.ts';
import type { OpenStreams } from './open-streams.ts';

export function heartbeatHandlers(door: Door, streams: OpenStreams) {
  return {
    Heartbeat: unary(door, (bytes, { brief }) => answerHeartbeat(door, bytes, brief)),
    HeartbeatStream: heartbeatStream(door, streams),
  };
}

async function answerHeartbeat(door: Door, bytes: Buffer, options: CallOptions): Promise<Buffer> {
  const beats = decodeHeartbeat(admitSize(door, bytes), door.limits);
  const { possible, positions } = sortOut(beats, door.limits);
  const answer = await door.node.heartbeat(possible, options);
  if (possible.length === beats.length) return encodeHeartbeatResponse(answer, beats);
  const failures = mergeFailures(beats.length, positions, answer.failures);
  const echoed = beats.map((beat) => cutBeat(beat, door.limits));
  return encodeHeartbeatResponse({ ...answer, failures }, echoed);
}

/** The beats that can exist, with their namespaces filled in, and their positions in the request. */
function sortOut(beats: readonly BeatInput[], limits: ApiLimits) {
  const possible: BeatInput[] = [];
  const positions: number[] = [];
  for (const [position, beat] of beats.entries()) {
    const parsed = parseBeat(beat, limits);
    if (parsed === undefined) continue;
    possible.push(parsed);
    positions.push(position);
  }
  return { possible, positions };
}

/** What cannot exist is unknown; the others are told by the node. In the order of the request. */
function mergeFailures(
  total: number,
  positions: readonly number[],
  told: readonly BeatFailure[],
): readonly BeatFailure[] {
  const reasons = new Map(told.map(({ position, reason }) => [positions[position], reason]));
  const taken = new Set(positions);
  const failures: BeatFailure[] = [];
  for (let position = 0; position < total; position += 1) {
    const reason = taken.has(position) ? reasons.get(position) : 'unknown';
    if (reason !== undefined) failures.push({ position, reason });
  }
  return failures;
}

/** An id longer than any that can exist is cut, so that no answer outgrows a message. */
function cutBeat(beat: BeatInput, limits: ApiLimits): BeatInput {
  return {
    ...beat,
    namespace: cutText(beat.namespace, limits.labelBytes),
    instanceId: cutText(beat.instanceId, limits.instanceIdBytes),
  };
}

function cutText(text: string, limit: number): string {
  return Buffer.byteLength(text) <= limit ? text : text.slice(0, Math.floor(limit / 3));
}

/** Reads a message only while fewer than `heartbeatStreamPending` wait for their answer, and the reader takes the answers. */
function heartbeatStream(
  door: Door,
  streams: OpenStreams,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    const controller = new AbortController();
    const options = callOptions(call, door.clock, controller.signal);
    let pending = 0;
    let halfClosed = false;
    let ended = false;
    // Answers leave in the order of their requests, whichever is ready first.
    let lastAnswer: Promise<void> = Promise.resolve();

    const fail = (error: unknown): void => {
      if (ended) return;
      ended = true;
      streams.remove(fail);
      controller.abort();
      call.emit('error', failureOf(door, call, error));
    };
    const finishWhenDone = (): void => {
      if (ended || !halfClosed || pending > 0) return;
      ended = true;
      streams.remove(fail);
      call.end();
    };
    const readOn = (): void => {
      if (pending < door.limits.heartbeatStreamPending && !call.writableNeedDrain) call.resume();
    };
    const answer = async (bytes: Buffer, before: Promise<void>): Promise<void> => {
      const answered = await settled(answerHeartbeat(door, bytes, options));
      await before;
      pending -= 1;
      if (ended) return;
      if (answered.kind === 'failed') return fail(answered.error);
      call.write(answered.value);
      finishWhenDone();
      readOn();
    };

    streams.add(fail);
    call.on('data', (bytes: Buffer) => {
      if (ended) return;
      pending += 1;
      if (pending >= door.limits.heartbeatStreamPending) call.pause();
      lastAnswer = answer(bytes, lastAnswer);
    });
    call.on('drain', readOn);
    call.on('end', () => {
      halfClosed = true;
      finishWhenDone();
    });
    call.on('cancelled', () => {
      ended = true;
      streams.remove(fail);
      controller.abort();
    });
  };
}

type Settled<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown };

async function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  try {
    return { kind: 'done', value: await promise };
  } catch (error) {
    return { kind: 'failed', error };
  }
}
