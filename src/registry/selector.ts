// Which instances a reader means. Evaluated on state, never on events.
import { sameBytes, scanBody, utf8 } from './body-scan.ts';
import { compareBytewise } from './byte-order.ts';
import { metadataPair } from './instance-codec.ts';
import type { InstanceRecord, Status } from './types.ts';

/** All parts are ANDed. Bounds are checked at the door: 64 services, 64 tags, 64 metadata pairs. */
export interface Selector {
  /** '*' means all namespaces. */
  readonly namespace: string;
  /** Empty: every service of the namespace. Sorted, distinct. */
  readonly services: readonly string[];
  readonly healthyOnly: boolean;
  readonly tags: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly zone: string;
  readonly region: string;
  readonly version: string;
  /** Any of these; empty: every status. */
  readonly statuses: readonly Status[];
}

/** What a record's body must contain: the content of fields, byte for byte, as the canonical encoding has it. */
interface WantedField {
  readonly field: number;
  readonly content: Uint8Array;
}

const METADATA = 7;
const TAGS = 8;
const VERSION = 9;
const REGION = 10;
const ZONE = 11;
export const STATUSES: readonly Status[] = ['starting', 'healthy', 'unhealthy', 'draining'];

/** Selectors are compiled once; a watch asks about each change. */
const wantedFields = new WeakMap<Selector, readonly WantedField[]>();

/** True when the record is one of those that the selector means. */
export function matches(selector: Selector, record: InstanceRecord): boolean {
  return matchesHealth(selector, record.status) && matchesButForHealth(selector, record);
}

/** True when the selector takes records of this status: `healthyOnly` and `statuses`. */
function matchesHealth(selector: Selector, status: Status): boolean {
  if (selector.healthyOnly && status !== 'healthy') return false;
  return selector.statuses.length === 0 || selector.statuses.includes(status);
}

/** The statuses that the selector takes. */
export function statusesOf(selector: Selector): readonly Status[] {
  return STATUSES.filter((status) => matchesHealth(selector, status));
}

/** True when the record matches, whatever its status is. */
export function matchesButForHealth(selector: Selector, record: InstanceRecord): boolean {
  if (selector.namespace !== '*' && selector.namespace !== record.namespace) return false;
  if (selector.services.length > 0 && !selector.services.includes(record.serviceName)) return false;
  return matchesAttributes(selector, record);
}

/** True when the selector asks for more than namespace, service and status. */
export function asksForAttributes(selector: Selector): boolean {
  return wantedOf(selector).length > 0;
}

/** True when the record has the tags, metadata, zone, region and version that are asked for. */
export function matchesAttributes(selector: Selector, record: InstanceRecord): boolean {
  const wanted = wantedOf(selector);
  if (wanted.length === 0) return true;
  let found = 0;
  // No field occurs twice in a body with the same content, so as many hits as wishes are all of them.
  scanBody(record, (field, start, end) => {
    for (const { field: wantedField, content } of wanted) {
      if (field === wantedField && sameBytes(record.encoded, start, end, content)) {
        found += 1;
        break;
      }
    }
    return field <= ZONE && found < wanted.length;
  });
  return found === wanted.length;
}

function wantedOf(selector: Selector): readonly WantedField[] {
  const known = wantedFields.get(selector);
  if (known !== undefined) return known;
  const wanted: WantedField[] = [];
  for (const [key, value] of selector.metadata) {
    wanted.push({ field: METADATA, content: metadataPair(key, value) });
  }
  for (const label of new Set(selector.tags)) wanted.push({ field: TAGS, content: utf8(label) });
  if (selector.version !== '') wanted.push({ field: VERSION, content: utf8(selector.version) });
  if (selector.region !== '') wanted.push({ field: REGION, content: utf8(selector.region) });
  if (selector.zone !== '') wanted.push({ field: ZONE, content: utf8(selector.zone) });
  wantedFields.set(selector, wanted);
  return wanted;
}

/** A stable text of what the selector means: equal for selectors that mean the same, for hashing and caching. */
export function canonicalSelector(selector: Selector): string {
  const pairs = [...selector.metadata].toSorted(([left], [right]) => compareBytewise(left, right));
  return JSON.stringify([
    selector.namespace,
    distinct(selector.services),
    statusesOf(selector),
    distinct(selector.tags),
    pairs,
    selector.zone,
    selector.region,
    selector.version,
  ]);
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)].toSorted(compareBytewise);
}
