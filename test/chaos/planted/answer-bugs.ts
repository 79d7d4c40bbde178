// Bugs of what clients are told: reads that are too old, watches that leave something out, outcomes that are not true, and
// snapshots that do not bring all they should.
import { patch } from '../../sim/planted/planted.ts';
import { bug, type ServerBug, simulated } from './server-bug.ts';

export const answerBugs: readonly ServerBug[] = [
  simulated('a read is confirmed without a quorum', ['pauseLeader', 'isolateLeader']),
  simulated('a client is shown an older revision than it has seen', ['isolateLeader']),
  bug(
    'a resumed watch skips the first revision that it missed',
    ['pauseLeader'],
    patch(
      'node/watch-cursor.ts',
      'return this.#after(resumeAt.revision);',
      'return this.#after(nextRevision(resumeAt.revision));',
    ),
  ),
  bug(
    'a write whose answer was lost is told as failed',
    ['isolateLeader', 'pauseLeader'],
    [
      patch('node/writes.ts', 'if (handedIn(write)) write.uncertain = true;\n', ''),
      patch(
        'node/writes.ts',
        "write.uncertain = true;\n    if (write.call.requestId === '') this.#fail(write, 'outcomeUnknown', UNKNOWN);",
        "if (write.call.requestId === '') this.#fail(write, 'notLeader', CHANGED);",
      ),
    ],
    40,
  ),
  bug(
    'a snapshot does not bring the remembered answers',
    ['leaveBehind'],
    patch(
      'registry/registry.ts',
      'Object.assign(state, takeLoaded(loaded));',
      'const content = takeLoaded(loaded);\n      content.answers.byKey.clear();\n      Object.assign(state, content);',
    ),
  ),
  simulated('the state in memory stays when a snapshot is installed', ['leaveBehind']),
];
