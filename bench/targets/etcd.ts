// etcd as the peer: three members on loopback from the PATH, default settings but for a large quota, the same work. A
// registration with its own TTL is a lease grant and a put under it: two commits.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../src/lib/assert.ts';
import { pollUntil } from '../../test/support/poll.ts';
import { freePorts } from '../../test/support/process-cluster.ts';
import { countField } from '../load/count-field.ts';
import { type GrpcConnection, openConnection } from '../load/grpc-connection.ts';
import { etcdCodec } from './etcd-messages.ts';
import { instanceValue, ttlMs } from './payload.ts';
import type { HeartbeatStream, Target } from './target.ts';

const grantRequest = etcdCodec('LeaseGrantRequest');
const grantResponse = etcdCodec('LeaseGrantResponse');
const putRequest = etcdCodec('PutRequest');
const rangeRequest = etcdCodec('RangeRequest');
/** RangeResponse.kvs. */
const rangedPairs = 2;
const watchRequest = etcdCodec('WatchRequest');
const watchResponse = etcdCodec('WatchResponse');
const keepAliveRequest = etcdCodec('LeaseKeepAliveRequest');
const statusResponse = etcdCodec('StatusResponse');

const paths = {
  grant: '/etcdserverpb.Lease/LeaseGrant',
  keepAlive: '/etcdserverpb.Lease/LeaseKeepAlive',
  put: '/etcdserverpb.KV/Put',
  range: '/etcdserverpb.KV/Range',
  watch: '/etcdserverpb.Watch/Watch',
  status: '/etcdserverpb.Maintenance/Status',
} as const;

interface Member {
  readonly name: string;
  readonly address: string;
  readonly arguments: readonly string[];
  readonly log: string;
  child: ChildProcess | undefined;
}

function startMember(member: Member): void {
  const log = openSync(member.log, 'a');
  member.child = spawn('etcd', member.arguments, { stdio: ['ignore', log, log] });
  closeSync(log);
}

const alive = (member: Member): boolean =>
  member.child !== undefined && member.child.exitCode === null && member.child.signalCode === null;

async function memberStatus(address: string): Promise<Record<string, unknown> | undefined> {
  const connection = openConnection(address);
  try {
    return statusResponse.decode(await connection.unary(paths.status, new Uint8Array(0), 500));
  } catch {
    return undefined;
  } finally {
    connection.close();
  }
}

async function findLeader(members: readonly Member[]): Promise<number | undefined> {
  for (const [position, member] of members.entries()) {
    if (!alive(member)) continue;
    const status = await memberStatus(member.address);
    const header = status?.['header'] as { member_id?: string } | undefined;
    const leader = status?.['leader'];
    if (leader !== undefined && leader !== '0' && leader === header?.member_id) return position;
  }
  return undefined;
}

const flags = (values: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);

async function buildMembers(directory: string): Promise<readonly Member[]> {
  const ports = await freePorts(6);
  const names = ['m1', 'm2', 'm3'];
  const url = (position: number): string => `http://127.0.0.1:${ports[position] ?? 0}`;
  const cluster = names.map((name, position) => `${name}=${url(position + 3)}`).join(',');
  return names.map((name, position) => ({
    name,
    address: `127.0.0.1:${ports[position] ?? 0}`,
    log: join(directory, `${name}.log`),
    child: undefined,
    arguments: flags({
      name,
      'data-dir': join(directory, name),
      'log-level': 'warn',
      logger: 'zap',
      'quota-backend-bytes': String(8 * 2 ** 30),
      'listen-client-urls': url(position),
      'advertise-client-urls': url(position),
      'listen-peer-urls': url(position + 3),
      'initial-advertise-peer-urls': url(position + 3),
      'initial-cluster': cluster,
      'initial-cluster-state': 'new',
    }),
  }));
}

function etcdVersion(): string {
  try {
    return (
      /etcd Version: (\S+)/.exec(execFileSync('etcd', ['--version'], { encoding: 'utf8' }))?.[1] ??
      '?'
    );
  } catch {
    throw new Error('--peer etcd needs etcd in the PATH; on Debian: apt-get install etcd-server');
  }
}

async function grant(connection: GrpcConnection, ttlSeconds: number): Promise<unknown> {
  const answer = await connection.unary(paths.grant, grantRequest.encode({ TTL: ttlSeconds }));
  return grantResponse.decode(answer)['ID'];
}

const prefixEnd = (prefix: string): Buffer => {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
};

