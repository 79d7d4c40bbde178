// Who the data-dir of a machine is: what identity.json holds. It gives up a log that is lost as the one on disk does
// (storage/lost-data.ts), in one step, since the steps on disk have tests of their own.
import type { Random } from '../../src/lib/random.ts';
import { lossOf } from '../../src/node/lost-log.ts';
import type { LostLog } from '../../src/node/peer-protocol.ts';

export class SimIdentity {
  readonly #random: Random;
  #incarnation: string;
  /** Of the cluster that its log has made it a member of; '' before. */
  #clusterUuid = '';
  /** Its log was lost, and it asks for its place. */
  #replaces: LostLog | undefined;

  constructor(random: Random) {
    this.#random = random;
    this.#incarnation = drawIncarnation(random);
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  get formed(): boolean {
    return this.#clusterUuid !== '';
  }

  get replaces(): LostLog | undefined {
    return this.#replaces;
  }

  /** An empty data-dir. */
  renew(): void {
    this.#incarnation = drawIncarnation(this.#random);
    this.#clusterUuid = '';
    this.#replaces = undefined;
  }

  belongsTo(clusterUuid: string): void {
    this.#clusterUuid = clusterUuid;
    this.#replaces = undefined;
  }

  /** Why it cannot return; undefined: it is another data-dir now, which knows whose place it is to take. */
  giveUp(damage: Pick<LostLog, 'found' | 'members'>): string | undefined {
    const former = {
      incarnation: this.#incarnation,
      clusterUuid: this.#clusterUuid,
      replaces: this.#replaces,
    };
    const loss = lossOf(former, damage, drawIncarnation(this.#random));
    if (loss.kind === 'final') return loss.reason;
    this.#incarnation = loss.incarnation;
    this.#clusterUuid = '';
    this.#replaces = loss.lost;
    return undefined;
  }
}

const drawIncarnation = (random: Random): string =>
  Array.from({ length: 32 }, () => random.integer(0, 16).toString(16)).join('');
