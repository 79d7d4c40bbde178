// What names, hosts and free text may look like. Lengths count bytes of UTF-8; messages name the field and the limit and
// never repeat what the client sent.
import { isIP } from 'node:net';
import { type RegistryError, invalidArgument } from '../lib/registry-error.ts';

const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const INSTANCE_ID = /^[A-Za-z0-9._:-]+$/;
const ALL_DIGITS = /^[0-9]+$/;
/** Longest DNS label (RFC 1035, section 2.3.4); inside a host name no setting changes it. */
const HOST_LABEL_BYTES = 63;

export const DEFAULT_NAMESPACE = 'default';
/** In selectors and lists: every namespace. */
export const ALL_NAMESPACES = '*';

/** Bytes of `text` as UTF-8. Quick for the usual short ASCII. */
const utf8Length = (text: string): number => Buffer.byteLength(text);

/** Refuses text of more than `limit` bytes; empty text is fine. */
export function checkText(field: string, text: string, limit: number): void {
  // One UTF-16 unit is at most three bytes, so most text needs no count.
  if (text.length * 3 <= limit) return;
  const bytes = utf8Length(text);
  if (bytes > limit) throw invalidArgument(field, `${bytes} bytes`, limit);
}

/** Refuses empty text and text of more than `limit` bytes. */
function checkPresentText(field: string, text: string, limit: number): void {
  if (text === '') throw invalidArgument(field, 'is empty');
  checkText(field, text, limit);
}

export const isLabel = (text: string, limit: number): boolean =>
  text.length <= limit && LABEL.test(text);

/** Refuses what is not a lower-case RFC 1123 label of at most `limit` bytes. */
export function checkLabel(field: string, text: string, limit: number): void {
  if (isLabel(text, limit)) return;
  throw labelProblem(field, text, limit);
}

function labelProblem(field: string, text: string, limit: number): RegistryError {
  if (text === '') return invalidArgument(field, 'is empty');
  const bytes = utf8Length(text);
  if (bytes > limit) return invalidArgument(field, `${bytes} bytes`, limit);
  return invalidArgument(
    field,
    'is not a DNS label: lower-case letters, digits and inner hyphens only',
  );
}

/** The namespace meant: '' is "default". Refuses what is not a label. */
export function parseNamespace(field: string, text: string, limit: number): string {
  if (text === '') return DEFAULT_NAMESPACE;
  checkLabel(field, text, limit);
  return text;
}

export const isInstanceId = (text: string, limit: number): boolean =>
  text.length <= limit && INSTANCE_ID.test(text) && text !== '.' && text !== '..';

export function checkInstanceId(field: string, text: string, limit: number): void {
  if (isInstanceId(text, limit)) return;
  if (text === '') throw invalidArgument(field, 'is empty');
  const bytes = utf8Length(text);
  if (bytes > limit) throw invalidArgument(field, `${bytes} bytes`, limit);
  throw invalidArgument(field, 'has characters other than A-Z a-z 0-9 . _ : - or is "." or ".."');
}

/** An IP literal, or a host name of lower-case labels whose last one is not all digits. */
export function checkHost(field: string, host: string, limit: number): void {
  if (host === '') throw invalidArgument(field, 'is empty');
  checkText(field, host, limit);
  if (host.includes('%')) throw invalidArgument(field, 'has an IPv6 zone');
  if (isIP(host) !== 0) return;
  const labels = host.split('.');
  if (!labels.every((label) => isLabel(label, HOST_LABEL_BYTES))) {
    throw invalidArgument(
      field,
      'is neither an IP literal nor a host name of DNS labels of at most 63 bytes: no brackets, scheme, port, underscore, capital or trailing dot',
    );
  }
  if (ALL_DIGITS.test(labels.at(-1) ?? '')) {
    throw invalidArgument(field, 'ends in digits only and is not an IPv4 address');
  }
}

const HIGHEST_PORT = 65_535;

export function checkPort(field: string, port: number): void {
  if (port === 0) throw invalidArgument(field, 'is 0 or missing, at least 1');
  if (port > HIGHEST_PORT) throw invalidArgument(field, `is ${port}`, HIGHEST_PORT);
}

/** Refuses more than `limit` of something, as in `65 pairs, limit 64`. */
export function checkCount(field: string, count: number, noun: string, limit: number): void {
  if (count > limit) throw invalidArgument(field, `${count} ${noun}`, limit);
}

/** Refuses too many pairs, empty keys, and keys or values that are too long. */
export function checkPairs(
  field: string,
  pairs: ReadonlyMap<string, string>,
  limits: { readonly count: number; readonly keyBytes: number; readonly valueBytes: number },
): void {
  checkCount(field, pairs.size, 'pairs', limits.count);
  for (const [key, value] of pairs) {
    if (key === '') throw invalidArgument(field, 'has an empty key');
    if (utf8Length(key) > limits.keyBytes) {
      throw invalidArgument(field, `has a key of ${utf8Length(key)} bytes`, limits.keyBytes);
    }
    if (utf8Length(value) > limits.valueBytes) {
      throw invalidArgument(field, `has a value of ${utf8Length(value)} bytes`, limits.valueBytes);
    }
  }
}

/** Each tag once, in first position. Refuses empty and long ones, and more than `limit` of them. */
export function parseTags(
  field: string,
  tags: readonly string[],
  limits: { readonly count: number; readonly bytes: number },
): readonly string[] {
  for (const [position, tag] of tags.entries()) {
    if (tag === '' || tag.length * 3 > limits.bytes) {
      checkPresentText(`${field}[${position}]`, tag, limits.bytes);
    }
  }
  const distinct = tags.length > 1 ? [...new Set(tags)] : tags;
  checkCount(field, distinct.length, 'tags', limits.count);
  return distinct;
}
