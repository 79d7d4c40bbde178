// The parts of a node that an arena does not offer: each says why when it is asked for.
import type { NodeCable, NodeDisk, NodeRelease } from './arena.ts';

/** Why processes of the host cannot be disconnected as a whole, nor run another release. */
export const onlyInContainers = 'only nodes in containers (--compose) have it';

const refuse = (reason: string) => (): Promise<never> => Promise.reject(new Error(reason));

export const fixedCable = (reason: string): NodeCable => ({
  pull: refuse(reason),
  plug: () => Promise.resolve(),
});

export const onlyRelease = (reason: string): NodeRelease => ({
  name: () => Promise.resolve('the only one'),
  exchange: refuse(reason),
});

/** A disk that is used and otherwise left alone. */
export const fixedDisk = (reason: string): NodeDisk => ({
  cutPower: refuse(reason),
  slow: refuse(reason),
  fail: refuse(reason),
  normal: () => Promise.resolve(),
  delayed: () => Promise.resolve(0),
  failed: () => Promise.resolve(0),
  fill: refuse(reason),
  clear: () => Promise.resolve(),
  wipe: refuse(reason),
});
