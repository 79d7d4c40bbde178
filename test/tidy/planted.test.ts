// Shows that each rule of the repository catches what it is there for: every fault is planted alone in a temporary tree.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkHouseRules } from './house-rules.ts';
import { checkImportArrows } from './import-arrows.ts';
import { checkPurity } from './purity.ts';
import { type Finding, readSourceTree, type SourceFile } from './source-tree.ts';

type Check = (files: readonly SourceFile[]) => readonly Finding[];

function findingsIn(check: Check, path: string, text: string): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'rollcall-tidy-'));
  try {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    return check(readSourceTree(root)).map((finding) => `${finding.line}: ${finding.problem}`);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const opening = '// Opens.\n';
const lines = (count: number): string => opening + 'const x = 1;\n'.repeat(count - 1);

const arrows: readonly (readonly [path: string, statement: string, problem: string])[] = [
  ['src/raft/log.ts', "import '../node/ports.ts';", 'raft may not import node'],
  [
    'src/raft/log.ts',
    "import type { A } from '../registry/types.ts';",
    'raft may not import registry',
  ],
  ['src/registry/a.ts', "export * from '../raft/index.ts';", 'registry may not import raft'],
  ['src/registry/a.ts', "import '../config/limits.ts';", 'registry may not import config'],
  ['src/lib/ids.ts', "import '../raft/types.ts';", 'lib may not import raft'],
  ['src/node/a.ts', "import '../storage/wal/writer.ts';", 'node may not import storage'],
  ['src/node/a.ts', "const a = import('../api/grpc/server.ts');", 'node may not import api'],
  ['src/node/a.ts', "type A = import('../cli/main.ts').A;", 'node may not import cli'],
  ['src/storage/wal/a.ts', "import '../../transport/wire.ts';", 'storage may not import transport'],
  ['src/transport/a.ts', "import '../api/grpc/server.ts';", 'transport may not import api'],
  ['src/api/grpc/a.ts', "import '../../storage/a.ts';", 'api may not import storage'],
  ['src/client/a.ts', "import '../node/ports.ts';", 'client may not import node'],
  ['src/config/a.ts', "import '../telemetry/logger.ts';", 'config may not import telemetry'],
  [
    'src/node/a.ts',
    "import { Client } from '@grpc/grpc-js';",
    'node may not use the package @grpc/grpc-js',
  ],
  ['src/raft/a.ts', "import { pack } from 'msgpackr';", 'raft may not use the package msgpackr'],
  ['src/cli/a.ts', "import _ from 'lodash/fp.js';", 'cli may not use the package lodash'],
  ['src/cli/a.ts', "import '../lib/ids.js';", '../lib/ids.js does not end in .ts'],
  ['src/cli/a.ts', "import '../../test/a.ts';", '../../test/a.ts leads out of the folders of src'],
];

describe('a wrong arrow is found', () => {
  test.for(arrows)('%s: %s', ([path, statement, problem]) => {
    expect(findingsIn(checkImportArrows, path, `${opening}${statement}\n`)).toEqual([
      `2: ${problem}`,
    ]);
  });

  test('and so is a folder that is not in the table', () => {
    const found = findingsIn(checkImportArrows, 'src/plugins/a.ts', opening);
    expect(found).toEqual(['1: src has no such folder in the table of import arrows']);
  });

  test('while the arrows that are meant pass', () => {
    for (const [path, statement] of [
      ['src/cli/main.ts', "import '../storage/data-dir.ts'; import { Command } from 'commander';"],
      ['src/api/grpc/a.ts', "import '../../node/ports.ts'; import 'node:net'; import './b.ts';"],
      ['src/registry/a.ts', "import m from 'protobufjs/minimal.js'; import '../lib/ids.ts';"],
    ] as const) {
      expect(findingsIn(checkImportArrows, path, opening + statement)).toEqual([]);
    }
  });
});

const impurities: readonly (readonly [statement: string, problem: string])[] = [
  ["import { readFileSync } from 'node:fs';", 'imports node:fs'],
  ["import { pino } from 'pino';", 'imports pino'],
  ["import 'protobufjs';", 'imports protobufjs'],
  ['const now = Date.now();', 'uses Date'],
  ['const now = new Date();', 'uses Date'],
  ['const chance = Math.random();', 'uses Math.random'],
  ['const now = performance.now();', 'uses performance'],
  ['setTimeout(work, 1);', 'uses setTimeout'],
  ['setImmediate(work);', 'uses setImmediate'],
  ['queueMicrotask(work);', 'uses queueMicrotask'],
  ['let later: Promise<void>;', 'uses Promise'],
  ['const run = async () => 1;', 'is asynchronous'],
  ['async function run() {}', 'is asynchronous'],
  ['export {}; for await (const x of y) run(x);', 'awaits'],
  ['await work();', 'awaits'],
  ["console.log('hello');", 'uses console'],
  ['const mode = process.env;', 'uses process'],
  ['const mode = table[process];', 'uses process'],
  ['const order = a.localeCompare(b);', 'uses localeCompare'],
];

describe('an impure core is found', () => {
  test.for(impurities)('%s', ([statement, problem]) => {
    for (const path of ['src/raft/a.ts', 'src/registry/a.ts']) {
      expect(findingsIn(checkPurity, path, `${opening}${statement}\n`)).toEqual([`2: ${problem}`]);
    }
  });

  test('while the same words pass as names of ours, in comments and in other folders', () => {
    const pure = `${opening}// Math.random and Date are not used.\nconst x = { process: 1, Date: 'Date' }; x.process;\n`;
    expect(findingsIn(checkPurity, 'src/raft/a.ts', pure)).toEqual([]);
    expect(findingsIn(checkPurity, 'src/node/a.ts', 'await Promise.resolve(Date.now());')).toEqual(
      [],
    );
  });
});

const house: readonly (readonly [path: string, finding: string, text: string])[] = [
  ['src/node/a.ts', '401: 401 lines, limit 400', lines(401)],
  ['test/node/a.test.ts', '401: 401 lines, limit 400', lines(401)],
  ['bench/a.ts', '401: 401 lines, limit 400', lines(401)],
  ['cluster/a.ts', '401: 401 lines, limit 400', lines(401)],
  ['src/utils/a.ts', '1: the word utils says nothing about the content', opening],
  ['test/support/test-helpers.ts', '1: the word helpers says nothing about the content', opening],
  ['src/node/lease-manager.ts', '1: the word manager says nothing about the content', opening],
  ['src/lib/common.ts', '1: the word common says nothing about the content', opening],
  ['src/node/base.ts', '1: the word base says nothing about the content', opening],
  ['src/node/leaseWheel.ts', '1: leaseWheel is not in kebab-case', opening],
  ['src/node/a.ts', '1: does not open by saying its part', 'const x = 1;\n'],
  ['src/node/a.ts', '2: names no issue number', `${opening}// TODO later\n`],
  ['src/node/a.ts', '2: names no issue number', `${opening}/* FIXME */\n`],
  ['src/node/a.ts', '2: exports a default', `${opening}export default 1;`],
  ['src/node/a.ts', '3: exports a default', `${opening}const x = 1;\nexport { x as default };`],
  ['src/node/a.ts', '2: declares an enum', `${opening}enum Color { red }`],
  ['src/node/a.ts', '2: says any', `${opening}let x: any;`],
  ['src/node/a.ts', '2: says any', `${opening}const x = y as any[];`],
  ['src/node/a.ts', '2: asserts non-null with !', `${opening}y!.z();`],
  [
    'src/node/a.ts',
    '2: imports node:events',
    `${opening}import { EventEmitter } from 'node:events';`,
  ],
  [
    'src/storage/a.ts',
    '2: reads process.env, which only src/cli/ may',
    `${opening}const x = process.env;`,
  ],
  [
    'src/client/a.ts',
    '2: reads process.argv, which only src/cli/ may',
    `${opening}process.argv[2];`,
  ],
  ['src/node/a.ts', '2: reads Date.now, which only src/cli/ may', `${opening}Date.now();`],
  ['src/node/a.ts', '2: reads Math.random, which only src/cli/ may', `${opening}Math.random();`],
];

describe('a break of the house rules is found', () => {
  test.for(house)('%s: %s', ([path, finding, text]) => {
    expect(findingsIn(checkHouseRules, path, text)).toEqual([finding]);
  });

  test('while what is allowed passes', () => {
    expect(findingsIn(checkHouseRules, 'src/node/a.ts', lines(400))).toEqual([]);
    expect(findingsIn(checkHouseRules, 'src/rpc/gen/Any.ts', 'export default 1;')).toEqual([]);
    expect(findingsIn(checkHouseRules, 'src/lib/base64.ts', opening)).toEqual([]);
    expect(
      findingsIn(checkHouseRules, 'src/lib/a.ts', `${opening}// TODO: see issue #12.`),
    ).toEqual([]);
    expect(
      findingsIn(checkHouseRules, 'src/cli/main.ts', `#!/usr/bin/env node\n${opening}process.env;`),
    ).toEqual([]);
  });
});
