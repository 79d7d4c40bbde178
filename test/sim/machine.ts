// One machine: what outlives its processes (disks, clocks, identity), and the life of the node that runs on it.
import { type NodeId, nodeId } from '../../src/lib/ids.ts';
import type { Random } from '../../src/lib/random.ts';
import type { NodeOptions, RegistryNode } from '../../src/node/registry-node.ts';
import { DamagedLogError, DiskError } from '../../src/storage/errors.ts';
import { asMember, boot, type MachineWorld } from './boot.ts';
import { Garble } from './garble.ts';
import { type ClockFaults, createNodeClock } from './node-clock.ts';
import type { DamagedDisk, LogDamage } from './log-damage.ts';
import { SimDisk } from './sim-disk.ts';
import { SimIdentity } from './sim-identity.ts';
import { StateDisk } from './state-disk.ts';
import type { Process } from './timeline.ts';
import type { SimTransport } from './transport.ts';

interface Life {
  readonly process: Process;
  node: RegistryNode | undefined;
  transport: SimTransport | undefined;
  stopping: boolean;
}

/** A read that failed when the log was opened is told as damage. */
const isOfTheDisk = (error: unknown): boolean =>
  error instanceof DiskError || error instanceof DamagedLogError;

/** A supervisor starts it again. */
const RESTART_MS = 200;

export class Machine {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly state: StateDisk;
  readonly clock: ClockFaults;
  readonly garble: Garble;
  readonly #world: MachineWorld;
  readonly #random: Random;
  readonly #identity: SimIdentity;
  /** It no longer has what it had acknowledged: its disk was replaced, or its log refuses to open for damage. */
  lost = false;
  /** Its log is not what was written, and it has not noticed yet. */
  rotten = false;
  /** Where its log begins, by the last batch that said so. */
  #floorIndex = 0;
  /** It starts with --join. */
  #joins = false;
  /** It is switched off, and stays so until it joins. */
  off: boolean;
  /** From a loss of its log until it has its place again. */
  returning = false;
  /** How many losses that are. */
  losses = 0;
  #lives = 0;
  #life: Life | undefined;

  /** `spare`: it is no member yet, and off. */
  constructor(world: MachineWorld, name: string, random: Random, spare: boolean) {
    const { timeline, parameters, coverage } = world;
    this.id = nodeId(name);
    this.#world = world;
    this.#random = random;
    this.#identity = new SimIdentity(random);
    this.clock = {
      rate: 1 + parameters.maxDrift * (2 * random.next() - 1),
      wallOffsetMs: random.integer(-5000, 5000),
    };
    this.disk = new SimDisk({
      timeline,
      random,
      writeMs: parameters.writeMs,
      torn: () => coverage.count('tornWrites'),
    });
    this.off = spare;
    this.garble = new Garble(random, () => coverage.count('chunksGarbled'));
    this.state = new StateDisk({
      timeline,
      random,
      writeMs: parameters.stateWriteMs,
      stalledUntilMs: () => this.disk.stalledUntilMs,
      full: () => this.disk.full,
      putOff: () => coverage.count('statesPutOff'),
      discarded: () => coverage.count('statesDiscarded'),
      repaired: () => coverage.count('statesRepaired'),
      blame: (evidence) => world.blame('G13', `${name}: ${evidence}`),
    });
  }

  get incarnation(): string {
    return this.#identity.incarnation;
  }

  /** Its data-dir belongs to a cluster. */
  get formed(): boolean {
    return this.#identity.formed;
  }

  get trimmed(): boolean {
    return this.#floorIndex > 0;
  }

  /** Its log begins behind what its state store has: others must bring the state back. */
  get hollow(): boolean {
    return (this.state.doomed ? 0 : this.state.settledIndex) < this.#floorIndex;
  }

  /** Its node has not even got what its log begins behind. */
  get lacksState(): boolean {
    return this.hollow && (this.node?.status().appliedIndex ?? 0) < this.#floorIndex;
  }

  /** The node, while it runs and takes calls. */
  get node(): RegistryNode | undefined {
    return this.#life?.node;
  }

  get process(): Process | undefined {
    return this.#life?.process;
  }

  get transport(): SimTransport | undefined {
    return this.#life?.transport;
  }

