// The running node: the loop around the core, and what each part of a Ready sets off. Begins once the log has been
// replayed; everything it decides, it decides inside one turn.
import { assert, InvariantError } from '../lib/assert.ts';
import { UnknownFormatError } from '../lib/unknown-format.ts';
import type { NodeId, Term } from '../lib/ids.ts';
import {
  type Configuration,
  createRaft,
  type Envelope,
  type Input,
  type LogEntry,
  type PeerView,
  type Raft,
  type RaftEvent,
  type RaftStart,
  type RaftView,
  type Rejected,
  type SnapshotInstall,
} from '../raft/index.ts';
import {
  type ApplyResult,
  type CommandBody,
  encodeCommand,
  type Registry,
} from '../registry/index.ts';
import { type AppliedPoint, type Applier, SLICE } from './applier.ts';
import { UNNOTICED_MS } from './lease-table.ts';
import { createLoop, type Loop } from './loop.ts';
import { type MembershipNote, NOT_NOTED } from './membership-note.ts';
import type { NodeParts } from './node-parts.ts';
import type { MembershipOutcome, ProposalOutcome } from './proposals.ts';
import { isQuestion } from './raft-traffic.ts';
import { readFailureCode } from './read-failure.ts';
import { createReadyRunner, type ReadyRunner } from './ready-runner.ts';
import type { PulledSnapshot } from './snapshot-pull.ts';
import { registered, type WriteCall } from './writes.ts';

/** A gap this long is told to the leases, which then move every deadline by it (lease rule 5). */
const PAUSE_MS = 100;
/** Records whose bytes are checked against their hashes in each tick: under 1 % of a core, and 100 000 take 31 s. */
const SCRUB_RECORDS = 32;
/** Between two walks over all records, so that a small registry is not hashed a hundred times a second. */
const SCRUB_REST_MS = 1000;

export interface EngineOptions {
  readonly parts: NodeParts;
  readonly start: RaftStart;
  readonly applier: Applier;
  readonly membershipNote: MembershipNote;
  /** The stream to this name leads to the member that the configuration in effect means by it. */
  readonly reachesMember: (peer: NodeId) => boolean;
  /** Another configuration is in effect: appended, rolled back to, or installed. It may not be committed yet. */
  readonly configuration: (configuration: Configuration) => void;
  /** A snapshot is this node's state now, up to this point; the configuration there is committed. */
  readonly installed: (point: AppliedPoint) => void;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #parts: NodeParts;
  readonly #raft: Raft;
  readonly #loop: Loop;
  readonly #runner: ReadyRunner;
  readonly #applier: Applier;
  /** The term in which this node leads and has applied its own no-op; dies with the leadership. */
  #leadingTerm: Term | undefined;
  #leader: NodeId | undefined;
  #scrubFromMs = 0;
  #timePassed = false;
  /** The last moment at which it was known how long this node had been away. */
  #noticedMs: number;
  #backlog = false;
  #stopped = false;

