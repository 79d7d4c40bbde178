// The repository lints itself: a wrong arrow, an impure core or an oversized file fails the build like any other bug.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkHouseRules } from './house-rules.ts';
import { checkImportArrows } from './import-arrows.ts';
import { checkPurity } from './purity.ts';
import { describeFinding, readSourceTree } from './source-tree.ts';

const files = readSourceTree(join(import.meta.dirname, '../..'));

describe('this repository', () => {
  test('was really read: the contract files are there', () => {
    const paths = files.map((file) => file.path);
    expect(paths).toContain('src/raft/types.ts');
    expect(paths).toContain('src/node/ports.ts');
    expect(paths.length).toBeGreaterThan(25);
  });

  test('imports follow the arrows between the folders', () => {
    expect(checkImportArrows(files).map(describeFinding)).toEqual([]);
  });

  test('raft/ and registry/ are pure', () => {
    expect(checkPurity(files).map(describeFinding)).toEqual([]);
  });

  test('files keep the house rules: size, names, opening comment, language', () => {
    expect(checkHouseRules(files).map(describeFinding)).toEqual([]);
  });
});
