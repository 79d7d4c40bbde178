// Which node of a development cluster listens where and keeps its data where. The compose file has the same layout.
import { join } from 'node:path';

export interface PlannedNode {
  readonly name: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly dataDir: string;
  /** Arguments of `rollcall`, the command included. */
  readonly arguments: readonly string[];
}

const HOST = '127.0.0.1';
/** Ports from one node's to the next one's, and the offset of each door in them. */
const PORTS_PER_NODE = 10;
const PEER_OFFSET = 1;

/** Highest port a cluster takes: what `base + …` must not exceed. */
export const highestPort = (nodes: number, basePort: number): number =>
  basePort + PORTS_PER_NODE * (nodes - 1) + PEER_OFFSET;

/** Node k takes base + 10 (k - 1) for clients and the port after it for the other nodes. */
export function planNodes(
  nodes: number,
  basePort: number,
  directory: string,
): readonly PlannedNode[] {
  const places = Array.from({ length: nodes }, (_, position) => {
    const port = basePort + PORTS_PER_NODE * position;
    const name = `n${position + 1}`;
    return {
      name,
      clientAddress: `${HOST}:${port}`,
      peerAddress: `${HOST}:${port + PEER_OFFSET}`,
      dataDir: join(directory, name),
    };
  });
  const members = places.map((place) => `${place.name}=${place.peerAddress}`).join(',');
  return places.map((place) => ({
    ...place,
    arguments: [
      'server',
      `--node-id=${place.name}`,
      `--data-dir=${place.dataDir}`,
      `--listen-client=${place.clientAddress}`,
      `--listen-peer=${place.peerAddress}`,
      `--initial-members=${members}`,
      '--log-format=json',
    ],
  }));
}
