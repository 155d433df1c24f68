import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../random.ts';
import type { Selection } from './policy.ts';
import { sampleCandidate } from './samples.ts';
import { weighted } from './weighted.ts';

type Weights = Readonly<Record<string, number>>;

function select(weights: Weights, experts: string, seed = 1): Selection {
  return weighted({ weights }).select(
    [...experts].map((expert) => sampleCandidate({ expert })),
    { random: seededRandom(seed) },
  );
}

const seeds = Array.from({ length: 500 }, (_, seed) => seed);

test('reports weight over the sum of the weights as the chance', () => {
  for (const seed of seeds.slice(0, 50)) {
    const { ranked, propensity, reason } = select({ a: 3, b: 1, c: 4, absent: 99 }, 'abc', seed);
    const weight = [3, 1, 4][ranked[0]!]!;
    assert.equal(propensity, weight / 8);
    assert.equal(reason, `drawn by weight, ${weight} of 8`);
  }
});

test('draws the second choice by weight among the rest', () => {
  // P(b second | a first) = 1 / (1 + 4) = 0.2; 4 sigma over about 3 / 8 of the draws.
  const draws = 8000;
  let afterA = 0;
  let thenB = 0;
  for (let seed = 0; seed < draws; seed++) {
    const { ranked } = select({ a: 3, b: 1, c: 4 }, 'abc', seed);
    if (ranked[0] !== 0) continue;
    afterA++;
    if (ranked[1] === 1) thenB++;
  }
  assert.ok(Math.abs(thenB / afterA - 0.2) < 4 * Math.sqrt((0.2 * 0.8) / afterA), `${thenB} of ${afterA}`);
});

test('ranks experts without a weight last, in their own order', () => {
  for (const seed of seeds) assert.deepEqual(select({ c: 1, a: 0 }, 'abcd', seed).ranked, [2, 0, 1, 3]);
});

test('draws evenly when no candidate has a weight', () => {
  const { propensity, reason, terms } = select({ absent: 1 }, 'abcd');
  assert.equal(propensity, 0.25);
  assert.equal(reason, 'no candidate has a weight; drawn evenly');
  assert.deepEqual(terms, [{ weight: 1 }, { weight: 1 }, { weight: 1 }, { weight: 1 }]);
  const firsts = new Set(seeds.map((seed) => select({ absent: 1 }, 'abcd', seed).ranked[0]));
  assert.equal(firsts.size, 4);
});

test('shows the weights as the terms', () => {
  assert.deepEqual(select({ a: 3, c: 0.5 }, 'abc').terms, [{ weight: 3 }, { weight: 0 }, { weight: 0.5 }]);
});

test('depends on the ratio of the weights only', () => {
  for (const seed of seeds.slice(0, 50)) {
    const { ranked, propensity } = select({ a: 3, b: 1 }, 'ab', seed);
    for (const scale of [2 ** -300, 2 ** 300]) {
      const scaled = select({ a: 3 * scale, b: scale }, 'ab', seed);
      assert.deepEqual([scaled.ranked, scaled.propensity], [ranked, propensity]);
    }
  }
});

test('leaves the draws of the others alone when one weight changes', () => {
  // b and c stay in the same order to each other, whatever a weighs.
  for (const seed of seeds.slice(0, 100)) {
    const others = (a: number): readonly number[] =>
      select({ a, b: 2, c: 1 }, 'abc', seed).ranked.filter((index) => index > 0);
    for (const a of [0, 0.1, 100]) assert.deepEqual(others(a), others(1));
  }
});

test("takes names of an object's own nature as plain names", () => {
  const weights = JSON.parse('{"__proto__": 1, "toString": 3}');
  const { terms } = weighted({ weights }).select(
    [
      sampleCandidate({ expert: '__proto__' }),
      sampleCandidate({ expert: 'toString' }),
      sampleCandidate({ expert: 'valueOf' }),
    ],
    { random: seededRandom(1) },
  );
  assert.deepEqual(terms, [{ weight: 1 }, { weight: 3 }, { weight: 0 }]);
});

test('refuses weights that it cannot draw by', () => {
  const cases: [unknown, string][] = [
    [undefined, 'weights'],
    [null, 'weights'],
    [[1, 2], 'weights'],
    ['a', 'weights'],
    [{}, 'weights'],
    [{ a: 0 }, 'weights'],
    [{ a: -1 }, 'weights.a'],
    [{ a: 1, b: Number.NaN }, 'weights.b'],
    [{ a: Infinity }, 'weights.a'],
    [{ a: '1' }, 'weights.a'],
    // Within a double, but a sum or a key of these is not.
    [{ a: 1e308, b: 1e308 }, 'weights.a'],
    [{ a: 1e-310 }, 'weights.a'],
  ];
  for (const [weights, path] of cases) {
    assert.throws(
      () => weighted({ weights } as Parameters<typeof weighted>[0]),
      { code: 'GW_OPTION', path },
      JSON.stringify(weights),
    );
  }
});
