// Requests of every method, from bytes to the plain inputs that the rules look at. No rule is decided here, except that
// nothing is kept of a field repeated far beyond its limit.
import { revision } from '../../lib/ids.ts';
import type { ApiLimits } from '../limits.ts';
import type {
  BeatInput,
  DeregisterInput,
  GetInstanceInput,
  InstanceInput,
  ListInstancesInput,
  ListServicesInput,
  MemberInput,
  RegisterBatchInput,
  RegisterInput,
  SetStatusInput,
  WatchInput,
} from '../requests.ts';
import {
  defaultRead,
  defaultSelector,
  readInstance,
  readReadOptions,
  readSelector,
} from './decode-instance.ts';
import {
  type Reader,
  bytesKey,
  checkTally,
  decodeRequest,
  eachField,
  endOfValue,
  keeps,
  numberKey,
  readRevision,
  readText,
  tally,
} from './wire-reader.ts';

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

const NO_REVISION = revision(0);

/** Reads a whole request into `draft`. */
function fill<T>(bytes: Buffer, draft: T, read: (reader: Reader, key: number) => boolean): T {
  return decodeRequest(bytes, (reader) => {
    eachField(reader, reader.len, (key) => read(reader, key));
    return draft;
  });
}

export function decodeRegister(bytes: Buffer, limits: ApiLimits): RegisterInput {
  const draft: Mutable<RegisterInput> = {
    instance: undefined,
    requestId: '',
    ifGeneration: NO_REVISION,
  };
  return fill(bytes, draft, (reader, key) => {
    if (key === bytesKey(1)) draft.instance = readInstance(reader, 'instance.', limits);
    else if (key === bytesKey(2)) draft.requestId = readText(reader, '', 'request_id');
    else if (key === numberKey(3)) draft.ifGeneration = readRevision(reader);
    else return false;
    return true;
  });
}

export function decodeRegisterBatch(bytes: Buffer, limits: ApiLimits): RegisterBatchInput {
  const instances: InstanceInput[] = [];
  const counted = tally(limits.batchInstances, 1);
  const draft: Mutable<RegisterBatchInput> = { instances, requestId: '' };
  fill(bytes, draft, (reader, key) => {
    if (key === bytesKey(1)) {
      if (!keeps(counted)) return false;
      instances.push(readInstance(reader, `instances[${instances.length}].`, limits));
    } else if (key === bytesKey(2)) {
      draft.requestId = readText(reader, '', 'request_id');
    } else {
      return false;
    }
    return true;
  });
  checkTally(counted, 'instances', 'instances');
  return draft;
}

export function decodeDeregister(bytes: Buffer): DeregisterInput {
  const draft: Mutable<DeregisterInput> = {
    namespace: '',
    instanceId: '',
    generation: NO_REVISION,
    requestId: '',
    reason: '',
    drain: false,
  };
  return fill(bytes, draft, (reader, key) => {
    if (key === bytesKey(1)) draft.namespace = readText(reader, '', 'namespace');
    else if (key === bytesKey(2)) draft.instanceId = readText(reader, '', 'instance_id');
    else if (key === numberKey(3)) draft.generation = readRevision(reader);
    else if (key === bytesKey(4)) draft.requestId = readText(reader, '', 'request_id');
    else if (key === bytesKey(5)) draft.reason = readText(reader, '', 'reason');
    else return skipDrain(draft, key, bytesKey(6));
    return true;
  });
}

/** Notes that the message `drain` is there; what it says is not looked at in this version. */
function skipDrain(draft: { drain: boolean }, key: number, drainKey: number): boolean {
  if (key === drainKey) draft.drain = true;
  return false;
}

export function decodeSetStatus(bytes: Buffer): SetStatusInput {
  const draft: Mutable<SetStatusInput> = {
    namespace: '',
    instanceId: '',
    generation: NO_REVISION,
    status: 0,
    requestId: '',
    reason: '',
    maintenance: 0,
    drain: false,
  };
  return fill(bytes, draft, (reader, key) => {
    if (key === bytesKey(1)) draft.namespace = readText(reader, '', 'namespace');
    else if (key === bytesKey(2)) draft.instanceId = readText(reader, '', 'instance_id');
    else if (key === numberKey(3)) draft.generation = readRevision(reader);
    else if (key === numberKey(4)) draft.status = reader.int32();
    else if (key === bytesKey(5)) draft.requestId = readText(reader, '', 'request_id');
    else if (key === bytesKey(6)) draft.reason = readText(reader, '', 'reason');
    else if (key === numberKey(7)) draft.maintenance = reader.int32();
    else return skipDrain(draft, key, bytesKey(8));
    return true;
  });
}

/** Beats in the order of the request. */
export function decodeHeartbeat(bytes: Buffer, limits: ApiLimits): readonly BeatInput[] {
  const beats: BeatInput[] = [];
  const counted = tally(limits.beats, 1);
  fill(bytes, beats, (reader, key) => {
    if (key !== bytesKey(1) || !keeps(counted)) return false;
    beats.push(readBeat(reader));
    return true;
  });
  checkTally(counted, 'beats', 'beats');
  return beats;
}

