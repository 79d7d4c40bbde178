// Reads and parses a source tree, so that the repository's own rules are checked on syntax and not on text that only
// looks like it. Every check takes a tree, so a test can plant a fault in a temporary one.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { parseSync } from 'oxc-parser';

/** One node of the ESTree that the parser hands out, as loosely as a walk over all kinds of node needs it. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

interface Comment {
  readonly text: string;
  readonly line: number;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly program: SyntaxNode;
  readonly comments: readonly Comment[];
  /** Static, dynamic, re-exported and type-only ones alike: a type is an arrow too. */
  readonly imports: readonly Import[];
  lineOf(offset: number): number;
}

export interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly problem: string;
}

/** The folders that hold code of ours; what is generated or built is left out. */
const CODE_FOLDERS = ['src', 'test', 'bench', 'cluster'];
const GENERATED = ['src/rpc/gen/', 'node_modules/'];

/** Parses every .ts file of the tree, sorted by path. Throws when one does not parse. */
export function readSourceTree(root: string): readonly SourceFile[] {
  return CODE_FOLDERS.flatMap((folder) => listFiles(join(root, folder)))
    .map((path) => relative(root, path).split(sep).join('/'))
    .filter((path) => path.endsWith('.ts') && !GENERATED.some((prefix) => path.startsWith(prefix)))
    .toSorted()
    .map((path) => parseFile(path, readFileSync(join(root, path), 'utf8')));
}

function listFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
      .map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parseFile(path: string, text: string): SourceFile {
  const parsed = parseSync(path, text);
  const firstError = parsed.errors[0];
  if (firstError !== undefined) throw new Error(`${path}: ${firstError.message}`);
  const lineOf = (offset: number): number => text.slice(0, offset).split('\n').length;
  const program = parsed.program as unknown as SyntaxNode;
  const statics = [
    ...parsed.module.staticImports.map((found) => found.moduleRequest),
    ...parsed.module.staticExports.flatMap((found) =>
      found.entries.flatMap((entry) => entry.moduleRequest ?? []),
    ),
  ].map((request) => ({ specifier: request.value, line: lineOf(request.start) }));
  return {
    path,
    text,
    program,
    comments: parsed.comments.map((comment) => ({
      text: comment.value,
      line: lineOf(comment.start),
    })),
    imports: [...statics, ...inlineImports(program, lineOf)],
    lineOf,
  };
}

/** `import('x')` as an expression and as a type. */
function inlineImports(program: SyntaxNode, lineOf: (offset: number) => number): readonly Import[] {
  const found: Import[] = [];
  walk(program, (node) => {
    if (node.type !== 'ImportExpression' && node.type !== 'TSImportType') return;
    const source = node['source'];
    if (isSyntaxNode(source) && typeof source['value'] === 'string') {
      found.push({ specifier: source['value'], line: lineOf(source.start) });
    }
  });
  return found;
}

/** Visits every node once, parents first, with the parent and the name of the field that holds the node. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined, field: string) => void,
): void {
  const descend = (current: SyntaxNode, parent: SyntaxNode | undefined, name: string): void => {
    visit(current, parent, name);
    for (const [field, value] of Object.entries(current)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (isSyntaxNode(child)) descend(child, current, field);
      }
    }
  };
  descend(node, undefined, '');
}

function isSyntaxNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

/** One line for people. */
export function describeFinding(finding: Finding): string {
  return `${finding.path}:${finding.line}: ${finding.problem} (${finding.rule})`;
}
