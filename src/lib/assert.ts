// Assertions that stay on in production: a broken invariant stops the node (exit code 13), it never continues on a guess.

/** A broken invariant: a defect of ours, never bad input. The composition root ends the process with exit code 13. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws InvariantError unless `condition` holds. `message` states the invariant that was broken. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Narrows away undefined where the surrounding code guarantees a value. */
export function present<T>(value: T | undefined, message: string): T {
  assert(value !== undefined, message);
  return value;
}
