// How a node whose log was lost gets its place back (docs/adr/0018): in a new incarnation it asks the members it knows, one after
// the other, to put it in the place of the former one, until its log says that it is a member. Asking again is harmless.
import type { NodeId } from '../lib/ids.ts';
import { brief, NEW_EPOCH } from './admission.ts';
import type { LostLog, MemberIdentity, MemberOutcome } from './peer-protocol.ts';
import type { Clock } from './ports.ts';
import type { NodeOptions } from './registry-node.ts';

export interface ReturningOptions {
  readonly self: MemberIdentity;
  readonly lost: LostLog;
  readonly clock: Clock;
  readonly log: NodeOptions['log'];
  /** Members to which a stream is open. */
  readonly reached: () => readonly NodeId[];
  /** What members say that know the name, and not this node's claim to it: they are there, be it in a version before. */
  readonly refusals: () => readonly string[];
  /** Why members refuse this node, in their words; empty where none of them has lately. */
  readonly told: () => readonly string[];
  /** Asks one member, who answers or does not know in time. */
  readonly ask: (via: NodeId, done: (outcome: MemberOutcome) => void) => void;
  /** The members of the cluster, whom to keep streams to. */
  readonly taken: (members: readonly MemberIdentity[]) => void;
  /** Nobody is there who could take this node back. */
  readonly abandoned: (reason: string) => void;
}

const RETRY_MS = 300;
/** Without any member to be reached for so long there is nobody to return to, and an operator has to act. */
const PATIENCE_MS = 30_000;

export class Returning {
  readonly #options: ReturningOptions;
  #taken = false;
  #failure = '';
  #asked = 0;
  #answered = true;
  #reachedMs: number;
  #cancel = (): void => undefined;
  #stopped = false;

  constructor(options: ReturningOptions) {
    this.#options = options;
    this.#reachedMs = options.clock.now();
  }

  /** What was found and what is awaited, in plain words. */
  get problem(): string {
    const { lost, reached } = this.#options;
    const begin = `${lost.found}: this node has no vote and serves nothing, and`;
    if (this.#taken) {
      return `${begin} waits for the leader to send it the log; it gets back what it had once it has caught up`;
    }
    const asked = reached();
    if (asked.length === 0) {
      return `${begin} looks for a member that takes it back: ${this.#nobody()}`;
    }
    const asks = `${begin} asks ${asked.join(', ')} to take it back`;
    return this.#failure === '' ? asks : `${asks}: ${this.#failure}`;
  }

  ask(): void {
    if (this.#stopped) return;
    const { clock, reached, refusals, ask } = this.#options;
    const members = reached().toSorted();
    const now = clock.now();
    if (members.length > 0 || refusals().length > 0) this.#reachedMs = now;
    if (now >= this.#reachedMs + PATIENCE_MS) return this.#abandon();
    const via = members[this.#asked % Math.max(1, members.length)];
    this.#cancel = clock.after(RETRY_MS, () => this.ask());
    if (via === undefined || !this.#answered) return;
    this.#asked++;
    this.#answered = false;
    ask(via, (outcome) => {
      this.#answered = true;
      if (!this.#stopped) this.#heard(via, outcome);
    });
  }

  /** The log says that this node is a member, or the node ends. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #heard(via: NodeId, outcome: MemberOutcome): void {
    const { log, taken } = this.#options;
    if (outcome.kind === 'done') {
      if (!this.#taken) log.info({ event: 'taken_back', by: via });
      this.#taken = true;
      this.#failure = '';
      return taken(outcome.members);
    }
    // Whoever leads by then may not know yet.
    this.#taken = false;
    const { code, message } = outcome;
    const unheard = code === 'notLeader' || code === 'noQuorum' || code === 'outcomeUnknown';
    const failure = unheard ? NO_LEADER : `refused by ${via}: ${message}`;
    if (failure !== this.#failure) log.warn({ event: 'return_refused', peer: via, code, message });
    this.#failure = failure;
  }

  #nobody(): string {
    const names = this.#options.lost.members.map(({ nodeId }) => nodeId).join(', ');
    const [refusal] = this.#options.refusals();
    if (refusal !== undefined) {
      return `they do not know what it asks for (${refusal}). If they run a version before this one, upgrade them. ${this.#epoch()}`;
    }
    const [told] = this.#options.told();
    const end = `after ${PATIENCE_MS / 1000} s it ends with exit code 11`;
    if (told === undefined) return `it knows ${names}, of whom none is reached; ${end}`;
    return `it knows ${names}, and none takes it: ${told}. ${this.#epoch()}; ${end}`;
  }

  /** Who refuses names the cluster it belongs to, and cannot know of which one this node speaks. */
  #epoch(): string {
    const { clusterUuid } = this.#options.lost;
    return `Its place was in the cluster with the uuid ${brief(clusterUuid)}. Where a member names another uuid, there are two clusters: ${NEW_EPOCH}`;
  }

  #abandon(): void {
    const { lost, abandoned, told } = this.#options;
    const names = lost.members.map(({ nodeId }) => nodeId).join(', ');
    const [refusal] = told();
    this.stop();
    const said =
      refusal === undefined ? '' : ` What it was told: ${refusal}. ${this.#epoch()}. Otherwise:`;
    abandoned(
      `${lost.found}, and for ${PATIENCE_MS / 1000} s no member of the cluster was there to take this node back (it knows ${names}).${said} Start it again once a majority of them is there; if they are lost, see docs/recovery.md`,
    );
  }
}

const NO_LEADER =
  'it waits for a leader, and a majority of the voters, to take out the data directory that was lost';
