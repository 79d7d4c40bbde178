// Resume and page tokens: what was encoded comes back, and nothing else passes for it.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { revision } from '../../src/lib/ids.ts';
import { decodePageToken, encodePageToken } from '../../src/node/page-token.ts';
import {
  decodeResumeToken,
  digestOf,
  encodeResumeToken,
  selectorDigest,
} from '../../src/node/watch-token.ts';
import { selector } from './catalogue.ts';

const clusterUuid = '0123456789abcdef0123456789abcdef';
const digest = digestOf('a selector');
const point = { clusterUuid, selectorDigest: digest, revision: revision(77), more: false };
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Every text that differs from `token` in one character, and some that differ in length. */
function garbledForms(token: string): string[] {
  const forms = [token.slice(0, -1), `${token}A`, token.slice(1), `${token}=`, ` ${token}`, ''];
  for (let place = 0; place < token.length; place++) {
    for (const character of `${ALPHABET}+/é`) {
      if (character === token[place]) continue;
      forms.push(token.slice(0, place) + character + token.slice(place + 1));
    }
  }
  return forms;
}

describe('a resume token', () => {
  test('brings back every revision and flag', () => {
    const anyRevision = fc.maxSafeNat().map(revision);
    fc.assert(
      fc.property(anyRevision, fc.boolean(), (at, more) => {
        const token = encodeResumeToken({ ...point, revision: at, more });
        const decoded = decodeResumeToken(token, digest);
        expect(decoded).toEqual({
          ...point,
          revision: at,
          more,
          selectorDigest: Buffer.from(digest),
        });
      }),
    );
  });

  test('with any one character changed is refused, and the error names the field', () => {
    const bad = expect.objectContaining({ code: 'invalidArgument', field: 'resume_token' });
    for (const form of garbledForms(encodeResumeToken(point))) {
      expect(() => decodeResumeToken(form, digest), form).toThrow(bad);
    }
  });

  test('of another selector is refused as such', () => {
    const token = encodeResumeToken(point);
    expect(() => decodeResumeToken(token, digestOf('another'))).toThrow(/another selector/);
  });

  test('of a node without a cluster belongs to no cluster', () => {
    const token = encodeResumeToken({ ...point, clusterUuid: '' });
    expect(decodeResumeToken(token, digest).clusterUuid).toBe('0'.repeat(32));
  });

  test('is bound to what the selector means, not to how it was written', () => {
    const one = selector({ services: ['s0', 's1'], tags: ['x', 'y'] });
    const same = selector({ services: ['s0', 's1'], tags: ['y', 'x'] });
    const other = selector({ services: ['s0'], tags: ['x', 'y'] });
    expect(selectorDigest(one)).toEqual(selectorDigest(same));
    expect(selectorDigest(one)).not.toEqual(selectorDigest(other));
  });
});

describe('a page token', () => {
  const walk = { clusterUuid, selectorDigest: digest };
  const page = { revision: revision(5), position: ['default', 's0', 'a:b.c_d-E'] };
  const bad = expect.objectContaining({ code: 'invalidArgument', field: 'page_token' });

  test('brings back revision and position', () => {
    expect(decodePageToken(encodePageToken(walk, page), walk, 3)).toEqual(page);
    const ofServices = { revision: revision(0), position: ['default', 's0'] };
    expect(decodePageToken(encodePageToken(walk, ofServices), walk, 2)).toEqual(ofServices);
  });

  test('fits its bound with the longest names there are', () => {
    const longest = { ...page, position: ['n'.repeat(63), 's'.repeat(63), 'i'.repeat(128)] };
    expect(decodePageToken(encodePageToken(walk, longest), walk, 3)).toEqual(longest);
  });

  test('with any one character changed is refused, and so is one of the other kind', () => {
    const token = encodePageToken(walk, page);
    for (const form of garbledForms(token)) {
      expect(() => decodePageToken(form, walk, 3), form).toThrow(bad);
    }
    expect(() => decodePageToken(encodeResumeToken(point), walk, 3)).toThrow(bad);
    expect(() => decodePageToken(token, walk, 2)).toThrow(bad);
    expect(() => decodePageToken('A'.repeat(5000), walk, 3)).toThrow(bad);
  });

  test('of another list is refused, of another cluster it is a failed precondition', () => {
    const token = encodePageToken(walk, page);
    const otherList = { ...walk, selectorDigest: digestOf('another') };
    const otherCluster = { ...walk, clusterUuid: 'f'.repeat(32) };
    expect(() => decodePageToken(token, otherList, 3)).toThrow(bad);
    expect(() => decodePageToken(token, otherCluster, 3)).toThrow(
      expect.objectContaining({ code: 'failedPrecondition' }),
    );
  });
});
