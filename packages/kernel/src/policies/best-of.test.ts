import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../random.ts';
import { bestOf } from './best-of.ts';
import type { Candidate, Selection } from './policy.ts';
import { sampleCandidate } from './samples.ts';

type Options = Parameters<typeof bestOf>[0];

function select(options: Options, candidates: readonly Partial<Candidate>[]): Selection {
  return bestOf(options).select(
    candidates.map((given, index) => sampleCandidate({ expert: `e${index}`, ...given })),
    { random: seededRandom(1) },
  );
}

const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}, expected ${expected}`);

test('takes the highest utility, computed by hand', () => {
  // Defaults: quality - 0.3 cost / 0.04 - 0.1 latency / 2000 - price
  //   e0: 0.9 - 0.3       - 0.1   - 0    = 0.5
  //   e1: 0.7 - 0.3 x 1/4 - 0.05  - 0    = 0.575
  //   e2: 0.8 - 0.3 x 1/2 - 0.025 - 0.15 = 0.475
  const { ranked, terms, reason, propensity } = select({}, [
    { quality: 0.9, costUsd: 0.04, latencyMs: 2000 },
    { quality: 0.7, costUsd: 0.01, latencyMs: 1000 },
    { quality: 0.8, costUsd: 0.02, latencyMs: 500, price: 0.15 },
  ]);
  assert.deepEqual(ranked, [1, 0, 2]);
  assert.equal(propensity, 1);
  assert.equal(reason, 'highest utility, 0.575');
  const expected = [
    { quality: 0.9, cost: -0.3, latency: -0.1, price: 0 },
    { quality: 0.7, cost: -0.075, latency: -0.05, price: 0 },
    { quality: 0.8, cost: -0.15, latency: -0.025, price: -0.15 },
  ];
  expected.forEach((row, index) => {
    assert.deepEqual(Object.keys(terms[index]!), Object.keys(row));
    for (const [name, value] of Object.entries(row)) near(terms[index]![name]!, value);
  });
});

test('lets each weight decide', () => {
  const candidates = [
    { quality: 0.9, costUsd: 0.04, latencyMs: 1000 },
    { quality: 0.6, costUsd: 0.01, latencyMs: 2000 },
    { quality: 0.5, costUsd: 0.03, latencyMs: 100 },
  ];
  const cases: [NonNullable<Options>['weights'] & object, number][] = [
    [{ quality: 1, cost: 0, latency: 0 }, 0],
    [{ quality: 0, cost: 1, latency: 0 }, 1],
    [{ quality: 0, cost: 0, latency: 1 }, 2],
    [{ cost: 0 }, 0], // 0.9 - 0.05, 0.6 - 0.1, 0.5 - 0.005: quality keeps its weight of 1
    [{ quality: 0, latency: 0 }, 1], // cost keeps its 0.3
    [{ quality: 0, cost: 0 }, 2], // latency keeps its 0.1
  ];
  for (const [weights, first] of cases) assert.equal(select({ weights }, candidates).ranked[0], first);
});

test('measures cost and latency against the worst candidate, so units do not matter', () => {
  const inUnits = (scale: number): readonly number[] =>
    select({}, [
      { quality: 0.9, costUsd: 4 * scale, latencyMs: 2 * scale },
      { quality: 0.7, costUsd: 1 * scale, latencyMs: 1 * scale },
      { quality: 0.66, costUsd: 2 * scale, latencyMs: 0.5 * scale },
    ]).ranked;
  assert.deepEqual(inUnits(1), [1, 0, 2]);
  assert.deepEqual(inUnits(1e-9), inUnits(1));
  assert.deepEqual(inUnits(1e9), inUnits(1));
});

test('takes 0 for the share where nobody costs or waits anything', () => {
  const { terms } = select({}, [{ costUsd: 0, latencyMs: 0, quality: 1 }]);
  assert.deepEqual(terms, [{ quality: 1, cost: 0, latency: 0, price: 0 }]);
});

test('breaks ties by the order of the candidates', () => {
  assert.deepEqual(select({}, [{}, {}, {}]).ranked, [0, 1, 2]);
});

test('refuses weights that it cannot use', () => {
  const cases: [unknown, string][] = [
    [{ quality: -1 }, 'weights.quality'],
    [{ cost: Number.NaN }, 'weights.cost'],
    [{ latency: Infinity }, 'weights.latency'],
    [{ cost: '1' }, 'weights.cost'],
    [{ speed: 1 }, 'speed'],
    [5, 'weights'],
    ['heavy', 'weights'],
    [[1], 'weights'],
  ];
  for (const [weights, path] of cases) {
    assert.throws(() => bestOf({ weights } as Options), { code: 'GW_OPTION', path }, JSON.stringify(weights));
  }
});
