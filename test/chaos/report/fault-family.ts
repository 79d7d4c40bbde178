// Faults by what they strike, for colours and legends.
import type { FaultKind } from '../faults/fault.ts';

export const families = ['process', 'pause', 'network', 'disk', 'other'] as const;
export type Family = (typeof families)[number];

export const familyNames: Readonly<Record<Family, string>> = {
  process: 'kill, restart',
  pause: 'pause',
  network: 'network',
  disk: 'disk, power',
  other: 'members, readers, clock',
};

export const familyOf: Readonly<Record<FaultKind, Family>> = {
  killLeader: 'process',
  killFollower: 'process',
  killAll: 'process',
  rollingRestart: 'process',
  rollingUpgrade: 'process',
  pauseLeader: 'pause',
  pauseAll: 'pause',
  wakeCutOff: 'pause',
  isolateLeader: 'network',
  split: 'network',
  partial: 'network',
  oneWay: 'network',
  flap: 'network',
  bridge: 'network',
  loss: 'network',
  disconnectLeader: 'network',
  slowDisk: 'disk',
  diskError: 'disk',
  fullDisk: 'disk',
  fullDisks: 'disk',
  tornTail: 'disk',
  rotLog: 'disk',
  powerCut: 'disk',
  powerCutAll: 'disk',
  damageState: 'disk',
  loseRecord: 'disk',
  wipe: 'disk',
  changeMembers: 'other',
  leaveBehind: 'other',
  herd: 'other',
  wallClock: 'other',
};
