import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rank, selectTopK } from './top-k.ts';

/** The selected positions, after checking that the rest is -1. */
function topK(scores: readonly number[] | Float32Array, k: number): number[] {
  const indices = new Int32Array(k).fill(99);
  const count = selectTopK(scores instanceof Float32Array ? scores : Float64Array.from(scores), indices);
  assert.ok(indices.subarray(count).every((index) => index === -1));
  return [...indices.subarray(0, count)];
}

/** The same by sorting everything: stable, so ties keep index order. */
function bySorting(scores: readonly number[], k: number): number[] {
  return scores
    .map((_, index) => index)
    .filter((index) => scores[index] !== -Infinity)
    .sort((a, b) => (scores[b]! > scores[a]! ? 1 : scores[b]! < scores[a]! ? -1 : 0))
    .slice(0, k);
}

test('selects the largest, best first', () => {
  const cases: [readonly number[], number, readonly number[]][] = [
    [[], 0, []],
    [[1, 2], 0, []],
    [[0.1, 0.7, 0.3, 0.6], 1, [1]],
    [[0.1, 0.7, 0.3, 0.6], 2, [1, 3]],
    [[0.1, 0.7, 0.3, 0.6], 4, [1, 3, 2, 0]],
    [[5, 5, 5], 2, [0, 1]],
    [[1, 5, 5, 5], 2, [1, 2]],
    [[5, 1, 5, 9, 5], 3, [3, 0, 2]],
    [[0, -0, 0], 3, [0, 1, 2]],
    [[-3, -1, -2], 2, [1, 2]],
    [[-Infinity, 1, -Infinity], 2, [1]],
    [[-Infinity, -Infinity], 2, []],
    [[1, Infinity, Infinity], 3, [1, 2, 0]],
  ];
  for (const [scores, k, expected] of cases) assert.deepEqual(topK(scores, k), expected, `${scores}; ${k}`);
});

test('agrees with a full sort, also with ties and forbidden experts', () => {
  const score = fc.oneof(fc.constantFrom(-Infinity, -1, 0, 1, Infinity), fc.double({ noNaN: true }));
  fc.assert(
    fc.property(fc.array(score, { maxLength: 24 }), fc.nat(24), (scores, wanted) => {
      const k = Math.min(wanted, scores.length);
      assert.deepEqual(topK(scores, k), bySorting(scores, k));
      assert.deepEqual([...rank(Float64Array.from(scores))], bySorting(scores, scores.length));
    }),
    { seed: 20260101, numRuns: 2000 },
  );
});

test('takes single precision too, where near numbers become ties', () => {
  assert.deepEqual(topK(Float32Array.of(0.1, 0.1 + 1e-12, 0.2), 3), [2, 0, 1]);
  assert.deepEqual([...rank(Float32Array.of(1, 3, -Infinity, 2))], [1, 3, 0]);
});

test('leaves the scores as they were', () => {
  const scores = Float64Array.of(3, 1, 2);
  rank(scores);
  assert.deepEqual([...scores], [3, 1, 2]);
});

test('refuses more places than experts', () => {
  assert.throws(() => topK([1, 2], 3), { code: 'GW_SHAPE', message: /at most 2 long .*got 3/ });
});

test('refuses NaN and says where it is', () => {
  for (const scores of [
    [1, Number.NaN, 2],
    [9, 8, 7, Number.NaN],
  ]) {
    const path = `scores[${scores.findIndex(Number.isNaN)}]`;
    assert.throws(() => topK(scores, 1), { code: 'GW_SHAPE', path });
    assert.throws(() => rank(Float64Array.from(scores)), { code: 'GW_SHAPE', path });
  }
});
