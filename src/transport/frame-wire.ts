// Positional arrays of peer frames: [frame number, ...]. Append-only; pinned by test/transport/golden.
import type {
  Beat,
  BeatFailure,
  DiskReport,
  FormationFrame,
  HeartbeatOutcome,
  LastHeartbeatRequest,
  PeerFrame,
  SnapshotChunk,
  SnapshotRequest,
  WriteOutcome,
  WriteRequest,
} from '../node/peer-protocol.ts';
import {
  applyResultFromArray,
  applyResultToArray,
  commandBodyFromArray,
  commandBodyToArray,
} from '../registry/index.ts';
import { errorCodes, failureFromFields } from './failure-wire.ts';
import {
  bytesAt,
  countAt,
  type Fields,
  fieldsOf,
  flagAt,
  indexAt,
  listOf,
  numbering,
  revisionAt,
  textAt,
} from './fields.ts';
import {
  memberAt,
  memberChangeFromFields,
  memberChangeToArray,
  memberOutcomeFromFields,
  memberOutcomeToArray,
  memberToArray,
} from './member-wire.ts';
import { messageFromArray, messageToArray } from './raft-wire.ts';

const frameKinds = numbering<PeerFrame['kind']>({
  raft: 0,
  formation: 1,
  writeRequest: 2,
  writeResponse: 3,
  heartbeatRelay: 4,
  heartbeatRelayResponse: 5,
  lastHeartbeatRequest: 6,
  lastHeartbeatResponse: 7,
  stateHash: 8,
  snapshotRequest: 9,
  snapshotChunk: 10,
  memberRequest: 11,
  memberResponse: 12,
  diskReport: 13,
});
const writeOutcomes = numbering<WriteOutcome['kind'] | 'lacksDiskSpace'>({
  applied: 0,
  failed: 1,
  lacksDiskSpace: 2,
});
const heartbeatOutcomes = numbering<HeartbeatOutcome['kind']>({ acknowledged: 0, failed: 1 });
const beatFailures = numbering<BeatFailure['reason']>({ unknown: 0, fenced: 1 });

export function frameToArray(frame: PeerFrame): readonly unknown[] {
  const number = frameKinds.numberOf(frame.kind);
  switch (frame.kind) {
    case 'raft':
      return [number, messageToArray(frame.message)];
    case 'formation':
      return [number, frame.known.map(memberToArray), frame.proposedUuid, frame.formed];
    case 'writeRequest': {
      const { id, body, requestId, fingerprint, actor } = frame;
      return [number, id, commandBodyToArray(body), requestId, fingerprint, actor];
    }
    case 'writeResponse':
      return [number, frame.id, writeOutcomeToArray(frame.outcome)];
    case 'heartbeatRelay':
      return [number, frame.id, frame.beats.map(beatToArray)];
    case 'heartbeatRelayResponse':
      return [number, frame.id, heartbeatOutcomeToArray(frame.outcome)];
    case 'lastHeartbeatRequest':
      return [number, frame.id, frame.namespace, frame.instanceId];
    case 'lastHeartbeatResponse':
      // Whole milliseconds: the reader takes nothing else.
      return [number, frame.id, frame.unixTimeMs && Math.round(frame.unixTimeMs)];
    case 'stateHash':
      return [number, frame.index, frame.hash];
    case 'snapshotRequest':
      return [number, frame.id, frame.snapshotId, frame.chunk];
    case 'snapshotChunk': {
      const { id, snapshotId, chunk, crc, data, last } = frame;
      return [number, id, snapshotId, chunk, crc, data, last];
    }
    case 'memberRequest':
      return [number, frame.id, memberChangeToArray(frame.change)];
    case 'memberResponse':
      return [number, frame.id, memberOutcomeToArray(frame.outcome)];
    case 'diskReport':
      return [number, frame.freeBytes, frame.short];
  }
}

