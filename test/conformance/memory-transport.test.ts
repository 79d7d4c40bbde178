// The in-memory network of the node's tests keeps the rules of the real transport.
import { nodeId } from '../../src/lib/ids.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryNetwork } from '../support/memory-transport.ts';
import { peerTransportConformance } from './peer-transport.ts';

peerTransportConformance('MemoryTransport', () => {
  const clock = new FakeClock();
  const network = new MemoryNetwork({ clock });
  let created = 0;
  return {
    create: (self, at) =>
      network.transport(nodeId(self), clock, at ?? `memory:${self}/${++created}`),
    pump: () => void clock.advance(5),
  };
});
