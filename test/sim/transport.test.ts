// The simulated network keeps the rules of the real transport.
import { seededRandom } from '../../src/lib/random.ts';
import { peerTransportConformance } from '../conformance/peer-transport.ts';
import { SimNetwork } from './network.ts';
import { createNodeClock } from './node-clock.ts';
import { type Process, Timeline } from './timeline.ts';
import { SimTransport } from './transport.ts';

peerTransportConformance('SimTransport', () => {
  const timeline = new Timeline();
  const parameters = {
    minDelayMs: 0.5,
    meanExtraMs: 0.5,
    retransmitted: 0.05,
    retransmitMs: 30,
    lost: 0,
    duplicated: 0,
    pingTimeoutMs: 500,
  };
  const network = new SimNetwork(timeline, parameters, seededRandom(1));
  let created = 0;
  let running = false;
  return {
    create: (self, at) => {
      const process: Process = { name: self, alive: true, pausedUntilMs: 0 };
      const clock = createNodeClock(timeline, process, { rate: 1, wallOffsetMs: 0 }, 0);
      const address = at ?? `sim:${self}/${++created}`;
      return new SimTransport({ network, self, address, process, clock, heartbeatMs: 50 });
    },
    pump: () => {
      if (running) return;
      running = true;
      void timeline.run(timeline.nowMs + 5).finally(() => {
        running = false;
      });
    },
  };
});