/** Throws WireError, or the registry's own error for a malformed command or result. */
export function frameFromArray(value: unknown): PeerFrame {
  const fields = listOf(value, 'frame');
  const kind = frameKinds.nameAt(fields, 0, 'frame kind');
  switch (kind) {
    case 'raft':
      return { kind, message: messageFromArray(fieldsOf(fields, 2, kind)[1]) };
    case 'formation':
      return formationFromFields(fieldsOf(fields, 4, kind));
    case 'writeRequest':
      return writeRequestFromFields(fieldsOf(fields, 6, kind));
    case 'writeResponse':
      fieldsOf(fields, 3, kind);
      return {
        kind,
        id: countAt(fields, 1, `${kind}.id`),
        outcome: writeOutcomeFromFields(listOf(fields[2], `${kind}.outcome`)),
      };
    case 'heartbeatRelay':
      fieldsOf(fields, 3, kind);
      return {
        kind,
        id: countAt(fields, 1, `${kind}.id`),
        beats: listOf(fields[2], `${kind}.beats`).map(beatFromArray),
      };
    case 'heartbeatRelayResponse':
      fieldsOf(fields, 3, kind);
      return {
        kind,
        id: countAt(fields, 1, `${kind}.id`),
        outcome: heartbeatOutcomeFromFields(listOf(fields[2], `${kind}.outcome`)),
      };
    case 'lastHeartbeatRequest':
      return lastHeartbeatRequestFromFields(fieldsOf(fields, 4, kind));
    case 'lastHeartbeatResponse':
      fieldsOf(fields, 3, kind);
      return {
        kind,
        id: countAt(fields, 1, `${kind}.id`),
        unixTimeMs: fields[2] === null ? undefined : countAt(fields, 2, `${kind}.unixTimeMs`),
      };
    case 'stateHash':
      fieldsOf(fields, 3, kind);
      return {
        kind,
        index: indexAt(fields, 1, `${kind}.index`),
        hash: textAt(fields, 2, `${kind}.hash`),
      };
    case 'snapshotRequest':
      return snapshotRequestFromFields(fieldsOf(fields, 4, kind));
    case 'snapshotChunk':
      return snapshotChunkFromFields(fieldsOf(fields, 7, kind));
    case 'memberRequest':
      fieldsOf(fields, 3, kind);
      return {
        kind,
        id: countAt(fields, 1, `${kind}.id`),
        change: memberChangeFromFields(listOf(fields[2], `${kind}.change`)),
      };
    case 'memberResponse':
      fieldsOf(fields, 3, kind);
      return {
        kind,
        id: countAt(fields, 1, `${kind}.id`),
        outcome: memberOutcomeFromFields(listOf(fields[2], `${kind}.outcome`)),
      };
    case 'diskReport':
      return diskReportFromFields(fieldsOf(fields, 3, kind));
  }
}

function diskReportFromFields(fields: Fields): DiskReport {
  const kind = 'diskReport';
  return {
    kind,
    freeBytes: countAt(fields, 1, `${kind}.freeBytes`),
    short: flagAt(fields, 2, `${kind}.short`),
  };
}

function writeRequestFromFields(fields: Fields): WriteRequest {
  const kind = 'writeRequest';
  return {
    kind,
    id: countAt(fields, 1, `${kind}.id`),
    body: commandBodyFromArray(fields[2]),
    requestId: textAt(fields, 3, `${kind}.requestId`),
    fingerprint: textAt(fields, 4, `${kind}.fingerprint`),
    actor: textAt(fields, 5, `${kind}.actor`),
  };
}

function lastHeartbeatRequestFromFields(fields: Fields): LastHeartbeatRequest {
  const kind = 'lastHeartbeatRequest';
  return {
    kind,
    id: countAt(fields, 1, `${kind}.id`),
    namespace: textAt(fields, 2, `${kind}.namespace`),
    instanceId: textAt(fields, 3, `${kind}.instanceId`),
  };
}

function snapshotRequestFromFields(fields: Fields): SnapshotRequest {
  const kind = 'snapshotRequest';
  return {
    kind,
    id: countAt(fields, 1, `${kind}.id`),
    snapshotId: textAt(fields, 2, `${kind}.snapshotId`),
    chunk: countAt(fields, 3, `${kind}.chunk`),
  };
}

