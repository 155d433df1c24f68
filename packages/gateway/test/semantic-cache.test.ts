/** The semantic cache over HTTP, and that it does not start unmeasured. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CacheMeasurement, measureCache } from '../src/caches/measurement.ts';
import { builtInPairs } from '../src/caches/pairs.ts';
import { chat, chatBody, expertAt, pool, startGateway } from './helpers.ts';
import { upstream } from './upstream.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatewright-semantic-'));
after(() => rmSync(folder, { recursive: true }));

function measurement(change: Partial<CacheMeasurement> | string = {}): string {
  const path = join(folder, `${Math.abs(JSON.stringify(change).length)}.json`);
  const measured = measureCache(builtInPairs(), 0, ['built-in']);
  writeFileSync(path, typeof change === 'string' ? change : JSON.stringify({ ...measured, ...change }));
  return path;
}

const config = (path: string, url: string): Record<string, unknown> => ({
  ...pool(expertAt('a', url)),
  cache: { exact: {}, semantic: { measurement: path } },
});

test('answers other words of the same question, and no other question', async () => {
  const expert = await upstream('echo');
  const gate = await startGateway(config(measurement(), expert.url));
  const ask = async (text: string, more: object = {}): Promise<Response> => {
    const response = await chat(gate.url, chatBody('gw/first', { temperature: 0, ...more }, text));
    await response.clone().text();
    return response;
  };
  try {
    await ask('How do I enable 2FA?');
    const same = await ask('how to enable 2FA');
    assert.equal(same.headers.get('x-gw-cache'), 'hit');
    assert.match(await same.text(), /echo How do I enable 2FA\?/);
    const { trace } = (await gate.gateway.store.find(same.headers.get('x-gw-trace')!))!;
    assert.equal(trace.cache?.kind, 'semantic');
    assert.ok(trace.cache.similarity! > 0.5 && trace.cache.similarity! < 1);
    for (const text of ['How do I disable 2FA?', 'How do I not enable 2FA?', 'How do I enable 3FA?'])
      assert.equal((await ask(text)).headers.get('x-gw-cache'), 'miss', text);
    assert.equal((await ask('How to enable 2FA', { max_tokens: 3 })).headers.get('x-gw-cache'), 'miss');
    const parts = [{ type: 'text', text: 'How to enable 2FA' }];
    const listed = await chat(gate.url, {
      ...chatBody('gw/first', { temperature: 0 }),
      messages: [{ role: 'user', content: parts }],
    });
    await listed.text();
    assert.equal(listed.headers.get('x-gw-cache'), 'miss');
  } finally {
    await gate.close();
    await expert.close();
  }
});

test('does not start without a measurement that allows it', async () => {
  const table: [string, Partial<CacheMeasurement> | string | undefined][] = [
    ['no file', undefined],
    ['no JSON', 'what'],
    ['null', 'null'],
    ['another file', '{"object":"x"}'],
    ['another verifier', { verifier: 0 }],
    ['a stricter setting', { minSimilarity: 0.9 }],
    ['too few pairs', { different: { pairs: 100, hits: 0 } }],
    ['too many false hits, whatever rate it states', { different: { pairs: 404, hits: 40 }, falseHitUpper: 0 }],
    ['counts that are none', { different: { pairs: 400.5, hits: -1 } }],
  ];
  for (const [name, change] of table) {
    const path = change === undefined ? join(folder, 'absent') : measurement(change);
    await assert.rejects(startGateway(config(path, 'http://127.0.0.1:9/v1')), { code: 'GW_CACHE_MEASUREMENT' }, name);
  }
});
