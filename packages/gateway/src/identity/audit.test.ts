import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHAIN_START } from '@gatewright/kernel';
import { addressClass, administration, memoryIdentity, openIdentity, refusalLog } from './administration.ts';
import { type Actor, AUDIT_FILE, type AuditLog, memoryAudit, openAudit, verifyAudit } from './audit.ts';

const ADA: Actor = { key: 'vk_ADA000000000', name: 'ada', from: 'loopback' };

function folder(): { path: string; end(): void } {
  const path = mkdtempSync(join(tmpdir(), 'gw-audit-'));
  return { path, end: () => rmSync(path, { recursive: true }) };
}

/** A log of one process. */
function logIn(path: string): AuditLog {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  return openAudit(
    join(path, AUDIT_FILE),
    (work) => work(),
    () => nowMs++,
  );
}

test('every act is a line that follows the one before, and a check finds them whole', async () => {
  const { path, end } = folder();
  const log = logIn(path);
  for (const target of ['a', 'b', 'c']) log.append({ actor: ADA, action: 'key.create', target, result: 'ok' });
  const lines = readFileSync(join(path, AUDIT_FILE), 'utf8').trimEnd().split('\n');
  assert.equal(lines.length, 3);
  assert.deepEqual(Object.keys(JSON.parse(lines[1]!)), ['seq', 'prev', 'kind', 'body', 'hash']);
  const report = await verifyAudit(join(path, AUDIT_FILE));
  assert.deepEqual(report, { records: 3, head: JSON.parse(lines[2]!).hash, faults: [], tornBytes: 0 });
  assert.deepEqual(
    log.list({ limit: 2 }).map(({ seq, target }) => [seq, target]),
    [
      [2, 'c'],
      [1, 'b'],
    ],
  );
  assert.deepEqual(
    log.list({ limit: 10, before: 1 }).map(({ target }) => target),
    ['a'],
  );
  assert.equal(statSync(join(path, AUDIT_FILE)).mode & 0o077, 0);
  end();
});

test('a log that is not there is empty', async () => {
  const { path, end } = folder();
  assert.deepEqual(logIn(path).list({ limit: 5 }), []);
  assert.deepEqual(await verifyAudit(join(path, AUDIT_FILE)), {
    records: 0,
    head: CHAIN_START,
    faults: [],
    tornBytes: 0,
  });
  end();
});

test('a line that is changed, taken out or put in is found', async () => {
  const { path, end } = folder();
  const file = join(path, AUDIT_FILE);
  const log = logIn(path);
  for (let i = 0; i < 5; i++) log.append({ actor: ADA, action: 'key.revoke', target: `k${i}`, result: 'ok' });
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const faultsOf = async (changed: readonly string[]) => {
    writeFileSync(file, `${changed.join('\n')}\n`);
    return (await verifyAudit(file)).faults.map(({ line, kind }) => `${line} ${kind}`);
  };
  assert.deepEqual(await faultsOf(lines.map((line) => line.replace('k2', 'k9'))), ['3 altered', '4 broken']);
  assert.deepEqual(await faultsOf(lines.filter((_, index) => index !== 1)), ['2 broken']);
  assert.deepEqual(await faultsOf([...lines.slice(0, 2), lines[0]!, ...lines.slice(2)]), ['3 broken', '4 broken']);
  assert.deepEqual(await faultsOf(lines.slice(1)), ['1 broken']);
  assert.deepEqual(await faultsOf(lines), []);
  end();
});

test('a write that a kill cut off at any byte is put right with the next one, which says so', async () => {
  const { path, end } = folder();
  const file = join(path, AUDIT_FILE);
  const log = logIn(path);
  log.append({ actor: ADA, action: 'key.create', target: 'a', result: 'ok' });
  const whole = statSync(file).size;
  log.append({ actor: ADA, action: 'key.create', target: 'b', result: 'ok' });
  const both = readFileSync(file);
  for (let size = whole + 1; size < both.length; size += 7) {
    writeFileSync(file, both);
    truncateSync(file, size);
    assert.equal((await verifyAudit(file)).tornBytes, size - whole);
    assert.deepEqual(
      log.list({ limit: 5 }).map(({ target }) => target),
      ['a'],
    );
    log.append({ actor: ADA, action: 'key.create', target: 'c', result: 'ok' });
    const { faults, records, tornBytes } = await verifyAudit(file);
    assert.deepEqual({ faults, records, tornBytes }, { faults: [], records: 3, tornBytes: 0 });
    assert.deepEqual(log.list({ limit: 5 })[1]!.after, { tornBytes: size - whole });
  }
  end();
});

test('a damaged end stops no act, and stays visible', async () => {
  const { path, end } = folder();
  const file = join(path, AUDIT_FILE);
  appendFileSync(file, 'what is this\n');
  const log = logIn(path);
  log.append({ actor: ADA, action: 'key.revoke', target: 'a', result: 'ok' });
  const { faults, records } = await verifyAudit(file);
  assert.deepEqual([faults.map(({ line }) => line), records], [[1], 1]);
  end();
});

