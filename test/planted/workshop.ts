// Copies the sources once, builds them once, and makes a patched copy of what was built for each bug. The working tree may
// change meanwhile: what is hunted in is what was there at the beginning.
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Patch, PlantedBug } from './bug.ts';
import { start } from './process.ts';

export interface Workshop {
  readonly root: string;
  /** Holds the untouched copy, and one folder for each bug while it is hunted. */
  readonly directory: string;
}

/** A folder with the bug in it: `build` compiled, and for hunters that run sources `src` and `test` as well. */
export type Planted =
  | { readonly kind: 'planted'; readonly directory: string }
  | { readonly kind: 'problem'; readonly reason: string };

const CONFIGURATION = ['package.json', 'package-lock.json', 'tsconfig.json', 'vitest.config.ts'];

/** Types are not checked: a patch may leave something unused, or go through a door that the types keep shut. */
const COMPILER_OPTIONS = {
  noEmit: false,
  noCheck: true,
  noResolve: true,
  types: [],
  rootDir: '.',
  outDir: 'build',
};

export async function openWorkshop(root: string): Promise<Workshop> {
  const directory = join(root, '.tmp', 'planted', String(process.pid));
  rmSync(directory, { recursive: true, force: true });
  const workshop: Workshop = { root, directory };
  const base = baseOf(workshop);
  copySources(workshop, base, root);
  const problem = await compile(workshop, base, { include: ['src', 'test'] });
  if (problem !== undefined) throw new Error(`the sources do not compile: ${problem}`);
  return workshop;
}

export function closeWorkshop({ directory }: Workshop): void {
  rmSync(directory, { recursive: true, force: true });
}

const baseOf = ({ directory }: Workshop): string => join(directory, 'base');

/** What is planted; without a hunter that runs tests, `build` is enough. */
export type Plant = Pick<PlantedBug, 'name' | 'patches'> & Partial<Pick<PlantedBug, 'hunter'>>;

export async function plantBug(workshop: Workshop, bug: Plant): Promise<Planted> {
  const directory = join(workshop.directory, bug.name.replaceAll(/\W+/g, '-'));
  rmSync(directory, { recursive: true, force: true });
  const base = baseOf(workshop);
  if (bug.hunter?.kind === 'tests') copySources(workshop, directory, base);
  else {
    mkdirSync(directory, { recursive: true });
    cpSync(join(base, 'tsconfig.json'), join(directory, 'tsconfig.json'));
    cpSync(join(base, 'build'), join(directory, 'build'), { recursive: true });
  }
  const files = [...new Set(bug.patches.map(({ file }) => file))];
  for (const file of files) {
    const patches = bug.patches.filter((patch) => patch.file === file);
    const source = readFileSync(join(base, 'src', file), 'utf8');
    const patched = applyPatches(source, patches);
    if (patched.kind === 'problem') return patched;
    const path = join(directory, 'src', file);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, patched.source);
  }
  if (bug.hunter?.kind === 'tests' || files.length === 0) return { kind: 'planted', directory };
  const reason = await compile(workshop, directory, { files: files.map((file) => `src/${file}`) });
  return reason === undefined ? { kind: 'planted', directory } : { kind: 'problem', reason };
}

function applyPatches(
  original: string,
  patches: readonly Patch[],
): { readonly kind: 'patched'; readonly source: string } | Extract<Planted, { kind: 'problem' }> {
  let source = original;
  for (const { file, find, replace } of patches) {
    const places = source.split(find).length - 1;
    if (places !== 1) {
      const reason = `"${find}" stands ${places} times in ${file}; the patch needs one place`;
      return { kind: 'problem', reason };
    }
    source = source.replace(find, () => replace);
  }
  return { kind: 'patched', source };
}

function copySources({ root }: Workshop, directory: string, from: string): void {
  mkdirSync(directory, { recursive: true });
  for (const name of ['src', 'test', ...CONFIGURATION]) {
    cpSync(join(from, name), join(directory, name), { recursive: true });
  }
  symlinkSync(join(root, 'proto'), join(directory, 'proto'));
}

/** Returns what the compiler complains about. */
async function compile(
  { root }: Workshop,
  directory: string,
  which: { readonly include: readonly string[] } | { readonly files: readonly string[] },
): Promise<string | undefined> {
  const project = join(directory, 'tsconfig.planted.json');
  const options = { extends: './tsconfig.json', include: [], ...which };
  writeFileSync(project, JSON.stringify({ ...options, compilerOptions: COMPILER_OPTIONS }));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, stdout, stderr } = await start(process.execPath, [compiler, '-p', project], {
    cwd: directory,
    limitMs: 60_000,
  });
  return code === 0 ? undefined : (stdout || stderr).trim();
}
