// What a store says when the file system is full. In lib, because a store throws it and the node decides by it.

/** The file system has no room for what was to be written. Nothing of it is there, or all of it; it may be tried again once there
 * is room, and until then everything that was written before is as good as it was. */
export class OutOfSpace extends Error {
  override readonly name = 'OutOfSpace';
}
