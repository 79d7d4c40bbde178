// What a later version wrote, wherever it is met (docs/compatibility.md). In lib, because the state machine, the node and the
// stores all meet it, and none of them may guess what it means.

/** Whole bytes in a format that this version does not read. Not damage: nothing is thrown away, repaired or made anew because of it,
 * and the version that wrote it goes on with it. */
export class UnknownFormatError extends Error {
  override readonly name = 'UnknownFormatError';
  readonly exitCode = 14;
  readonly #found: string;
  readonly #known: string;

  /** `what` has the format, as a file; `found`: `format 3`, `flag 0x10`; `known`: what this version reads of it. */
  constructor(what: string, found: string, known: string) {
    super(
      `${what} has ${found}, this version reads ${known}: a later version of rollcall wrote it. ` +
        'It is not damaged: run that version, or a later one',
    );
    this.#found = found;
    this.#known = known;
  }

  /** The same, with the place that only the caller knows. */
  in(what: string): UnknownFormatError {
    return new UnknownFormatError(what, this.#found, this.#known);
  }
}
