import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redact } from './redact.ts';

const HIDDEN: readonly (readonly [name: string, text: string, secrets?: readonly string[]])[] = [
  ['an exact secret', 'the key correct.horse.battery is wrong', ['correct.horse.battery']],
  ['an exact secret, every time', 'aaaa1111 and aaaa1111', ['aaaa1111']],
  ['a secret with signs of a pattern', 'key: a+b(c)*d$', ['a+b(c)*d$']],
  ['an OpenAI key', 'Incorrect API key provided: sk-proj-abcdefgh12345678'],
  ['an OpenAI key in JSON', '{"key":"sk-abcdefgh12345678"}'],
  ['a Groq key', 'gsk_abcdefgh12345678'],
  ['an xAI key', 'xai-abcdefgh12345678'],
  ['a Google key', 'AIzaSyA1234567890abcdefghijklmnopqrstuv'],
  ['a Hugging Face token', 'hf_abcdefgh12345678'],
  ['a GitHub token', 'ghp_abcdefgh12345678'],
  ['a virtual key of this gateway', 'the key gw-4fGh7JkLmN2p_abcdefgh1234567890abcdef is wrong'],
  ['a bearer header', 'authorization: Bearer abcdefgh12345678'],
  ['a bearer header in small letters', 'bearer abcdefgh12345678'],
  ['a basic header', 'Basic dXNlcjphYmNkZWZnaDEyMzQ1Njc4'],
  ['an api key by name', 'api_key=abcdefgh12345678'],
  ['an api key by header', 'x-api-key: abcdefgh12345678'],
];
for (const [name, text, secrets = []] of HIDDEN) {
  test(`hides ${name}`, () => {
    const clean = redact(text, secrets);
    assert.ok(clean.includes('[redacted]'), clean);
    for (const secret of [...secrets, 'abcdefgh12345678', '1234567890abcdef', 'dXNlcjphYmNk'])
      assert.ok(!clean.includes(secret));
  });
}

const LEFT = [
  'The model does not exist.',
  'task-oriented risk-management desk-lamps',
  'tokens: 1234567890',
  'a key is missing',
  'tr_0mwr1os6a00000tsdmnz',
  'the key vk_4fGh7JkLmN2p of gw-auto',
];
for (const text of LEFT) test(`leaves ${JSON.stringify(text)} as it is`, () => assert.equal(redact(text), text));

test('leaves secrets alone that are too short to be any', () => {
  assert.equal(redact('abc abc', ['abc', '']), 'abc abc');
});

test('hides a known secret in encodings that anybody can undo, wherever it stands in a longer one', () => {
  const secret = 'a"b/c+d=SECRET~0123456789';
  const texts: readonly string[] = [
    JSON.stringify({ key: secret }),
    JSON.stringify({ key: secret }).replaceAll('/', '\\/'),
    `/?key=${encodeURIComponent(secret)}`,
    Buffer.from(secret).toString('hex'),
    Buffer.from(secret).toString('hex').toUpperCase(),
    ...['', 'u', 'us', 'use', 'user:'].flatMap((before) => [
      Buffer.from(`${before}${secret}`).toString('base64'),
      Buffer.from(`${before}${secret} and more`).toString('base64url'),
    ]),
  ];
  for (const text of texts) {
    const clean = redact(text, [secret]);
    assert.ok(clean.includes('[redacted]'), text);
    assert.ok(clean.length < text.length - 15, clean);
  }
});

test('takes time in proportion to the text', () => {
  const startMs = performance.now();
  redact('api key '.repeat(20_000));
  redact(`Bearer ${' '.repeat(100_000)}`);
  redact('sk-'.repeat(50_000));
  assert.ok(performance.now() - startMs < 1_500);
});
