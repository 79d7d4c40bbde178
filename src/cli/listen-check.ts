// Tries an address before anything is opened, so that a port in use is one clear line instead of a half-started node.
import { createServer } from 'node:net';
import { type Address, formatAddress } from '../config/address.ts';
import { ConfigError } from '../config/config-error.ts';

/** Resolves to the address with its port: the given one, or a free one for port 0. Throws ConfigError. */
export function checkListen(address: Address, name: string): Promise<Address> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ConfigError(`${name}: ${formatAddress(address)} ${explain(error)}`));
    });
    server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
      const bound = server.address();
      const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
      server.close(() => resolve({ host: address.host, port }));
    });
  });
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is already in use',
  EADDRNOTAVAIL: 'is no address of this machine',
  EACCES: 'needs more rights than this process has',
  ENOTFOUND: 'does not resolve',
};

function explain(error: NodeJS.ErrnoException): string {
  return REASONS[error.code ?? ''] ?? `cannot be listened on: ${error.message}`;
}
