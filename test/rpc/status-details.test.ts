// The richer error model: what is written is what is read, byte for byte as protobuf has it.
import { describe, expect, test } from 'vitest';
import { decodeStatusDetails, encodeStatusDetails } from '../../src/rpc/status-details.ts';

describe('grpc-status-details-bin', () => {
  test('carries ErrorInfo, RetryInfo and BadRequest there and back', () => {
    const details = {
      code: 3,
      message: 'instance.port: is 0, limit 65535',
      reason: 'invalid_argument',
      retryAfterMs: 1250,
      violations: [{ field: 'instance.port', description: 'is 0, limit 65535' }],
    };
    expect(decodeStatusDetails(encodeStatusDetails(details))).toEqual(details);
  });

  test('leaves out what is absent', () => {
    const details = { code: 14, message: 'no_quorum: no leader', reason: 'no_quorum' };
    const decoded = decodeStatusDetails(encodeStatusDetails(details));
    expect(decoded).toEqual(details);
    expect(decoded).not.toHaveProperty('retryAfterMs');
  });

  test('is the google.rpc.Status that other languages read', () => {
    const bytes = encodeStatusDetails({ code: 14, message: 'm', reason: 'r' });
    const any = `0a28${Buffer.from('type.googleapis.com/google.rpc.ErrorInfo').toString('hex')}`;
    const info = `120d0a01721208${Buffer.from('rollcall').toString('hex')}`;
    expect(bytes.toString('hex')).toBe(`080e12016d1a39${any}${info}`);
  });

  test('passes over details of others, and refuses bytes that are no Status', () => {
    const foreign = Buffer.from('1a060a0178120102', 'hex');
    expect(decodeStatusDetails(foreign)).toEqual({ code: 0, message: '', reason: '' });
    expect(decodeStatusDetails(Buffer.from('0affffffff0f', 'hex'))).toBeUndefined();
  });
});
