// The simulated world of one plan: machines, network, clients and faults on one timeline, and what is asserted meanwhile.
import { assert, present } from '../../src/lib/assert.ts';
import { raftDefaults } from '../../src/raft/index.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import type { Violation } from '../checkers/history.ts';
import { KnownGenerations } from '../support/known-generations.ts';
import { Coverage } from './coverage.ts';
import { Door } from './door.ts';
import { Faults } from './faults.ts';
import { beatOnce, keep, registerAgain, serve } from './keeper.ts';
import { RaftLedger } from './ledger.ts';
import { Machine } from './machine.ts';
import type { Member, MemberIdentity } from '../../src/node/peer-protocol.ts';
import { askToJoin } from './joiner.ts';
import { Operator } from './operator.ts';
import { SimNetwork } from './network.ts';
import { createNodeLog, type NodeLogHost } from './node-log.ts';
import { pictureOf } from './picture.ts';
import type { Plan, Planned } from './plan.ts';
import { probe } from './probe.ts';
import { read, walk } from './reader.ts';
import { Shortage } from './shortage.ts';
import { type ClientWorld, type Records, Session } from './session.ts';
import { Wellness } from './wellness.ts';
import { type Process, Timeline } from './timeline.ts';
import { Watcher } from './watcher.ts';
import { write } from './writer.ts';

export interface WorldOptions {
  /** Told each node's log line and each action. */
  readonly tell?: (atMs: number, who: string, what: string) => void;
}

const TURNS_UNSEEN = 3;
const PROBE_MS = 8000;

export class World {
  readonly plan: Plan;
  readonly timeline = new Timeline();
  readonly coverage = new Coverage();
  readonly violations: Violation[] = [];
  readonly records: Records = {
    writes: [],
    reads: [],
    readsBegun: [],
    beats: [],
    keeps: [],
  };
  readonly watchers: Watcher[] = [];
  readonly ledger: RaftLedger;
  readonly network: SimNetwork;
  readonly machines: readonly Machine[];
  readonly wellness: Wellness;
  /** When the first node had each revision: position r - 1 for revision r. */
  readonly appliedAtMs: number[] = [];
  healed = false;
  /** Since when the present leader leads. */
  leaderSinceMs = 0;
  #leader = '';
  /** When each node was looked at: its revision then, and turns since. */
  readonly #looked = new Map<string, { readonly revision: number; turns: number }>();
  #busyClients = 0;
  readonly #faults: Faults;
  readonly #clients: ClientWorld;
  readonly #operator: Operator;
  readonly #sessions = new Map<string, Session>();
  readonly #options: WorldOptions;

