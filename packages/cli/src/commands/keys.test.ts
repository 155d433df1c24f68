/** `gatewright keys` and `gatewright audit` on a storage folder. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openIdentity } from '@gatewright/gateway';
import { runCommandLine } from '../run.ts';

const root = mkdtempSync(join(tmpdir(), 'gatewright-keys-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

/** Runs commands on a folder of their own. */
function desk() {
  const store = join(root, `store-${folders++}`);
  return {
    store,
    async run(...argv: string[]): Promise<{ code: number; out: string; notes: string }> {
      const out: string[] = [];
      const notes: string[] = [];
      const code = await runCommandLine([...argv, '--store', store], {
        print: (line) => out.push(line),
        note: (line) => notes.push(line),
        env: {},
        stop: new AbortController().signal,
        isTerminal: false,
      });
      return { code, out: out.join('\n'), notes: notes.join('\n') };
    },
  };
}

test('a key is printed once, alone on a line, with a plain warning, and never again', async () => {
  const { run, store } = desk();
  const made = await run('keys', 'create', '--name', 'billing', '--scope', 'chat', '--model', 'gw/*');
  assert.equal(made.code, 0, made.notes);
  assert.match(made.out, /^gw-[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
  assert.match(made.notes, /shown this once and cannot be shown again/);
  const [record] = openAnd(store, ({ keys }) => keys.list());
  for (const argv of [
    ['keys', 'list'],
    ['keys', 'list', '--json'],
    ['keys', 'show', record!.id],
    ['keys', 'show', record!.id, '--json'],
    ['audit', 'list', '--json'],
  ]) {
    const shown = await run(...argv);
    assert.equal(shown.code, 0);
    assert.match(shown.out, new RegExp(record!.id));
    assert.equal(`${shown.out}${shown.notes}`.includes(made.out.slice(16)), false, argv.join(' '));
  }
});

test('create, change, rotate, revoke and delete do what they say, and the log tells of each', async () => {
  const { run, store } = desk();
  const made = await run(
    ...['keys', 'create', '--name', 'a', '--user', 'ada', '--project', 'books', '--role', 'use', '--role', 'admin'],
    ...['--expires', '30d', '--limits', '{"requestsPerMinute":5}', '--note', 'team=x=y', '--json'],
  );
  assert.equal(made.code, 0, made.notes);
  const record = JSON.parse(made.out);
  assert.deepEqual(
    [record.user, record.project, record.roles, record.limits, record.metadata, record.state],
    ['ada', 'books', ['use', 'admin'], { requestsPerMinute: 5 }, { team: 'x=y' }, 'active'],
  );
  assert.ok(Math.abs(Date.parse(record.expiresAt) - Date.parse(record.createdAt) - 30 * 86_400_000) < 60_000);
  const state = (key: string): string => openAnd(store, ({ keys }) => keys.find(key).state);
  assert.equal(state(record.key), 'active');

  assert.deepEqual(JSON.parse((await run('keys', 'change', record.id, '--scope', 'chat', '--json')).out).scopes, [
    'chat',
  ]);
  const rotated = JSON.parse((await run('keys', 'rotate', record.id, '--overlap', '0', '--json')).out);
  assert.deepEqual([state(record.key), state(rotated.key)], ['rotated', 'active']);
  assert.equal((await run('keys', 'revoke', record.id)).code, 0);
  assert.equal(state(rotated.key), 'revoked');
  assert.equal((await run('keys', 'rotate', record.id)).code, 1);
  const deleted = await run('keys', 'delete', record.id);
  assert.match(deleted.notes, /the last key/);
  assert.equal(state(rotated.key), 'unknown');

  const told = (await run('audit', 'list', '--json')).out.split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(told.map(({ action, result }) => `${action} ${result}`).reverse(), [
    'key.create ok',
    'key.change ok',
    'key.rotate ok',
    'key.revoke ok',
    'key.rotate refused',
    'key.delete ok',
  ]);
  assert.ok(told.every(({ actor }) => actor.key === 'cli' && actor.from === 'local' && actor.name !== ''));
});

test('verify finds a changed byte and a cut end', async () => {
  const { run, store } = desk();
  await run('keys', 'create', '--name', 'a');
  await run('keys', 'create', '--name', 'b');
  const { out, code } = await run('audit', 'verify', '--json');
  const { head, records, isSound } = JSON.parse(out);
  assert.deepEqual([code, records, isSound], [0, 2, true]);
  assert.equal((await run('audit', 'verify', '--head', head)).code, 0);
  const file = join(store, 'audit.jsonl');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.slice(0, text.indexOf('\n') + 1));
  assert.equal((await run('audit', 'verify')).code, 0);
  assert.equal((await run('audit', 'verify', '--head', head)).code, 1);
  writeFileSync(file, text.replace('"name":"a"', '"name":"z"'));
  const found = await run('audit', 'verify');
  assert.equal(found.code, 1);
  assert.match(found.out, /line 1: altered/);
});

const WRONG: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ['no verb', ['keys'], 2, /create, list, show/],
  ['a verb that is none', ['keys', 'print'], 2, /There is no "keys print"/],
  ['a verb of every object', ['keys', 'toString'], 2, /There is no "keys toString"/],
  ['no name', ['keys', 'create'], 2, /GW_KEY_FIELD/],
  ['a scope that is none', ['keys', 'create', '--name', 'a', '--scope', 'everything'], 2, /GW_KEY_FIELD/],
  ['limits that are no JSON', ['keys', 'create', '--name', 'a', '--limits', '{'], 2, /not JSON/],
  ['a note that is no pair', ['keys', 'create', '--name', 'a', '--note', 'x'], 2, /not KEY=TEXT/],
  ['an overlap that is none', ['keys', 'rotate', 'vk_x', '--overlap', 'long'], 2, /not a duration/],
  ['a key that is not there', ['keys', 'show', 'vk_000000000000'], 1, /GW_KEY_UNKNOWN/],
  ['no id', ['keys', 'revoke'], 2, /An argument is missing/],
  ['an audit verb that is none', ['audit', 'erase'], 2, /There is no "audit erase"/],
];
for (const [name, argv, code, said] of WRONG) {
  test(`${name} is refused`, async () => {
    const result = await desk().run(...argv);
    assert.equal(result.code, code, result.notes);
    assert.match(result.notes, said);
  });
}

function openAnd<T>(store: string, read: (identity: ReturnType<typeof openIdentity>) => T): T {
  const identity = openIdentity(store);
  try {
    return read(identity);
  } finally {
    identity.close();
  }
}
