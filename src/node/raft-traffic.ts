// Which messages of consensus are between members alone (G14): a question that a vote or a copy of the log is expected from
// goes to no other data-dir than the one that the configuration in effect names, and an answer of no other counts. The
// rest is heard from, and said to, whoever is trusted: a node that is behind has to listen to members it does not know yet.
import type { Message } from '../raft/index.ts';

type Traffic = 'question' | 'answer' | 'open';

const TRAFFIC: Readonly<Record<Message['kind'], Traffic>> = {
  preVote: 'question',
  preVoteResponse: 'answer',
  requestVote: 'question',
  requestVoteResponse: 'answer',
  appendEntries: 'question',
  appendEntriesResponse: 'answer',
  heartbeat: 'question',
  heartbeatResponse: 'answer',
  // A follower asks whoever leads, and only the answer of its leader is taken.
  readIndexRequest: 'open',
  readIndexResponse: 'open',
  installSnapshot: 'question',
  installSnapshotResponse: 'answer',
  snapshotWanted: 'open',
  timeoutNow: 'question',
};

/** What it brings about is counted under the receiver's name. */
export const isQuestion = ({ kind }: Message): boolean => TRAFFIC[kind] === 'question';

/** It is counted under the sender's name. */
export const isAnswer = ({ kind }: Message): boolean => TRAFFIC[kind] === 'answer';
