import { tokenBucket } from './token-bucket.ts';

/** What second calls of races may cost. */
export interface HedgeBudget {
  /** A call that is no hedge was made: it earns a share of one. */
  earn(): void;
  /** Whether a second call may be made now; if so, it counts. */
  take(nowMs: number): boolean;
  /** A second call, or a first one that lost to it, has cost that much for nothing. */
  spent(costUsd: number): void;
  /** How many the share allows now, and USD left of the hour. */
  left(nowMs: number): { readonly calls: number; readonly usd: number };
}

/** Second calls that a full budget holds. */
const MOST_HEDGES = 10;
const HOUR_MS = 3_600_000;

/**
 * A budget of hedges: a share of the calls, and USD an hour (a bucket of one hour's money that refills steadily).
 *
 * @param share 0..1
 * @param usdPerHour undefined: not limited
 */
export function hedgeBudget(share: number, usdPerHour: number | undefined, startMs: number): HedgeBudget {
  const calls = tokenBucket(share, share === 0 ? 0 : MOST_HEDGES);
  let usd = usdPerHour ?? Infinity;
  let filledMs = startMs;
  const refill = (nowMs: number): void => {
    if (usdPerHour === undefined) return;
    // A clock that was set back brings nothing, and goes on from there.
    if (nowMs > filledMs) usd = Math.min(usdPerHour, usd + (usdPerHour * (nowMs - filledMs)) / HOUR_MS);
    filledMs = nowMs;
  };
  return {
    earn: calls.earn,
    take(nowMs) {
      refill(nowMs);
      return usd > 0 && calls.take();
    },
    spent(costUsd) {
      usd -= costUsd;
    },
    left(nowMs) {
      refill(nowMs);
      return { calls: calls.tokens, usd };
    },
  };
}
