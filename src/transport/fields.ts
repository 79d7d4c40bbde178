// Readers for positional arrays that came from the network: each checks one field and names it in the WireError.
import type { LogIndex, NodeId, Revision, Term } from '../lib/ids.ts';
import { WireError } from './msgpack.ts';

export type Fields = readonly unknown[];

/** The length is exact: what a peer of the same protocol version sends has no unknown fields. */
export function fieldsOf(value: unknown, length: number, what: string): Fields {
  const fields = listOf(value, what);
  if (fields.length !== length) {
    throw new WireError(`${what}: ${fields.length} fields, expected ${length}`);
  }
  return fields;
}

export function listOf(value: unknown, what: string): Fields {
  if (!Array.isArray(value)) throw new WireError(`${what}: not an array`);
  return value;
}

export function textAt(fields: Fields, position: number, what: string): string {
  const value = fields[position];
  if (typeof value !== 'string') throw new WireError(`${what}: not a string`);
  return value;
}

/** A safe non-negative integer. */
export function countAt(fields: Fields, position: number, what: string): number {
  const value = fields[position];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new WireError(`${what}: not a safe non-negative integer`);
  }
  return value;
}

export function flagAt(fields: Fields, position: number, what: string): boolean {
  const value = fields[position];
  if (typeof value !== 'boolean') throw new WireError(`${what}: not a boolean`);
  return value;
}

/** A view on the message. */
export function bytesAt(fields: Fields, position: number, what: string): Uint8Array {
  const value = fields[position];
  if (!(value instanceof Uint8Array)) throw new WireError(`${what}: not bytes`);
  return value;
}

export const termAt = (fields: Fields, position: number, what: string): Term =>
  countAt(fields, position, what) as Term;
export const indexAt = (fields: Fields, position: number, what: string): LogIndex =>
  countAt(fields, position, what) as LogIndex;
export const revisionAt = (fields: Fields, position: number, what: string): Revision =>
  countAt(fields, position, what) as Revision;

export function nodeIdAt(fields: Fields, position: number, what: string): NodeId {
  const value = textAt(fields, position, what);
  if (value === '') throw new WireError(`${what}: empty`);
  return value as NodeId;
}

const shown = (value: unknown): string =>
  typeof value === 'number' ? String(value) : `of type ${typeof value}`;

/** Names of a closed list and their numbers on the wire, which are never reused. */
export interface Numbering<Name extends string> {
  numberOf(name: Name): number;
  nameAt(fields: Fields, position: number, what: string): Name;
}

/** The record makes the compiler ask for a number whenever the list grows. */
export function numbering<Name extends string>(
  numbers: Readonly<Record<Name, number>>,
): Numbering<Name> {
  const names = new Map<unknown, Name>();
  for (const name of Object.keys(numbers) as Name[]) names.set(numbers[name], name);
  return {
    numberOf: (name) => numbers[name],
    nameAt: (fields, position, what) => {
      const name = names.get(fields[position]);
      if (name === undefined)
        throw new WireError(`${what}: no such number: ${shown(fields[position])}`);
      return name;
    },
  };
}