/** Puts the content in memory of its own: it must not keep a receive buffer alive, nor change when that is used again. */
function snapshotChunkFromFields(fields: Fields): SnapshotChunk {
  const kind = 'snapshotChunk';
  const data = bytesAt(fields, 5, `${kind}.data`);
  return {
    kind,
    id: countAt(fields, 1, `${kind}.id`),
    snapshotId: textAt(fields, 2, `${kind}.snapshotId`),
    chunk: countAt(fields, 3, `${kind}.chunk`),
    crc: countAt(fields, 4, `${kind}.crc`),
    // Of a plain type, but no copy: a message with a chunk holds hardly anything else, and a chunk does not live long.
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    last: flagAt(fields, 6, `${kind}.last`),
  };
}

function formationFromFields(fields: Fields): FormationFrame {
  const kind = 'formation';
  return {
    kind,
    known: listOf(fields[1], `${kind}.known`).map((row) =>
      memberAt(fieldsOf(row, 4, `${kind}.known`), 0, `${kind}.known`),
    ),
    proposedUuid: textAt(fields, 2, `${kind}.proposedUuid`),
    formed: flagAt(fields, 3, `${kind}.formed`),
  };
}

function writeOutcomeToArray(outcome: WriteOutcome): readonly unknown[] {
  switch (outcome.kind) {
    case 'applied':
      return [writeOutcomes.numberOf('applied'), applyResultToArray(outcome.result)];
    case 'failed': {
      const how = outcome.lacks === 'diskSpace' ? 'lacksDiskSpace' : 'failed';
      const { code, message } = outcome;
      return [writeOutcomes.numberOf(how), errorCodes.numberOf(code), message];
    }
  }
}

function writeOutcomeFromFields(fields: Fields): WriteOutcome {
  const kind = writeOutcomes.nameAt(fields, 0, 'outcome kind');
  switch (kind) {
    case 'applied':
      return { kind, result: applyResultFromArray(fieldsOf(fields, 2, kind)[1]) };
    case 'failed':
      return failureFromFields(fields);
    case 'lacksDiskSpace':
      return { ...failureFromFields(fields), lacks: 'diskSpace' };
  }
}

function heartbeatOutcomeToArray(outcome: HeartbeatOutcome): readonly unknown[] {
  const number = heartbeatOutcomes.numberOf(outcome.kind);
  switch (outcome.kind) {
    case 'acknowledged': {
      const failures = outcome.failures.map(({ position, reason }) => [
        position,
        beatFailures.numberOf(reason),
      ]);
      return [number, outcome.revision, failures, Math.round(outcome.heartbeatIntervalMs)];
    }
    case 'failed':
      return [number, errorCodes.numberOf(outcome.code), outcome.message];
  }
}

function heartbeatOutcomeFromFields(fields: Fields): HeartbeatOutcome {
  const kind = heartbeatOutcomes.nameAt(fields, 0, 'outcome kind');
  switch (kind) {
    case 'acknowledged':
      fieldsOf(fields, 4, kind);
      return {
        kind,
        revision: revisionAt(fields, 1, `${kind}.revision`),
        failures: listOf(fields[2], `${kind}.failures`).map(beatFailureFromArray),
        heartbeatIntervalMs: countAt(fields, 3, `${kind}.heartbeatIntervalMs`),
      };
    case 'failed':
      return failureFromFields(fields);
  }
}

const beatToArray = (beat: Beat): readonly unknown[] => [
  beat.namespace,
  beat.instanceId,
  beat.generation,
];

function beatFromArray(value: unknown): Beat {
  const fields = fieldsOf(value, 3, 'beat');
  return {
    namespace: textAt(fields, 0, 'beat.namespace'),
    instanceId: textAt(fields, 1, 'beat.instanceId'),
    generation: revisionAt(fields, 2, 'beat.generation'),
  };
}

function beatFailureFromArray(value: unknown): BeatFailure {
  const fields = fieldsOf(value, 2, 'beat failure');
  return {
    position: countAt(fields, 0, 'beat failure.position'),
    reason: beatFailures.nameAt(fields, 1, 'beat failure.reason'),
  };
}
