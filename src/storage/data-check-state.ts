// What `rollcall check-data` says of the state on disk: every record verified, and that the log goes on where it ends.
import { basename, join } from 'node:path';
import { type LogIndex, logIndex } from '../lib/ids.ts';
import { type SurveyedState, surveyState } from './data-survey.ts';
import { type Add, addingTo, advice, type Finding, orLater } from './data-finding.ts';
import type { InspectedLog } from './wal/inspect.ts';

/** `log` is undefined where it cannot be read. */
export async function checkState(
  directory: string,
  owner: string,
  log: InspectedLog | undefined,
  found: Finding[],
): Promise<SurveyedState> {
  const add = addingTo(found, 'state');
  const floorIndex = log?.image.floor.index ?? logIndex(0);
  const survey = await orLater(
    () => surveyState(join(directory, 'state'), owner, floorIndex),
    undefined,
    add,
  );
  if (survey === undefined) return { kind: 'absent' };
  const { state, sealed, leftovers } = survey;
  const wholeLog = log !== undefined && floorIndex === 0;
  const remedy = wholeLog ? advice.fromLog : log === undefined ? advice.replace : advice.fromLeader;
  switch (state.kind) {
    case 'absent':
      if (wholeLog) {
        const text =
          log.image.lastIndex === 0 ? 'There is no state yet.' : 'There is no state store.';
        add('note', text, log.image.lastIndex === 0 ? '' : advice.fromLog);
      } else if (log !== undefined)
        add('damaged', `There is no state, and the log begins after ${floorIndex} only.`, remedy);
      break;
    case 'unusable':
      add(
        'damaged',
        `The state in ${basename(state.path)} cannot be used: ${state.reason}.`,
        remedy,
      );
      break;
    case 'verified': {
      const { appliedIndex, meta } = state.image;
      const text = `The state is whole: everything up to entry ${appliedIndex}, revision ${meta.revision}, and its records have the hash ${meta.hash}.`;
      add('sound', text);
      if (log !== undefined)
        checkRange(log, state.image.appliedIndex, state.image.appliedTerm, add);
    }
  }
  if (sealed !== undefined) {
    add(
      'note',
      `A snapshot up to entry ${sealed.index} was received and takes the place of the state.`,
      'Nothing to do: the next start completes it.',
    );
  } else if (leftovers.length > 0) {
    const names = leftovers.map((path) => basename(path)).join(', ');
    add(
      'note',
      `An exchange of the state was left unfinished: ${names}.`,
      'Nothing to do: the next start removes what is not needed.',
    );
  }
  return state;
}

function checkRange(
  { image }: InspectedLog,
  appliedIndex: LogIndex,
  appliedTerm: number,
  add: Add,
): void {
  const { floor, lastIndex, runs } = image;
  if (appliedIndex > lastIndex) {
    add(
      'damaged',
      `The state holds everything up to entry ${appliedIndex} and the log ends at ${lastIndex}: the log has lost acknowledged entries.`,
      advice.byItself,
    );
    return;
  }
  if (appliedIndex < floor.index) {
    add(
      'damaged',
      `The state ends at entry ${appliedIndex} and the log begins after ${floor.index}: what is between them is missing.`,
      advice.fromLeader,
    );
    return;
  }
  const run = runs.findLast(({ firstIndex }) => firstIndex <= appliedIndex);
  const expected = appliedIndex === floor.index ? floor.term : run?.term;
  if (expected !== undefined && appliedTerm !== 0 && expected !== appliedTerm) {
    add(
      'damaged',
      `Entry ${appliedIndex} is of term ${expected} in the log and of term ${appliedTerm} in the state.`,
      advice.replace,
    );
  }
}
