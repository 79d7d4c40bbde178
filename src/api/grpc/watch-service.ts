// Watch: the first message says what to watch, the hub's cursor does the rest. A stream is in one of four states; the
// client may half-close after its first message and go on reading.
//
//   waiting --first message--> opening --read permitted--> open --client, hub or error--> closed
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import { invalidArgument } from '../../lib/registry-error.ts';
import type { WatchCursor } from '../../node/watch-hub.ts';
import type { Selector } from '../../registry/index.ts';
import type { WatchInput } from '../requests.ts';
import { type ParsedRead, parseRead, parseSelector, staleRead } from '../rules-request.ts';
import type { ConnectionWatches } from './admission.ts';
import { type Door, admitSize, callOptions, failureOf } from './call.ts';
import { defaultSelector } from './decode-instance.ts';
import { decodeWatch } from './decode.ts';
import type { OpenStreams } from './open-streams.ts';
import { type CallFailure, firstMessageLate } from './status.ts';
import { protobufWatchFormat } from './watch-format.ts';
import { createWatchSink } from './watch-sink.ts';

type WatchCall = ServerDuplexStream<Buffer, Buffer>;

export interface WatchServices {
  readonly door: Door;
  readonly connections: ConnectionWatches;
  readonly streams: OpenStreams;
}

export function watchHandler(services: WatchServices): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    new WatchStream(services, call).start();
  };
}

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'opening' }
  | { readonly kind: 'open'; readonly cursor: WatchCursor }
  | { readonly kind: 'closed' };

class WatchStream {
  readonly #services: WatchServices;
  readonly #call: WatchCall;
  readonly #controller = new AbortController();
  #state: State = { kind: 'waiting' };
  #cancelTimer: () => void = () => {};
  #release: () => void = () => {};

  constructor(services: WatchServices, call: WatchCall) {
    this.#services = services;
    this.#call = call;
  }

  start(): void {
    const { door, connections, streams } = this.#services;
    const call = this.#call;
    call.on('data', (bytes: Buffer) => this.#receive(bytes));
    call.on('end', () => {
      if (this.#state.kind === 'waiting') {
        this.#fail(invalidArgument('selector', 'the stream closed before its first message'));
      }
    });
    call.on('cancelled', () => this.#close());
    try {
      this.#release = connections.admit(call.getPeer());
    } catch (error) {
      this.#fail(error);
      return;
    }
    const { watchOpenMs } = door.limits;
    this.#cancelTimer = door.clock.after(watchOpenMs, () => {
      if (this.#state.kind === 'waiting') this.#end(firstMessageLate(watchOpenMs));
    });
    streams.add(this.#fail);
  }

  #receive(bytes: Buffer): void {
    if (this.#state.kind === 'closed') return;
    try {
      const { door } = this.#services;
      const input = decodeWatch(admitSize(door, bytes), door.limits);
      if (this.#state.kind === 'waiting') this.#begin(input);
      else this.#receiveLater(input);
    } catch (error) {
      this.#fail(error);
    }
  }

  #begin(input: WatchInput): void {
    const { limits } = this.#services.door;
    const selector = parseSelector(input.selector ?? defaultSelector, limits);
    const asked = parseRead(input.read);
    // A token says itself what its reader has seen, and a node that is behind it waits: nothing else must be fresh.
    const read = input.resumeToken === '' ? asked : staleRead(asked.minRevision);
    this.#state = { kind: 'opening' };
    this.#cancelTimer();
    this.#open(selector, input, read).catch(this.#fail);
  }

  async #open(selector: Selector, input: WatchInput, read: ParsedRead): Promise<void> {
    const { door } = this.#services;
    const { node, clock } = door;
    const options = callOptions(this.#call, clock, this.#controller.signal);
    await node.read({ ...read, ...options });
    if (this.#state.kind !== 'opening') return;
    const cursor = node.watches.open({
      selector,
      resumeToken: input.resumeToken,
      format: protobufWatchFormat,
      acknowledges: input.acknowledges,
      sink: createWatchSink({
        call: this.#call,
        drained: () => cursor.drained(),
        ended: this.#fail,
      }),
    });
    this.#state = { kind: 'open', cursor };
    if (input.acknowledge > 0) cursor.acknowledge(input.acknowledge);
  }

  #receiveLater(input: WatchInput): void {
    if (input.selector !== undefined) {
      throw invalidArgument('selector', 'is allowed in the first message only');
    }
    if (this.#state.kind === 'open') this.#state.cursor.acknowledge(input.acknowledge);
  }

  /** Ends the stream with an error; a property, because it is handed around. */
  readonly #fail = (error: unknown): void => {
    if (this.#state.kind === 'closed') return;
    this.#end(failureOf(this.#services.door, this.#call, error));
  };

  #end(failure: CallFailure): void {
    this.#close();
    this.#call.emit('error', failure);
  }

  #close(): void {
    const before = this.#state;
    if (before.kind === 'closed') return;
    this.#state = { kind: 'closed' };
    this.#cancelTimer();
    this.#release();
    this.#services.streams.remove(this.#fail);
    this.#controller.abort();
    if (before.kind === 'open') before.cursor.close();
  }
}