test('a log longer than a block is read from its end', () => {
  const { path, end } = folder();
  const log = logIn(path);
  for (let i = 0; i < 400; i++)
    log.append({ actor: ADA, action: 'key.change', target: `k${i}`, after: 'ä'.repeat(300), result: 'ok' });
  assert.deepEqual(
    log.list({ limit: 400 }).map(({ seq }) => seq),
    Array.from({ length: 400 }, (_, index) => 399 - index),
  );
  assert.equal(log.list({ limit: 1, before: 3 })[0]!.after, 'ä'.repeat(300));
  end();
});

test('what looks like a key is not written down, and what is too long is left out', () => {
  const log = memoryAudit();
  log.append({
    actor: ADA,
    action: 'key.change',
    after: { metadata: { note: 'the key is sk-abcdefgh12345678' } },
    result: 'ok',
  });
  log.append({ actor: ADA, action: 'key.change', after: 'x'.repeat(100_000), result: 'ok' });
  const [long, noted] = log.list({ limit: 2 });
  assert.deepEqual(noted!.after, { metadata: { note: 'the key is [redacted]' } });
  assert.deepEqual(long!.after, { tooLong: true });
});

test('two processes write one chain, and both see it', async () => {
  const { path, end } = folder();
  const [one, two] = [openIdentity(path), openIdentity(path)];
  for (let i = 0; i < 10; i++) {
    administration(one, ADA).createKey({ name: `one ${i}` });
    administration(two, { ...ADA, key: 'cli' }).createKey({ name: `two ${i}` });
  }
  const { records, faults } = await verifyAudit(join(path, AUDIT_FILE));
  assert.deepEqual([records, faults], [20, []]);
  assert.equal(two.keys.list().length, 20);
  one.close();
  two.close();
  end();
});

test('acts are told with what changed and what did not work', () => {
  const identity = memoryIdentity();
  const acts = administration(identity, ADA);
  const { record } = acts.createKey({ name: 'app', scopes: ['chat'] });
  acts.changeKey(record.id, { scopes: ['chat', 'models'], name: 'app' });
  acts.rotateKey(record.id, 0);
  assert.throws(() => acts.changeKey(record.id, { roles: [] }), { code: 'GW_KEY_FIELD' });
  acts.revokeKey(record.id);
  assert.throws(() => acts.rotateKey(record.id, 0), { code: 'GW_KEY_ENDED' });
  acts.deleteKey(record.id);
  assert.throws(() => acts.revokeKey(record.id), { code: 'GW_KEY_UNKNOWN' });
  assert.throws(() =>
    acts.act({ action: 'expert.drain', target: 'e' }, () => {
      throw new TypeError('no');
    }),
  );
  const told = identity.audit.list({ limit: 20 }).reverse();
  assert.deepEqual(
    told.map(({ action, target, result, code }) => [action, target === record.id, result, code]),
    [
      ['key.create', true, 'ok', undefined],
      ['key.change', true, 'ok', undefined],
      ['key.rotate', true, 'ok', undefined],
      ['key.change', true, 'refused', 'GW_KEY_FIELD'],
      ['key.revoke', true, 'ok', undefined],
      ['key.rotate', true, 'refused', 'GW_KEY_ENDED'],
      ['key.delete', true, 'ok', undefined],
      ['key.revoke', true, 'refused', 'GW_KEY_UNKNOWN'],
      ['expert.drain', false, 'ok', undefined],
      ['expert.drain', false, 'failed', 'GW_INTERNAL'],
    ],
  );
  assert.deepEqual([told[1]!.before, told[1]!.after], [{ scopes: ['chat'] }, { scopes: ['chat', 'models'] }]);
  identity.close();
});

test('an act that cannot be written down is not done', () => {
  const { path, end } = folder();
  const identity = openIdentity(path);
  const { record, key } = administration(identity, ADA).createKey({ name: 'app' });
  const broken = { ...identity, audit: openAudit(join(path, 'keys.sqlite', AUDIT_FILE), identity.keys.exclusively) };
  assert.throws(() => administration(broken, ADA).createKey({ name: 'b' }), { code: 'GW_AUDIT_WRITE' });
  assert.throws(() => administration(broken, ADA).revokeKey(record.id), { code: 'GW_AUDIT_WRITE' });
  assert.equal(identity.keys.list().length, 1);
  assert.equal(identity.keys.find(key).state, 'active');
  identity.close();
  end();
});

test('of a flood of refused attempts thirty a minute are written down, the rest as a number', () => {
  let nowMs = 0;
  const log = memoryAudit(() => nowMs);
  const refusals = refusalLog(log, () => nowMs);
  for (let i = 0; i < 100; i++) refusals.refused(ADA, 'admin.request', 'GW_AUTH');
  assert.equal(log.list({ limit: 1000 }).length, 30);
  nowMs = 60_000;
  refusals.refused(ADA, 'admin.request', 'GW_AUTH');
  const [newest, count] = log.list({ limit: 1000 });
  assert.equal(newest!.code, 'GW_AUTH');
  assert.equal(count!.count, 70);
  assert.equal(log.list({ limit: 1000 }).length, 32);
});

test('addresses are told by their kind', () => {
  const cases: readonly (readonly [string | undefined, string])[] = [
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.0.9', 'private'],
    ['fd00::1', 'private'],
    ['fe80::1', 'private'],
    ['8.8.8.8', 'public'],
    ['2001:db8::1', 'public'],
    [undefined, 'public'],
  ];
  for (const [address, kind] of cases) assert.equal(addressClass(address), kind, address);
});
