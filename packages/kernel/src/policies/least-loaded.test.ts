import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../random.ts';
import { leastLoaded } from './least-loaded.ts';
import type { Selection } from './policy.ts';
import { sampleCandidate } from './samples.ts';

type Options = Parameters<typeof leastLoaded>[0];

function select(options: Options, loads: readonly number[], seed = 1, prices: readonly number[] = []): Selection {
  const candidates = loads.map((load, i) => sampleCandidate({ expert: `e${i}`, load, price: prices[i] ?? 0 }));
  return leastLoaded(options).select(candidates, { random: seededRandom(seed) });
}

const seeds = Array.from({ length: 200 }, (_, seed) => seed);

test('takes the least loaded of all when it looks at all', () => {
  for (const seed of seeds) {
    const { ranked, propensity } = select({ choices: 4 }, [0.9, 0.2, 0.5, 0.2], seed);
    assert.deepEqual(ranked, [1, 3, 2, 0]);
    assert.equal(propensity, 1);
  }
});

test('never puts the most loaded first when it looks at two', () => {
  for (const seed of seeds) assert.notEqual(select({}, [0.1, 0.9, 0.5], seed).ranked[0], 1);
});

test('ranks the others by load behind the chosen one', () => {
  const rests = new Set(seeds.map((seed) => select({ choices: 1 }, [3, 1, 2], seed).ranked.join(' ')));
  assert.deepEqual([...rests].sort(), ['0 1 2', '1 2 0', '2 1 0']);
});

test('counts the price as load', () => {
  assert.deepEqual(select({ choices: 3 }, [0.1, 0.2, 0.3], 1, [0.5, 0, 0]).ranked, [1, 2, 0]);
});

test('reports the chance of each place by hand: C(n - 1 - place, looks - 1) / C(n, looks)', () => {
  const cases: [number, readonly number[]][] = [
    [1, [1 / 4, 1 / 4, 1 / 4, 1 / 4]],
    [2, [3 / 6, 2 / 6, 1 / 6]],
    [3, [3 / 4, 1 / 4]],
    [4, [1]],
    [9, [1]],
  ];
  for (const [choices, chances] of cases) {
    const seen = new Map<number, number>();
    for (const seed of seeds) {
      const { ranked, propensity } = select({ choices }, [0, 1, 2, 3], seed);
      seen.set(ranked[0]!, propensity);
    }
    assert.deepEqual([...seen.keys()].sort(), [...chances.keys()], `choices ${choices}`);
    chances.forEach((chance, place) => {
      assert.ok(Math.abs(seen.get(place)! - chance) < 1e-12, `choices ${choices}, place ${place}: ${seen.get(place)}`);
    });
  }
});

test('says how many it looked at', () => {
  assert.equal(select({}, [0, 1, 2]).reason, 'least loaded of 2 drawn from 3');
  assert.equal(select({ choices: 9 }, [0, 1, 2]).reason, 'least loaded of 3 drawn from 3');
});

test('shows load and price as the terms, against the expert', () => {
  assert.deepEqual(select({}, [0.5, 0], 1, [0, 0.25]).terms, [
    { load: -0.5, price: 0 },
    { load: 0, price: -0.25 },
  ]);
});

test('keeps the longest queue shorter than one random look does', () => {
  // 2,000 balls into 20 bins; the mean is 100. One look: about mean + 2 sigma = 120. Two looks: mean + 2 or so.
  const longest = (choices: number): number => {
    const loads = new Array<number>(20).fill(0);
    const random = seededRandom(7);
    for (let ball = 0; ball < 2000; ball++) {
      loads[select({ choices }, loads, random.seed()).ranked[0]!]!++;
    }
    return Math.max(...loads);
  };
  assert.ok(longest(2) <= 104, `two looks: ${longest(2)}`);
  assert.ok(longest(1) >= 110, `one look: ${longest(1)}`);
});

test('refuses choices that are not a whole number of at least 1', () => {
  for (const choices of [0, -1, 1.5, Number.NaN, Infinity, '2']) {
    assert.throws(() => leastLoaded({ choices } as Options), { code: 'GW_OPTION', path: 'choices' }, `${choices}`);
  }
});
