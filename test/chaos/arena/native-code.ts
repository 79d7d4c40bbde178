// The parts of the arena that no script can do, compiled where they are used: they are of the host's C library and kernel.
import { join } from 'node:path';
import { repositoryRoot } from '../../support/repository-root.ts';
import { run, whyNoProgram } from './command.ts';

const sources = join('test', 'chaos', 'arena', 'native');

/** Compiles one of native/ into the directory. Rejects where there is no compiler. */
export async function compile(
  source: 'power-cut.c' | 'preload.c',
  directory: string,
): Promise<string> {
  const noCompiler = whyNoProgram('gcc');
  if (noCompiler !== undefined) throw new Error(noCompiler);
  const product = join(directory, source === 'preload.c' ? 'preload.so' : 'power-cut');
  const kind = source === 'preload.c' ? ['-shared', '-fPIC'] : [];
  const from = join(repositoryRoot(), sources, source);
  await run('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', ...kind, '-o', product, from]);
  return product;
}
