// `register --keep`: heartbeats in the foreground. An outage of the registry is not fatal; a lease that was lost in it is
// registered again; a newer registration under the same id ends this one.
import { ClientError, type RegistryClient } from '../client/index.ts';
import { type CliContext, CommandFailed } from './context.ts';
import { newRequestId } from './client-options.ts';
import { EXIT } from './exit-codes.ts';
import type { NamedInstance } from './instance-input.ts';
import { printable } from './table.ts';

export interface Registration {
  readonly instance: NamedInstance;
  readonly generation: string;
  /** Milliseconds between heartbeats, as the registry told. */
  readonly intervalMs: number;
}

/** A failed round is repeated sooner than a good one, so that an outage costs no more of the TTL than it must. */
const RETRY_MS = 1000;

/** Returns once a signal came and all is deregistered. Throws CommandFailed when fenced, or when deregistering failed. */
export async function keepRegistered(
  client: RegistryClient,
  registrations: readonly Registration[],
  context: CliContext,
  options: { readonly json: boolean },
): Promise<void> {
  const tell = (line: string): void => (options.json ? context.warn(line) : context.print(line));
  const stop = context.interruption();
  const held = new Map(registrations.map((one) => [one.instance.instance_id, one]));
  let lastFailure = '';
  while (!stop.aborted) {
    const intervalMs = Math.min(...[...held.values()].map((one) => one.intervalMs));
    const pauseMs = lastFailure === '' ? intervalMs : Math.min(RETRY_MS, intervalMs);
    await context.runtime.sleep(pauseMs, stop);
    if (stop.aborted) break;
    try {
      await heartbeatRound(client, held, context, stop, tell);
      if (lastFailure !== '') tell('heartbeats go on');
      lastFailure = '';
    } catch (error) {
      if (stop.aborted) break;
      if (error instanceof CommandFailed) {
        await deregisterAll(client, held, context, tell).catch(() => undefined);
        throw error;
      }
      if (!(error instanceof ClientError)) throw error;
      if (lastFailure === '') context.warn(`heartbeat failed, trying on: ${error.message}`);
      lastFailure = error.message;
    }
  }
  await deregisterAll(client, held, context, tell);
}

async function heartbeatRound(
  client: RegistryClient,
  held: Map<string, Registration>,
  context: CliContext,
  signal: AbortSignal,
  tell: (line: string) => void,
): Promise<void> {
  const beats = [...held.values()].map(({ instance, generation }) => ({
    namespace: instance.namespace ?? '',
    instance_id: instance.instance_id,
    generation,
  }));
  const answer = await client.heartbeat({ beats }, { signal });
  for (const failure of answer.failures) {
    const lost = held.get(failure.instance_id);
    if (lost === undefined) continue;
    if (failure.reason === 'FENCED') {
      held.delete(failure.instance_id);
      throw new CommandFailed(
        `${printable(failure.instance_id)} was registered anew by somebody else; this registration has ended`,
        EXIT.failed,
      );
    }
    const { generation, heartbeat_interval_ms: intervalMs } = await client.register(
      { instance: lost.instance, request_id: newRequestId(context) },
      { signal },
    );
    held.set(failure.instance_id, { ...lost, generation, intervalMs });
    tell(`registered ${printable(failure.instance_id)} again, generation ${generation}`);
  }
}

async function deregisterAll(
  client: RegistryClient,
  held: ReadonlyMap<string, Registration>,
  context: CliContext,
  tell: (line: string) => void,
): Promise<void> {
  for (const { instance, generation } of held.values()) {
    const answer = await client.deregister({
      namespace: instance.namespace ?? '',
      instance_id: instance.instance_id,
      generation,
      request_id: newRequestId(context),
    });
    const id = printable(instance.instance_id);
    tell(answer.existed ? `deregistered ${id}` : `${id} was gone already`);
  }
}
