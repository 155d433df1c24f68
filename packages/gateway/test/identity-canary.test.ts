/** No secret in anything that a gateway says or keeps: see canary.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formsOf, leaksIn, runCanary } from './canary.ts';

test('the search finds a secret in each of its forms, also within longer encodings', () => {
  const secret = 'a"b/c+d=CANARY~0123456789';
  const canaries = [{ name: 'it', secret }];
  const wraps: Readonly<Record<string, string>> = {
    plain: `x ${secret} y`,
    json: JSON.stringify({ key: secret }),
    url: `/?q=${encodeURIComponent(secret)}`,
    hex: Buffer.from(`key ${secret}`).toString('hex'),
    ...Object.fromEntries(
      ['', 'u', 'us', 'use', 'user:'].flatMap((before) => [
        [`base64 ${before}`, Buffer.from(`${before}${secret}`).toString('base64')],
        [`base64url ${before}`, Buffer.from(`${before}${secret} and more`).toString('base64url')],
      ]),
    ),
  };
  for (const [what, text] of Object.entries(wraps)) {
    const leaks = leaksIn([{ what, bytes: Buffer.from(text) }], canaries);
    assert.ok(leaks.length > 0, what);
  }
  assert.deepEqual(leaksIn([{ what: 'nothing', bytes: Buffer.from('CANARY 0123') }], canaries), []);
  assert.ok(Object.values(formsOf(secret)).every((form) => form.length >= 12));
});

test('a gateway that is used, misused and managed says and keeps no secret', async () => {
  const { canaries, produced, statuses } = await runCanary();
  // The paths were walked: answers of every kind came back, and files were written.
  const seen = new Set(Object.values(statuses));
  for (const status of [200, 201, 400, 401, 403, 404, 409]) assert.ok(seen.has(status), `no answer ${status}`);
  for (const name of ['keys.sqlite', 'audit.jsonl', 'ledger.sqlite', 'responses.sqlite'])
    assert.ok(
      produced.some(({ what, bytes }) => what === `file ${name}` && bytes.length > 0),
      name,
    );
  assert.ok(produced.length > 150, String(produced.length));
  const bytesOf = (what: string): string =>
    produced.flatMap((each) => (each.what === what ? [each.bytes] : [])).join('');
  assert.match(bytesOf('spans'), /gen_ai\.operation\.name.*GW_UPSTREAM/s);
  for (const format of ['text', 'json']) assert.match(bytesOf(`the log as ${format}`), /request.*\/v1\/embeddings/s);
  assert.ok(Object.entries(statuses).some(([what, status]) => what.includes('/v1/embeddings') && status === 200));
  // Each virtual key stands in the answer to its creation: the search would find it elsewhere too.
  for (const { name, secret, allowed } of canaries)
    if (allowed !== undefined)
      assert.ok(
        produced.some(({ what, bytes }) => what === allowed && bytes.includes(secret)),
        name,
      );
  assert.deepEqual(leaksIn(produced, canaries), []);
});
