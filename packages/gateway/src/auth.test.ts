import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guard, isLoopback } from './auth.ts';
import { checkConfig } from './config/config.ts';
import { sandboxConfig } from './config/sandbox.ts';
import { speakerOf } from './feedback-desk.ts';
import { failureCounter } from './identity/failures.ts';
import { openKeys } from './identity/keys.ts';

const CASES: readonly (readonly [host: string, expected: boolean])[] = [
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['localhost', true],
  ['app.localhost', true],
  ['::1', true],
  ['[::1]', true],
  ['', false],
  ['0.0.0.0', false],
  ['::', false],
  ['128.0.0.1', false],
  ['127.0.0.1.example.com', false],
  ['x127.0.0.1', false],
  ['127.0.0.1\n', false],
  ['localhost.example.com', false],
  ['notlocalhost', false],
  ['[::1].example.com', false],
];
for (const [host, expected] of CASES) {
  test(`${JSON.stringify(host)} is ${expected ? 'this machine alone' : 'not this machine alone'}`, () => {
    assert.equal(isLoopback(host), expected);
  });
}

/** A request with that key, from this machine. */
const from = (key?: string) =>
  ({ headers: { host: '127.0.0.1', ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) } }) as never;
const SERVER = { ...checkConfig(sandboxConfig()).server, apiKeyEnv: 'KEYS', verifierKeyEnv: 'CHECKERS' };

test('a verifier key lets in where keys are needed, closes nothing where they are not, and is told from the others', () => {
  const keyed = guard(SERVER, { KEYS: 'app', CHECKERS: 'check, other' });
  keyed.check(from('check'));
  assert.throws(() => keyed.check(from('stranger')), { code: 'GW_AUTH' });
  const speakers = ['app', 'check', 'other'].map((key) => speakerOf(keyed.check(from(key))));
  assert.deepEqual(
    speakers.map(({ isVerifier }) => isVerifier),
    [false, true, true],
  );
  assert.equal(new Set(speakers.map(({ keyDigest }) => keyDigest)).size, 3);

  const open = guard(SERVER, { CHECKERS: 'check' });
  assert.equal(open.isKeyed, false);
  assert.deepEqual(speakerOf(open.check(from())), { keyDigest: '', isVerifier: false });
  assert.deepEqual(speakerOf(open.check(from('anything'))), { keyDigest: '', isVerifier: false });
  assert.equal(speakerOf(open.check(from('check'))).isVerifier, true);
});

test('the first virtual key closes an open gateway, and a revoked one keeps it closed', () => {
  const keys = openKeys(':memory:');
  const gate = guard(SERVER, {}, keys);
  assert.equal(gate.check(from()).keyId, 'open');
  const { record, key } = keys.create({ name: 'app' });
  assert.equal(gate.isKeyed, true);
  assert.throws(() => gate.check(from()), { code: 'GW_AUTH' });
  assert.equal(gate.check(from(key)).keyId, record.id);
  keys.revoke(record.id);
  assert.throws(() => gate.check(from(key)), { code: 'GW_KEY_REVOKED' });
  assert.throws(() => gate.check(from()), { code: 'GW_AUTH' });
  keys.delete(record.id);
  assert.equal(gate.check(from()).keyId, 'open');
  keys.close();
});

test('beyond loopback a gateway stays closed when its last key is deleted', () => {
  const keys = openKeys(':memory:');
  assert.throws(() => guard({ ...SERVER, host: '0.0.0.0' }, {}, keys), { code: 'GW_UNSAFE_BIND' });
  const { record } = keys.create({ name: 'app' });
  const gate = guard({ ...SERVER, host: '0.0.0.0' }, {}, keys);
  keys.delete(record.id);
  assert.throws(() => gate.check(from()), { code: 'GW_AUTH' });
  keys.close();
});

test('wrong keys make a short key of the environment wait, but never a long or a virtual one', () => {
  let nowMs = 0;
  const keys = openKeys(':memory:');
  const { key } = keys.create({ name: 'app' });
  const long = 'a-long-key-that-nobody-guesses';
  const gate = guard(
    SERVER,
    { KEYS: `short,${long}` },
    keys,
    failureCounter(() => nowMs),
  );
  for (let i = 0; i < 20; i++) assert.throws(() => gate.check(from(`guess-${i}`)), { code: 'GW_AUTH' });
  assert.throws(() => gate.check(from('guess')), { code: 'GW_AUTH_PAUSED' });
  assert.throws(() => gate.check(from('short')), { code: 'GW_AUTH_PAUSED' });
  assert.equal(gate.check(from(long)).keyId, 'static');
  assert.match(gate.check(from(key)).keyId, /^vk_/);
  nowMs = 1_001;
  assert.equal(gate.check(from('short')).keyId, 'static');
  keys.close();
});

for (const url of [
  '/v1/models?key=abc',
  '/v1/traces?limit=1&api_key=abc',
  `/v1/status?x=gw-${'0'.repeat(12)}_${'0'.repeat(49)}`,
]) {
  test(`a key in a URL is refused: ${url.slice(0, 30)}`, () => {
    const gate = guard(SERVER, { KEYS: 'app' });
    const { headers } = from('app') as { headers: object };
    assert.throws(() => gate.check({ headers, url } as never), { code: 'GW_REQUEST_KEY' });
  });
}
