// What the data-dir of a node that does not run holds: the log, and the state that a start would go on with. Nothing is changed;
// a start would come to the same judgement, and then act on it.
import { type LogIndex, logIndex, type Revision } from '../lib/ids.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { StateImage } from '../node/ports.ts';
import type { Configuration } from '../raft/index.ts';
import {
  createRegistry,
  createRegistryLoader,
  decodeCommand,
  imageHasher,
  type Registry,
  registryDefaults,
} from '../registry/index.ts';
import { withFrozen } from './frozen-state.ts';
import { otherThanSealed, readMarker, type SealedMarker } from './sealed-marker.ts';
import { openVerified } from './state-database.ts';
import { presentPaths, stateFiles, statePaths } from './state-files.ts';
import { crashOf } from './state-probe.ts';
import type { InspectedLog } from './wal/inspect.ts';

/** One directory of the state store. `image.loaded` has its content. */
export type SurveyedState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unusable'; readonly path: string; readonly reason: string }
  | { readonly kind: 'verified'; readonly path: string; readonly image: StateImage };

export interface StateSurvey {
  /** What a start would open. */
  readonly state: SurveyedState;
  /** A received snapshot that the log begins with. */
  readonly sealed: SealedMarker | undefined;
  /** Names of what a start removes, because a crash left it. */
  readonly leftovers: readonly string[];
}

/** `floorIndex`: where the log begins. @throws UnknownFormatError */
export async function surveyState(
  directory: string,
  owner: string,
  floorIndex: LogIndex,
): Promise<StateSurvey> {
  const paths = statePaths(directory);
  const found = await presentPaths(stateFiles, paths);
  const marker = await readMarker(paths);
  const wanted = marker?.owner === owner && marker.index === floorIndex;
  const sealed = wanted && found.has(paths.incoming) ? marker : undefined;
  const leftovers = ['incoming', 'sealed', 'old', 'sealed.tmp']
    .map((suffix) => `${directory}.${suffix}`)
    .filter((path) => found.has(path));
  // A crash between the two renames of an exchange: a start takes the old one back first.
  const path = found.has(paths.current) ? paths.current : paths.old;
  const state = found.has(path) ? await verify(path, owner) : ABSENT;
  if (sealed === undefined || indexOf(state) >= sealed.index) return { state, sealed, leftovers };
  return { state: await verifySealed(paths.incoming, owner, sealed), sealed, leftovers };
}

async function verifySealed(
  path: string,
  owner: string,
  sealed: SealedMarker,
): Promise<SurveyedState> {
  const received = await verify(path, owner);
  const reason = received.kind === 'verified' ? otherThanSealed(sealed, received.image) : undefined;
  return reason === undefined ? received : { kind: 'unusable', path, reason };
}

const ABSENT = { kind: 'absent' } as const;

const indexOf = (state: SurveyedState): number =>
  state.kind === 'verified' ? state.image.appliedIndex : 0;

/** Every record read, decoded, counted and hashed, in a process of its own first: damaged files may end the one that reads. */
function verify(path: string, owner: string): Promise<SurveyedState> {
  return withFrozen(path, async (view) => {
    const attempt = await openVerified(view, {
      owner,
      imageHasher,
      createLoader: createRegistryLoader,
      files: stateFiles,
      crashOf,
    }).catch((error: unknown) => {
      throw error instanceof UnknownFormatError ? error.in(`the state store in ${path}`) : error;
    });
    if (attempt.kind === 'unusable') return { kind: 'unusable', path, reason: attempt.reason };
    await attempt.database.close();
    // An empty directory is as good as none.
    if (attempt.image.appliedIndex === 0) return ABSENT;
    return { kind: 'verified', path, image: attempt.image };
  });
}

/** The state machine after the last entry of the log, and who the members are there. */
export interface Rebuilt {
  readonly registry: Registry;
  /** After the last entry that log or state know to be committed. */
  readonly committedRevision: Revision;
  readonly configuration: Configuration;
  /** Entries that were applied for it. */
  readonly applied: number;
}

const PIECE_BYTES = 4 << 20;

/** Applies the entries behind the state, those too of which it is not known whether they were committed. `image` is undefined where there is
 * no state and the log is whole. Throws what the log or an entry throws. */
export async function rebuild(
  log: InspectedLog,
  image: StateImage | undefined,
  upTo: LogIndex,
): Promise<Rebuilt> {
  const registry = createRegistry(registryDefaults, image);
  // What was loaded is not changed: `takeDirty` then has what the log adds.
  registry.takeDirty();
  const from = image?.appliedIndex ?? logIndex(0);
  const { floor, configurations, hardState } = log.image;
  let committedRevision = registry.revision;
  for (let done: number = from; done < upTo; ) {
    for (const entry of await log.read(logIndex(done + 1), upTo, PIECE_BYTES)) {
      done = entry.index;
      if (entry.kind === 'command') registry.apply(decodeCommand(entry.payload));
      if (done <= hardState.commitIndex) committedRevision = registry.revision;
    }
  }
  const newest = configurations.findLast(({ index }) => index <= upTo);
  return {
    registry,
    committedRevision,
    configuration: newest ?? floor.configuration,
    applied: Math.max(0, upTo - from),
  };
}
