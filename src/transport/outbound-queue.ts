// The bounded queue in front of one stream. It counts a message until the stream has flushed it, not until it is written.

export interface OutboundQueueLimits {
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  readonly maxJoinedBytes: number;
}

/** What one write to the stream carries: the joined bytes, and how much of the bounds their flush gives back. */
export interface JoinedMessage {
  readonly bytes: Buffer;
  readonly messages: number;
}

export class OutboundQueue {
  readonly #limits: OutboundQueueLimits;
  #waiting: Buffer[] = [];
  #head = 0;
  #messages = 0;
  #bytes = 0;

  constructor(limits: OutboundQueueLimits) {
    this.#limits = limits;
  }

  /** Takes all of the messages or, where a bound would be passed, none. */
  offer(messages: readonly Buffer[]): boolean {
    const bytes = messages.reduce((sum, message) => sum + message.length, 0);
    if (this.#messages + messages.length > this.#limits.maxQueuedMessages) return false;
    if (this.#bytes + bytes > this.#limits.maxQueuedBytes) return false;
    this.#messages += messages.length;
    this.#bytes += bytes;
    this.#waiting.push(...messages);
    return true;
  }

  /** The oldest waiting message, joined with those behind it while they fit. */
  take(): JoinedMessage | undefined {
    const first = this.#waiting[this.#head];
    if (first === undefined) return undefined;
    let end = this.#head + 1;
    let size = first.length;
    for (let next = this.#waiting[end]; next !== undefined; next = this.#waiting[++end]) {
      if (size + next.length > this.#limits.maxJoinedBytes) break;
      size += next.length;
    }
    const messages = end - this.#head;
    const bytes =
      messages === 1 ? first : Buffer.concat(this.#waiting.slice(this.#head, end), size);
    this.#head = end;
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
    return { bytes, messages };
  }

  /** The stream has handed this message to the operating system. */
  flushed(message: JoinedMessage): void {
    this.#messages -= message.messages;
    this.#bytes -= message.bytes.length;
  }

  /** True when nothing waits and everything written was flushed. */
  get idle(): boolean {
    return this.#messages === 0;
  }
}
