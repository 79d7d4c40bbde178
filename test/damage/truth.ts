// What is true: every acknowledged write at its revision, and so the whole catalogue at each of them. Nobody else writes and
// nothing expires, so revisions follow each other without a hole.

export type Op =
  | { readonly kind: 'register'; readonly instanceId: string; readonly mark: string }
  | { readonly kind: 'deregister'; readonly instanceId: string; readonly mark: string };

/** Instance id to the mark of its registration and the revision of that. */
export type Catalogue = ReadonlyMap<string, string>;

/** What somebody was told, to be judged once all writes up to its revision are known. */
export interface Told {
  /** For people: who said it, and to what kind of question. */
  readonly by: string;
  readonly revision: number;
  /** Not older than this, by the promise of the level. */
  readonly atLeast: number;
  readonly catalogue: Catalogue;
}

export const contentOf = (mark: string, revision: number | string): string => `${mark}@${revision}`;

/** Older answers than that are a fault of their own: nobody is that far behind for long. */
const KEPT = 4000;

export class Truth {
  readonly #states = new Map<number, Catalogue>();
  /** Known ahead of their turn. */
  readonly #ahead = new Map<number, Op>();
  readonly #untold: Told[] = [];
  readonly #wrong: string[] = [];
  #head: number;
  #judged = 0;

  /** As it stood when this one writer began. */
  constructor(revision: number, catalogue: Catalogue) {
    this.#head = revision;
    this.#states.set(revision, catalogue);
  }

  /** Every write up to this revision is known. */
  get head(): number {
    return this.#head;
  }

  get now(): Catalogue {
    return this.at(this.#head) ?? new Map();
  }

  /** How many answers were compared so far. */
  get judged(): number {
    return this.#judged;
  }

  at(revision: number): Catalogue | undefined {
    return this.#states.get(revision);
  }

  acknowledged(revision: number, op: Op): void {
    if (revision <= this.#head || this.#ahead.has(revision)) {
      this.#wrong.push(`two writes were acknowledged with revision ${revision}: ${op.mark}`);
      return;
    }
    this.#ahead.set(revision, op);
    for (let next = this.#head + 1; ; next++) {
      const following = this.#ahead.get(next);
      if (following === undefined) return;
      this.#ahead.delete(next);
      const state = new Map(this.now);
      if (following.kind === 'deregister') state.delete(following.instanceId);
      else state.set(following.instanceId, contentOf(following.mark, next));
      this.#states.set(next, state);
      this.#states.delete(next - KEPT);
      this.#head = next;
    }
  }

  /** An error of another kind than a wrong answer, to be told with those. */
  wrong(what: string): void {
    this.#wrong.push(what);
  }

  told(answer: Told): void {
    if (answer.revision <= this.#head) this.#judge(answer);
    else this.#untold.push(answer);
  }

  /** All writes are known by now. Resets what it returns. */
  verdict(): readonly string[] {
    for (const answer of this.#untold.splice(0)) this.#judge(answer);
    if (this.#ahead.size > 0) {
      const revisions = [...this.#ahead.keys()].join(', ');
      this.#wrong.push(`revisions ${revisions} were acknowledged, and ${this.#head + 1} never`);
    }
    return this.#wrong.splice(0);
  }

  #judge({ by, revision, atLeast, catalogue }: Told): void {
    this.#judged += 1;
    if (revision < atLeast) {
      this.#wrong.push(`${by} answered with revision ${revision}, after ${atLeast} was known`);
    }
    const truth = this.at(revision);
    if (truth === undefined) {
      this.#wrong.push(`${by} answered with revision ${revision}, which nobody wrote`);
      return;
    }
    const difference = differenceOf(truth, catalogue);
    if (difference !== undefined) this.#wrong.push(`${by} at revision ${revision}: ${difference}`);
  }
}

function differenceOf(truth: Catalogue, told: Catalogue): string | undefined {
  for (const id of new Set([...truth.keys(), ...told.keys()])) {
    const [right, wrong] = [truth.get(id) ?? 'nothing', told.get(id) ?? 'nothing'];
    if (right !== wrong) return `${id} is ${wrong}, true is ${right}`;
  }
  return undefined;
}
