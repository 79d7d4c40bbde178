// The rest of the house style that a machine can hold: size of files, names, and the parts of the language we do without.
import { type Finding, type SourceFile, type SyntaxNode, walk } from './source-tree.ts';

const MAX_LINES = 400;

/** Names that say nothing about what is inside. */
const EMPTY_WORDS = new Set(
  'util utils helper helpers common manager managers base misc'.split(' '),
);

const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** Event emitters of Node's own streams are met at the edge only. */
const EMITTER_FOLDERS = ['src/api/', 'src/transport/'];

/** The one folder that reads the environment, the arguments, the clock and chance, and hands them in. */
const AMBIENT_FOLDER = 'src/cli/';

/** Modules of src that are handed a Clock; the doors and the client compute gRPC deadlines from the wall clock. */
const CLOCKLESS_FOLDERS = ['src/node/'];

export function checkHouseRules(files: readonly SourceFile[]): readonly Finding[] {
  return files.flatMap((file) => [
    ...checkSize(file),
    ...checkName(file),
    ...checkOpening(file),
    ...checkComments(file),
    ...checkEmitters(file),
    ...checkSyntax(file),
  ]);
}

function checkSize(file: SourceFile): readonly Finding[] {
  const lines = file.text.replace(/\n$/, '').split('\n').length;
  return lines <= MAX_LINES
    ? []
    : [{ ...at(file, 'file size', MAX_LINES + 1), problem: `${lines} lines, limit ${MAX_LINES}` }];
}

function checkName(file: SourceFile): readonly Finding[] {
  return file.path
    .replace(/(\.test)?\.ts$/, '')
    .split('/')
    .flatMap((segment) => {
      if (!KEBAB_CASE.test(segment)) {
        return [{ ...at(file, 'names', 1), problem: `${segment} is not in kebab-case` }];
      }
      const word = segment.split('-').find((part) => EMPTY_WORDS.has(part));
      return word === undefined
        ? []
        : [{ ...at(file, 'names', 1), problem: `the word ${word} says nothing about the content` }];
    });
}

function checkOpening(file: SourceFile): readonly Finding[] {
  const body = file.text.replace(/^#!.*\n/, '');
  return /^\/[/*]/.test(body)
    ? []
    : [{ ...at(file, 'opening comment', 1), problem: 'does not open by saying its part' }];
}

function checkComments(file: SourceFile): readonly Finding[] {
  return file.comments
    .filter(({ text }) => /\b(TODO|FIXME|XXX|HACK)\b/.test(text) && !/#\d+/.test(text))
    .map(({ line }) => ({ ...at(file, 'open ends', line), problem: 'names no issue number' }));
}

function checkEmitters(file: SourceFile): readonly Finding[] {
  if (!file.path.startsWith('src/')) return [];
  if (EMITTER_FOLDERS.some((folder) => file.path.startsWith(folder))) return [];
  return file.imports
    .filter(({ specifier }) => specifier === 'node:events' || specifier === 'events')
    .map(({ line }) => ({ ...at(file, 'event emitters', line), problem: 'imports node:events' }));
}

function checkSyntax(file: SourceFile): readonly Finding[] {
  const found: Finding[] = [];
  walk(file.program, (node) => {
    const broken = judgeLanguage(node) ?? judgeAmbient(file.path, node);
    if (broken === undefined) return;
    found.push({ ...at(file, broken.rule, file.lineOf(node.start)), problem: broken.problem });
  });
  return found;
}

interface Broken {
  readonly rule: string;
  readonly problem: string;
}

function judgeLanguage(node: SyntaxNode): Broken | undefined {
  const rule = 'language';
  if (node.type === 'ExportDefaultDeclaration') return { rule, problem: 'exports a default' };
  if (node.type === 'ExportSpecifier' && nameOf(node['exported']) === 'default') {
    return { rule, problem: 'exports a default' };
  }
  if (node.type === 'TSEnumDeclaration') return { rule, problem: 'declares an enum' };
  if (node.type === 'TSAnyKeyword') return { rule, problem: 'says any' };
  if (node.type === 'TSNonNullExpression') return { rule, problem: 'asserts non-null with !' };
  return undefined;
}

function judgeAmbient(path: string, node: SyntaxNode): Broken | undefined {
  if (!path.startsWith('src/') || path.startsWith(AMBIENT_FOLDER)) return undefined;
  if (node.type !== 'MemberExpression') return undefined;
  const member = `${nameOf(node['object'])}.${nameOf(node['property'])}`;
  const reads = ['process.env', 'process.argv'];
  const clocks = ['Date.now', 'performance.now', 'Math.random'];
  const clockless = CLOCKLESS_FOLDERS.some((folder) => path.startsWith(folder));
  const refused = clockless ? [...reads, ...clocks] : reads;
  return refused.includes(member)
    ? { rule: 'composition root', problem: `reads ${member}, which only ${AMBIENT_FOLDER} may` }
    : undefined;
}

const nameOf = (value: unknown): string =>
  String((value as SyntaxNode)['name'] ?? (value as SyntaxNode)['value']);

function at(file: SourceFile, rule: string, line: number): Omit<Finding, 'problem'> {
  return { rule, path: file.path, line };
}
