import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../random.ts';
import { create } from '../registry.ts';
import * as policies from './index.ts';
import type { Candidate, Policy, RequestFacts, Selection } from './policy.ts';
import { sampleCandidates, samples } from './samples.ts';

// The contract that every policy keeps. A policy listed in index.ts is run through it with its samples.

type PolicyOptions = Readonly<Record<string, unknown>>;

const numbers = (max: number) => fc.double({ min: 0, max, noNaN: true }).map((value) => value + 0);

const candidateSets = fc
  .array(
    fc.record({
      // Few distinct values as well as many, so that ties are common.
      quality: fc.oneof(fc.constantFrom(0, 0.5, 1), numbers(1)),
      costUsd: fc.oneof(fc.constantFrom(0, 0.01), numbers(10)),
      latencyMs: fc.oneof(fc.constantFrom(0, 1000), numbers(600_000)),
      load: fc.oneof(fc.constantFrom(0, 1), numbers(20)),
      price: fc.oneof(fc.constantFrom(0, 1), numbers(5)),
      qualitySd: fc.option(fc.oneof(fc.constantFrom(0, 0.2), numbers(0.5)), { nil: undefined }),
      weight: fc.option(fc.oneof(fc.constantFrom(0, 1), numbers(1e6)), { nil: undefined }),
      attributes: fc.option(fc.record({ size: numbers(1) }), { nil: undefined }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((rows) => rows.map((row, index) => withoutAbsent<Candidate>({ expert: `e${index}`, ...row })));

const requests = fc
  .record({
    task: fc.constantFrom('default', undefined),
    promptTokens: fc.option(fc.nat(), { nil: undefined }),
    promptRank: fc.option(numbers(1), { nil: undefined }),
    groups: fc.constantFrom(['all'], undefined),
    preference: fc.option(fc.record({ qualityWeight: numbers(1), count: fc.nat() }), { nil: undefined }),
    session: fc.option(
      fc.record({
        expert: fc.constantFrom('e0', 'e3', 'gone'),
        switchCostUsd: numbers(1),
        awaitsTools: fc.boolean(),
      }),
      { nil: undefined },
    ),
    flags: fc.option(fc.record({ size: numbers(2), cost: numbers(1) }), { nil: undefined }),
  })
  .map((facts) => withoutAbsent<RequestFacts>(facts));

function withoutAbsent<T>(row: { readonly [name in keyof T]: T[name] | undefined }): T {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as T;
}

const seeds = fc.integer({ min: 0, max: 0xffffffff });

function policyOf(use: string, options: PolicyOptions): Policy {
  return create('policy', policies, { use, ...options });
}

function selectWith(policy: Policy, candidates: readonly Candidate[], seed: number, request?: RequestFacts): Selection {
  return policy.select(candidates, { random: seededRandom(seed), ...(request === undefined ? {} : { request }) });
}

function frozen(candidates: readonly Candidate[]): readonly Candidate[] {
  return Object.freeze(candidates.map((candidate) => Object.freeze({ ...candidate })));
}

test('every policy has samples, and every sample a policy', () => {
  assert.deepEqual(
    Object.keys(policies).sort(),
    Object.keys(samples).sort(),
    'policies/index.ts and policies/samples.ts differ: add options for the new policy to samples.ts',
  );
  for (const [use, list] of Object.entries(samples)) assert.ok(list.length > 0, `add a sample for ${use}`);
});

for (const use of Object.keys(policies)) {
  for (const options of samples[use] ?? []) {
    describe(`policy ${use} ${JSON.stringify(options)}`, () => {
      const holds = (
        property: (candidates: readonly Candidate[], seed: number, request: RequestFacts | undefined) => void,
      ): void =>
        fc.assert(fc.property(candidateSets, seeds, fc.option(requests, { nil: undefined }), property), {
          seed: 20260101,
          numRuns: 150,
        });

      test('ranks distinct candidates, at least one', () => {
        holds((candidates, seed, request) => {
          const { ranked } = selectWith(policyOf(use, options), candidates, seed, request);
          assert.ok(ranked.length >= 1);
          assert.equal(new Set(ranked).size, ranked.length);
          for (const index of ranked) assert.ok(Number.isInteger(index) && index >= 0 && index < candidates.length);
        });
      });

      test('gives the same selection for the same seed, also the second time it is asked', () => {
        holds((candidates, seed, request) => {
          const policy = policyOf(use, options);
          const first = selectWith(policy, candidates, seed, request);
          assert.deepEqual(selectWith(policy, candidates, seed, request), first);
          assert.deepEqual(selectWith(policyOf(use, options), candidates, seed, request), first);
        });
      });

      test('leaves candidates and options as they were', () => {
        const before = structuredClone(options);
        holds((candidates, seed, request) => {
          selectWith(policyOf(use, options), frozen(candidates), seed, request);
        });
        assert.deepEqual(options, before);
      });

      test('says why, how likely, and of what terms', () => {
        holds((candidates, seed, request) => {
          const { reason, propensity, terms } = selectWith(policyOf(use, options), candidates, seed, request);
          assert.notEqual(reason.trim(), '');
          assert.ok(propensity > 0 && propensity <= 1, `propensity ${propensity}`);
          assert.equal(terms.length, candidates.length);
          for (const value of terms.flatMap((row) => Object.values(row))) assert.ok(Number.isFinite(value));
        });
      });

      test('makes selections that survive JSON unchanged', () => {
        holds((candidates, seed, request) => {
          const selection = selectWith(policyOf(use, options), candidates, seed, request);
          assert.deepEqual(JSON.parse(JSON.stringify(selection)), selection);
        });
      });

      test('puts its only candidate first, with certainty', () => {
        const { ranked, propensity } = selectWith(policyOf(use, options), sampleCandidates.slice(0, 1), 1);
        assert.deepEqual([ranked, propensity], [[0], 1]);
      });

      test('refuses an option that it does not know', () => {
        assert.throws(() => policyOf(use, { ...options, surprise: 1 }), { code: 'GW_OPTION', path: 'policy.surprise' });
      });

      test('refuses to choose among nobody', () => {
        assert.throws(() => selectWith(policyOf(use, options), [], 1), { code: 'GW_OPTION', path: 'candidates' });
      });

      test('reports the propensity with which experts really come first', () => {
        for (const count of [1, 2, 3, 5]) {
          const candidates = sampleCandidates.slice(0, count);
          const policy = policyOf(use, options);
          const draws = 4000;
          const firsts = new Map<number, { times: number; propensity: number }>();
          for (let seed = 0; seed < draws; seed++) {
            const { ranked, propensity } = selectWith(policy, candidates, seed * 7919);
            const known = firsts.get(ranked[0]!) ?? { times: 0, propensity };
            assert.equal(propensity, known.propensity, 'one chance per first choice, whatever follows it');
            firsts.set(ranked[0]!, { times: known.times + 1, propensity });
          }
          let covered = 0;
          for (const [index, { times, propensity }] of firsts) {
            covered += propensity;
            const sigma = Math.sqrt((propensity * (1 - propensity)) / draws);
            assert.ok(
              Math.abs(times / draws - propensity) <= 4 * sigma + 1e-12,
              `${candidates[index]!.expert} of ${count}: first in ${times / draws}, reported ${propensity}`,
            );
          }
          assert.ok(Math.abs(covered - 1) < 1e-9, `the chances of all first choices add up to ${covered}`);
        }
      });
    });
  }
}
