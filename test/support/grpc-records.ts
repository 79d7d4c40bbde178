// What a gRPC client is told, as the checkers' records: instances as text, watch messages as changes.
import type { Instance__Output } from '../../src/rpc/gen/rollcall/v1/Instance.ts';
import type { WatchResponse__Output } from '../../src/rpc/gen/rollcall/v1/WatchResponse.ts';
import type { ChangeRecord, WatchMessageRecord } from '../checkers/history.ts';
import { contentText, removeRecord, valueText } from '../checkers/instance-text.ts';

/** The mark of a registration is in its metadata. */
const markOf = ({ metadata }: Instance__Output): string => metadata['mark'] ?? '';

export const valueOf = (instance: Instance__Output): string =>
  valueText({
    mark: markOf(instance),
    lifecycle: instance.lifecycle.toLowerCase(),
    maintenance: instance.maintenance,
  });

/** Everything but the heartbeat time, and of long metadata only how much there is. */
export function contentOf(instance: Instance__Output): string {
  const { service_name: serviceName, status, generation, revision, metadata } = instance;
  const known = contentText({ serviceName, status, generation, revision }, valueOf(instance));
  const pairs = Object.values(metadata);
  const bytes = pairs.reduce((sum, value) => sum + value.length, 0);
  const { host, port, ttl_ms: ttlMs, tags } = instance;
  return `${known} ${host}:${port} ttl ${ttlMs} tags ${tags.join(',')} metadata ${pairs.length}/${bytes}`;
}

function putRecord(instance: Instance__Output, reason: string): ChangeRecord {
  return {
    kind: 'put',
    instanceId: instance.instance_id,
    mark: reason === '' ? markOf(instance) : reason,
    content: contentOf(instance),
    generation: Number(instance.generation),
    ttlMs: instance.ttl_ms,
  };
}

export function recordMessage(message: WatchResponse__Output, atMs: number): WatchMessageRecord {
  const changes = message.changes.flatMap(({ kind, instance, reason }): readonly ChangeRecord[] => {
    if (instance === null) return [];
    if (kind === 'REMOVE') return [removeRecord(instance.instance_id, reason)];
    return [putRecord(instance, reason)];
  });
  const { reset, more } = message;
  return { atMs, revision: Number(message.revision), reset, more, changes };
}
