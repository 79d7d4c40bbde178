// Bugs of watches and of resuming them.
import type { PlantedBug } from '../../planted/bug.ts';
import { inArea, patch } from './planted.ts';

const watches = inArea('watches');
const resume = inArea('resume');

export const watchBugs: readonly PlantedBug[] = [
  watches(
    'a reader that the ring has just left behind is not sent the state',
    patch(
      'node/watch-cursor.ts',
      'this.#position.from <= ring.floor',
      'this.#position.from < ring.floor',
    ),
  ),
  watches(
    'a merged message claims more than it holds',
    patch(
      'node/watch-cursor.ts',
      'const about = { revision: merged.revision, reset: false, more: false };',
      'const about = { revision: ring.last, reset: false, more: false };',
    ),
  ),
  watches(
    'a state is sent without undoing what came after it',
    patch(
      'node/watch-cursor.ts',
      'registry.list(this.audience.selector, after, limit, undo)',
      'registry.list(this.audience.selector, after, limit)',
    ),
  ),
  resume(
    'a resumed watch skips the first revision it missed',
    patch(
      'node/watch-cursor.ts',
      "return { kind: 'behind', from: nextRevision(sent) };",
      "return { kind: 'behind', from: nextRevision(nextRevision(sent)) };",
    ),
  ),
  resume(
    'a token in the middle of a state is taken for the whole state',
    patch('node/watch-cursor.ts', "if (resumeAt.more) return { kind: 'unset' };", ''),
  ),
  resume(
    'a node that is behind a token begins with its own older state',
    patch(
      'node/watch-cursor.ts',
      "if (resumeAt.revision > ring.last) return { kind: 'waiting', until: resumeAt };",
      "if (resumeAt.revision > ring.last) return { kind: 'unset' };",
    ),
  ),
  resume(
    'a node that is behind the token of a part begins with its own older state',
    patch(
      'node/watch-cursor.ts',
      'if (resumeAt.revision > ring.last)',
      'if (!resumeAt.more && resumeAt.revision > ring.last)',
    ),
  ),
  resume(
    'a resumed watch repeats the last revision it had',
    patch(
      'node/watch-cursor.ts',
      'return this.#after(resumeAt.revision);',
      "return { kind: 'behind', from: resumeAt.revision };",
    ),
  ),
];
