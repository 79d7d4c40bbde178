// What a run met. A campaign in which something stays at zero has tested nothing of it, and is void.

const counters = [
  'elections',
  'truncations',
  'stepDowns',
  'crashes',
  'powerCuts',
  'cleanStops',
  'pauses',
  'cuts',
  'resets',
  'diskStalls',
  'diskErrors',
  'fatals',
  'healthyTimes',
  'probes',
  'tornWrites',
  'tornTailsCut',
  'statesDiscarded',
  'floorsRaised',
  'snapshotsNeeded',
  'snapshotsOpened',
  'snapshotsPulled',
  'pullsBroken',
  'snapshotsResumed',
  'snapshotsGivenUp',
  'snapshotsInstalled',
  'logsReplaced',
  'joins',
  'configurationsCommitted',
  'promotions',
  'removals',
  'leadersRemoved',
  'replacements',
  'changesRefused',
  'transfers',
  'transfersStarted',
  'diskStepDowns',
  'fallsBehind',
  'wipedDisks',
  'flippedBits',
  'zeroedSectors',
  'truncatedSegments',
  'droppedSegments',
  'oldSegments',
  'strangeSegments',
  'unreadableSegments',
  'liveDamages',
  'rotMet',
  'lossesOnTheWay',
  'damagedRecords',
  'lostRecords',
  'damagedStages',
  'strangeStages',
  'unreadableStates',
  'oldStates',
  'strangeStates',
  'damagedStatesFound',
  'statesRepaired',
  'scrubs',
  'chunksGarbled',
  'chunksRefused',
  'snapshotsRefused',
  'damagedLogs',
  'logsReturned',
  'notesHeld',
  'lossesBeforeNotes',
  'fullDisks',
  'shortages',
  'writesWithoutRoom',
  'starvedLogs',
  'statesPutOff',
  'pausesOfAll',
  'bridges',
  'splits',
  'dethronings',
  'segments',
  'fetches',
  'lostMessages',
  'repeatedMessages',
  'retransmissions',
  'brokenStreams',
  'staleReplies',
  'clockGaps',
  'writes',
  'unknownOutcomes',
  'rejections',
  'refusals',
  'deduplicated',
  'registersUnchanged',
  'fencedWrites',
  'batches',
  'beatsAcknowledged',
  'beatsFenced',
  'beatsUnknown',
  'expiries',
  'linearizableReads',
  'boundedReads',
  'staleReads',
  'readFailures',
  'walksFinished',
  'walksCutShort',
  'watchMessages',
  'watchResumes',
  'watchResets',
  'watchMerges',
  'blockedSinks',
] as const;
export type Counter = (typeof counters)[number];

export class Coverage {
  readonly #counts = new Map<Counter, number>();

  count(counter: Counter, by = 1): void {
    this.#counts.set(counter, this.of(counter) + by);
  }

  of(counter: Counter): number {
    return this.#counts.get(counter) ?? 0;
  }

  add(other: Coverage): void {
    for (const counter of counters) this.count(counter, other.of(counter));
  }

  get missing(): readonly Counter[] {
    return counters.filter((counter) => this.of(counter) === 0);
  }

  toString(): string {
    return counters.map((counter) => `${counter} ${this.of(counter)}`).join(', ');
  }
}
