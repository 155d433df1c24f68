import { OptionError } from '../errors.ts';
import { numberOption, onlyOptions } from '../options.ts';
import { scoreTable, termsOf } from '../score.ts';
import { rank } from '../top-k.ts';
import { type Candidate, type Policy, requireCandidates } from './policy.ts';

/** How much each property of a candidate counts. */
export interface UtilityWeights {
  /** Per unit of quality (0..1). Default 1. */
  readonly quality?: number;
  /** Against the share of the dearest candidate's cost (0..1). Default 0.3. */
  readonly cost?: number;
  /** Against the share of the slowest candidate's latency (0..1). Default 0.1. */
  readonly latency?: number;
}

/**
 * The candidate of the highest utility:
 *
 *     quality weight x quality - cost weight x cost / dearest cost - latency weight x latency / slowest latency - price
 *
 * Cost and latency are taken relative to the worst candidate, so the weights mean the same for a cent as for a dollar:
 * `cost: 0.3` pays 30 points of quality for the step from the dearest candidate to one that is free. (So a utility
 * compares candidates of one request, not requests.)
 *
 * @throws {OptionError} if `weights` is not a map, or a weight is negative or not finite
 */
export function bestOf(options: { weights?: UtilityWeights } = {}): Policy {
  onlyOptions(options, ['weights']);
  const weights: UtilityWeights = options.weights ?? {};
  if (typeof weights !== 'object' || Array.isArray(weights)) {
    throw new OptionError('weights', 'a map of properties to weights', weights, 'For example { cost: 0.5 }.');
  }
  onlyOptions(weights, ['quality', 'cost', 'latency']);
  const weightOf = (name: keyof UtilityWeights, standard: number): number =>
    numberOption(`weights.${name}`, weights[name] ?? standard, { min: 0 }, 'Use 0 to leave a property out.');
  const qualityWeight = weightOf('quality', 1);
  const costWeight = weightOf('cost', 0.3);
  const latencyWeight = weightOf('latency', 0.1);

  return {
    select(candidates) {
      requireCandidates(candidates);
      const dearestUsd = largest(candidates, (candidate) => candidate.costUsd);
      const slowestMs = largest(candidates, (candidate) => candidate.latencyMs);
      const table = scoreTable(candidates.length, {
        quality: (i) => qualityWeight * candidates[i]!.quality,
        cost: (i) => -costWeight * share(candidates[i]!.costUsd, dearestUsd),
        latency: (i) => -latencyWeight * share(candidates[i]!.latencyMs, slowestMs),
        price: (i) => -candidates[i]!.price,
      });
      const ranked = [...rank(table.total)];
      return {
        ranked,
        terms: candidates.map((_, index) => termsOf(table, index)),
        propensity: 1,
        reason: `highest utility, ${table.total[ranked[0]!]!.toFixed(3)}`,
      };
    },
  };
}

function largest(candidates: readonly Candidate[], key: (candidate: Candidate) => number): number {
  let max = 0;
  for (const candidate of candidates) max = Math.max(max, key(candidate));
  return max;
}

/** 0 where nobody costs anything, rather than 0/0. */
function share(value: number, max: number): number {
  return max > 0 ? value / max : 0;
}
