// What all clients of one process share: the nodes they call, the file they write to, what they count, and what they found
// out about generations.
import type { RegistryClient } from '../../../src/rpc/gen/rollcall/v1/Registry.ts';
import { assert, present } from '../../../src/lib/assert.ts';
import type { Random } from '../../../src/lib/random.ts';
import { registryClient } from '../../support/grpc-client.ts';
import { KnownGenerations } from '../../support/known-generations.ts';
import type { ClientEvent, ClientSettings } from './event.ts';
import { OpenWork } from './open-work.ts';
import { LastRegistered } from './registered.ts';

/** One connection to each node, for all calls but watches. */
export class Nodes {
  readonly endpoints: readonly string[];
  readonly all: readonly RegistryClient[];

  constructor(endpoints: readonly string[]) {
    assert(endpoints.length > 0, 'clients have a node to call');
    this.endpoints = endpoints;
    this.all = endpoints.map(registryClient);
  }

  any(random: Random): RegistryClient {
    return present(this.all[random.integer(0, this.all.length)], 'there is a node');
  }

  /** Another one for each position, beginning anew after the last. */
  at(position: number): RegistryClient {
    return present(this.all[position % this.all.length], 'there is a node');
  }

  close(): void {
    for (const client of this.all) client.close();
  }
}

/** What progress is told from. */
export interface Tally {
  acknowledged: number;
  rejected: number;
  unknown: number;
  reads: number;
  messages: number;
  resumes: number;
  lastAcknowledgedAtMs: number;
}

export class ClientWorld {
  readonly settings: ClientSettings;
  readonly nodes: Nodes;
  readonly note: (event: ClientEvent) => void;
  readonly work = new OpenWork();
  readonly generations = new KnownGenerations();
  readonly registered = new LastRegistered();
  readonly tally: Tally = {
    acknowledged: 0,
    rejected: 0,
    unknown: 0,
    reads: 0,
    messages: 0,
    resumes: 0,
    lastAcknowledgedAtMs: 0,
  };
  #marks = 0;

  constructor(settings: ClientSettings, note: (event: ClientEvent) => void) {
    this.settings = settings;
    this.note = note;
    this.nodes = new Nodes(settings.endpoints);
  }

  /** Unique over all processes of a run, as their names are. */
  nextMark(): string {
    return `${this.settings.name}-m${++this.#marks}`;
  }
}
