// Reads a history back, piece by piece, as one of a long run does not fit into a string, and refuses what is no event: a history
// that was altered must not pass for one in which nothing happened. A process that was killed may have left half a line at the
// end of its file: that one is left out, and told.
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import type { ClientEvent } from './event.ts';

const outcome = z.enum(['acknowledged', 'rejected', 'unknown']);
const atMs = z.number().nonnegative();
const revision = z.int().nonnegative();
const pairs = z.array(z.tuple([z.string(), z.string()]));

const effect = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('put'),
    mark: z.string(),
    lifecycle: z.string(),
    mayExpire: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal('remove'),
    // JSON leaves undefined out.
    existed: z.boolean().optional(),
  }),
  z.strictObject({ kind: z.literal('lifecycle'), lifecycle: z.string() }),
  z.strictObject({ kind: z.literal('maintenance'), on: z.boolean() }),
]);

const write = z.strictObject({
  kind: z.enum(['register', 'deregister', 'setStatus']),
  instanceId: z.string(),
  mark: z.string(),
  invokedAtMs: atMs,
  returnedAtMs: atMs,
  outcome,
  revision,
  changed: z.boolean(),
  generation: z.exactOptional(revision),
  effect: z.exactOptional(effect),
  answers: z.exactOptional(z.array(z.string())),
});

const read = z.strictObject({
  client: z.string(),
  consistency: z.enum(['linearizable', 'bounded', 'stale']),
  invokedAtMs: atMs,
  returnedAtMs: atMs,
  minRevision: revision,
  maxStalenessMs: z.exactOptional(z.number().nonnegative()),
  revision,
  service: z.exactOptional(z.string()),
  instanceId: z.exactOptional(z.string()),
  instances: pairs,
  values: pairs,
});

const change = z.strictObject({
  kind: z.enum(['put', 'remove']),
  instanceId: z.string(),
  mark: z.string(),
  content: z.string(),
  generation: z.exactOptional(revision),
  ttlMs: z.exactOptional(z.number().nonnegative()),
  expired: z.exactOptional(z.boolean()),
});

const message = z.strictObject({
  atMs,
  revision,
  reset: z.boolean(),
  more: z.boolean(),
  changes: z.array(change),
});

const beat = z.strictObject({
  instanceId: z.string(),
  generation: revision,
  sentAtMs: atMs,
  endedAtMs: atMs,
  outcome: z.enum(['acknowledged', 'unknown', 'fenced', 'failed']),
});

const kinds = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('write'), client: z.string(), write }),
  z.strictObject({ kind: z.literal('read'), read }),
  z.strictObject({ kind: z.literal('readFailed'), client: z.string(), atMs, code: z.string() }),
  z.strictObject({ kind: z.literal('beat'), beat }),
  z.strictObject({
    kind: z.literal('keep'),
    keep: z.strictObject({ instanceId: z.string(), fromMs: atMs, toMs: atMs }),
  }),
  z.strictObject({
    kind: z.literal('watch'),
    watcher: z.string(),
    service: z.exactOptional(z.string()),
    atMs,
  }),
  z.strictObject({ kind: z.literal('message'), watcher: z.string(), message }),
  z.strictObject({
    kind: z.literal('resumed'),
    watcher: z.string(),
    atMs,
    endpoint: z.string(),
  }),
  z.strictObject({
    kind: z.literal('stalled'),
    client: z.string(),
    fromMs: atMs,
    toMs: atMs,
  }),
]);

/** Throws an Error that names the fields that are wrong. */
export function parseEvent(value: unknown): ClientEvent {
  const parsed = kinds.safeParse(value);
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  // An effect whose `existed` JSON has left out is the same to who reads it.
  return parsed.data as ClientEvent;
}

const NEWLINE = 0x0a;
const PIECE_BYTES = 1 << 20;

export interface HistoryEnd {
  readonly lines: number;
  /** The last line is half an event, and was not taken. */
  readonly cutShort: boolean;
}

/** Calls `take` with the events of one file in the order written. Rejects at the first line that is none, but the last,
 * naming file and line. */
export async function readEvents(
  file: string,
  take: (event: ClientEvent) => void,
): Promise<HistoryEnd> {
  let lines = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) {
    const bytes: Buffer = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let from = 0;
    for (let to = bytes.indexOf(NEWLINE); to >= 0; to = bytes.indexOf(NEWLINE, from)) {
      lines++;
      take(parseLine(bytes.toString('utf8', from, to), file, lines));
      from = to + 1;
    }
    rest = bytes.subarray(from);
  }
  return { lines, cutShort: rest.length > 0 };
}

function parseLine(line: string, file: string, number: number): ClientEvent {
  try {
    return parseEvent(JSON.parse(line) as unknown);
  } catch (cause) {
    throw new Error(`${file}: line ${number} is no event of a client`, { cause });
  }
}
