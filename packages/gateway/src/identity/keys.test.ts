import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf, keyIdIn, newKeyId, newKeyText } from './key-text.ts';
import { LONGEST_OVERLAP_MS, openKeys } from './keys.ts';

test('a key has its public id, 256 bits and a checksum, in letters and digits', () => {
  const id = newKeyId();
  const key = newKeyText(id);
  assert.match(id, /^vk_[0-9A-Za-z]{12}$/);
  assert.match(key, /^gw-[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
  assert.equal(keyIdIn(key), id);
});

test('the text of a key is what its random bytes make it', () => {
  // 0 -> 43 zeros; CRC-32 of "gw-AAAAAAAAAAAA_" and 43 zeros, by python's zlib.crc32, in base 62.
  const zero = newKeyText('vk_AAAAAAAAAAAA', (bytes) => Buffer.alloc(bytes));
  assert.equal(zero.slice(0, -6), `gw-AAAAAAAAAAAA_${'0'.repeat(43)}`);
  assert.equal(zero.slice(-6), '0Of4A0');
  // 2^256 - 1 in base 62, by python.
  const most = newKeyText('vk_AAAAAAAAAAAA', (bytes) => Buffer.alloc(bytes, 255));
  assert.equal(most.slice(16, -6), 'yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1');
});

test('a key with any one character changed is no key', () => {
  const key = newKeyText(newKeyId());
  for (let at = 0; at < key.length; at++) {
    const changed = key.slice(0, at) + (key[at] === 'x' ? 'y' : 'x') + key.slice(at + 1);
    assert.equal(keyIdIn(changed), undefined, `changed at ${at}`);
  }
});

test('no other text is a key', () => {
  fc.assert(fc.property(fc.string({ maxLength: 100 }), (text) => keyIdIn(text) === undefined));
  for (const text of ['', 'gw-', 'gw/auto', `${newKeyText(newKeyId())} `, ` ${newKeyText(newKeyId())}`])
    assert.equal(keyIdIn(text), undefined);
});

/** A store with a clock of its own. */
function keysAt(startMs = Date.parse('2026-01-01T00:00:00Z')) {
  const clock = { nowMs: startMs };
  return { clock, keys: openKeys(':memory:', () => clock.nowMs) };
}

test('what a key is made with is what its holder is', () => {
  const { keys } = keysAt();
  const { record, key } = keys.create({
    name: 'billing',
    project: 'books',
    user: 'ada',
    roles: ['use', 'verifier'],
    scopes: ['chat', 'models'],
    models: ['gw/*', 'small'],
    limits: { requestsPerMinute: 60, budgets: [{ usd: 5, window: 'day' }] },
    metadata: { team: 'a' },
    expiresAt: '2026-06-01T00:00:00Z',
  });
  const found = keys.find(key);
  assert.deepEqual(found, {
    state: 'active',
    principal: {
      keyId: record.id,
      name: 'billing',
      keyDigest: digestOf(key),
      project: 'books',
      user: 'ada',
      roles: ['use', 'verifier'],
      scopes: ['chat', 'models'],
      models: ['gw/*', 'small'],
      limits: { requestsPerMinute: 60, budgets: [{ usd: 5, window: 'day' }] },
    },
  });
  assert.equal(record.expiresAt, '2026-06-01T00:00:00.000Z');
  assert.equal(record.lastUsedAt, null);
  assert.equal(keys.show(record.id).lastUsedAt, '2026-01-01T00:00:00.000Z');
  keys.close();
});

test('a key expires to the millisecond, and whoever has it is told when', () => {
  const { keys, clock } = keysAt();
  const { record, key } = keys.create({ name: 'a', expiresAt: '2026-01-02T00:00:00Z' });
  clock.nowMs = Date.parse('2026-01-02T00:00:00Z') - 1;
  assert.equal(keys.find(key).state, 'active');
  clock.nowMs += 1;
  assert.deepEqual(keys.find(key), { state: 'expired', id: record.id, atMs: clock.nowMs });
  assert.equal(keys.show(record.id).state, 'expired');
  // Prolonged, it works again.
  keys.change(record.id, { expiresAt: null });
  assert.equal(keys.find(key).state, 'active');
  keys.close();
});

test('after a rotation both keys work for the overlap, then the new one alone', () => {
  const { keys, clock } = keysAt();
  const { record, key: first } = keys.create({ name: 'a' });
  clock.nowMs += 1_000;
  const { key: second, record: rotated } = keys.rotate(record.id, 60_000);
  assert.notEqual(first, second);
  assert.equal(keyIdIn(second), record.id);
  assert.equal(rotated.overlapUntil, '2026-01-01T00:01:01.000Z');
  clock.nowMs += 59_999;
  assert.deepEqual(
    [first, second].map((key) => keys.find(key).state),
    ['active', 'active'],
  );
  clock.nowMs += 1;
  assert.deepEqual(
    [first, second].map((key) => keys.find(key).state),
    ['rotated', 'active'],
  );
  assert.equal(keys.show(record.id).overlapUntil, null);
  // Another rotation ends what the one before left working: two at a time.
  const { key: third } = keys.rotate(record.id, LONGEST_OVERLAP_MS);
  const { key: fourth } = keys.rotate(record.id, 1_000);
  assert.deepEqual(
    [second, third, fourth].map((key) => keys.find(key).state),
    ['rotated', 'active', 'active'],
  );
  const { key: fifth } = keys.rotate(record.id, 0);
  assert.deepEqual(
    [third, fourth, fifth].map((key) => keys.find(key).state),
    ['rotated', 'rotated', 'active'],
  );
  keys.close();
});

test('of many rotations the newest keys are remembered, the current one always', () => {
  const { keys, clock } = keysAt();
  const { record, key: first } = keys.create({ name: 'a' });
  let current = first;
  for (let i = 0; i < 30; i++) {
    clock.nowMs += 1_000;
    current = keys.rotate(record.id, 0).key;
  }
  assert.equal(keys.find(first).state, 'unknown');
  assert.equal(keys.find(current).state, 'active');
  keys.close();
});

test('revocation holds at once, also when another process does it, and for good', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-keys-'));
  const path = join(folder, 'keys.sqlite');
  // Two connections to one file are what two processes are to it.
  const gateway = openKeys(path);
  const command = openKeys(path);
  const { record, key } = command.create({ name: 'a' });
  assert.equal(gateway.find(key).state, 'active');
  command.change(record.id, { scopes: ['models'] });
  const changed = gateway.find(key);
  assert.deepEqual(changed.state === 'active' && changed.principal.scopes, ['models']);
  command.revoke(record.id);
  assert.equal(gateway.find(key).state, 'revoked');
  assert.throws(() => gateway.rotate(record.id, 0), { code: 'GW_KEY_ENDED' });
  assert.throws(() => gateway.change(record.id, { name: 'b' }), { code: 'GW_KEY_ENDED' });
  const { revokedAt } = gateway.show(record.id);
  assert.equal(gateway.revoke(record.id).revokedAt, revokedAt);
  gateway.delete(record.id);
  assert.equal(command.find(key).state, 'unknown');
  assert.equal(command.hasAny(), false);
  gateway.close();
  command.close();
  rmSync(folder, { recursive: true });
});

test('the files hold no key, and nobody else may read them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-keys-'));
  const keys = openKeys(join(folder, 'deep', 'keys.sqlite'));
  const made = keys.create({ name: 'a' });
  const rotated = keys.rotate(made.record.id, 1_000);
  keys.find(rotated.key);
  keys.flush();
  for (const name of readdirSync(join(folder, 'deep'))) {
    const bytes = readFileSync(join(folder, 'deep', name));
    for (const { key } of [made, rotated])
      for (const part of [key, key.slice(16, 59), key.slice(0, 24)]) assert.equal(bytes.includes(part), false, name);
    assert.equal(statSync(join(folder, 'deep', name)).mode & 0o077, 0, name);
  }
  keys.close();
  const again = openKeys(join(folder, 'deep', 'keys.sqlite'));
  assert.equal(again.find(rotated.key).state, 'active');
  assert.notEqual(again.show(made.record.id).lastUsedAt, null);
  again.close();
  rmSync(folder, { recursive: true });
});

