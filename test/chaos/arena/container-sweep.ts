// Takes away all that a compose project has, from its name alone: for a process on its way out, which waits for nothing, and
// for what a run that was killed has left.
import { runAtOnce } from './command.ts';
import { endProcessesOf } from './sweep.ts';

const prefix = 'rollcall-chaos-';
const projectLabel = 'com.docker.compose.project';

/** The owner is in the name, so that whoever comes next knows whether it is still there. */
export const projectOf = (owner: number): string => `${prefix}${owner}`;

/** Of processes that are gone. */
export function abandonedProjects(): readonly string[] {
  const format = ['--format', `{{.Label "${projectLabel}"}}`];
  const found = [
    ['ps', '-a'],
    ['volume', 'ls'],
    ['network', 'ls'],
  ].flatMap((listing) =>
    linesOf(runAtOnce('docker', [...listing, '--filter', `label=${projectLabel}`, ...format])),
  );
  return [...new Set(found)].filter((project) => isAbandoned(project));
}

function isAbandoned(project: string): boolean {
  const owner = Number(project.slice(prefix.length));
  if (!project.startsWith(prefix) || !(owner > 0)) return false;
  if (owner === process.pid) return true;
  try {
    process.kill(owner, 0);
    return false;
  } catch {
    return true;
  }
}

/** Does nothing where nothing is left. A command that is under way is ended first: it would go on making what is taken away. */
export function sweepProject(project: string): void {
  endProcessesOf(`COMPOSE_PROJECT_NAME=${project}`);
  const label = ['--filter', `label=${projectLabel}=${project}`];
  const sweep = (listing: readonly string[], removal: readonly string[]): void => {
    const left = linesOf(runAtOnce('docker', [...listing, '-q', ...label]));
    if (left.length > 0) runAtOnce('docker', [...removal, ...left]);
  };
  sweep(['ps', '-a'], ['rm', '-f', '-v']);
  sweep(['volume', 'ls'], ['volume', 'rm', '-f']);
  sweep(['network', 'ls'], ['network', 'rm']);
}

const linesOf = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');
