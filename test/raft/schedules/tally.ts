// The sentences of Figure 2, and below them what this core adds to it, with how often a run of schedules came by each.

const figure2 = [
  'State: currentTerm rises to the latest term seen',
  'State: votedFor names the candidate that got the vote',
  'State: log entries hold a command and its term',
  'State: stable storage is updated before responding',
  'State: term, vote and log outlive a restart',
  'State: commitIndex rises',
  'State: lastApplied rises',
  'State: nextIndex begins after the last log entry',
  'State: matchIndex rises',
  'AppendEntries 1: false, term < currentTerm',
  'AppendEntries 2: false, the log ends before prevLogIndex',
  'AppendEntries 2: false, another term at prevLogIndex',
  'AppendEntries 3: a conflicting entry and all after it are deleted',
  'AppendEntries 4: new entries are appended',
  'AppendEntries 4: what is in the log already stays, the rest is appended',
  'AppendEntries 4: everything is in the log already',
  'AppendEntries 5: commitIndex = leaderCommit',
  'AppendEntries 5: commitIndex = index of the last new entry',
  'RequestVote 1: false, term < currentTerm',
  'RequestVote 2: granted, no vote yet, later last term',
  'RequestVote 2: granted, no vote yet, same last term, longer log',
  'RequestVote 2: granted, no vote yet, same last entry',
  'RequestVote 2: granted again to the same candidate',
  'RequestVote 2: refused, voted for another',
  'RequestVote 2: refused, earlier last term',
  'RequestVote 2: refused, shorter log',
  'All servers: commitIndex > lastApplied, so log[lastApplied] is applied',
  'All servers: a request of a later term converts a follower',
  'All servers: a request of a later term converts a candidate',
  'All servers: a request of a later term converts a leader',
  'All servers: a response of a later term converts a follower',
  'All servers: a response of a later term converts a candidate',
  'All servers: a response of a later term converts a leader',
  'Followers: candidates are answered',
  'Followers: leaders are answered',
  'Followers: the election timeout passes',
  'Followers: AppendEntries of the current leader puts it off',
  'Followers: granting a vote puts it off',
  'Candidates: on conversion term + 1, own vote, RequestVote to all',
  'Candidates: votes of a majority make a leader',
  'Candidates: a leader of the same term makes a follower',
  'Candidates: the election timeout passes, so another election',
  'Leaders: upon election AppendEntries to each server',
  'Leaders: heartbeats while idle',
  'Leaders: a command is appended to the local log',
  'Leaders: the answer follows when the entry is applied',
  'Leaders: last log index >= nextIndex, so entries from there are sent',
  'Leaders: success moves nextIndex and matchIndex',
  'Leaders: inconsistency lowers nextIndex, and it is tried again',
  'Leaders: a majority holds an entry of the current term, so it is committed',
  'Leaders: a majority holds an entry of an earlier term, so it waits',
] as const;

const beyondFigure2 = [
  'Pre-vote: granted',
  'Pre-vote: refused',
  'Stickiness: a RequestVote is ignored',
  'Check-quorum: a leader steps down',
  'Disk: a leader whose disk has stopped steps down',
  'Process gone: a follower forgets its leader',
  'Stream error: a follower keeps its leader',
  'Session: a stale reply is dropped',
  'Fetch: evicted entries are read back',
  'Limits: a proposal is refused as overloaded',
  'Limits: a read is refused as overloaded',
  'ReadIndex: confirmed on a leader',
  'ReadIndex: confirmed on a follower',
  'ReadIndex: given up',
  'Crash: a batch that was not durable is lost',
  'Crash: a durable batch was never reported',
  'Persisted: reported after the term has changed',
] as const;

export type Branch = (typeof figure2)[number] | (typeof beyondFigure2)[number];

/** How often each branch was taken. */
export type Tally = Map<Branch, number>;

const branches: readonly Branch[] = [...figure2, ...beyondFigure2];

export function createTally(): Tally {
  return new Map(branches.map((branch) => [branch, 0]));
}

export function count(tally: Tally, branch: Branch, times = 1): void {
  tally.set(branch, (tally.get(branch) ?? 0) + times);
}

/** Branches taken fewer than `times`. */
export function rarelyTaken(tally: Tally, times: number): readonly Branch[] {
  return branches.filter((branch) => (tally.get(branch) ?? 0) < times);
}

export function printTally(tally: Tally): string {
  return branches
    .map((branch) => `${String(tally.get(branch) ?? 0).padStart(9)}  ${branch}`)
    .join('\n');
}
