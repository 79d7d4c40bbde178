// raft/ and registry/ are pure and synchronous: same inputs, same outputs, byte for byte. The simulator and the state
// hashes stand on that, so nothing there may reach for time, chance, I/O or another turn of the event loop.
import { type Finding, type SourceFile, type SyntaxNode, walk } from './source-tree.ts';

const PURE_FOLDERS = ['src/raft/', 'src/registry/'];

/** Pure computation only; node: modules and everything else are refused. */
const PURE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'src/raft/': [],
  'src/registry/': ['msgpackr', 'protobufjs/minimal.js'],
};

/** Names that reach outside, as values or as types. */
const IMPURE_NAMES = new Set([
  'Date',
  'performance',
  'Promise',
  'console',
  'process',
  'globalThis',
  'global',
  'crypto',
  'fetch',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'queueMicrotask',
  'AbortSignal',
  'AbortController',
  'EventTarget',
  'Intl',
]);

/** Methods whose answer depends on the machine's locale or on chance. */
const IMPURE_MEMBERS = new Set(['Math.random', 'localeCompare', 'toLocaleString']);

export function checkPurity(files: readonly SourceFile[]): readonly Finding[] {
  return files.flatMap((file) => {
    const folder = PURE_FOLDERS.find((prefix) => file.path.startsWith(prefix));
    return folder === undefined ? [] : [...impureImports(file, folder), ...impureSyntax(file)];
  });
}

function impureImports(file: SourceFile, folder: string): readonly Finding[] {
  const packages = PURE_PACKAGES[folder] ?? [];
  return file.imports
    .filter(({ specifier }) => !specifier.startsWith('.') && !packages.includes(specifier))
    .map(({ specifier, line }) => finding(file, line, `imports ${specifier}`));
}

function impureSyntax(file: SourceFile): readonly Finding[] {
  const found: Finding[] = [];
  walk(file.program, (node, parent, field) => {
    const problem = judge(node, parent, field);
    if (problem !== undefined) found.push(finding(file, file.lineOf(node.start), problem));
  });
  return found;
}

function judge(
  node: SyntaxNode,
  parent: SyntaxNode | undefined,
  field: string,
): string | undefined {
  if (node['async'] === true) return 'is asynchronous';
  if (node.type === 'AwaitExpression') return 'awaits';
  if (node.type === 'ForOfStatement' && node['await'] === true) return 'awaits';
  if (node.type === 'MemberExpression') return judgeMember(node);
  if (node.type !== 'Identifier' || !IMPURE_NAMES.has(String(node['name']))) return undefined;
  // `x.process` and `{ process: … }` are names of ours, not the global.
  const isOwnName = (field === 'property' || field === 'key') && parent?.['computed'] !== true;
  return isOwnName ? undefined : `uses ${String(node['name'])}`;
}

function judgeMember(node: SyntaxNode): string | undefined {
  const member = nameOf(node['property']);
  const qualified = `${nameOf(node['object'])}.${member}`;
  const impure = IMPURE_MEMBERS.has(member) || IMPURE_MEMBERS.has(qualified);
  return impure ? `uses ${IMPURE_MEMBERS.has(member) ? member : qualified}` : undefined;
}

const nameOf = (value: unknown): string => String((value as SyntaxNode)['name']);

function finding(file: SourceFile, line: number, problem: string): Finding {
  return { rule: 'purity', path: file.path, line, problem };
}
