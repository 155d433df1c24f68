/** Options to try every policy with, for the suites that run over all of them. A new policy adds its own here. */
import type { Candidate } from './policy.ts';

/** Exported name -> options that cover its ways of working; the first is its plainest. */
export const samples: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  balance: [{}],
  bestOf: [{}, { weights: { quality: 0, cost: 1 } }, { weights: { quality: 2, cost: 0, latency: 0.5 } }],
  bestSingle: [{}, { quality: { e0: 0.7, e3: 0.9 } }],
  cheapestAbove: [{ minQuality: 0.6 }, { minQuality: 0.3, behind: 'cheapest' }, { minQuality: 1 }],
  chebyshev: [{}, { qualityWeight: 0.9 }, { qualityWeight: 0 }],
  dual: [{}, { cap: 0.2 }],
  flags: [{}, { weights: { size: 0.3, cost: 0.2, undeclared: 0.1 } }],
  leastLoaded: [{}, { choices: 1 }, { choices: 3 }, { choices: 40 }],
  longestFirst: [{ promptTokens: 500 }, { share: 0.3, strong: 'e3', weak: 'absent' }],
  personal: [{}, { qualityWeight: 0.8 }],
  random: [{}],
  randomMatched: [
    { share: 0.5 },
    { costUsd: 0.005 },
    { costUsd: 0.01, means: { e0: { quality: 0.6, costUsd: 0.002 }, e3: { quality: 0.8, costUsd: 0.02 } } },
  ],
  sleeping: [{}, { explore: 0.2 }],
  static: [{}, { order: ['e3', 'e1', 'absent'] }],
  sticky: [{ of: { use: 'bestOf' } }, { of: { use: 'random' }, margin: 0.1, stability: 2 }],
  thompson: [{ sd: 0.3 }, { sd: 0.02 }, { sd: 0.2, scale: 2, costWeight: 0.3 }],
  utility: [{ usdPerQuality: 0.1 }, { usdPerQuality: 0.02, msPerQuality: 60_000 }],
  weighted: [
    { weights: { e0: 1, e1: 3, e3: 0.25, e4: 0 } },
    { weights: { e0: 1e-100, e2: 1e100 } },
    { weights: { absent: 1 } },
  ],
};

/** A candidate of middling numbers, with some of them given. */
export function sampleCandidate(given: Partial<Candidate> = {}): Candidate {
  return {
    expert: 'e0',
    quality: 0.5,
    costUsd: 0.01,
    latencyMs: 1000,
    load: 0,
    price: 0,
    ...given,
  };
}

/** Candidates `e0`, `e1`, ... that differ in every number and in the order of each. */
export const sampleCandidates: readonly Candidate[] = [
  {
    expert: 'e0',
    quality: 0.62,
    costUsd: 0.002,
    latencyMs: 900,
    load: 0.5,
    price: 0,
    weight: 1,
    attributes: { size: 0.2 },
  },
  {
    expert: 'e1',
    quality: 0.91,
    costUsd: 0.03,
    latencyMs: 4000,
    load: 0.1,
    price: 0.05,
    weight: 3,
    attributes: { size: 0.9 },
  },
  {
    expert: 'e2',
    quality: 0.4,
    costUsd: 0.0005,
    latencyMs: 300,
    load: 1.25,
    price: 0,
    weight: 0,
    attributes: { size: 0.1 },
  },
  {
    expert: 'e3',
    quality: 0.8,
    costUsd: 0.011,
    latencyMs: 2100,
    load: 0.8,
    price: 0.4,
    weight: 0.5,
    attributes: { size: 0.6 },
  },
  {
    expert: 'e4',
    quality: 0.77,
    costUsd: 0.007,
    latencyMs: 1500,
    load: 0,
    price: 0.01,
    weight: 2,
    attributes: { size: 0.4 },
  },
];