function readBeat(reader: Reader): BeatInput {
  const draft: Mutable<BeatInput> = { namespace: '', instanceId: '', generation: NO_REVISION };
  eachField(reader, endOfValue(reader), (key) => {
    if (key === bytesKey(1)) draft.namespace = readText(reader, 'beats.', 'namespace');
    else if (key === bytesKey(2)) draft.instanceId = readText(reader, 'beats.', 'instance_id');
    else if (key === numberKey(3)) draft.generation = readRevision(reader);
    else return false;
    return true;
  });
  return draft;
}

export function decodeGetInstance(bytes: Buffer): GetInstanceInput {
  const draft: Mutable<GetInstanceInput> = { namespace: '', instanceId: '', read: defaultRead };
  return fill(bytes, draft, (reader, key) => {
    if (key === bytesKey(1)) draft.namespace = readText(reader, '', 'namespace');
    else if (key === bytesKey(2)) draft.instanceId = readText(reader, '', 'instance_id');
    else if (key === bytesKey(3)) draft.read = readReadOptions(reader);
    else return false;
    return true;
  });
}

export function decodeListInstances(bytes: Buffer, limits: ApiLimits): ListInstancesInput {
  const draft: Mutable<ListInstancesInput> = {
    selector: defaultSelector,
    read: defaultRead,
    pageSize: 0,
    pageToken: '',
  };
  return fill(bytes, draft, (reader, key) => {
    if (key === bytesKey(1)) draft.selector = readSelector(reader, limits);
    else if (key === bytesKey(2)) draft.read = readReadOptions(reader);
    else if (key === numberKey(3)) draft.pageSize = reader.uint32();
    else if (key === bytesKey(4)) draft.pageToken = readText(reader, '', 'page_token');
    else return false;
    return true;
  });
}

export function decodeListServices(bytes: Buffer): ListServicesInput {
  const draft: Mutable<ListServicesInput> = {
    namespace: '',
    read: defaultRead,
    pageSize: 0,
    pageToken: '',
  };
  return fill(bytes, draft, (reader, key) => {
    if (key === bytesKey(1)) draft.namespace = readText(reader, '', 'namespace');
    else if (key === bytesKey(2)) draft.read = readReadOptions(reader);
    else if (key === numberKey(3)) draft.pageSize = reader.uint32();
    else if (key === bytesKey(4)) draft.pageToken = readText(reader, '', 'page_token');
    else return false;
    return true;
  });
}

export function decodeWatch(bytes: Buffer, limits: ApiLimits): WatchInput {
  const draft: Mutable<WatchInput> = {
    selector: undefined,
    resumeToken: '',
    acknowledge: NO_REVISION,
    read: defaultRead,
    acknowledges: false,
  };
  return fill(bytes, draft, (reader, key) => {
    if (key === bytesKey(1)) draft.selector = readSelector(reader, limits);
    else if (key === bytesKey(2)) draft.resumeToken = readText(reader, '', 'resume_token');
    else if (key === numberKey(3)) draft.acknowledge = readRevision(reader);
    else if (key === bytesKey(4)) draft.read = readReadOptions(reader);
    else if (key === numberKey(5)) draft.acknowledges = reader.bool();
    else return false;
    return true;
  });
}

/** AddMemberRequest; undefined where it names no member. */
export function decodeAddMember(bytes: Buffer): MemberInput | undefined {
  const draft: { member: MemberInput | undefined } = { member: undefined };
  fill(bytes, draft, (reader, key) => {
    if (key !== bytesKey(1)) return false;
    draft.member = readMember(reader);
    return true;
  });
  return draft.member;
}

function readMember(reader: Reader): MemberInput {
  const draft: Mutable<MemberInput> = {
    nodeId: '',
    peerAddress: '',
    clientAddress: '',
    incarnation: '',
  };
  eachField(reader, endOfValue(reader), (key) => {
    if (key === bytesKey(1)) draft.nodeId = readText(reader, 'member.', 'node_id');
    else if (key === bytesKey(2)) draft.peerAddress = readText(reader, 'member.', 'peer_address');
    else if (key === bytesKey(3)) {
      draft.clientAddress = readText(reader, 'member.', 'client_address');
    } else if (key === bytesKey(5)) {
      draft.incarnation = readText(reader, 'member.', 'incarnation');
    } else return false;
    return true;
  });
  return draft;
}

/** MemberRequest: the name of the member. */
export function decodeMemberId(bytes: Buffer): string {
  return decodeOneText(bytes, 'node_id');
}

/** HealthCheckRequest: the name of the service. */
export function decodeHealthCheck(bytes: Buffer): string {
  return decodeOneText(bytes, 'service');
}

/** A message whose field 1 is a text, and all of it. */
function decodeOneText(bytes: Buffer, field: string): string {
  const draft = { text: '' };
  fill(bytes, draft, (reader, key) => {
    if (key !== bytesKey(1)) return false;
    draft.text = readText(reader, '', field);
    return true;
  });
  return draft.text;
}
