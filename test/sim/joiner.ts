// How a machine that starts with --join asks the cluster to add it: as the command does, through the door of any member.
import type { Random } from '../../src/lib/random.ts';
import type { Member, MemberIdentity } from '../../src/node/peer-protocol.ts';
import type { ClientWorld } from './session.ts';
import type { Process } from './timeline.ts';

const ASK_MS = 3000;

/** Rejects where nobody answered, or it was refused; never ends once the process is dead. */
export async function askToJoin(
  { door, machines, tell }: ClientWorld,
  random: Random,
  self: MemberIdentity,
  process: Process,
): Promise<readonly Member[]> {
  const others = machines().filter(({ id }) => id !== self.nodeId);
  const other = others[random.integer(0, Math.max(1, others.length))];
  if (other === undefined) throw new Error('there is nobody to ask');
  const member: Member = { ...self, learner: true };
  const reply = await door.call(other, ASK_MS, (node) =>
    node.changeMembers({ kind: 'add', member }, {}),
  );
  tell(self.nodeId, `asks ${other.id} to be added: ${reply.kind}`);
  if (!process.alive) return new Promise(() => undefined);
  if (reply.kind === 'value') return reply.value;
  throw reply.kind === 'refused' ? reply.error : new Error('no answer');
}
