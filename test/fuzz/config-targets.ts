// Configuration: files that are no YAML or say something else, and words where others are expected, from file, variables and flags.
import * as fc from 'fast-check';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { fields } from '../../src/config/schema.ts';
import { mutated } from './mutation.ts';
import { type Target, target, unlessRefused } from './target.ts';

const file = Buffer.from(`# a node
node_id: n1
cluster_id: rollcall
data_dir: /var/lib/rollcall
listen_client: 127.0.0.1:7400
listen_peer: "[::1]:7401"
initial_members: n1=a:7401,n2=b:7401,n3=c:7401
heartbeat_ms: 100
election_ms: 1000
allow_remote_admin: false
limits: &limits
  log_entries: 1000
  max_watches: 10
log_level: info
`);
const other = Buffer.from(
  '{"node_id": "n2", "limits": {"batch_instances": 3}, "join": "a:7400, b:7400"}\n',
);
const bombs = [
  'a: &a [x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nlimits: *c\n',
  '? [complex]\n: key\n',
  '<<: {node_id: n1}\n',
  '- a\n- list\n',
  '%YAML 9.9\n---\nnode_id: !!js/function x\n',
  'node_id: n1\nnode_id: n2\n',
  `${'['.repeat(3000)}\n`,
  `${'- '.repeat(3000)}\n`,
  `${'? '.repeat(3000)}\n`,
  `limits: ${'{a: '.repeat(90)}1${'}'.repeat(90)}\n`,
];

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    'n1',
    'a:1',
    'a:99999',
    '[::]:1',
    '0',
    '-1',
    '1e9',
    '99999999999999999999',
    'true',
    'off',
    '',
  ),
  fc.constantFrom('n1=a:1,n1=a:2', 'n1=a:1,,', '='.repeat(50), 'n1=[::1:7', 'a:1,'.repeat(40)),
);
const variable = fc.tuple(
  fc.constantFrom(...fields.map((field) => field.variable), 'ROLLCALL_CONFIG', 'ROLLCALL_X'),
  word,
);
const flag = fc.tuple(
  fc.constantFrom(
    ...fields.map((field) => field.flag.replace(/^--/, '')),
    'config',
    'no-such-flag',
  ),
  fc.oneof(word, fc.boolean()),
);
const yaml = fc.oneof(
  mutated([file, other]).map(String),
  fc.constantFrom(...bombs),
  fc
    .dictionary(
      fc.constantFrom(...fields.map((field) => field.key)),
      fc.jsonValue({ maxDepth: 2 }),
      {
        maxKeys: 6,
        noNullPrototype: true,
      },
    )
    .map((content) => JSON.stringify(content)),
);

export const configTargets: readonly Target[] = [
  target({
    name: 'configuration',
    what: 'files, variables and flags of a server',
    cases: fc.record({
      text: fc.option(yaml, { nil: undefined }),
      variables: fc.array(variable, { maxLength: 4 }),
      flags: fc.array(flag, { maxLength: 5 }),
    }),
    run: async ({ text, variables, flags }) => {
      const given = new Map<string, string | boolean>(flags);
      if (text !== undefined) given.set('config', 'n1.yaml');
      const sources = {
        flags: given,
        environment: Object.fromEntries(variables),
        readFile: () => text ?? '',
      };
      await unlessRefused(() => loadConfig(sources), ConfigError);
    },
  }),
];
