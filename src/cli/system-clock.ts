// Time of this machine behind the ports of node/ and client/.
import type { ClientRuntime } from '../client/index.ts';
import type { Clock } from '../node/ports.ts';

/** Timers never keep the process alive by themselves: the doors' sockets do. */
export const systemClock: Clock = {
  now: () => performance.now(),
  unixNow: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  defer(callback) {
    setImmediate(callback);
  },
};

export const systemRuntime: ClientRuntime = {
  now: () => performance.now(),
  unixNow: () => Date.now(),
  random: () => Math.random(),
  sleep: (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const wake = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      // A command that waits is at work, so this timer does keep the process alive.
      const timer = setTimeout(wake, delayMs);
      signal?.addEventListener('abort', wake, { once: true });
    }),
};
