// All faults by their names.
import { damageState, loseRecord } from './damaged-state.ts';
import { disconnectLeader } from './cable.ts';
import { bridge, flap, isolateLeader, loss, oneWay, partial, split } from './cuts.ts';
import { wallClock } from './clocks.ts';
import type { Fault, FaultKind } from './fault.ts';
import { fullDisk, fullDisks } from './full-disk.ts';
import { killAll, killFollower, killLeader } from './kills.ts';
import { leaveBehind } from './left-behind.ts';
import { changeMembers, wipe } from './members.ts';
import { pauseAll, pauseLeader, wakeCutOff } from './pauses.ts';
import { powerCut, powerCutAll } from './power.ts';
import { herd } from './readers.ts';
import { rotLog } from './rotten-log.ts';
import { rollingRestart, rollingUpgrade } from './restarts.ts';
import { diskError, slowDisk } from './slow-disk.ts';
import { tornTail } from './torn-tail.ts';

export const faults: Readonly<Record<FaultKind, Fault>> = {
  killLeader,
  killFollower,
  killAll,
  pauseLeader,
  pauseAll,
  wakeCutOff,
  isolateLeader,
  split,
  partial,
  oneWay,
  flap,
  disconnectLeader,
  bridge,
  loss,
  slowDisk,
  diskError,
  fullDisk,
  fullDisks,
  tornTail,
  rotLog,
  powerCut,
  powerCutAll,
  damageState,
  loseRecord,
  wipe,
  rollingRestart,
  rollingUpgrade,
  changeMembers,
  leaveBehind,
  herd,
  wallClock,
};

export const faultKinds: readonly FaultKind[] = Object.values(faults).map(({ kind }) => kind);
