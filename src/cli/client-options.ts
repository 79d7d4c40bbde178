// The options that every command talking to a cluster has, and the client they make.
import { type Command, InvalidArgumentError } from 'commander';
import { ClientError, RegistryClient } from '../client/index.ts';
import { formatAddress, parseAddress } from '../config/address.ts';
import { ConfigError } from '../config/config-error.ts';
import { type CliContext, CommandFailed } from './context.ts';
import { EXIT } from './exit-codes.ts';

const DEFAULT_ENDPOINTS = '127.0.0.1:7400,127.0.0.1:7410,127.0.0.1:7420';
const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_TIMEOUT_MS = 600_000;
const MAX_ENDPOINTS = 64;

export interface ClientFlags {
  readonly endpoints?: string;
  readonly namespace?: string;
  readonly json?: true;
  readonly timeoutMs: number;
}

export function addClientOptions(command: Command, options: { namespace: boolean }): Command {
  command.option(
    '--endpoints <list>',
    `client addresses, host:port,… (variable ROLLCALL_ENDPOINTS, default ${DEFAULT_ENDPOINTS})`,
  );
  if (options.namespace) command.option('--namespace <name>', 'namespace (default: default)');
  return command
    .option('--json', 'print the response message as JSON')
    .option(
      '--timeout-ms <n>',
      'for the whole call, all tries included',
      wholeNumber(1, MAX_TIMEOUT_MS),
      DEFAULT_TIMEOUT_MS,
    );
}

/** For commander: a number of the range, or an error that names the option. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number, ${min} to ${max}.`);
    }
    return value;
  };
}

/** For commander: an option that may be given several times. */
export function several(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}

export function endpointsOf(flags: ClientFlags, context: CliContext): readonly string[] {
  const [spelling, text] =
    flags.endpoints !== undefined
      ? ['--endpoints', flags.endpoints]
      : ['ROLLCALL_ENDPOINTS', context.environment['ROLLCALL_ENDPOINTS'] ?? DEFAULT_ENDPOINTS];
  const endpoints = text.split(',').map((part) => {
    const address = parseAddress(part.trim());
    if (address === undefined || address.port === 0) {
      throw new ConfigError(`${spelling}: "${part.trim()}" is not host:port`);
    }
    return formatAddress(address);
  });
  if (endpoints.length > MAX_ENDPOINTS) {
    throw new ConfigError(`${spelling}: ${endpoints.length} addresses, limit ${MAX_ENDPOINTS}`);
  }
  return [...new Set(endpoints)];
}

/** Runs `work` with a client that is closed afterwards, and gives its errors their exit codes. */
export async function withClient<T>(
  flags: ClientFlags,
  context: CliContext,
  kind: 'read' | 'write',
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  const client = new RegistryClient({
    endpoints: endpointsOf(flags, context),
    timeoutMs: flags.timeoutMs,
    runtime: context.runtime,
  });
  try {
    return await work(client);
  } catch (error) {
    throw error instanceof ClientError ? commandFailure(error, kind) : error;
  } finally {
    client.close();
  }
}

function commandFailure(error: ClientError, kind: 'read' | 'write'): CommandFailed {
  // A value that the registry refuses is wrong usage, like one that is refused here.
  if (error.status === 'INVALID_ARGUMENT') return new CommandFailed(error.message, EXIT.usage);
  const unknown = kind === 'write' && error.fate === 'unknown';
  const suffix = unknown ? ' (it may have been done or not)' : '';
  return new CommandFailed(error.message + suffix, unknown ? EXIT.outcomeUnknown : EXIT.failed);
}

/** A request_id: 32 hex digits, so that a retry of this call is answered with its first outcome. */
export const newRequestId = (context: CliContext): string => context.randomHex(16);
