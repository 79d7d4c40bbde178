// All nodes are lost and the backup is old: a client holds revisions, tokens, generations and answers from after it. Nothing it was
// ever told is given a second meaning.
import { present } from '../../src/lib/assert.ts';
import { contentOf, expectThat, failureOf, LongLivedClient, type Registration } from './client.ts';
import { expectFenced } from './former-member.ts';
import type { Town } from './town.ts';

/** What the client has been told before everything was lost. */
interface Held {
  /** As of the backup. */
  readonly saved: readonly string[];
  readonly savedAt: number;
  readonly answerBefore: Registration;
  readonly answerAfter: Registration;
  /** Of an instance that was registered anew after the backup, and of one that was new then. */
  readonly movedGeneration: string;
  readonly newGeneration: string;
  readonly tokens: readonly string[];
  readonly pageToken: string;
}

const instances = 30;

async function live(town: Town, client: LongLivedClient): Promise<Held> {
  let answerBefore: Registration | undefined;
  for (let number = 0; number < instances; number++) {
    answerBefore = await client.registerAnew(`i${number}`, 8000 + number, `before-${number}`);
  }
  await client.deregister('i3');
  const [, early] = [await client.watch(''), await client.watch('')];
  await town.follow('backup', "on a member's host");
  const saved = contentOf(await client.list());
  const savedAt = client.highest;
  const moved = await client.registerAnew('i5', 9005, 'after-moved');
  const answerAfter = await client.registerAnew('late', 9100, 'after-late');
  await client.deregister('i7');
  const late = await client.watch('');
  const { next_page_token: pageToken } = await client.list(5);
  return {
    saved,
    savedAt,
    answerBefore: present(answerBefore, 'something was registered'),
    answerAfter,
    movedGeneration: moved.generation,
    newGeneration: answerAfter.generation,
    tokens: [early, late].map((messages) => messages.at(-1)?.resume_token ?? ''),
    pageToken,
  };
}

async function judge(client: LongLivedClient, held: Held): Promise<void> {
  const seen = client.highest;
  const now = await client.list();
  expectThat(Number(now.revision) > seen, `the read is of revision ${now.revision}, seen ${seen}`);
  expectThat(contentOf(now).join() === held.saved.join(), 'the content is not that of the backup');
  for (const token of held.tokens) {
    const [first] = await client.watch(token);
    expectThat(first?.reset === true, 'a token of the former cluster was continued');
    expectThat(Number(first?.revision) > seen, 'a reset of an old revision');
  }
  const refusal = await failureOf(client.list(5, held.pageToken));
  expectThat(refusal.startsWith('page_token'), `a page token of the former cluster: ${refusal}`);
  await judgeGenerations(client, held);
  await judgeAnswers(client, held);
}

async function judgeGenerations(client: LongLivedClient, held: Held): Promise<void> {
  const [kept = ''] = held.saved.filter((line) => line.startsWith('i9 '));
  const { failures } = await client.heartbeat([
    { instance_id: 'i9', generation: kept.split(' ')[1] ?? '' },
    { instance_id: 'i5', generation: held.movedGeneration },
    { instance_id: 'late', generation: held.newGeneration },
  ]);
  const told = failures.map(({ instance_id: id, reason }) => `${id} ${reason}`).join(', ');
  expectThat(told === 'i5 UNKNOWN, late UNKNOWN', `heartbeats were answered: ${told}`);
}

async function judgeAnswers(client: LongLivedClient, held: Held): Promise<void> {
  const last = instances - 1;
  const same = await client.register(`i${last}`, 8000 + last, `before-${last}`);
  const { revision, generation } = held.answerBefore;
  const equal = same.revision === revision && same.generation === generation;
  expectThat(
    equal,
    'a write from before the backup was answered otherwise than the first time (G4)',
  );
  const again = await client.registerAnew('late', 9100, 'after-late');
  expectThat(again.revision > held.answerAfter.revision, 'a lost write was not done anew');
  await client.registerAnew('i5', 9005, 'after-moved');
}

export async function allLost(town: Town): Promise<string> {
  const client = new LongLivedClient(town.node('n1').clientAddress);
  const held = await live(town, client);
  const copies = [await town.lose('n1'), await town.lose('n2'), await town.lose('n3')];
  await town.follow('restore', 'on the host of n1');
  town.startServer('restore', 'on the host of n1, the server', 'n1');
  await town.completeCluster();
  await judge(client, held);
  const [, , third = ''] = copies;
  await expectFenced(town, 'n3', third);
  await client.registerAnew('last', 9999, 'last');
  return `revision ${held.savedAt} was saved, ${client.highest} is the newest`;
}
