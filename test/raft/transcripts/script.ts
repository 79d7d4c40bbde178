// The commands of a transcript, one a line. README.md beside this file lists them for whoever writes a script.
import { assert, present } from '../../../src/lib/assert.ts';
import { logIndex, type NodeId, nodeId } from '../../../src/lib/ids.ts';
import { raftDefaults } from '../../../src/raft/index.ts';
import { entries, payloadOf } from '../lone-node.ts';
import { describeEntries, describeView } from './describe.ts';
import {
  actorOf,
  addActor,
  bring,
  createStage,
  deliver,
  finishWrites,
  forgetState,
  lose,
  play,
  restart,
  type Stage,
} from './stage.ts';

type Command = (stage: Stage, words: readonly string[]) => void;

const encoder = new TextEncoder();

const commands: Readonly<Record<string, Command>> = {
  cluster: (stage, words) => {
    const voters = words.map((word) => nodeId(present(word.split('=')[0], 'a name')));
    words.forEach((word, at) => {
      const [list = '', startTerm] = (word.split('=')[1] ?? '').split('@');
      const terms = list === '' ? [] : list.split(',').map(Number);
      const id = present(voters[at], 'a name');
      addActor(stage, id, voters, entries(...terms), Number(startTerm ?? terms.at(-1) ?? 0));
    });
  },
  config: (stage, words) => {
    for (const word of words) {
      const [name = '', value] = word.split('=');
      assert(name in raftDefaults, `there is a setting ${name}`);
      stage.config = { ...stage.config, [name]: Number(value) };
    }
  },
  elect: (stage, [id]) => {
    const { tell } = stage;
    stage.tell = () => {};
    timeOut(stage, named(id));
    deliver(stage, pattern([]), { once: false });
    stage.tell = tell;
    tell(`${id} ${describeView(actorOf(stage, named(id)).raft.view())}`);
  },
  tick: (stage, [id, count = '1']) => tick(stage, named(id), Number(count)),
  timeout: (stage, [id]) => timeOut(stage, named(id)),
  heartbeat: (stage, [id]) => tick(stage, named(id), 5),
  propose: (stage, [id, ...texts]) => {
    const proposals = texts.map((text, at) => ({ token: at + 1, payload: encoder.encode(text) }));
    play(stage, named(id), { kind: 'propose', proposals });
  },
  read: (stage, [id, token]) => play(stage, named(id), { kind: 'readIndex', token: Number(token) }),
  deliver: (stage, words) => deliver(stage, pattern(words), { once: false }),
  hop: (stage, words) => deliver(stage, pattern(words), { once: true }),
  lose: (stage, words) => lose(stage, pattern(words)),
  cut: (stage, words) => eachLink(stage, words, (link) => stage.cut.add(link)),
  mend: (stage, words) => eachLink(stage, words, (link) => stage.cut.delete(link)),
  slow: (stage, [id]) => {
    actorOf(stage, named(id)).slowDisk = true;
  },
  persist: (stage, [id]) => finishWrites(stage, named(id), actorOf(stage, named(id))),
  join: (stage, [id]) => addActor(stage, named(id), [], [], 0),
  change: (stage, [id, token, members = '']) => {
    const [voters = '', learners = ''] = members.split('/');
    const payload = payloadOf({ voters: nodeList(voters), learners: nodeList(learners) });
    play(stage, named(id), { kind: 'proposeMembership', token: Number(token), payload });
  },
  transfer: (stage, [id, target]) => {
    const to = target === undefined ? undefined : named(target);
    play(stage, named(id), { kind: 'transferLeadership', target: to });
  },
  compact: (stage, [id, index]) =>
    play(stage, named(id), { kind: 'compact', index: logIndex(Number(index)) }),
  forget: (stage, [id]) => forgetState(stage, named(id)),
  snapshot: (stage, [id, source]) => bring(stage, named(id), named(source)),
  restart: (stage, [id]) => restart(stage, named(id)),
  gone: (stage, [id, peer]) =>
    play(stage, named(id), { kind: 'peerDisconnected', peer: named(peer) }),
  unreachable: (stage, [id, peer]) =>
    play(stage, named(id), { kind: 'peerUnreachable', peer: named(peer) }),
  gap: (stage, [id, ticks]) => play(stage, named(id), { kind: 'clockGap', ticks: Number(ticks) }),
  state: (stage, words) => {
    const ids = words.length > 0 ? words.map(named) : [...stage.actors.keys()];
    for (const id of ids) stage.tell(`${id} ${describeView(actorOf(stage, id).raft.view())}`);
  },
  log: (stage, [id]) => stage.tell(describeEntries(actorOf(stage, named(id)).disk.log)),
};

function named(word: string | undefined): NodeId {
  return nodeId(present(word, 'a node is named'));
}

function nodeList(list: string): readonly NodeId[] {
  return list.split(',').filter(Boolean).map(nodeId);
}

function tick(stage: Stage, id: NodeId, count: number): void {
  for (let done = 0; done < count; done++) play(stage, id, { kind: 'tick' });
}

function timeOut(stage: Stage, node: NodeId): void {
  const { role } = actorOf(stage, node).raft.view();
  assert(role !== 'leader', 'a leader has no election timeout');
  const before = stage.wire.length;
  for (let ticks = 0; stage.wire.length === before; ticks++) {
    assert(ticks < 60, 'an election timeout ends');
    tick(stage, node, 1);
  }
}

/** `n1->n2` one link, `n1->` all from n1, `->n2` all to n2, nothing: all. */
function pattern(words: readonly string[]): (wire: { from: NodeId; to: NodeId }) => boolean {
  if (words.length === 0) return () => true;
  const links = words.map((word) => word.split('->'));
  return ({ from, to }) =>
    links.some(([source, target]) => (!source || source === from) && (!target || target === to));
}

function eachLink(stage: Stage, words: readonly string[], act: (link: string) => void): void {
  const matches = pattern(words);
  for (const from of stage.actors.keys()) {
    for (const to of stage.actors.keys()) {
      if (from !== to && matches({ from, to })) act(`${from} ${to}`);
    }
  }
}

/** Runs a script and returns it with the output filled in behind each `----`. Comments and empty lines stay. */
export function runScript(script: string): string {
  const lines: string[] = [];
  const stage = createStage((line) => lines.push(`    ${line}`));
  for (const line of script.split('\n')) {
    if (line.startsWith('    ')) continue;
    lines.push(line);
    if (line === '' || line.startsWith('#')) continue;
    const [name = '', ...words] = line.split(' ');
    present(commands[name], `there is a command ${name}`)(stage, words);
  }
  return lines.join('\n');
}
