// docs/limits.md says what src/config/limits.ts says: every limit, its default, range and unit, and nothing that is gone.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { limitNames, limitSpecs } from '../../src/config/limits.ts';
import { snakeCase } from '../../src/config/schema.ts';
import { repositoryRoot } from '../support/repository-root.ts';

const document = readFileSync(join(repositoryRoot(), 'docs/limits.md'), 'utf8');

/** The rows between the two marks, without the head of the table. */
function rowsOf(text: string): readonly string[] {
  const [, table = ''] = /<!-- limits -->\n([^]*?)<!-- end -->/.exec(text) ?? [];
  return table.trimEnd().split('\n').slice(2);
}

test('docs/limits.md lists every limit of the configuration as it is, in its order', () => {
  const rows = limitNames.map((name) => {
    const { default: preset, min, max, unit, why } = limitSpecs[name];
    return `| \`${snakeCase(name)}\` | ${preset} | ${min} to ${max} | ${unit} | ${why} |`;
  });
  expect(rowsOf(document)).toEqual(rows);
});

test('a row that differs would be noticed', () => {
  expect(rowsOf(document.replace('| 65535 |', '| 65534 |'))).not.toEqual(rowsOf(document));
});
