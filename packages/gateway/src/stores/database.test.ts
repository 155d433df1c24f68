import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openAudit } from '../identity/audit.ts';
import { openKeys } from '../identity/keys.ts';
import { openBook } from '../money/book.ts';
import { openDatabase } from './database.ts';
import { fileResponses } from './responses.ts';
import { fileStates } from './states.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatewright-'));
after(() => rmSync(folder, { recursive: true }));
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('files that the gateway keeps', () => {
  const wide = process.umask(0);
  after(() => process.umask(wide));

  test('may be read by nobody else, whatever the umask says', async () => {
    const place = (name: string): string => join(folder, name, 'file');
    openBook(place('ledger')).close();
    openKeys(place('keys')).close();
    fileResponses(place('responses')).close();
    openAudit(place('audit'), (work) => work()).append({
      actor: { key: 'cli', name: 'x', from: 'local' },
      action: 'a',
      result: 'ok',
    });
    await fileStates(dirname(place('states'))).save('one', { kind: 'x' } as never);
    for (const name of readdirSync(folder)) {
      assert.equal(modeOf(join(folder, name)), '700', name);
      for (const file of readdirSync(join(folder, name))) assert.equal(modeOf(join(folder, name, file)), '600', file);
    }
    assert.equal(readdirSync(folder).length, 5);
  });

  test('of an earlier version are narrowed, with the log beside them', () => {
    const path = join(folder, 'old', 'ledger.sqlite');
    mkdirSync(dirname(path));
    writeFileSync(path, '');
    chmodSync(path, 0o644);
    const database = openDatabase(path, ['CREATE TABLE t (x)']);
    for (const end of ['', '-wal', '-shm']) assert.equal(modeOf(path + end), '600', end);
    database.close();
  });

  test('that cannot be made say so', () => {
    writeFileSync(join(folder, 'plain'), '');
    for (const open of [openBook, openKeys, fileResponses])
      assert.throws(() => open(join(folder, 'plain', 'x.sqlite')), { code: 'GW_STORE_OPEN' });
  });
});
