// What readers are told of an instance, as the texts that the checkers compare, and how the simulator's door encodes it.
import { decodeInstance, type InstanceRecord } from '../../src/registry/index.ts';
import type { ProjectedChange, WatchFormat } from '../../src/node/watch-hub.ts';
import type { ChangeRecord } from '../checkers/history.ts';
import { contentText, removeRecord, valueText } from '../checkers/instance-text.ts';

const marks = new WeakMap<InstanceRecord, string>();

/** The mark that the registration carries in its metadata. */
function markOf(record: InstanceRecord): string {
  let mark = marks.get(record);
  if (mark === undefined) {
    mark = markOfBody(record.encoded);
    marks.set(record, mark);
  }
  return mark;
}

export const markOfBody = (body: Uint8Array): string =>
  decodeInstance(body).metadata.get('mark') ?? '';

export const valueOf = (record: InstanceRecord): string =>
  valueText({
    mark: markOf(record),
    lifecycle: record.lifecycle,
    maintenance: record.maintenance,
  });

export const contentOf = (record: InstanceRecord): string => contentText(record, valueOf(record));

export function putRecord(record: InstanceRecord, reason: string): ChangeRecord {
  return {
    kind: 'put',
    instanceId: record.instanceId,
    mark: reason === '' ? markOf(record) : reason,
    content: contentOf(record),
    generation: record.generation,
    ttlMs: record.ttlMs,
  };
}

function changeRecord(change: ProjectedChange): ChangeRecord {
  return change.kind === 'put'
    ? putRecord(change.record, change.reason)
    : removeRecord(change.instanceId, change.reason);
}

/** A watch message on the simulator's wire. */
export interface WireMessage {
  readonly revision: number;
  readonly resumeToken: string;
  readonly reset: boolean;
  readonly more: boolean;
  readonly changes: readonly ChangeRecord[];
}

export const simWatchFormat: WatchFormat = {
  encodeChange: (change) => Buffer.from(JSON.stringify(changeRecord(change))),
  encodeMessage: ({ changes, ...rest }) => {
    const told = changes.map((change) => JSON.parse(Buffer.from(change).toString()) as unknown);
    return Buffer.from(JSON.stringify({ ...rest, changes: told }));
  },
};

export function decodeWatchMessage(bytes: Uint8Array): WireMessage {
  return JSON.parse(Buffer.from(bytes).toString()) as WireMessage;
}
