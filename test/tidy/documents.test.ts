// The documents name what there is: links lead somewhere, files in backticks exist, and docs/testing.md tells of every suite.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const isThere = (path: string): boolean => existsSync(join(root, path));

const markdownIn = (folder: string): readonly string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const documents = [...markdownIn('.'), ...markdownIn('docs'), ...markdownIn('docs/adr')];

/** Headings as a reader of the page links to them. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

function brokenLinks(path: string, text: string): readonly string[] {
  const broken: string[] = [];
  for (const [link, file = '', anchor = ''] of text.matchAll(/\]\(([^)#\s]*)#?([^)]*)\)/g)) {
    if (/^[a-z]+:/.test(file)) continue;
    const target = file === '' ? path : normalize(join(dirname(path), file));
    const lost = !isThere(target) || (anchor !== '' && !anchorsOf(read(target)).includes(anchor));
    if (lost) broken.push(`${path}: ${link}`);
  }
  return broken;
}

/** Paths that begin in a folder of the root, or in one of src or test. */
function lostFiles(path: string, text: string): readonly string[] {
  const named = [...text.matchAll(/`([\w-]+\/[\w./-]+\.(?:ts|sh|md))`/g)].map(([, at = '']) => at);
  return named
    .filter((file) => !['', 'src', 'test', 'docs'].some((base) => isThere(join(base, file))))
    .map((file) => `${path}: ${file}`);
}

/** Scripts that build or start something: everything else tests or measures. */
const NO_SUITE = new Set(['gen', 'build', 'build:tools', 'typecheck', 'lint', 'fix', 'start']);

function untoldSuites(scripts: readonly string[], text: string): readonly string[] {
  return scripts.filter((name) => {
    if (NO_SUITE.has(name) || name.startsWith('pre')) return false;
    return !new RegExp(`\`npm (?:run )?${name}[ \`]`).test(text);
  });
}

describe('the documents', () => {
  test('have links that lead somewhere', () => {
    expect(documents.length).toBeGreaterThan(25);
    expect(documents.flatMap((path) => brokenLinks(path, read(path)))).toEqual([]);
  });

  test('name files that are there', () => {
    expect(documents.flatMap((path) => lostFiles(path, read(path)))).toEqual([]);
  });

  test('tell of every suite in docs/testing.md', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(untoldSuites(Object.keys(scripts), read('docs/testing.md'))).toEqual([]);
  });

  test('are really looked at: what is wrong in a document is found', () => {
    expect(brokenLinks('docs/a.md', '[x](lost.md) [y](limits.md#no-such-heading)')).toHaveLength(2);
    expect(brokenLinks('docs/a.md', '[x](limits.md) [y](../README.md#grpc)')).toEqual([]);
    expect(lostFiles('docs/a.md', '`node/lost.ts`, `node/loop.ts`')).toEqual([
      'docs/a.md: node/lost.ts',
    ]);
    expect(untoldSuites(['build', 'test', 'sim'], '`npm test`')).toEqual(['sim']);
  });
});
