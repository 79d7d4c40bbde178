// Why a snapshot from a peer is not taken over. In lib, because a store throws it and the node that pulls decides by it.

/** The records of a snapshot are not those that its header describes. Nothing of it is kept; it may be pulled again. */
export class SnapshotMismatch extends Error {
  override readonly name = 'SnapshotMismatch';
}
