// An instance as the texts that the checkers compare: its value, which clients may change, and its content, which is all
// that a reader is told. Every harness makes them here, whatever it is told instances as.
import type { ChangeRecord } from './history.ts';

/** In the words of WriteEffect. */
export interface InstanceValue {
  readonly mark: string;
  readonly lifecycle: string;
  readonly maintenance: boolean;
}

export interface InstanceFacts {
  readonly serviceName: string;
  readonly status: string;
  readonly generation: number | string;
  readonly revision: number | string;
}

/** What a search over one instance's history follows. */
export const valueText = ({ mark, lifecycle, maintenance }: InstanceValue): string =>
  `${mark} ${lifecycle}${maintenance ? ' maintenance' : ''}`;

export function contentText(facts: InstanceFacts, value: string): string {
  const { serviceName, status, generation, revision } = facts;
  return [serviceName, status, generation, revision, value].join(' ');
}

/** Which registration a content is of, and which revision changed it last; undefined where it was not made by `contentText`. */
export function placeOf(
  content: string,
): { readonly generation: number; readonly revision: number } | undefined {
  const [, , generation, revision] = content.split(' ', 4).map(Number);
  if (generation === undefined || revision === undefined) return undefined;
  if (!Number.isSafeInteger(generation) || !Number.isSafeInteger(revision)) return undefined;
  return { generation, revision };
}

/** Milliseconds of its lease, where the content says them. */
export function ttlOf(content: string): number | undefined {
  const told = / ttl (\d+) /.exec(content)?.[1];
  return told === undefined ? undefined : Number(told);
}

/** A removal with the registry's or a client's reason, which is its mark. */
export function removeRecord(instanceId: string, reason: string): ChangeRecord {
  const expired = reason === 'ttl_expired';
  return { kind: 'remove', instanceId, mark: expired ? '' : reason, content: '', expired };
}
