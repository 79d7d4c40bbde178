// The direction of imports between the folders of src (ARCHITECTURE.md), and which folder may use which package.
import { posix } from 'node:path';
import type { Finding, SourceFile } from './source-tree.ts';

/** What each folder of src may import beside itself. A folder that is missing here may not exist. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  raft: ['lib'],
  registry: ['lib'],
  config: ['lib'],
  telemetry: ['config', 'lib'],
  rpc: ['lib'],
  node: ['raft', 'registry', 'config', 'telemetry', 'lib'],
  storage: ['node', 'raft', 'registry', 'config', 'telemetry', 'lib'],
  transport: ['node', 'raft', 'registry', 'rpc', 'config', 'telemetry', 'lib'],
  api: ['node', 'raft', 'registry', 'rpc', 'config', 'telemetry', 'lib'],
  client: ['rpc', 'lib'],
  cli: [
    'api',
    'transport',
    'storage',
    'node',
    'registry',
    'client',
    'rpc',
    'config',
    'telemetry',
    'lib',
  ],
};

/** Where a package may be used. A package that is missing here may not be used in src. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@grpc/grpc-js': ['rpc', 'transport', 'api', 'client'],
  '@grpc/proto-loader': ['rpc', 'transport', 'api', 'client'],
  '@grpc/reflection': ['api'],
  'classic-level': ['storage'],
  'cli-table3': ['cli'],
  commander: ['cli'],
  msgpackr: ['registry', 'storage', 'transport', 'node'],
  pino: ['telemetry', 'node', 'storage', 'transport', 'api', 'cli'],
  'pino-pretty': ['telemetry'],
  protobufjs: ['registry', 'rpc', 'transport', 'api', 'client'],
  yaml: ['config', 'cli'],
  zod: ['config', 'cli'],
};

const folderOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];

/** The package of a bare specifier: `a/b.js` is of `a`, `@a/b/c.js` is of `@a/b`. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

export function checkImportArrows(files: readonly SourceFile[]): readonly Finding[] {
  return files
    .filter((file) => file.path.startsWith('src/'))
    .flatMap((file) => {
      const from = folderOf(file.path);
      if (from === undefined || FOLDERS[from] === undefined) {
        return [finding(file.path, 1, 'src has no such folder in the table of import arrows')];
      }
      return file.imports.flatMap(({ specifier, line }) => {
        const problem = judge(file.path, from, specifier);
        return problem === undefined ? [] : [finding(file.path, line, problem)];
      });
    });
}

function judge(path: string, from: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return undefined;
  if (!specifier.startsWith('.')) {
    const name = packageOf(specifier);
    const allowed = PACKAGES[name]?.includes(from) ?? false;
    return allowed ? undefined : `${from} may not use the package ${name}`;
  }
  if (!specifier.endsWith('.ts')) return `${specifier} does not end in .ts`;
  const target = posix.join(posix.dirname(path), specifier);
  const to = folderOf(target);
  if (to === undefined) return `${specifier} leads out of the folders of src`;
  const allowed = to === from || (FOLDERS[from]?.includes(to) ?? false);
  return allowed ? undefined : `${from} may not import ${to}`;
}

function finding(path: string, line: number, problem: string): Finding {
  return { rule: 'import arrows', path, line, problem };
}