  constructor(plan: Plan, options: WorldOptions = {}) {
    this.plan = plan;
    this.#options = options;
    const { timeline, coverage } = this;
    const { parameters } = plan;
    const blame = (guarantee: string, evidence: string): void => this.#blame(guarantee, evidence);
    const { maxPromotionLag = raftDefaults.maxPromotionLag } = parameters.raftLimits;
    this.ledger = new RaftLedger(
      ({ guarantee, evidence }) => blame(guarantee, evidence),
      maxPromotionLag,
    );
    this.network = new SimNetwork(timeline, parameters.network, this.#random('network'));
    const logHost = this.#logHost();
    const { network, ledger } = this;
    network.said = (from, to, message) => ledger.messages.said(from, to, message);
    const log = (node: string) => createNodeLog(logHost, node);
    // One for all: whoever is refused asks somebody else next time, as the client does.
    const doors = this.#random('whom a node asks to be added');
    const ask = (self: MemberIdentity, process: Process): Promise<readonly Member[]> =>
      askToJoin(this.#clients, doors, self, process);
    const noteBegan = (node: string): number => this.#faults.noteBegan(node);
    const sea = { timeline, network, ledger, parameters, coverage };
    const machineWorld = { ...sea, noteBegan, blame, log, ask };
    const { nodes, spares } = parameters;
    this.machines = [...nodes, ...spares].map(
      (name) => new Machine(machineWorld, name, this.#random(name), spares.includes(name)),
    );
    this.wellness = new Wellness({
      timeline,
      network,
      voters: () => this.voters,
      highestTerm: () => this.highestTerm,
      handOvers: () => coverage.of('transfersStarted'),
    });
    const shortage = this.#watchRoom();
    const door = new Door({ timeline, random: this.#random('door'), blame });
    this.#clients = {
      timeline,
      door,
      coverage,
      blame,
      // Nobody talks to a stranger.
      machines: () => this.members,
      leader: () => present(this.#named('leader'), 'a world has machines'),
      shortSinceMs: () => shortage.knownSinceMs,
      generations: new KnownGenerations(),
      records: this.records,
      tell: (who, what) => this.#tell(who, what),
      resting: () => this.healed,
    };
    this.#operator = new Operator({
      ...this.#clients,
      machine: (name) => this.#named(name),
      all: this.machines,
      configured: () => this.ledger.membership.committed?.members ?? [],
    });
    this.#faults = this.#prepareFaults();
    timeline.settled = (process, what) => {
      // What a node decides, it decides in its turns.
      if (process !== undefined && what.startsWith('turn')) this.#settled(process);
    };
  }

  #logHost(): NodeLogHost {
    const { timeline, coverage } = this;
    const { tell } = this.#options;
    return {
      timeline,
      coverage,
      leads: (node, term) => this.#leads(node, term),
      pulls: (node, source) => this.#faults.pullBegan(node, source),
      scrubbed: (node, tookMs) => this.#scrubbed(node, tookMs),
      tell: tell && ((node, line) => tell(timeline.nowMs, node, line)),
    };
  }

  #watchRoom(): Shortage {
    const { timeline, network, machines } = this;
    const shortage = new Shortage({
      timeline,
      network,
      voters: () => this.voters,
      leader: () => machines.find(({ id }) => id === this.#leader),
      changing: () => this.#operator.busy || machines.some(({ returning }) => returning),
    });
    shortage.begin();
    return shortage;
  }

  #prepareFaults(): Faults {
    const { timeline, network, coverage, machines } = this;
    return new Faults({
      timeline,
      network,
      coverage,
      machines: new Map(machines.map((machine) => [machine.id, machine])),
      members: () => this.voters,
      operated: () => this.#operator.busy,
      tell: (what) => this.#tell('fault', what),
      machine: (name) => this.#named(name),
      untilMs: this.plan.parameters.chaosMs,
      healed: () => this.healed,
    });
  }

  /** Runs the plan's actions to their end. */
  async runChaos(): Promise<void> {
    for (const machine of this.machines) machine.start();
    this.wellness.begin();
    for (const planned of this.plan.actions) {
      this.timeline.at(planned.atMs, undefined, 'action', () => this.#perform(planned));
    }
    await this.timeline.run(this.plan.parameters.chaosMs, () => this.violations.length > 0);
  }

  /** From here on nothing fails, everything runs, and nobody begins anything new. */
  heal(): void {
    this.healed = true;
    this.wellness.end();
    this.#tell('fault', 'everything is healed');
    this.network.healAll();
    for (const machine of this.machines) {
      machine.healDisk();
      machine.start();
    }
    for (const watcher of this.watchers) watcher.hurry();
  }

  /** Every machine that ended because of a late fault is started again. */
  startAll(): void {
    for (const machine of this.machines) machine.start();
  }

  /** Whom clients know: all but those that are off, or lost what they held. */
  get members(): readonly Machine[] {
    return this.machines.filter(({ lost, off }) => !lost && !off);
  }

  /** By the newest configuration that is committed. */
  get voters(): readonly Machine[] {
    const { committed } = this.ledger.membership;
    const voters = committed?.voters ?? this.plan.parameters.nodes;
    return this.machines.filter(({ id }) => voters.includes(id));
  }

  /** Those that belong to the cluster and can do their part. */
  get #sound(): readonly Machine[] {
    const { committed } = this.ledger.membership;
    const ids = committed?.members.map(({ nodeId }) => nodeId);
    return this.members.filter(({ id }) => ids === undefined || ids.includes(id));
  }

  /** Of any member that runs. */
  get highestTerm(): number {
    return Math.max(0, ...this.#sound.map(({ node }) => node?.status().term ?? 0));
  }

  /** G15 where nothing is wrong: every node serves a write and a linearizable read. */
  async proveAlive(): Promise<void> {
    const failures: string[] = [];
    let open = 0;
    for (const machine of this.#sound) {
      open++;
      const done = probe(this.#clients, machine).then((failed) => {
        open--;
        // It may have been removed meanwhile, by a change that was under way.
        if (failed !== undefined && this.#sound.includes(machine)) failures.push(failed);
      });
      this.#await(done);
    }
    const untilMs = this.timeline.nowMs + PROBE_MS;
    await this.timeline.run(untilMs, () => open === 0);
    for (const evidence of failures) this.#blame('G15', evidence);
    if (open > 0) this.#blame('G15', `${open} calls had no answer for ${PROBE_MS} ms at the end`);
  }

  get idle(): boolean {
    return this.#busyClients === 0;
  }

  get revision(): number {
    return this.appliedAtMs.length;
  }

  /** Those that lost their log, and whose place nobody has taken from them: they must have it again. */
  get #awaited(): readonly Machine[] {
    const { membership } = this.ledger;
    return this.machines.filter(({ id, returning, off }) => {
      return returning && !off && membership.knows(id);
    });
  }

  /** One leader whom all know, everything applied everywhere, and every reader told. */
  get converged(): boolean {
    const statuses = this.#sound.map(({ node }) => node?.status());
    const [first] = statuses;
    if (first === undefined || first.leaderId === '' || this.#awaited.length > 0) return false;
    // A leader whose write is held by the last stall of its disk, or for space, may have to step down yet.
    if (this.machines.some(({ disk }) => disk.heldUntilMs > this.timeline.nowMs)) return false;
    return (
      statuses.every(
        (status) =>
          status?.leaderId === first.leaderId &&
          status.caughtUp &&
          status.appliedIndex === first.appliedIndex &&
          status.stateHash === first.stateHash,
      ) &&
      this.watchers.every(
        // Who asked for a part is told how far it is only now and then; at the end its content is compared.
        (watcher) => watcher.service !== undefined || watcher.revision === this.revision,
      )
    );
  }

  /** Who is where, for whoever has to understand why it does not converge. */
  picture(): string {
    const { machines, watchers } = this;
    return pictureOf({ machines, awaited: this.#awaited, watchers, openCalls: this.#busyClients });
  }

  #named(name: string): Machine | undefined {
    const wanted = name === 'leader' ? this.#leader : name;
    return this.machines.find(({ id }) => id === wanted) ?? this.machines[0];
  }

  #perform({ action, client, number }: Planned): void {
    const told = action.kind === 'fault' ? action.fault : action;
    this.#tell(client || 'fault', `${number} ${JSON.stringify(told)}`);
    const world = this.#clients;
    const session = this.#session(client);
    const random = this.#random(`action ${number}`);
    switch (action.kind) {
      case 'register':
      case 'deregister':
      case 'setStatus':
        return this.#await(write(world, { session, random, mark: `m${number}` }, action));
      case 'registerAgain':
        return this.#await(registerAgain(world, session, random, action.id));
      case 'beat':
        return this.#await(beatOnce(world, random, action.id, action.generation));
      case 'keep':
        return this.#await(keep(world, random, { instanceId: action.id, ...action }));
      case 'serve': {
        const { id: instanceId, service, ttlMs, to, forMs } = action;
        const serving = { instanceId, service, ttlMs, to, forMs, mark: `m${number}` };
        return this.#await(serve(world, session, random, serving));
      }
      case 'get': {
        const { id: instanceId, consistency } = action;
        return this.#await(read(world, session, random, { instanceId, consistency }));
      }
      case 'list': {
        const { service, consistency } = action;
        const wanted = service === '' ? { consistency } : { service, consistency };
        return this.#await(read(world, session, random, wanted));
      }
      case 'walk':
        return this.#await(walk(world, session, random, action.pageSize));
      case 'watch':
        this.watchers.push(new Watcher(world, client, random, action));
        return;
      case 'operate':
        return this.#await(this.#operator.perform(random, action.operation));
      case 'fault':
        this.#faults.perform(action.fault);
    }
  }

  #await(client: Promise<void>): void {
    this.#busyClients++;
    client.then(
      () => this.#busyClients--,
      (error: unknown) => this.#blame('node', `a client failed: ${String(error)}`),
    );
  }

  #settled(process: Process): void {
    const machine = this.machines.find((one) => one.process === process);
    const node = machine?.node;
    if (machine === undefined || node === undefined) return;
    // Looking costs as much as a turn, and nothing seen here is ever taken back: most turns that applied nothing pass.
    const { revision } = node.registry;
    const looked = this.#looked.get(machine.id);
    if (looked?.revision === revision && looked.turns < TURNS_UNSEEN) {
      looked.turns++;
      return;
    }
    this.#looked.set(machine.id, { revision, turns: 0 });
    this.ledger.look(machine.id, node.status());
    while (this.appliedAtMs.length < revision) this.appliedAtMs.push(this.timeline.nowMs);
  }

