/** How often the semantic cache would give a wrong answer, measured on labelled pairs; it does not start without. */
import { readFileSync } from 'node:fs';
import { calibration, GatewrightError } from '@gatewright/kernel';
import type { LabelledPair } from './pairs.ts';
import { mayAnswer, VERIFIER_VERSION, wordSimilarity } from './verifier.ts';

/** Counts of one kind of pairs. */
export interface KindCounts {
  readonly pairs: number;
  readonly hits: number;
}

/** A measurement, as its file holds it. */
export interface CacheMeasurement {
  readonly object: 'gatewright.cache-measurement';
  readonly version: 1;
  /** `VERIFIER_VERSION` of what was measured. */
  readonly verifier: number;
  readonly minSimilarity: number;
  /** Where the pairs came from. */
  readonly sources: readonly string[];
  /** Pairs that ask different things, and how many of them were taken for the same. */
  readonly different: KindCounts;
  readonly same: KindCounts;
  /** Exact bound of Clopper and Pearson on one side: the rate is below it with 95 % confidence. */
  readonly falseHitUpper: number;
  readonly kinds: Readonly<Record<string, KindCounts & { readonly same: boolean }>>;
}

/** Measures the verifier. @param sources names of where the pairs came from */
export function measureCache(
  pairs: Iterable<LabelledPair>,
  minSimilarity: number,
  sources: readonly string[],
): CacheMeasurement & { readonly falseHits: readonly LabelledPair[] } {
  const sums = { true: { pairs: 0, hits: 0 }, false: { pairs: 0, hits: 0 } };
  const kinds: Record<string, { pairs: number; hits: number; same: boolean }> = {};
  const falseHits: LabelledPair[] = [];
  for (const pair of pairs) {
    const isHit = wordSimilarity(pair.a, pair.b) >= minSimilarity && mayAnswer(pair.a, pair.b).allowed;
    const name = `${pair.same ? 'same' : 'different'}: ${pair.kind}`;
    kinds[name] ??= { pairs: 0, hits: 0, same: pair.same };
    const kind = kinds[name];
    for (const sum of [sums[`${pair.same}`], kind]) {
      sum.pairs++;
      if (isHit) sum.hits++;
    }
    if (isHit && !pair.same && falseHits.length < 20) falseHits.push(pair);
  }
  return {
    object: 'gatewright.cache-measurement',
    version: 1,
    verifier: VERIFIER_VERSION,
    minSimilarity,
    sources,
    different: sums.false,
    same: sums.true,
    falseHitUpper: sums.false.pairs === 0 ? 1 : calibration.upperShare(sums.false.hits, sums.false.pairs, 0.05),
    kinds,
    falseHits,
  };
}

/**
 * Reads a measurement and checks that it allows the cache to start.
 *
 * @throws {GatewrightError} `GW_CACHE_MEASUREMENT` if it cannot be read, is of another verifier or a looser setting, or says too much
 */
export function requireMeasurement(path: string, maxFalseHitRate: number, minSimilarity: number): void {
  const refuse = (what: string, cause?: unknown): GatewrightError =>
    new GatewrightError('GW_CACHE_MEASUREMENT', `The semantic cache does not start: ${what}.`, {
      fix: 'Measure it with your own pairs: gatewright cache --pairs FILE --out FILE; or leave cache.semantic out.',
      path: 'cache.semantic.measurement',
      ...(cause === undefined ? {} : { cause }),
    });
  let found: Partial<CacheMeasurement> | null;
  try {
    found = JSON.parse(readFileSync(path, 'utf8')) as Partial<CacheMeasurement> | null;
  } catch (cause) {
    throw refuse(`${path} cannot be read`, cause);
  }
  if (found?.object !== 'gatewright.cache-measurement' || found.version !== 1)
    throw refuse(`${path} is no measurement that this program knows`);
  if (found.verifier !== VERIFIER_VERSION)
    throw refuse(`${path} measured version ${found.verifier} of the verifier, this is ${VERIFIER_VERSION}`);
  if (!(typeof found.minSimilarity === 'number' && found.minSimilarity <= minSimilarity))
    throw refuse(
      `${path} was measured with minSimilarity ${found.minSimilarity}, which lets less pass than ${minSimilarity}`,
    );
  const { pairs, hits } = found.different ?? { pairs: 0, hits: 0 };
  // Made again from the counts: the file is not believed about the rate.
  const isCount = Number.isInteger(pairs) && Number.isInteger(hits) && hits >= 0 && pairs > 0 && hits <= pairs;
  const upper = isCount ? calibration.upperShare(hits, pairs, 0.05) : 1;
  if (upper > maxFalseHitRate)
    throw refuse(
      `${path} has ${hits} false hits of ${pairs}, which is below ${upper.toFixed(4)} with 95 % confidence, and ${maxFalseHitRate} is asked for`,
    );
}
