// Time and chance as the client sees them, handed in so that tests need neither.

export interface ClientRuntime {
  /** Monotonic milliseconds. */
  now(): number;
  /** Unix milliseconds; gRPC deadlines are wall-clock times. */
  unixNow(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Resolves after `delayMs`, or at once when the signal is aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}