  #leads(node: string, term: number): void {
    const machine = this.machines.find(({ id }) => id === node);
    this.ledger.leads(node, term, machine?.node?.status().commitIndex);
    this.#leader = node;
    this.leaderSinceMs = this.timeline.nowMs;
  }

  /** By a clock that drifts, rounded. */
  #scrubbed(node: string, tookMs: number): void {
    const machine = this.machines.find(({ id }) => id === node);
    machine?.state.scrubbed(this.timeline.nowMs - 1.01 * tookMs - 1);
  }

  #session(name: string): Session {
    const session = this.#sessions.get(name) ?? new Session(name);
    this.#sessions.set(name, session);
    return session;
  }

  /** A generator of its own for each part, so that taking an action away changes little of what the others draw. */
  #random(part: string): Random {
    let seed = this.plan.seed;
    for (const character of part) {
      seed = Math.imul(seed ^ present(character.codePointAt(0), 'a character'), 0x01000193);
    }
    assert(Number.isSafeInteger(seed), 'a seed is an integer');
    return seededRandom(seed);
  }

  #tell(who: string, what: string): void {
    this.#options.tell?.(this.timeline.nowMs, who, what);
  }

  #blame(guarantee: string, evidence: string): void {
    this.#tell('BLAME', `${guarantee} ${evidence}`);
    this.violations.push({ guarantee, evidence });
  }
}
