/** The newest durations of one kind, and their quantiles. */
export interface RecentTimes {
  add(durationMs: number): void;
  /** How many are kept. */
  readonly count: number;
  /** @param share 0..1 @returns undefined while there is none */
  quantile(share: number): number | undefined;
  clear(): void;
}

/**
 * Keeps the newest `most` durations. Adding costs nothing; a quantile sorts a copy.
 *
 * @param most at least 1
 */
export function recentTimes(most: number): RecentTimes {
  const kept = new Float64Array(most);
  let added = 0;
  return {
    add(durationMs) {
      kept[added % most] = durationMs;
      added++;
    },
    get count() {
      return Math.min(added, most);
    },
    quantile(share) {
      const count = Math.min(added, most);
      if (count === 0) return undefined;
      // The least duration that at least this share of them do not exceed.
      return kept.slice(0, count).sort()[Math.max(0, Math.ceil(share * count) - 1)];
    },
    clear() {
      added = 0;
    },
  };
}