  constructor(options: EngineOptions) {
    const { parts, start, applier } = options;
    this.#parts = parts;
    this.#options = options;
    this.#raft = createRaft(start);
    this.#applier = applier;
    this.#noticedMs = parts.options.clock.now();
    parts.rounds.applied(applier.index);
    this.#runner = createReadyRunner({
      logStore: parts.options.logStore,
      membershipNote: options.membershipNote,
      send: (envelope) => this.#send(envelope),
      appended: (appended) => parts.proposals.appended(appended),
      committed: (entries) => this.#committed(entries),
      configuration: (configuration) => options.configuration(configuration),
      taken: (install) => this.#taken(install),
      install: (install) => this.#install(install),
      pullSnapshot: (from) => parts.snapshotPull.wanted(from),
      reads: (confirmed) => parts.rounds.confirmed(confirmed),
      rejected: (rejected) => this.#rejected(rejected),
      events: (events) => this.#trace(events),
      persisted: (sequence, term) => this.push({ kind: 'persisted', sequence, term }),
      fetched: (ticket, entries) => this.push({ kind: 'fetched', ticket, entries }),
      diskFailed: (error) => parts.fatal(10, 'the log could not be written', error),
      noteFailed: (error) => parts.fatal(10, NOT_NOTED, error),
      readFailed: (error) =>
        parts.fatal(readFailureCode(error), 'entries of the log could not be read back', error),
      broken: (error) => this.#broken(error),
    });
    this.#loop = createLoop({
      clock: parts.options.clock,
      raft: this.#raft,
      feed: () => this.#feed(),
      run: (ready) => this.#runner.run(ready),
      finish: () => this.#finish(),
      broken: (error) => this.#broken(error),
    });
    this.#loop.wake();
  }

  get view(): RaftView {
    return this.#raft.view();
  }

  /** What this node knows of the other members while it leads. */
  peers(): readonly PeerView[] {
    return this.#raft.peers();
  }

  get leading(): boolean {
    const { role, term } = this.#raft.view();
    return role === 'leader' && term === this.#leadingTerm;
  }

  /** Hands a change of the members to the core with the next turn. */
  proposeMembership(payload: Uint8Array, done: (outcome: MembershipOutcome) => void): void {
    const token = this.#parts.proposals.proposeMembership(done);
    this.push({ kind: 'proposeMembership', token, payload });
  }

  push(input: Input): void {
    if (!this.#loop.push(input)) this.#parts.options.log.debug({ event: 'input_dropped' });
  }

  wake(): void {
    this.#loop.wake();
  }

  /** Monotonic time has passed, by `atMs`. Input that was waiting is stepped first. */
  elapsed(ticks: number, gapMs: number, atMs: number): void {
    this.#noticedMs = atMs;
    if (gapMs > PAUSE_MS) {
      this.#parts.options.log.warn({ event: 'clock_gap', gap_ms: Math.round(gapMs) });
      this.#parts.leases.pause(gapMs);
      this.#parts.registryTime.pause(gapMs);
    }
    this.#timePassed = true;
    this.#loop.elapsed(ticks, gapMs > 0);
  }

  /** A round for a decision of this leadership alone: a round that another leader confirmed is worth nothing to it. */
  confirmLeadership(done: (confirmed: boolean) => void): void {
    const term = this.leading ? this.#leadingTerm : undefined;
    if (term === undefined) {
      done(false);
      return;
    }
    this.#parts.rounds.join((outcome) => {
      done(outcome.kind === 'confirmed' && this.leading && this.#leadingTerm === term);
    });
  }

  /** Encodes the command with the header of this moment and proposes it with the next turn. */
  propose(
    call: Pick<WriteCall, 'body' | 'requestId' | 'fingerprint' | 'actor'>,
    done: (outcome: ProposalOutcome) => void,
  ): void {
    const { registryTime, proposals, options } = this.#parts;
    const { body, fingerprint, requestId, actor } = call;
    const registryTimeMs = registryTime.now();
    const { maxInstances, maxRememberedAnswers, rememberAnswersMs } = options.limits;
    const limits = { maxInstances, maxRememberedAnswers, rememberAnswersMs };
    const unixTimeMs = options.clock.unixNow();
    const header = { registryTimeMs, unixTimeMs, actor, requestId, limits };
    proposals.propose(encodeCommand({ header, fingerprint, body }), done);
    this.#loop.wake();
  }

  /** After each applied entry, leases and watchers having been told its changes. */
  entryApplied(
    entry: LogEntry,
    command: { readonly body: CommandBody; readonly result: ApplyResult } | undefined,
  ): void {
    const { role, term } = this.#raft.view();
    if (entry.kind === 'noop' && role === 'leader' && entry.term === term) this.#lead(term);
    if (command !== undefined && this.leading) this.#renewUnchanged(command.body, command.result);
    this.#parts.proposals.applied(entry.index, entry.term, command?.result);
  }

  stop(): void {
    this.#stopped = true;
    this.#loop.stop();
    this.#runner.stop();
  }

  /** What another data-dir of that name would do or say must not be counted as the member's (G14). */
  #send({ to, message }: Envelope): void {
    if (isQuestion(message) && !this.#options.reachesMember(to)) return;
    this.#parts.outbox.add(to, { kind: 'raft', message });
  }

  #feed(): void {
    const { writes, proposals, rounds, options } = this.#parts;
    if (this.#backlog) this.#applySlice();
    this.#offerSnapshot();
    writes.turn();
    const batch = proposals.takeBatch();
    if (batch.length > 0) this.#raft.step({ kind: 'propose', proposals: batch });
    const token = rounds.begin(options.clock.now());
    if (token !== undefined) this.#raft.step({ kind: 'readIndex', token });
  }

  #committed(entries: readonly LogEntry[]): void {
    this.#applier.add(entries);
    if (entries.length > 0) this.#applySlice();
  }

  #applySlice(): void {
    const before = this.#applier.index;
    this.#backlog = this.#applier.run(SLICE);
    const { index } = this.#applier;
    if (index === before) return;
    this.#raft.step({ kind: 'applied', index });
    this.#parts.rounds.applied(index);
    this.#parts.reads.applied();
  }

  #offerSnapshot(): void {
    const header = this.#parts.snapshotPull.offer();
    if (header === undefined) return;
    const { index, term, configuration } = header;
    // Its source has gone on to a term this node has not heard of yet: it is pulled again once it has.
    if (term > this.#raft.view().term) return;
    this.#raft.step({ kind: 'snapshotReceived', index, term, configuration });
  }

  #taken(install: SnapshotInstall): void {
    this.#parts.snapshotPull.taken(install);
    this.#applier.hold();
  }

  /** The log says so durably: whatever happens from here on, the snapshot is this node's state. */
  #install({ index }: SnapshotInstall): void {
    const { snapshotPull, flusher } = this.#parts;
    const pulled = snapshotPull.installing;
    assert(pulled?.header.index === index, 'what was taken is installed');
    flusher
      .replace(index, () => pulled.stage.install())
      .then(
        () => this.#installed(pulled),
        (error: unknown) =>
          this.#parts.fatal(10, 'a snapshot could not be put in the place of the state', error),
      )
      .catch((error: unknown) => this.#broken(error));
  }

  /** All in one turn: nobody sees the new catalogue with the old position, nor the other way round. */
  #installed({ header, loaded }: PulledSnapshot): void {
    if (this.#stopped) return;
    const { registry, hub, leases, proposals, rounds, reads, snapshotPull } = this.#parts;
    assert(!leases.leading, 'a leader has no snapshot to install');
    const { index, term, configuration } = header;
    const point = { index, term, configuration };
    registry.replace(loaded);
    this.#applier.moveTo(point);
    proposals.skipped(index);
    hub.restart();
    snapshotPull.installed();
    this.#options.installed(point);
    this.#raft.step({ kind: 'applied', index });
    rounds.applied(index);
    reads.applied();
    this.#backlog = true;
    this.#loop.wake();
  }

  #rejected(rejected: readonly Rejected[]): void {
    for (const one of rejected) {
      if (!this.#parts.proposals.rejected(one)) this.#parts.rounds.rejected(one);
    }
  }

  #finish(): boolean {
    this.#followLeader();
    this.#parts.snapshotPull.turnEnded();
    if (this.#timePassed) this.#tick();
    this.#parts.outbox.flush();
    return this.#backlog;
  }

  #followLeader(): void {
    const { writes, reads, relay, options } = this.#parts;
    const { role, term, leader } = this.#raft.view();
    if (this.#leadingTerm !== undefined && (role !== 'leader' || term !== this.#leadingTerm)) {
      this.#leadingTerm = undefined;
      options.log.info({ event: 'stepped_down', term });
      this.#parts.leases.stepDown();
      writes.steppedDown();
    }
    if (leader === this.#leader) return;
    this.#leader = leader;
    writes.leaderChanged(leader);
    relay.broken();
    if (leader !== undefined) {
      reads.leaderChanged();
      relay.flush();
    }
    this.#parts.changed();
    this.#loop.wake();
  }

  /** This node's own no-op is applied: everything that was committed before it is, too. */
  #lead(term: Term): void {
    const { registryTime, registry, leases, relay, options } = this.#parts;
    this.#leadingTerm = term;
    registryTime.lead(registry.meta().registryTimeMs);
    leases.lead(Math.min(options.clock.now(), this.#noticedMs + UNNOTICED_MS));
    relay.flush();
    this.#loop.wake();
  }

  /** A register that changed nothing is a sign of life all the same. */
  #renewUnchanged(body: CommandBody, result: ApplyResult): void {
    if (result.kind !== 'registered') return;
    for (const [position, { namespace, instanceId }] of registered(body).entries()) {
      const current = this.#parts.registry.get(namespace, instanceId)?.generation;
      if (current === result.generations[position]) this.#parts.leases.renew(namespace, instanceId);
    }
  }

  #tick(): void {
    this.#timePassed = false;
    const { leases, relay, writes, reads, rounds, flusher, registry, options } = this.#parts;
    const { snapshotPull, snapshotSource, retention, stateScrub } = this.#parts;
    const now = options.clock.now();
    rounds.tick(now);
    reads.tick();
    writes.tick();
    // Between the timer and this turn, too, a process may have stood still.
    leases.tick(this.#noticedMs);
    relay.tick(now);
    flusher.tick();
    snapshotPull.tick(now);
    snapshotSource.tick(now);
    retention.tick(now);
    stateScrub.tick(now);
    this.#parts.ticked(now);
    this.#scrub(registry, now);
  }

  #scrub(registry: Registry, now: number): void {
    if (now < this.#scrubFromMs) return;
    const { scrubWalks } = registry;
    if (registry.scrub(SCRUB_RECORDS) > 0) {
      this.#parts.fatal(12, 'a record in memory is not what was applied: its bytes changed');
    }
    if (registry.scrubWalks !== scrubWalks) this.#scrubFromMs = now + SCRUB_REST_MS;
  }

  #trace(events: readonly RaftEvent[]): void {
    for (const event of events) {
      const { kind, ...fields } = event;
      if (kind === 'staleReplyDropped') this.#parts.options.log.debug({ event: kind, ...fields });
      else this.#parts.options.log.info({ event: kind, ...fields });
    }
  }

  #broken(error: unknown): void {
    if (error instanceof UnknownFormatError) return this.#parts.fatal(14, error.message, error);
    const invariant = error instanceof InvariantError;
    const what = invariant ? `a broken invariant: ${error.message}` : 'an unexpected error';
    this.#parts.fatal(13, what, error);
  }
}
