// What has to be given back before this process is gone, whatever ends it but SIGKILL.

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** `sweep` runs once: when this process exits, or is ended by a signal that nobody else handles, or when what is returned is
 * called. It must do all of its work before it returns. */
export function onTheWayOut(sweep: () => void): () => void {
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    process.off('exit', release);
    for (const ending of endings) process.off(ending, interrupt);
    sweep();
  };
  const interrupt = (signal: NodeJS.Signals): void => {
    // A program that handles the signal closes the arena itself, or exits, and then this is called again.
    if (process.listenerCount(signal) > 1) return;
    release();
    process.kill(process.pid, signal);
  };
  process.on('exit', release);
  for (const ending of endings) process.on(ending, interrupt);
  return release;
}
