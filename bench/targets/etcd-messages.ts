// The few etcd v3 messages the comparison needs, by their published names and numbers.
import protobuf from 'protobufjs';

const source = `
syntax = "proto3";
message Header { uint64 cluster_id = 1; uint64 member_id = 2; int64 revision = 3; uint64 raft_term = 4; }
message LeaseGrantRequest { int64 TTL = 1; int64 ID = 2; }
message LeaseGrantResponse { Header header = 1; int64 ID = 2; int64 TTL = 3; }
message LeaseKeepAliveRequest { int64 ID = 1; }
message LeaseKeepAliveResponse { Header header = 1; int64 ID = 2; int64 TTL = 3; }
message PutRequest { bytes key = 1; bytes value = 2; int64 lease = 3; }
message PutResponse { Header header = 1; }
message RangeRequest { bytes key = 1; bytes range_end = 2; int64 limit = 3; bool serializable = 7; }
message KeyValue { bytes key = 1; int64 create_revision = 2; int64 mod_revision = 3; int64 version = 4; bytes value = 5; int64 lease = 6; }
message RangeResponse { Header header = 1; repeated KeyValue kvs = 2; bool more = 3; int64 count = 4; }
message WatchCreateRequest { bytes key = 1; bytes range_end = 2; int64 start_revision = 3; }
message WatchRequest { WatchCreateRequest create_request = 1; }
message Event { int32 type = 1; KeyValue kv = 2; }
message WatchResponse { Header header = 1; int64 watch_id = 2; bool created = 3; bool canceled = 4; repeated Event events = 11; }
message StatusRequest {}
message StatusResponse { Header header = 1; string version = 2; int64 dbSize = 3; uint64 leader = 4; uint64 raftIndex = 5; uint64 raftTerm = 6; }
`;

const root = protobuf.parse(source, { keepCase: true }).root;

/** One etcd message. 64-bit numbers are text: lease ids exceed what a double holds. */
export interface Codec {
  encode(value: object): Uint8Array;
  decode(bytes: Uint8Array): Record<string, unknown>;
}

export function etcdCodec(name: string): Codec {
  const type = root.lookupType(name);
  return {
    encode: (value) => type.encode(type.fromObject(value)).finish(),
    decode: (bytes) =>
      type.toObject(type.decode(bytes), { longs: String, defaults: true, arrays: true }),
  };
}
