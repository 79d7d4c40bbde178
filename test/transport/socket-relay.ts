// A TCP relay between a dialler and a listener, whose links a test can cut or stall.
import { connect, createServer, type Socket } from 'node:net';

export interface SocketRelay {
  /** host:port to dial instead of the target. */
  readonly address: string;
  /** Connections taken so far. */
  readonly accepted: () => number;
  /** Resets every connection; new ones are relayed as before. */
  cut(): void;
  /** From now on no byte passes in either direction, as in a partition; connections stay open. */
  stall(): void;
  close(): Promise<void>;
}

/** `target`: host:port; undefined: connections are taken and nothing ever answers. */
export async function startSocketRelay(target: string | undefined): Promise<SocketRelay> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const track = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const server = createServer((inbound) => {
    accepted += 1;
    track(inbound);
    if (target === undefined) return;
    const [host = '', port = ''] = target.split(':');
    const outbound = track(connect(Number(port), host));
    inbound.pipe(outbound);
    outbound.pipe(inbound);
    inbound.on('close', () => outbound.destroy());
    outbound.on('close', () => inbound.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    address: `127.0.0.1:${port}`,
    accepted: () => accepted,
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stall: () => {
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
