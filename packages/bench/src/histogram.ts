/**
 * Latencies in bounded memory: bins that grow by 1 % each, so a quantile is right to about half a percent whatever its
 * size, and merging two histograms loses nothing. Plain data, so that it can be sent from one process to another.
 */

/** 1 µs: the left edge of the first bin. Anything faster counts as this. */
const LOWEST_MS = 0.001;
/** One hour: the last bin takes everything slower. */
const HIGHEST_MS = 3_600_000;
const LOG_GROWTH = Math.log(1.01);
const BINS = Math.ceil(Math.log(HIGHEST_MS / LOWEST_MS) / LOG_GROWTH) + 1;

/** Counts per bin, with the exact extremes beside them. */
export interface Histogram {
  /** `[bins]` */
  readonly counts: Uint32Array;
  count: number;
  minMs: number;
  maxMs: number;
}

/** An empty histogram. */
export function createHistogram(): Histogram {
  return { counts: new Uint32Array(BINS), count: 0, minMs: Number.POSITIVE_INFINITY, maxMs: 0 };
}

/** Adds one latency. */
export function record(histogram: Histogram, ms: number): void {
  const bin = ms <= LOWEST_MS ? 0 : Math.min(BINS - 1, Math.floor(Math.log(ms / LOWEST_MS) / LOG_GROWTH));
  histogram.counts[bin]! += 1;
  histogram.count += 1;
  if (ms < histogram.minMs) histogram.minMs = ms;
  if (ms > histogram.maxMs) histogram.maxMs = ms;
}

/** Adds all of `from` to `into`. */
export function mergeInto(into: Histogram, from: Histogram): void {
  for (let bin = 0; bin < BINS; bin++) into.counts[bin]! += from.counts[bin]!;
  into.count += from.count;
  into.minMs = Math.min(into.minMs, from.minMs);
  into.maxMs = Math.max(into.maxMs, from.maxMs);
}

/**
 * The latency that a share `q` of all stayed at or below (nearest rank), NaN when there is none.
 *
 * @param q 0..1
 */
export function quantile(histogram: Histogram, q: number): number {
  if (histogram.count === 0) return Number.NaN;
  const rank = Math.max(1, Math.ceil(q * histogram.count));
  let seen = 0;
  for (let bin = 0; bin < BINS; bin++) {
    seen += histogram.counts[bin]!;
    if (seen < rank) continue;
    const middleMs = LOWEST_MS * Math.exp((bin + 0.5) * LOG_GROWTH);
    return Math.min(histogram.maxMs, Math.max(histogram.minMs, middleMs));
  }
  return histogram.maxMs;
}