  get running(): boolean {
    return this.#life !== undefined;
  }

  /** Starts a process on what the disks hold, unless one runs. */
  start(): void {
    if (this.#life !== undefined || this.off) return;
    const process: Process = {
      name: `${this.id}/${++this.#lives}`,
      alive: true,
      pausedUntilMs: 0,
    };
    const life: Life = { process, node: undefined, transport: undefined, stopping: false };
    this.#life = life;
    this.disk.attach(process);
    this.#open(life).catch((error: unknown) => this.#failed(life, error));
  }

  /** The process dies at once: kill -9, or the power if `power`. */
  crash(power: boolean): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#end(life, power);
    this.disk.crash(power);
    this.state.crash(power);
  }

  /** It starts as an empty data-dir that asks to be let in; one that was lost is replaced by that. */
  startJoining(): void {
    this.wipe();
    this.lost = false;
    this.rotten = false;
    this.off = false;
    this.#joins = true;
    this.start();
  }

  /** Switched off for good, as a node is that was removed. */
  retire(): void {
    this.off = true;
    this.crash(false);
  }

  /** The disk is gone, and an empty one in its place. */
  wipe(): void {
    this.crash(true);
    const { incarnation } = this;
    this.#identity.renew();
    this.#begin(incarnation);
    this.returning = false;
  }

