/** Who of a pool is so slow beside the others that it is left alone for a while. */

/** What is known of one expert. */
export interface Pace {
  /** Median time to the first content, milliseconds; undefined where too little was seen. */
  readonly medianMs: number | undefined;
  /** Whether it is left alone already, for whatever reason. */
  readonly isOut: boolean;
}

/** When an expert is too slow. */
export interface OutlierOptions {
  /** How many times the pool's median makes an outlier, above 1. */
  readonly factor: number;
  /** Largest share of the pool that may be left alone at a time, 0..1. */
  readonly largestShare: number;
}

/** A median of fewer says nothing about who is unusual. */
const LEAST_MEASURED = 3;

/**
 * The experts to leave alone now, slowest first: those whose median is above `factor` times the median of all measured
 * experts' medians, as long as no more than `largestShare` of the pool is left alone.
 *
 * @param pool `[experts]`
 * @returns indices into `pool`
 */
export function outliers(pool: readonly Pace[], { factor, largestShare }: OutlierOptions): number[] {
  const medians = pool.flatMap(({ medianMs }) => (medianMs === undefined ? [] : [medianMs])).sort((a, b) => a - b);
  if (medians.length < LEAST_MEASURED) return [];
  const middle = medians.length >> 1;
  const poolMs = medians.length % 2 === 1 ? medians[middle]! : (medians[middle - 1]! + medians[middle]!) / 2;
  const room = Math.floor(largestShare * pool.length) - pool.filter(({ isOut }) => isOut).length;
  return pool
    .map((_, index) => index)
    .filter((index) => !pool[index]!.isOut && (pool[index]!.medianMs ?? 0) > factor * poolMs)
    .sort((a, b) => pool[b]!.medianMs! - pool[a]!.medianMs! || a - b)
    .slice(0, Math.max(0, room));
}
