// A client process of a chaos run: its settings as JSON in the first argument, orders and answers over the IPC channel. It
// ends when ordered to, when asked by a signal, and when whoever started it is gone; each time with its history complete.
import { present } from '../../../src/lib/assert.ts';
import { ClientParty } from './client-party.ts';
import type { ClientAnswer, ClientOrder, ClientSettings } from './event.ts';

const settings = JSON.parse(present(process.argv[2], 'settings are given')) as ClientSettings;

const tell = (answer: ClientAnswer): void => {
  // A channel that was just closed is told of by `disconnect`.
  if (process.connected) process.send?.(answer, () => undefined);
};

const party = await ClientParty.begin(settings, tell);

let ending: Promise<void> | undefined;
const end = (): void => {
  ending ??= party.end().then(() => process.exit(0));
};

process.on('message', (order: ClientOrder) => {
  if (order.kind === 'end') end();
  else void party.obey(order);
});
process.on('disconnect', end);
process.on('SIGTERM', end);
// Ctrl-C reaches every process of the terminal; the harness then says when to end.
process.on('SIGINT', () => undefined);
