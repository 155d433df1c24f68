import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../random.ts';
import { random } from './random.ts';
import { sampleCandidate } from './samples.ts';

function order(count: number, seed: number): readonly number[] {
  const candidates = Array.from({ length: count }, () => sampleCandidate());
  return random().select(candidates, { random: seededRandom(seed) }).ranked;
}

test('draws every order equally often', () => {
  // 24 orders of 4; chi-square with 23 degrees of freedom is below 49.7 in 99.9 % of cases.
  const draws = 12_000;
  const times = new Map<string, number>();
  for (let seed = 0; seed < draws; seed++) {
    const key = order(4, seed).join('');
    times.set(key, (times.get(key) ?? 0) + 1);
  }
  assert.equal(times.size, 24);
  let chiSquare = 0;
  for (const count of times.values()) chiSquare += (count - draws / 24) ** 2 / (draws / 24);
  assert.ok(chiSquare < 49.7, `chi-square ${chiSquare}`);
});

test('ranks everybody', () => {
  for (let count = 1; count <= 8; count++) {
    assert.deepEqual(
      [...order(count, count)].sort(),
      Array.from({ length: count }, (_, i) => i),
    );
  }
});

test('reports one chance for all and no terms', () => {
  const candidates = [sampleCandidate(), sampleCandidate(), sampleCandidate(), sampleCandidate()];
  const selection = random().select(candidates, { random: seededRandom(3) });
  assert.equal(selection.propensity, 0.25);
  assert.deepEqual(selection.terms, [{}, {}, {}, {}]);
  assert.equal(selection.reason, 'drawn evenly from 4');
});
