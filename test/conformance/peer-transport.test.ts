// The gRPC transport on loopback, held to what every PeerTransport must do.
import { createGrpcPeerTransport } from '../../src/transport/grpc-peer-transport.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { pino } from 'pino';
import { systemClock } from '../../src/cli/system-clock.ts';
import { peerTransportConformance } from './peer-transport.ts';

peerTransportConformance('gRPC', () => ({
  create: (self, at) =>
    createGrpcPeerTransport({
      listen: at ?? '127.0.0.1:0',
      self,
      log: pino({ level: 'silent' }),
      clock: systemClock,
      // Long, so that a busy machine makes no peer look gone.
      heartbeatMs: 5000,
      random: seededRandom(1),
    }),
}));
