// How a machine that starts with --join asks the cluster to add it: as the command does, through the door of any member.
import type { Random } from '../../src/lib/random.ts';
import type { Member, MemberIdentity } from '../../src/node/peer-protocol.ts';
import type { ClientWorld } from './session.ts';
import type { Process } from './timeline.ts';

const ASK_MS = 3000;

/** From any member on, and from one to the next while nobody takes it in. Rejects where none did; never ends once the process is dead. */
export async function askToJoin(
  { door, machines, tell }: ClientWorld,
  random: Random,
  self: MemberIdentity,
  process: Process,
): Promise<readonly Member[]> {
  const others = machines().filter(({ id }) => id !== self.nodeId);
  const first = random.integer(0, Math.max(1, others.length));
  const member: Member = { ...self, learner: true };
  let refusal = new Error('there is nobody to ask');
  for (const other of [...others.slice(first), ...others.slice(0, first)]) {
    const reply = await door.call(other, ASK_MS, (node) =>
      node.changeMembers({ kind: 'add', member }, {}),
    );
    tell(self.nodeId, `asks ${other.id} to be added: ${reply.kind}`);
    if (!process.alive) return new Promise(() => undefined);
    if (reply.kind === 'value') return reply.value;
    refusal = reply.kind === 'refused' ? reply.error : new Error('no answer');
  }
  throw refusal;
}
