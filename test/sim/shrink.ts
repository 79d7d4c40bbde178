// Delta debugging over a plan's actions: takes away as much as it can while the run still fails in the same way, so that
// what is left is the story of the bug.
import type { Plan, Planned } from './plan.ts';

export interface ShrinkOptions {
  /** Runs the plan; true when it still fails in the same way. */
  readonly fails: (plan: Plan) => Promise<boolean>;
  /** Runs at most. */
  readonly maxRuns: number;
  readonly progress?: (left: number, runs: number) => void;
}

/** The smallest failing plan found. `plan` itself must fail. */
export async function shrinkPlan(plan: Plan, options: ShrinkOptions): Promise<Plan> {
  let best = plan;
  let parts = 2;
  let runs = 0;
  const stillFails = async (candidate: Plan): Promise<boolean> => {
    runs++;
    return options.fails(candidate);
  };
  while (best.actions.length > 1 && runs < options.maxRuns) {
    const smaller = await withoutOnePart(best, parts, stillFails, () => runs >= options.maxRuns);
    if (smaller !== undefined) {
      best = smaller;
      parts = Math.max(2, parts - 1);
      options.progress?.(best.actions.length, runs);
    } else if (parts < best.actions.length) parts = Math.min(best.actions.length, parts * 2);
    else break;
  }
  return shortened(best, stillFails);
}

async function withoutOnePart(
  plan: Plan,
  parts: number,
  fails: (plan: Plan) => Promise<boolean>,
  exhausted: () => boolean,
): Promise<Plan | undefined> {
  const size = Math.ceil(plan.actions.length / parts);
  // From the end: what came after the failure goes first.
  for (let from = (parts - 1) * size; from >= 0; from -= size) {
    if (exhausted()) return undefined;
    const actions: readonly Planned[] = plan.actions.toSpliced(from, size);
    if (actions.length === plan.actions.length) continue;
    const candidate = { ...plan, actions };
    if (await fails(candidate)) return candidate;
  }
  return undefined;
}

/** Chaos that ends soon after the last action, where that is enough. */
async function shortened(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  const lastMs = plan.actions.at(-1)?.atMs ?? 0;
  const chaosMs = Math.min(plan.parameters.chaosMs, lastMs + 500);
  const candidate = { ...plan, parameters: { ...plan.parameters, chaosMs } };
  return (await fails(candidate)) ? candidate : plan;
}
