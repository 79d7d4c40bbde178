// The trailer grpc-status-details-bin: a google.rpc.Status with ErrorInfo, RetryInfo and BadRequest inside, as the
// richer error model of gRPC has it. Written and read by hand: three small messages that never change.
import protobuf from 'protobufjs/minimal.js';

/** Name of the metadata key; the suffix makes it binary. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';
/** ErrorInfo.domain of every error of ours. */
const ERROR_DOMAIN = 'rollcall';

export interface FieldViolation {
  /** Path of the field, as in `instances[3].metadata`. */
  readonly field: string;
  /** What is wrong, for people. */
  readonly description: string;
}

export interface StatusDetails {
  /** The gRPC status code. */
  readonly code: number;
  readonly message: string;
  /** ErrorInfo.reason: the word the status message starts with. */
  readonly reason: string;
  /** RetryInfo, in milliseconds; absent: none. */
  readonly retryAfterMs?: number;
  /** BadRequest; absent: none. */
  readonly violations?: readonly FieldViolation[];
}

const TYPE_PREFIX = 'type.googleapis.com/google.rpc.';
const VARINT = 0;
const BYTES = 2;
const key = (field: number, wireType: number): number => (field << 3) | wireType;

type Writer = protobuf.Writer;

function text(writer: Writer, field: number, value: string): Writer {
  return writer.uint32(key(field, BYTES)).string(value);
}

/** Appends one google.protobuf.Any to Status.details. */
function detail(status: Writer, type: string, write: (message: Writer) => void): void {
  const any = status.uint32(key(3, BYTES)).fork();
  text(any, 1, TYPE_PREFIX + type);
  const message = any.uint32(key(2, BYTES)).fork();
  write(message);
  message.ldelim();
  any.ldelim();
}

/** The trailer's value. */
export function encodeStatusDetails(details: StatusDetails): Buffer {
  const status = protobuf.Writer.create();
  text(status.uint32(key(1, VARINT)).int32(details.code), 2, details.message);
  detail(status, 'ErrorInfo', (info) => {
    text(text(info, 1, details.reason), 2, ERROR_DOMAIN);
  });
  const { retryAfterMs, violations } = details;
  if (retryAfterMs !== undefined) {
    detail(status, 'RetryInfo', (info) => {
      const delay = info.uint32(key(1, BYTES)).fork();
      delay.uint32(key(1, VARINT)).int64(Math.floor(retryAfterMs / 1000));
      delay.uint32(key(2, VARINT)).int32(Math.round((retryAfterMs % 1000) * 1e6));
      delay.ldelim();
    });
  }
  if (violations !== undefined) {
    detail(status, 'BadRequest', (request) => {
      for (const violation of violations) {
        const entry = request.uint32(key(1, BYTES)).fork();
        text(text(entry, 1, violation.field), 2, violation.description);
        entry.ldelim();
      }
    });
  }
  return Buffer.from(status.finish());
}

/** Reads what another end wrote; undefined when the bytes are no google.rpc.Status. Foreign details are passed over. */
export function decodeStatusDetails(bytes: Uint8Array): StatusDetails | undefined {
  try {
    const draft: Draft = { code: 0, message: '', reason: '' };
    eachField(bytes, (found, reader) => {
      if (found === key(1, VARINT)) draft.code = reader.int32();
      else if (found === key(2, BYTES)) draft.message = reader.string();
      else if (found === key(3, BYTES)) readDetail(draft, reader.bytes());
      else return false;
      return true;
    });
    return draft;
  } catch {
    return undefined;
  }
}

type Draft = { -readonly [K in keyof StatusDetails]: StatusDetails[K] };

/** Calls `read` with the key (field and wire type) of each field; false means not consumed, and it is skipped. */
function eachField(
  bytes: Uint8Array,
  read: (key: number, reader: protobuf.Reader) => boolean,
): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const found = reader.uint32();
    if (!read(found, reader)) reader.skipType(found & 7);
  }
}

function readDetail(draft: Draft, any: Uint8Array): void {
  let type = '';
  let value: Uint8Array = new Uint8Array(0);
  eachField(any, (found, reader) => {
    if (found === key(1, BYTES)) type = reader.string();
    else if (found === key(2, BYTES)) value = reader.bytes();
    else return false;
    return true;
  });
  if (type === `${TYPE_PREFIX}ErrorInfo`) draft.reason = readText(value, 1);
  else if (type === `${TYPE_PREFIX}RetryInfo`) draft.retryAfterMs = readRetryDelay(value);
  else if (type === `${TYPE_PREFIX}BadRequest`) draft.violations = readViolations(value);
}

function readText(message: Uint8Array, wanted: number): string {
  let value = '';
  eachField(message, (found, reader) => {
    if (found !== key(wanted, BYTES)) return false;
    value = reader.string();
    return true;
  });
  return value;
}

function readRetryDelay(message: Uint8Array): number {
  let milliseconds = 0;
  eachField(message, (found, outer) => {
    if (found !== key(1, BYTES)) return false;
    eachField(outer.bytes(), (part, reader) => {
      if (part === key(1, VARINT)) milliseconds += Number(reader.int64()) * 1000;
      else if (part === key(2, VARINT)) milliseconds += reader.int32() / 1e6;
      else return false;
      return true;
    });
    return true;
  });
  return milliseconds;
}

function readViolations(message: Uint8Array): readonly FieldViolation[] {
  const violations: FieldViolation[] = [];
  eachField(message, (found, reader) => {
    if (found !== key(1, BYTES)) return false;
    const entry = reader.bytes();
    violations.push({ field: readText(entry, 1), description: readText(entry, 2) });
    return true;
  });
  return violations;
}
