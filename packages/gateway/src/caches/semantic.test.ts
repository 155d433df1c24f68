import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ChatRequest } from '../wire/chat.ts';
import type { CachedAnswer } from './cache.ts';
import { measureCache } from './measurement.ts';
import { builtInPairs } from './pairs.ts';
import { type SemanticQuestion, semanticCache } from './semantic.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatewright-'));
after(() => rmSync(folder, { recursive: true }));
const measurement = join(folder, 'measurement.json');
writeFileSync(measurement, JSON.stringify(measureCache(builtInPairs(), 0, ['built-in'])));

const question = (text: string): SemanticQuestion => ({
  request: { model: 'm', messages: [{ role: 'user', content: text }] } as unknown as ChatRequest,
  hints: undefined,
  scope: 's',
  configHash: 'c',
});
const answer = (data: string): CachedAnswer => ({
  data,
  expert: 'a',
  source: 'tr_1',
  costUsd: 0,
  confidence: undefined,
  notCarried: [],
  storedMs: 0,
});

test('long answers do not fill the memory, however many questions may be remembered', () => {
  const cache = semanticCache({ measurement, entries: 10_000 });
  const data = 'x'.repeat(262_144);
  for (let n = 0; n < 200; n++) cache.put(question(`What is ${n}`), answer(data));
  assert.equal(cache.size, 128);
  assert.equal(cache.find(question('what is 71?'), 1, 0), undefined);
  assert.equal(cache.find(question('what is 199?'), 1, 0)?.answer.data, data);
  cache.put(question('What is 500'), answer(`${data}x`));
  assert.equal(cache.find(question('What is 500'), 1, 0), undefined);
  for (let n = 0; n < 300; n++) cache.put(question('What is 199'), answer(`${n}`));
  assert.equal(cache.size, 128, 'what is put again takes its own place');
});
