/** A budget in proportion to what happens anyway: so many extras for each hundred calls. */
export interface TokenBucket {
  /** Something happened that earns `share` of an extra. */
  earn(): void;
  /** Takes one extra, if there is one. */
  take(): boolean;
  /** How many there are. */
  readonly tokens: number;
}

/**
 * A bucket that is full at first. It has no clock: extras are earned by calls, so that what is idle cannot save up and what
 * is dead is not hammered.
 *
 * @param share extras earned by one call, 0..1
 * @param most extras that it holds
 */
export function tokenBucket(share: number, most: number): TokenBucket {
  let tokens = most;
  return {
    earn() {
      tokens = Math.min(most, tokens + share);
    },
    take() {
      // Sums of shares are not exact: ten tenths are one.
      if (tokens < 1 - 1e-9) return false;
      tokens = Math.max(0, tokens - 1);
      return true;
    },
    get tokens() {
      return tokens;
    },
  };
}
