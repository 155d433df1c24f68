import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { isGatewrightError } from '@gatewright/kernel';
import {
  fileResponses,
  type KeptResponse,
  memoryResponses,
  type ResponseBounds,
  type ResponseStore,
} from './responses.ts';

const directory = mkdtempSync(join(tmpdir(), 'gatewright-responses-'));
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newPath = (): string => join(directory, `${files++}`, 'responses.sqlite');

const KINDS: Readonly<Record<string, (bounds?: ResponseBounds) => ResponseStore>> = {
  memory: memoryResponses,
  file: (bounds) => fileResponses(newPath(), bounds),
};

function turn(id: string, more: Partial<KeptResponse> = {}): KeptResponse {
  return {
    id,
    owner: 'key_a',
    atMs: Date.now(),
    previousId: undefined,
    response: `{"id":"${id}"}`,
    input: '[{"text":"Grüße"}]',
    output: '[]',
    ...more,
  };
}

for (const [kind, open] of Object.entries(KINDS)) {
  describe(`the ${kind} store of responses`, () => {
    test('gives back what was kept, to its owner alone', () => {
      const store = open();
      const first = turn('resp_1');
      const second = turn('resp_2', { previousId: 'resp_1' });
      store.add(first);
      store.add(second);
      assert.deepEqual(store.find('key_a', 'resp_1'), first);
      assert.deepEqual(store.find('key_a', 'resp_2'), second);
      assert.equal(store.find('key_b', 'resp_1'), undefined);
      assert.equal(store.find('key_a', 'resp_3'), undefined);
      store.close();
    });

    test('deletes for the owner alone, once', () => {
      const store = open();
      store.add(turn('resp_1'));
      assert.equal(store.remove('key_b', 'resp_1'), false);
      assert.equal(store.remove('key_a', 'resp_1'), true);
      assert.equal(store.remove('key_a', 'resp_1'), false);
      assert.equal(store.find('key_a', 'resp_1'), undefined);
      assert.deepEqual(store.stats(), { responses: 0, bytes: 0 });
      store.close();
    });

    test('lets the oldest go above its number', () => {
      const store = open({ most: 3 });
      for (let number = 0; number < 10; number++) store.add(turn(`resp_${number}`));
      assert.equal(store.stats().responses, 3);
      assert.equal(store.find('key_a', 'resp_6'), undefined);
      for (const id of ['resp_7', 'resp_8', 'resp_9']) assert.equal(store.find('key_a', id)?.id, id);
      store.close();
    });

    test('lets the oldest go above its bytes, and refuses what is larger than all', () => {
      const store = open({ keepBytes: 1_000 });
      for (let number = 0; number < 10; number++) store.add(turn(`resp_${number}`, { output: 'x'.repeat(300) }));
      const { bytes, responses } = store.stats();
      assert.ok(bytes <= 1_000 && responses === 2, `${bytes} bytes, ${responses} responses`);
      assert.throws(
        () => store.add(turn('resp_large', { output: 'x'.repeat(1_001) })),
        (error: unknown) => isGatewrightError(error) && error.code === 'GW_STORE_WRITE',
      );
      assert.equal(store.stats().responses, 2);
      store.close();
    });

    test('finds nothing that has grown too old', () => {
      let nowMs = 1_000_000;
      const store = open({ keepMs: 1_000, now: () => nowMs });
      store.add(turn('resp_1', { atMs: nowMs }));
      nowMs += 1_000;
      assert.equal(store.find('key_a', 'resp_1')?.id, 'resp_1');
      nowMs += 1;
      assert.equal(store.find('key_a', 'resp_1'), undefined);
      assert.equal(store.remove('key_a', 'resp_1'), false);
      nowMs += 600_000;
      store.add(turn('resp_2', { atMs: nowMs }));
      assert.equal(store.stats().responses, 1);
      store.close();
    });

    test('refuses bounds that are none', () => {
      for (const bounds of [{ most: 0 }, { keepBytes: Number.NaN }, { keepMs: -1 }, { keep: 5 } as ResponseBounds])
        assert.throws(() => open(bounds), isGatewrightError);
    });
  });
}

test('a file is there again after the process, with its counts, and holds nothing of what was deleted', () => {
  const path = newPath();
  const first = fileResponses(path);
  first.add(turn('resp_1', { output: '["a word that goes"]' }));
  first.add(turn('resp_2', { output: '["a word that stays"]' }));
  const stats = first.stats();
  first.close();
  const second = fileResponses(path);
  assert.deepEqual(second.stats(), stats);
  assert.equal(second.remove('key_a', 'resp_1'), true);
  second.close();
  const bytes = readFileSync(path, 'latin1');
  assert.ok(bytes.includes('a word that stays'));
  assert.ok(!bytes.includes('a word that goes'));
});

test('a file is for its owner alone', { skip: process.platform === 'win32' && 'no such rights there' }, () => {
  const path = newPath();
  const store = fileResponses(path);
  store.add(turn('resp_1'));
  for (const name of [path, `${path}-wal`]) assert.equal(statSync(name).mode & 0o077, 0, name);
  store.close();
});

test('a damaged file is a typed error that names it', () => {
  const path = newPath();
  fileResponses(path).close();
  writeFileSync(path, 'this is no database at all, and long enough to be looked at');
  assert.throws(
    () => fileResponses(path),
    (error: unknown) => isGatewrightError(error) && error.code === 'GW_STORE_OPEN' && error.message.includes(path),
  );
});
