import assert from 'node:assert/strict';
import { test } from 'node:test';
import { orderBy, requireCandidates } from './policy.ts';
import { sampleCandidate } from './samples.ts';

const byKeys = (keys: readonly number[]): number[] =>
  orderBy(
    keys.map(() => sampleCandidate()),
    (_, index) => keys[index]!,
  );

test('orders by the smallest key first and breaks ties by index', () => {
  const cases: [readonly number[], readonly number[]][] = [
    [[], []],
    [
      [3, 1, 2],
      [1, 2, 0],
    ],
    [
      [1, 0, 1, 0, 1],
      [1, 3, 0, 2, 4],
    ],
    [
      [0, -0, 0],
      [0, 1, 2],
    ],
    [
      [Infinity, 1, Infinity],
      [1, 0, 2],
    ],
    [
      [-1, 10, 9],
      [0, 2, 1],
    ], // numbers, not texts
  ];
  for (const [keys, expected] of cases) assert.deepEqual(byKeys(keys), expected, `${keys}`);
});

test('gives the key function the candidate and its own index', () => {
  const candidates = [sampleCandidate({ quality: 0.2 }), sampleCandidate({ quality: 0.1 })];
  assert.deepEqual(
    orderBy(candidates, (candidate) => candidate.quality),
    [1, 0],
  );
  assert.deepEqual(
    orderBy(candidates, (_, index) => -index),
    [1, 0],
  );
});

test('refuses an empty list of candidates and accepts any other', () => {
  assert.throws(() => requireCandidates([]), { code: 'GW_OPTION', message: /at least one candidate/ });
  requireCandidates([sampleCandidate()]);
});
