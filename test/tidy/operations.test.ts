// docs/operations.md and docs/recovery.md hold no command that nobody runs: each block of commands is a runbook that a test reads, or
// says why not; each command in running text exists with its options; the exit codes are the program's.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { runProgram } from '../../src/cli/program.ts';
import { FakeContext } from '../support/cli-context.ts';
import { repositoryRoot } from '../support/repository-root.ts';

const root = repositoryRoot();
const pageOf = (name: string): string => readFileSync(join(root, 'docs', name), 'utf8');

interface Block {
  readonly line: number;
  /** After the opening fence; `text` is output. */
  readonly language: string;
  /** The comment on the line before, if it is one. */
  readonly mark: string;
  readonly content: string;
}

function readBlocks(text: string): readonly Block[] {
  const fenced = /^( *(?:<!-- [^\n]* -->)?)\n *```([a-z]*)\n([^]*?)\n *```$/gm;
  return [...text.matchAll(fenced)].map(
    ({ index, 1: before = '', 2: language = '', 3: content = '' }) => ({
      line: text.slice(0, index).split('\n').length,
      language,
      mark: /<!-- (.*) -->/.exec(before)?.[1] ?? '',
      content,
    }),
  );
}

/** What stops a block of commands from being believed, in words; undefined where a test runs it. */
function doubt({ language, mark }: Block, tests: string): string | undefined {
  if (language === 'text') return undefined;
  if (language !== '') return `is ${language}, neither commands nor text`;
  const [, reason] = /^not run: (.{20,})$/.exec(mark) ?? [];
  if (reason !== undefined) return undefined;
  const [, book, part] = /^runbook ([a-z]+): (.+)$/.exec(mark) ?? [];
  if (book === undefined || part === undefined) return 'is neither a runbook nor says why not run';
  const named = (word: string): boolean =>
    tests.includes(`'${word}'`) || tests.includes(`"${word}"`);
  if (!named(book)) return `no test reads the runbook "${book}"`;
  return named(part) ? undefined : `no test runs the part "${part}" of "${book}"`;
}

function doubtsOf(text: string, tests: string): readonly string[] {
  return readBlocks(text).flatMap((block) => {
    const problem = doubt(block, tests);
    return problem === undefined ? [] : [`line ${block.line}: ${problem}`];
  });
}

/** Sources that follow runbooks: what they name as a string is run, or fails when it is not there. */
function readFollowers(): string {
  const folders = ['test/cluster', 'test/compose', 'test/integration', 'test/recovery'];
  const texts = folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.ts') && name !== 'runbook.ts')
      .map((name) => readFileSync(join(root, folder, name), 'utf8')),
  );
  return texts.filter((text) => /\/runbook\.ts|\/town\.ts|containerCommands/.test(text)).join('\n');
}

/** `rollcall …` in running text, words and options; placeholders end it. */
function readInline(text: string): readonly string[] {
  const prose = text.replaceAll(/```[^]*?```/g, '');
  return [...prose.matchAll(/`rollcall ((?:[a-z-]+ ?)+)/g)].map(([, words = '']) => words.trim());
}

async function helpOf(words: readonly string[]): Promise<string> {
  const context = new FakeContext();
  const code = await runProgram([...words, '--help'], context, '0.0.0');
  return code === EXIT.done ? context.out.join('\n') : '';
}

/** The command that the words begin with, and its help. */
async function resolve(
  line: string,
): Promise<{ readonly help: string; readonly options: readonly string[] }> {
  const words = line.split(' ');
  const options = words.filter((word) => word.startsWith('--'));
  const named = words.filter((word) => !word.startsWith('--'));
  const depth = named[0] === 'member' || named[0] === 'snapshot' ? 2 : 1;
  const help = await helpOf(named.slice(0, depth));
  // Asked about a command it does not know, the program helps with itself.
  return { help: help.startsWith(`Usage: rollcall ${named[0] ?? ''}`) ? help : '', options };
}

const followers = readFollowers();

describe.for([
  { name: 'operations.md', blocks: 20, commands: 5 },
  { name: 'recovery.md', blocks: 10, commands: 2 },
])('docs/$name', ({ name, blocks, commands }) => {
  const document = pageOf(name);

  test('has its commands run by tests, or says why not', () => {
    expect(readBlocks(document).length).toBeGreaterThan(blocks);
    expect(doubtsOf(document, followers)).toEqual([]);
    // Indented or not, no fence was overlooked.
    const fences = document.match(/^ *```/gm) ?? [];
    expect(fences.length).toBe(2 * readBlocks(document).length);
  });

  test('names no command and no option that does not exist', async () => {
    const lines = readInline(document);
    expect(lines.length).toBeGreaterThanOrEqual(commands);
    for (const line of lines) {
      const { help, options } = await resolve(line);
      expect(help, `rollcall ${line}`).toContain('Usage: rollcall');
      for (const option of options.filter((one) => one !== '--help')) {
        expect(help, `rollcall ${line}`).toContain(option);
      }
    }
  });
});

describe('what the pages are held to', () => {
  test('a command without a mark, a runbook nobody follows, a part nobody runs: each would be noticed', () => {
    const planted = [
      'Do:\n\n```\nrollcall members\n```\n',
      '<!-- runbook nobody: follows -->\n```\nrollcall members\n```\n',
      '<!-- runbook replace: never -->\n```\nrollcall members\n```\n',
      '<!-- not run: -->\n```\nrollcall members\n```\n',
      "<!-- runbook replace: on a member's host -->\n```sh\nrollcall members\n```\n",
    ];
    for (const text of planted) expect(doubtsOf(text, followers), text).toHaveLength(1);
  });

  test('an invented command or option would be noticed', async () => {
    expect((await resolve('defragment n1')).help).toBe('');
    const { help, options } = await resolve('status --force');
    expect(help).not.toContain(options[0]);
  });

  test('docs/operations.md says what each exit code means', () => {
    const [, table = ''] = /^## Exit codes\n\n([^]*?)\n\n/m.exec(pageOf('operations.md')) ?? [];
    const codes = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });
});