test('work that throws leaves nothing behind', () => {
  const { keys } = keysAt();
  assert.throws(
    () =>
      keys.exclusively(() => {
        keys.create({ name: 'a' });
        throw new TypeError('no');
      }),
    { code: 'GW_KEYS_UNAVAILABLE' },
  );
  assert.deepEqual(keys.list(), []);
  keys.close();
});

test('a store that cannot be read lets nobody in', () => {
  const { keys } = keysAt();
  const { key } = keys.create({ name: 'a' });
  keys.close();
  assert.throws(() => keys.find(key), { code: 'GW_KEYS_UNAVAILABLE' });
  assert.throws(() => keys.hasAny(), { code: 'GW_KEYS_UNAVAILABLE' });
  keys.close();
});

const WRONG: readonly (readonly [string, unknown, string])[] = [
  ['no name', {}, 'name'],
  ['an empty name', { name: '' }, 'name'],
  ['a name of two lines', { name: 'a\nb' }, 'name'],
  ['a role that is none', { name: 'a', roles: ['root'] }, 'roles.0'],
  ['no role', { name: 'a', roles: [] }, 'roles'],
  ['a scope that is none', { name: 'a', scopes: ['all'] }, 'scopes'],
  ['a time that is none', { name: 'a', expiresAt: 'tomorrow' }, 'expiresAt'],
  ['a time that is over', { name: 'a', expiresAt: '2001-01-01T00:00:00Z' }, 'expiresAt'],
  ['a day that is none', { name: 'a', expiresAt: '2027-13-01T00:00:00Z' }, 'expiresAt'],
  ['a limit that is none', { name: 'a', limits: { requestsPerSecond: 1 } }, 'limits'],
  ['a limit below 0', { name: 'a', limits: { requestsPerMinute: -1 } }, 'limits.requestsPerMinute'],
  ['a field that is none', { name: 'a', key: 'gw-mine' }, ''],
  ['a note that is too long', { name: 'a', metadata: { note: 'x'.repeat(501) } }, 'metadata.note'],
];
for (const [name, fields, path] of WRONG) {
  test(`refuses ${name}`, () => {
    const { keys } = keysAt();
    assert.throws(
      () => keys.create(fields as never),
      (error: { code?: string; path?: string }) => error.code === 'GW_KEY_FIELD' && (error.path ?? '').startsWith(path),
    );
    assert.equal(keys.hasAny(), false);
    keys.close();
  });
}
