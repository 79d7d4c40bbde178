// What `rollcall dev` and its nodes say to each other over the IPC channel. The channel is also how a node learns that its
// parent is gone, however it went.

/** Sent once by a node that is ready to be asked. */
export interface ReadyNotice {
  readonly kind: 'ready';
  readonly clientAddress: string;
  readonly peerAddress: string;
}

export function isReadyNotice(message: unknown): message is ReadyNotice {
  return typeof message === 'object' && message !== null && 'kind' in message
    ? message.kind === 'ready'
    : false;
}
