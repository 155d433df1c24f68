import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ANYONE, type Principal } from '../identity/principal.ts';
import type { ChatRequest } from '../wire/chat.ts';
import type { CachedAnswer } from './cache.ts';
import { cacheControlOf } from './control.ts';
import { exactCache } from './exact.ts';
import { canonicalJson, fingerprint, scopeOf } from './fingerprint.ts';

const answer = (data: string, storedMs = 0): CachedAnswer => ({
  data,
  expert: 'a',
  source: 'tr_1',
  costUsd: 0,
  confidence: undefined,
  notCarried: [],
  storedMs,
});

describe('the store of the exact cache', () => {
  test('gives an answer until it is too old, and never one from the future', () => {
    const cache = exactCache(1_000_000);
    cache.put('k', answer('x', 10_000));
    assert.equal(cache.get('k', 500, 10_500)?.data, 'x');
    assert.equal(cache.get('k', 500, 10_501), undefined);
    assert.equal(cache.get('k', 500, 9_500)?.data, 'x', 'a clock that was corrected by less than a second');
    assert.equal(cache.get('k', 500, 5_000), undefined);
  });

  test('drops what was used longest ago, and what is too large is not kept', () => {
    const cache = exactCache(20_000);
    for (let i = 0; i < 8; i++) cache.put(`k${i}`, answer('x'.repeat(900)));
    cache.get('k0', 1, 0);
    for (let i = 8; i < 11; i++) cache.put(`k${i}`, answer('x'.repeat(900)));
    assert.ok(cache.get('k0', 1, 0) !== undefined);
    assert.equal(cache.get('k1', 1, 0), undefined);
    cache.put('large', answer('x'.repeat(2_000)));
    assert.equal(cache.get('large', 1, 0), undefined);
    cache.resize(5_000);
    assert.ok(cache.counts().bytes <= 5_000);
  });

  test('never holds more than its bound, and counts what it holds', () => {
    const step = fc.record({ key: fc.nat(20), length: fc.nat(3_000), isPut: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const cache = exactCache(16_384);
        for (const { key, length, isPut } of steps) {
          if (isPut) cache.put(String(key), answer('y'.repeat(length)));
          else cache.get(String(key), 1, 0);
          assert.ok(cache.counts().bytes <= 16_384);
        }
        cache.resize(0);
        assert.deepEqual([cache.counts().bytes, cache.counts().entries], [0, 0]);
      }),
    );
  });
});

describe('the fingerprint', () => {
  const of = (request: object): string | undefined =>
    fingerprint({ model: 'm', messages: [], ...request } as unknown as ChatRequest, undefined, undefined, 's', 'c');

  test('is the same for the same JSON in any order of names', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
        const turned = Object.fromEntries(Object.entries(fields).reverse());
        assert.equal(canonicalJson(turned), canonicalJson(fields));
        assert.deepEqual(JSON.parse(canonicalJson(fields)), JSON.parse(JSON.stringify(fields)));
      }),
    );
  });

  test('keeps values apart that look alike, and scopes', () => {
    const prints = [
      of({}),
      of({ stop: 'a' }),
      of({ stop: ['a'] }),
      of({ seed: 1 }),
      of({ x: '1' }),
      of({ x: 1 }),
      of({ x: { y: 1 } }),
      of({ 'x:{"y"': 1 }),
    ];
    assert.equal(new Set(prints).size, prints.length);
    assert.equal(of({ seed: null }), of({}));
    const request = { model: 'm', messages: [] } as unknown as ChatRequest;
    assert.notEqual(
      fingerprint(request, undefined, undefined, 'a', 'c'),
      fingerprint(request, undefined, undefined, 'b', 'c'),
    );
    assert.notEqual(fingerprint(request, undefined, 3, 'a', 'c'), fingerprint(request, undefined, undefined, 'a', 'c'));
  });

  test('keeps apart what differs in the order of a schema only: answers are written in that order', () => {
    const schema = (...names: string[]): object => ({
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    });
    for (const wrap of [
      (parameters: object) => ({ tools: [{ type: 'function', function: { name: 'f', parameters } }] }),
      (inner: object) => ({ response_format: { type: 'json_schema', json_schema: { name: 's', schema: inner } } }),
    ])
      assert.notEqual(of(wrap(schema('reason', 'answer'))), of(wrap(schema('answer', 'reason'))));
    assert.equal(
      of({ messages: [{ role: 'user', content: 'x' }], top_p: 1 }),
      of({ top_p: 1, messages: [{ content: 'x', role: 'user' }] }),
    );
  });

  test('is none for what is nested too deeply', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 200_000; i++) deep = [deep];
    assert.equal(of({ deep }), undefined);
  });

  test('scopes are apart by key, by secret of the environment, by project', () => {
    const key = (more: Partial<Principal>): Principal => ({ ...ANYONE, ...more });
    const scopes = [
      scopeOf('gateway', ANYONE),
      scopeOf('key', ANYONE),
      scopeOf('key', key({ keyId: 'static', keyDigest: 'a' })),
      scopeOf('key', key({ keyId: 'static', keyDigest: 'b' })),
      scopeOf('key', key({ keyId: 'key_1', project: 'p' })),
      scopeOf('project', key({ keyId: 'key_1', project: 'p' })),
      scopeOf('project', key({ keyId: 'key_1', project: 'q' })),
      scopeOf('project', key({ keyId: 'key_2' })),
    ];
    assert.equal(new Set(scopes).size, scopes.length);
    assert.equal(scopeOf('project', key({ keyId: 'key_9', project: 'p' })), scopes[5]);
  });
});

test('what a request says of caches is read as RFC 9111 has it', () => {
  const table: [Record<string, string>, string][] = [
    [{}, 'rw-'],
    [{ 'cache-control': 'no-store' }, '---'],
    [{ 'cache-control': 'No-Cache' }, '-w-'],
    [{ 'cache-control': 'only-if-cached, max-age=5' }, 'rwo'],
    [{ 'cache-control': 'public, nonsense=1' }, 'rw-'],
    [{ 'x-gw-cache': 'off', 'cache-control': 'only-if-cached' }, '--o'],
    [{ 'x-gw-cache': 'ONLY' }, 'rwo'],
    [{ 'x-gw-cache': 'what' }, 'rw-'],
  ];
  for (const [headers, expected] of table) {
    const { reads, writes, isOnly } = cacheControlOf(headers);
    assert.equal(`${reads ? 'r' : '-'}${writes ? 'w' : '-'}${isOnly ? 'o' : '-'}`, expected, JSON.stringify(headers));
  }
  assert.equal(cacheControlOf({ 'cache-control': 'max-age=5, max-age="3"' }).maxAgeMs, 3_000);
  assert.equal(cacheControlOf({ 'cache-control': 'max-age=-5' }).maxAgeMs, Infinity);
});
