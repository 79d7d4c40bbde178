// What an operator does to the cluster while clients use it and faults strike: lets machines join, promotes, removes, replaces
// what lost its disk, hands leadership over. It asks again until it knows what came of it.
import type { NodeId } from '../../src/lib/ids.ts';
import type { Random } from '../../src/lib/random.ts';
import type { Member, MemberChange } from '../../src/node/peer-protocol.ts';
import type { Machine } from './machine.ts';
import type { OperationKind } from './parameters.ts';
import { anyMachine, type ClientWorld } from './session.ts';

export interface Operation {
  readonly kind: OperationKind;
  /** 'leader', or the name of a machine; '' for a transfer: whoever the leader picks. */
  readonly node: string;
  /** After a removal: how long the machine goes on running, not knowing or knowing; undefined: to the end. */
  readonly lingersMs: number | undefined;
}

export interface OperatorWorld extends ClientWorld {
  readonly machine: (name: string) => Machine | undefined;
  readonly all: readonly Machine[];
  /** Of the newest configuration that is committed. */
  readonly configured: () => readonly Member[];
}

const ATTEMPT_MS = 2500;
const RETRY_MS = 150;
const MAX_TRIES = 60;

export class Operator {
  readonly #world: OperatorWorld;
  #busy = 0;

  constructor(world: OperatorWorld) {
    this.#world = world;
  }

  /** A change is under way, or it is not known what came of one. */
  get busy(): boolean {
    return this.#busy > 0;
  }

  async perform(random: Random, operation: Operation): Promise<void> {
    const { world, machine } = this.#of(operation);
    if (operation.kind === 'transfer') {
      const nodeId = operation.node === '' ? '' : (machine?.id ?? '');
      const done = await this.#change(random, { kind: 'transfer', nodeId }, 1);
      if (done) world.coverage.count('transfers');
      return;
    }
    // One change at a time, as the runbook says: a second one would only be refused.
    if (machine === undefined || this.busy) return;
    this.#busy++;
    try {
      await this.#changeMembers(random, operation, machine);
    } finally {
      this.#busy--;
    }
  }

  #of({ node }: Operation) {
    return { world: this.#world, machine: this.#world.machine(node) };
  }

  async #changeMembers(random: Random, operation: Operation, machine: Machine): Promise<void> {
    switch (operation.kind) {
      case 'join':
        return this.#join(random, machine);
      case 'promote': {
        const learner = this.#world.configured().find((member) => member.learner);
        if (learner !== undefined) await this.#promote(random, learner.nodeId);
        return;
      }
      case 'remove':
        return this.#remove(random, machine, operation.lingersMs);
      case 'replace':
        return this.#replace(random, machine);
      case 'transfer':
    }
  }

  async #join(random: Random, machine: Machine): Promise<void> {
    const { coverage, tell } = this.#world;
    if (!machine.off || this.#isMember(machine.id)) return;
    tell('oper', `${machine.id} starts with --join`);
    coverage.count('joins');
    machine.startJoining();
    await this.#untilMember(machine);
    if (random.next() < 0.7) await this.#promote(random, machine.id);
  }

  async #promote(random: Random, nodeId: NodeId): Promise<void> {
    const { coverage } = this.#world;
    if (await this.#change(random, { kind: 'promote', nodeId }, MAX_TRIES)) {
      coverage.count('promotions');
    }
  }

  /** Never one without whom the others could not decide anything. */
  async #remove(random: Random, machine: Machine, lingersMs: number | undefined): Promise<void> {
    const { coverage, timeline } = this.#world;
    if (!this.#mayRemove(machine)) return;
    const led = this.#world.leader() === machine;
    if (!(await this.#change(random, { kind: 'remove', nodeId: machine.id }, MAX_TRIES))) return;
    coverage.count('removals');
    if (led) coverage.count('leadersRemoved');
    if (lingersMs === undefined) return;
    await timeline.sleep(lingersMs, undefined, 'removed node lingers');
    if (!this.#isMember(machine.id)) machine.retire();
  }

  /** The runbook of docs/operations.md for a dead node. */
  async #replace(random: Random, wanted: Machine): Promise<void> {
    const { coverage, all } = this.#world;
    const machine = all.find(({ lost, id }) => lost && this.#isMember(id)) ?? wanted;
    if (!machine.lost || !this.#isMember(machine.id)) return;
    machine.retire();
    if (!(await this.#change(random, { kind: 'remove', nodeId: machine.id }, MAX_TRIES))) return;
    machine.startJoining();
    await this.#untilMember(machine);
    coverage.count('replacements');
    await this.#promote(random, machine.id);
  }

  async #untilMember(machine: Machine): Promise<void> {
    const { timeline, resting } = this.#world;
    while (!this.#isMember(machine.id) && !resting()) {
      await timeline.sleep(RETRY_MS, undefined, 'operator waits');
    }
  }

  #isMember(id: string): boolean {
    return this.#world.configured().some(({ nodeId }) => nodeId === id);
  }

  #mayRemove(machine: Machine): boolean {
    const { all, configured } = this.#world;
    if (!this.#isMember(machine.id)) return false;
    const voters = configured().filter(({ learner }) => !learner);
    const left = voters.filter(({ nodeId }) => nodeId !== machine.id);
    const sound = left.filter(({ nodeId }) => {
      const one = all.find(({ id }) => id === nodeId);
      return one !== undefined && !one.lost && !one.rotten && !one.hollow;
    });
    return left.length >= 2 && sound.length === left.length;
  }

  /** True once it is certain that the change was made. */
  async #change(random: Random, change: MemberChange, tries: number): Promise<boolean> {
    const { door, timeline, coverage, tell, resting } = this.#world;
    for (let attempt = 0; attempt < tries; attempt++) {
      const machine = anyMachine(this.#world, random);
      const reply = await door.call(machine, ATTEMPT_MS, (node) => node.changeMembers(change, {}));
      const said = reply.kind === 'refused' ? `${reply.error.code}: ${reply.error.message}` : '';
      tell('oper', `${JSON.stringify(change)} at ${machine.id}: ${reply.kind} ${said}`);
      if (reply.kind === 'value') return true;
      if (reply.kind === 'refused') {
        coverage.count('changesRefused');
        // An earlier attempt may have done it.
        if (reply.error.code === 'notFound' && change.kind === 'remove') return true;
      }
      if (change.kind === 'transfer' || resting()) return false;
      await timeline.sleep(RETRY_MS, undefined, 'operator waits');
    }
    return false;
  }
}
