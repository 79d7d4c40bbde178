// How the tables of this folder are written down.
import { type Patch, type PlantedBug, simulation } from '../../planted/bug.ts';

/** One change: in this file of src, this text becomes that one. */
export function patch(file: string, find: string, replace: string): Patch {
  return { file, find, replace };
}

type Describe = (
  name: string,
  patches: Patch | readonly Patch[],
  /** Name of the scenario that must fail with it. */
  scenario?: string,
) => PlantedBug;

/** Bugs of one area, hunted by the simulator. */
export function inArea(area: string): Describe {
  return (name, patches, scenario) => ({
    area,
    name,
    patches: Array.isArray(patches) ? (patches as readonly Patch[]) : [patches as Patch],
    hunter: simulation,
    ...(scenario === undefined ? {} : { scenario }),
  });
}