  /** Nothing is on the disks but who this is now. */
  #begin(former: string): void {
    this.#empty();
    this.#world.ledger.wiped(this.id, { former, incarnation: this.incarnation });
    this.lost = true;
  }

  #empty(): void {
    this.disk.replace();
    this.state.replace();
    this.#floorIndex = 0;
  }

  /** A crash meanwhile leaves it undone. The first boot of a cluster is not held up: nobody is a member before it. */
  async #note(process: Process, clusterUuid: string): Promise<void> {
    const { timeline, parameters, ledger, noteBegan } = this.#world;
    const hangsMs = this.#joins || this.returning ? noteBegan(this.id) : 0;
    const what = `disk ${process.name} identity`;
    await timeline.sleep(parameters.writeMs + hangsMs, process, what);
    this.#identity.belongsTo(clusterUuid);
    ledger.noted(this.id);
  }

  /** Log and state are gone before its data-dir says that it is a member: it begins anew as who it is, though it may
   * have acknowledged entries of before its membership. */
  beginAnew(): void {
    this.crash(true);
    this.#empty();
    this.rotten = false;
    this.#world.ledger.beganAnew(this.id);
  }

  /** What was done to the log; undefined where nothing of that kind can be. */
  damageLog(how: LogDamage, from: Omit<DamagedDisk, 'files' | 'unreadable'>): string | undefined {
    const done = this.disk.damageLog(how, from);
    if (done !== undefined) this.rotten = true;
    return done;
  }

  pause(untilMs: number): void {
    const process = this.#life?.process;
    if (process !== undefined) process.pausedUntilMs = Math.max(process.pausedUntilMs, untilMs);
  }

  /** SIGTERM: the node leaves in its own time, and is dead if it has not after two seconds. */
  async stop(): Promise<void> {
    const life = this.#life;
    if (life?.node === undefined || life.stopping) return;
    life.stopping = true;
    const { timeline, coverage } = this.#world;
    timeline.after(2000, life.process, 'SIGKILL', () => {
      if (this.#life === life) this.crash(false);
    });
    await life.node.stop({ graceMs: 1000 });
    if (this.#life !== life) return;
    coverage.count('cleanStops');
    this.#end(life, false);
  }

  /** Something is under way that nobody can call healthy. */
  get troubled(): boolean {
    return this.lost || this.rotten || this.disk.fails || this.state.fails;
  }

  healDisk(): void {
    this.disk.heal();
    this.garble.aim('bit', 0);
    this.state.failWrites = 0;
    // Found now rather than when everything is to be calm.
    if (this.rotten || this.state.damaged) this.crash(false);
  }

  async #open(life: Life): Promise<void> {
    const { timeline, ledger, parameters, coverage } = this.#world;
    const { process } = life;
    const node = await boot(this.#world, {
      id: this.id,
      disk: this.disk,
      state: this.state,
      garble: this.garble,
      process,
      incarnation: this.incarnation,
      formed: this.formed,
      members: this.#joins ? [] : parameters.nodes,
      ...this.#wayIn(process),
      clock: createNodeClock(timeline, process, this.clock, 1000 * this.#lives),
      logRead: () => {
        if (process.alive) this.rotten = false;
      },
      connected: (transport) => (life.transport = transport),
      readsBack: () => {
        if (life.node?.status().role === 'leader') coverage.count('fetches');
        this.disk.entriesRead();
      },
      trims: (index) => this.#trims(index),
      note: (clusterUuid) => this.#note(process, clusterUuid),
      restored: () => this.#restored(),
      fatal: (code, reason) => this.#fatal(life, code, reason),
      drawSeed: () => this.#random.integer(1, 2 ** 31),
    });
    if (this.#life !== life) return;
    life.node = node;
    ledger.restarted(this.id);
  }

  #wayIn(process: Process): Pick<NodeOptions, 'join' | 'replaces'> {
    const { replaces } = this.#identity;
    if (replaces !== undefined) return { replaces };
    return this.#joins ? { join: (self) => this.#world.ask(self, process) } : {};
  }

  /** Before the log may let go of anything, the state must be where no power cut reaches it. */
  #trims(index: number): void {
    const { settledIndex, sealedIndex } = this.state;
    this.#floorIndex = Math.max(this.#floorIndex, index);
    if (index <= settledIndex || index === sealedIndex) return;
    const evidence = `${this.id} trims its log to ${index}, while its state is sure up to ${settledIndex} only`;
    this.#world.blame('G1', evidence);
  }

  /** The node ended itself. A disk error that was made is a reason; nothing else is. */
  #fatal(life: Life, code: number, reason: string): void {
    if (this.#life !== life) return;
    this.#world.coverage.count('fatals');
    // Whoever starts it again finds it at the start. Or nobody was there to take it back: an operator starts it again.
    const rotten = (code === 11 || code === 10) && this.rotten;
    const found = code === 10 && this.state.damaged;
    if (rotten || found) this.#world.coverage.count(rotten ? 'rotMet' : 'damagedStatesFound');
    if (rotten || found || (code === 11 && this.#identity.replaces !== undefined)) {
      this.#world.timeline.after(RESTART_MS, undefined, `${this.id} restarts`, () => this.start());
    } else if (code !== 10 || this.#innocent === 0) {
      // What it wrote itself is not what it should be.
      const what = reason.startsWith('the state on disk') ? 'G13' : 'node';
      this.#world.blame(what, `${this.id} ended with exit code ${code}: ${reason}`);
    }
    this.#forgive();
    this.crash(false);
  }

  #failed(life: Life, error: unknown): void {
    if (this.#life !== life) return;
    if (error instanceof DamagedLogError && this.rotten) return this.#giveUpLog(error);
    if (!isOfTheDisk(error) || this.#innocent + this.disk.foundFull === 0) {
      this.#world.blame('node', `${this.id} does not start: ${String(error)}`);
    }
    this.#forgive();
    this.crash(false);
  }

  /** Damage that was made is found, and nothing of it is ever served (G13). */
  #giveUpLog({ damage }: DamagedLogError): void {
    const { coverage, ledger, parameters, blame } = this.#world;
    coverage.count('damagedLogs');
    this.crash(false);
    const { incarnation } = this;
    const known = ledger.membership.names ?? parameters.nodes;
    const members = known.filter((id) => id !== this.id).map(asMember);
    const final = this.#identity.giveUp({ found: damage, members });
    if (final !== undefined) return blame('G13', `${this.id} cannot return: ${final}`);
    this.#begin(incarnation);
    this.rotten = false;
    this.#forgive();
    this.losses = this.returning ? this.losses + 1 : 1;
    this.returning = true;
    this.start();
  }

  #restored(): void {
    if (!this.returning) return;
    this.returning = false;
    this.lost = false;
    this.#world.coverage.count('logsReturned');
  }

  get #innocent(): number {
    return this.disk.failed + this.state.failed;
  }

  #forgive(): void {
    this.disk.forgive();
    this.state.failed = 0;
  }

  #end(life: Life, dark: boolean): void {
    life.process.alive = false;
    this.#life = undefined;
    life.transport?.end(dark);
  }
}