/** One keep-alive stream for some leases; a beat writes them all and waits for as many answers. */
function keepAliveStream(connection: GrpcConnection, ids: readonly unknown[]): HeartbeatStream {
  let missing = 0;
  let settle: (() => void) | undefined;
  const messages = ids.map((ID) => keepAliveRequest.encode({ ID }));
  const stream = connection.stream(
    paths.keepAlive,
    () => {
      missing--;
      if (missing === 0) settle?.();
    },
    () => settle?.(),
  );
  return {
    beat: () =>
      new Promise((resolve) => {
        settle = resolve;
        missing += messages.length;
        for (const message of messages) stream.write(message);
      }),
    close: () => stream.close(),
  };
}

async function grantMany(
  connections: readonly GrpcConnection[],
  count: number,
): Promise<readonly unknown[]> {
  const ids: unknown[] = [];
  let started = 0;
  const worker = async (connection: GrpcConnection): Promise<void> => {
    while (started < count) {
      started++;
      ids.push(await grant(connection, 60));
    }
  };
  await Promise.all(
    Array.from({ length: 128 }, (_, n) =>
      worker(present(connections[n % connections.length], 'a connection')),
    ),
  );
  return ids;
}

/** Starts three members and waits for their leader. */
export async function startEtcd(): Promise<Target> {
  const version = etcdVersion();
  const directory = mkdtempSync(join(tmpdir(), 'etcd-peer-'));
  const members = await buildMembers(directory);
  for (const member of members) startMember(member);
  const leader = (): Promise<number | undefined> => findLeader(members);
  await pollUntil(async () => (await leader()) !== undefined, {
    what: 'an etcd leader',
    timeoutMs: 20_000,
    everyMs: 50,
  });
  const control: GrpcConnection[] = [];
  return {
    name: 'etcd',
    version,
    addresses: members.map((member) => member.address),
    leader,
    pids: () =>
      members.filter(alive).map((member) => present(member.child?.pid, 'a live member has a pid')),
    positionsPerRegistration: 1,
    position: async () => {
      const status = await memberStatus(members[(await leader()) ?? 0]?.address ?? '');
      const header = status?.['header'] as { revision?: string } | undefined;
      return Number(header?.revision ?? 0);
    },
    register: async (connection, service, id) => {
      const lease = await grant(connection, ttlMs / 1000);
      const value = instanceValue(service, id);
      const key = Buffer.from(`/${service}/${id}`);
      await connection.unary(paths.put, putRequest.encode({ key, value, lease }));
    },
    list: async (connection, service) => {
      const key = Buffer.from(`/${service}/`);
      const request = rangeRequest.encode({ key, range_end: prefixEnd(`/${service}/`) });
      return countField(await connection.unary(paths.range, request), rangedPairs);
    },
    watch: (connection, service, onChange) =>
      new Promise((resolve, reject) => {
        const prefix = `/${service}/`;
        const stream = connection.stream(
          paths.watch,
          (message) => {
            const answer = watchResponse.decode(message);
            if (answer['created'] === true) resolve(stream);
            for (const event of answer['events'] as readonly { kv: { key: Uint8Array } }[]) {
              onChange(Buffer.from(event.kv.key).toString().slice(prefix.length));
            }
          },
          (error) => reject(error ?? new Error('the watch ended')),
        );
        const create = { key: Buffer.from(prefix), range_end: prefixEnd(prefix) };
        stream.write(watchRequest.encode({ create_request: create }));
      }),
    leases: async (count, perMessage) => {
      const connections = Array.from({ length: 4 }, () =>
        openConnection(present(members[0], 'three members').address),
      );
      control.push(...connections);
      const ids = await grantMany(connections, count);
      const streams: HeartbeatStream[] = [];
      for (let from = 0; from < ids.length; from += perMessage) {
        const connection = present(connections[streams.length % 4], 'four connections');
        streams.push(keepAliveStream(connection, ids.slice(from, from + perMessage)));
      }
      return streams;
    },
    kill: async (position) => {
      const member = present(members[position], 'a member');
      member.child?.kill('SIGKILL');
      await pollUntil(() => !alive(member), {
        what: 'the member to end',
        timeoutMs: 5000,
        everyMs: 1,
      });
    },
    restart: async (position) => startMember(present(members[position], 'a member')),
    stop: async () => {
      for (const connection of control) connection.close();
      for (const member of members) member.child?.kill('SIGTERM');
      await pollUntil(() => !members.some(alive), { what: 'etcd to end', timeoutMs: 15_000 });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
