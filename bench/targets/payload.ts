// The one registration every system is given: the same bytes of content, so that nobody carries less.
import protobuf from 'protobufjs/minimal.js';

/** An encoded rollcall.v1.Instance of about 200 bytes: host, port, three metadata pairs, two tags, zone, version, TTL. */
export function instanceValue(service: string, id: string): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(0x12).string(service).uint32(0x1a).string(id);
  writer.uint32(0x22).string('10.20.30.40').uint32(0x28).uint32(8080);
  for (const [key, value] of metadata) {
    writer.uint32(0x3a).fork().uint32(0x0a).string(key).uint32(0x12).string(value).ldelim();
  }
  for (const tag of ['blue', 'canary']) writer.uint32(0x42).string(tag);
  writer.uint32(0x4a).string('1.4.2').uint32(0x52).string('eu-west-1');
  writer.uint32(0x5a).string('eu-west-1a').uint32(0x78).uint32(ttlMs);
  return writer.finish();
}

const metadata: readonly (readonly [string, string])[] = [
  ['build', '5f2c1a9e8d7b6c5a4f3e2d1c0b9a8f7e6d5c4b3a'],
  ['owner', 'payments-platform-team'],
  ['protocol', 'grpc'],
];
/** Longer than any run, so that no expiry is measured along. */
export const ttlMs = 3_600_000;

/** RegisterRequest{instance = 1} around the shared payload, without a second pass over it. */
export function registerRequest(service: string, id: string): Uint8Array {
  return protobuf.Writer.create().uint32(0x0a).bytes(instanceValue(service, id)).finish();
}
