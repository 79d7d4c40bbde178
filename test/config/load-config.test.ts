// The node's configuration: where values come from, what is refused, and how it is said.
import { describe, expect, test } from 'vitest';
import { defaultLimits } from '../../src/config/limits.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import {
  type LoadedConfig,
  loadConfig,
  requireInitialMembers,
} from '../../src/config/load-config.ts';
import { fields } from '../../src/config/schema.ts';

interface Given {
  readonly flags?: Readonly<Record<string, string | boolean>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly file?: string;
}

function load({ flags = {}, variables = {}, file }: Given): LoadedConfig {
  const config = file === undefined ? {} : { config: 'n1.yaml' };
  return loadConfig({
    flags: new Map(Object.entries({ ...config, ...flags })),
    environment: variables,
    readFile: (path) => {
      if (path !== 'n1.yaml' || file === undefined) throw new Error('ENOENT: no such file');
      return file;
    },
  });
}

function problemOf(given: Given): string {
  try {
    load(given);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return 'no problem';
}

const n1 = { 'node-id': 'n1' };
const members = 'n1=a:7401,n2=b:7401,n3=c:7401';

describe('a configuration', () => {
  test('needs nothing but a node id, and has the documented defaults', () => {
    const { config, warnings } = load({ flags: { 'node-id': 'n1' } });
    expect(config).toEqual({
      nodeId: 'n1',
      clusterId: 'rollcall',
      dataDir: './data',
      listenClient: { host: '127.0.0.1', port: 7400 },
      listenPeer: { host: '127.0.0.1', port: 7401 },
      advertiseClient: undefined,
      advertisePeer: undefined,
      initialMembers: undefined,
      join: undefined,
      allowRemoteAdmin: false,
      repair: 'auto',
      shutdownMs: 5000,
      heartbeatMs: 50,
      electionMs: 300,
      logLevel: 'info',
      logFormat: undefined,
      limits: defaultLimits,
    });
    expect(warnings).toEqual([]);
  });

  test('takes flags before variables, variables before the file, the file before defaults', () => {
    const file = 'node_id: n1\nshutdown_ms: 1001\nheartbeat_ms: 61\nlog_level: warn\n';
    const variables = { ROLLCALL_SHUTDOWN_MS: '1002', ROLLCALL_HEARTBEAT_MS: '62' };
    const { config } = load({ file, variables, flags: { 'shutdown-ms': '1003' } });
    expect(config).toMatchObject({
      shutdownMs: 1003,
      heartbeatMs: 62,
      logLevel: 'warn',
      electionMs: 300,
    });
  });

  test('is read from JSON as well as from YAML, and from where ROLLCALL_CONFIG says', () => {
    const json = '{"node_id": "n2", "limits": {"max_watches": 7}}';
    expect(load({ file: json }).config).toMatchObject({ nodeId: 'n2', limits: { maxWatches: 7 } });
    const loaded = loadConfig({
      flags: new Map(),
      environment: { ROLLCALL_CONFIG: 'x.json' },
      readFile: () => json,
    });
    expect(loaded.config.nodeId).toBe('n2');
  });

  test('has a flag, a key and a variable for every limit', () => {
    const flags = { 'node-id': 'n1', 'limit-page-size': '10' };
    const variables = { ROLLCALL_LIMIT_BEATS: '20' };
    const { config } = load({ flags, variables, file: 'limits:\n  tags: 30\n' });
    expect(config.limits).toEqual({ ...defaultLimits, pageSize: 10, beats: 20, tags: 30 });
  });

  test('only warns about variables nobody knows, because orchestrators make such', () => {
    const variables = {
      ROLLCALL_NODE_ID: 'n1',
      ROLLCALL_PORT: 'tcp://10.0.0.1:7400',
      ROLLCALL_ENDPOINTS: 'a:1',
    };
    const { config, warnings } = load({ variables });
    expect(config.nodeId).toBe('n1');
    expect(warnings).toEqual(['The variable ROLLCALL_PORT is not known and was ignored.']);
  });

  test('sorts the initial members and keeps this node among them', () => {
    const { config } = load({
      flags: { 'node-id': 'n2', 'initial-members': 'n2=[::1]:1,n1=a:7401' },
    });
    expect(requireInitialMembers(config)).toEqual([
      { nodeId: 'n1', peerAddress: 'a:7401' },
      { nodeId: 'n2', peerAddress: '[::1]:1' },
    ]);
  });

  test('of a node that joins names the members it asks, each once, and needs no initial members', () => {
    const { config } = load({ flags: { 'node-id': 'n4', join: 'a:7400, [::1]:7400,a:7400' } });
    expect(config.join).toEqual(['a:7400', '[::1]:7400']);
    expect(requireInitialMembers(config)).toEqual([]);
  });

  test('takes changes of the cluster from other hosts only when told to, in every spelling', () => {
    const told: readonly Given[] = [
      { flags: { ...n1, 'allow-remote-admin': true } },
      { flags: n1, variables: { ROLLCALL_ALLOW_REMOTE_ADMIN: 'true' } },
      { flags: n1, file: 'allow_remote_admin: true\n' },
    ];
    expect(told.map((given) => load(given).config.allowRemoteAdmin)).toEqual([true, true, true]);
    const not = load({ flags: n1, variables: { ROLLCALL_ALLOW_REMOTE_ADMIN: 'false' } });
    expect(not.config.allowRemoteAdmin).toBe(false);
  });

  test('accepts the doors of later versions only as what they are now: off', () => {
    const flags = {
      'node-id': 'n1',
      'listen-http': 'off',
      'listen-dns': 'off',
      'dns-zone': 'cluster.local',
    };
    expect(load({ flags, file: 'allow_remote_admin: false\n' }).config.nodeId).toBe('n1');
  });
});

const refused: readonly (readonly [given: Given, problem: string])[] = [
  [{}, '--node-id: required, must be a DNS label: 1 to 63 of a-z, 0-9 and -, not at the ends'],
  [
    { flags: { 'node-id': 'N_1' } },
    '--node-id: must be a DNS label: 1 to 63 of a-z, 0-9 and -, not at the ends (got "N_1")',
  ],
  [{ flags: { ...n1, nonsense: 'x' } }, '--nonsense: no such flag'],
  [{ file: 'node_id: n1\nnode_idd: n2\n' }, 'n1.yaml: node_idd: no such field'],
  [{ file: 'node_id: n1\nlimits: {tagz: 1}\n' }, 'n1.yaml: limits.tagz: no such field'],
  [{ file: 'node_id: n1\nlimits: 5\n' }, 'n1.yaml: limits: must be a mapping'],
  [
    { file: 'node_id: !!js/function x\n' },
    '--config: n1.yaml cannot be read: Unresolved tag: tag:yaml.org,2002:js/function at line 1, column 10:',
  ],
  [
    { file: `${'['.repeat(3000)}\n` },
    '--config: n1.yaml cannot be read: it has 3000 brackets, limit 100',
  ],
  [
    { file: `node_id: ${'n'.repeat(65_536)}\n` },
    '--config: n1.yaml cannot be read: it has 65546 characters, limit 65536',
  ],
  [
    { file: `${'- '.repeat(3000)}\n` },
    '--config: n1.yaml cannot be read: it is nested deeper than any configuration',
  ],
  [{ file: '- a\n' }, '--config: n1.yaml is not a mapping of fields'],
  [{ flags: { config: 'gone.yaml' } }, '--config: gone.yaml cannot be read: ENOENT: no such file'],
  [
    { flags: { ...n1, 'shutdown-ms': '99' } },
    '--shutdown-ms: must be a whole number, 100 to 600000 (got "99")',
  ],
  [
    { flags: n1, file: 'heartbeat_ms: 5001\n' },
    'n1.yaml: heartbeat_ms: must be a whole number, 10 to 5000 (got 5001)',
  ],
  [
    { flags: n1, file: 'heartbeat_ms: 50.5\n' },
    'n1.yaml: heartbeat_ms: must be a whole number, 10 to 5000 (got 50.5)',
  ],
  [
    { flags: n1, variables: { ROLLCALL_ELECTION_MS: '3e2' } },
    'ROLLCALL_ELECTION_MS: must be a whole number, 50 to 60000 (got "3e2")',
  ],
  [
    { flags: { ...n1, 'heartbeat-ms': '101' } },
    '--election-ms: 300 is less than three heartbeats of 101 ms',
  ],
  [
    { flags: { ...n1, 'limit-page-size': '1001' } },
    '--limit-page-size: must be a whole number, 1 to 1000 (got "1001")',
  ],
  [
    { flags: { ...n1, 'listen-client': 'localhost' } },
    '--listen-client: must be host:port or [ipv6]:port with a port of 0 to 65535 (got "localhost")',
  ],
  [
    { flags: { ...n1, 'listen-client': 'a:65536' } },
    '--listen-client: must be host:port or [ipv6]:port with a port of 0 to 65535 (got "a:65536")',
  ],
  [
    { flags: { ...n1, 'listen-client': '0.0.0.0:7400' } },
    '--advertise-client: required, because others cannot dial --listen-client 0.0.0.0:7400',
  ],
  [
    { flags: { ...n1, 'advertise-peer': '[::]:7401' } },
    '--advertise-peer: must be an address that others can dial (got "[::]:7401")',
  ],
  [
    { flags: { ...n1, 'listen-http': '127.0.0.1:7402' } },
    '--listen-http: the HTTP door is not in this version (got "127.0.0.1:7402")',
  ],
  [
    { flags: n1, file: 'listen_dns: 127.0.0.1:7453\n' },
    'n1.yaml: listen_dns: the DNS door is not in this version (got "127.0.0.1:7453")',
  ],
  [
    { flags: { ...n1, 'dns-zone': 'example' } },
    '--dns-zone: the DNS door is not in this version (got "example")',
  ],
  [
    { flags: { ...n1, join: 'a:7400,b' } },
    '--join: must be host:port,host:port,…, and "b" is not of that form (got "a:7400,b")',
  ],
  [
    { flags: { ...n1, join: '0.0.0.0:7400' } },
    '--join: 0.0.0.0:7400 is no address that can be dialled (got "0.0.0.0:7400")',
  ],
  [
    { flags: { ...n1, join: seventeen() } },
    `--join: 17 addresses, limit 16 (got "${seventeen().slice(0, 76)}…)`,
  ],
  [
    { flags: { ...n1, join: 'a:7400' }, variables: { ROLLCALL_INITIAL_MEMBERS: members } },
    '--join: not together with ROLLCALL_INITIAL_MEMBERS: a node forms a new cluster or joins one that exists',
  ],
  [
    { flags: { ...n1, 'allow-remote-admin': 'yes' } },
    '--allow-remote-admin: must be true or false (got "yes")',
  ],
  [
    { flags: { ...n1, 'log-format': 'xml' } },
    '--log-format: must be one of json, pretty (got "xml")',
  ],
  [
    { flags: { ...n1, 'initial-members': 'n1=a:7401;n2=b:7401' } },
    '--initial-members: must be n1=host:port,n2=host:port,…, and "n1=a:7401;n2=b:7401" is not of that form (got "n1=a:7401;n2=b:7401")',
  ],
  [
    { flags: { ...n1, 'initial-members': 'n1=a:7401,n1=b:7401' } },
    '--initial-members: names a node twice (got "n1=a:7401,n1=b:7401")',
  ],
  [
    { flags: { ...n1, 'initial-members': 'n1=a:7401,n2=a:7401' } },
    '--initial-members: names an address twice (got "n1=a:7401,n2=a:7401")',
  ],
  [
    { flags: { ...n1, 'initial-members': 'n1=0.0.0.0:7401' } },
    '--initial-members: n1=0.0.0.0:7401 is no address that others can dial (got "n1=0.0.0.0:7401")',
  ],
  [
    { variables: { ROLLCALL_NODE_ID: 'n1', ROLLCALL_INITIAL_MEMBERS: eight() } },
    `ROLLCALL_INITIAL_MEMBERS: 8 members, limit 7 (got "${eight().slice(0, 76)}…)`,
  ],
];

function eight(): string {
  return Array.from({ length: 8 }, (_, k) => `n${k}=host${k}:7401`).join(',');
}

function seventeen(): string {
  return Array.from({ length: 17 }, (_, k) => `host${k}:7400`).join(',');
}

describe('a configuration is refused by name', () => {
  test.for(refused)('%j: %s', ([given, problem]) => {
    expect(problemOf(given)).toBe(problem);
  });

  test('when an empty data-dir meets no initial members, or some without this node', () => {
    const without = load({ flags: n1 }).config;
    expect(() => requireInitialMembers(without)).toThrow(
      /^--initial-members: required while .\/data is empty/,
    );
    const foreign = load({ flags: { 'node-id': 'n4', 'initial-members': members } }).config;
    expect(() => requireInitialMembers(foreign)).toThrow(
      '--initial-members: this node, n4, is not in it',
    );
  });
});

describe('the schema', () => {
  test('gives every field a unit, a range and a reason, and distinct spellings', () => {
    for (const { key, notes } of fields) {
      expect(notes.unit, key).not.toBe('');
      expect(notes.range, key).not.toBe('');
      expect(notes.why.length, key).toBeGreaterThan(10);
    }
    expect(new Set(fields.map((field) => field.flag)).size).toBe(fields.length);
    expect(new Set(fields.map((field) => field.variable)).size).toBe(fields.length);
  });

  test('spells a field as flag, key and variable alike', () => {
    const spelled = fields.map(({ key, flag, variable }) => [key, flag, variable]);
    expect(spelled).toContainEqual(['node_id', '--node-id', 'ROLLCALL_NODE_ID']);
    expect(spelled).toContainEqual([
      'limits.ttl_min_ms',
      '--limit-ttl-min-ms',
      'ROLLCALL_LIMIT_TTL_MIN_MS',
    ]);
  });
});
