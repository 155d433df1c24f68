/**
 * The circuit breaker of one expert: a state machine that learns how calls end and says whether another one may begin.
 * It holds no timer and reads no clock.
 */

/** `closed`: asked as ever. `open`: left alone. `halfOpen`: a few probe calls find out whether it is well again. */
export type BreakerState = 'closed' | 'open' | 'halfOpen';

/** Why a breaker opened: failures one after another, too large a share of them, told so (429), or far too slow. */
export type BreakerReason = 'failures' | 'rate' | 'told' | 'latency';

/** When a breaker opens, for how long, and what it lets through then. */
export interface BreakerOptions {
  /** Opens after this many failures in a row, at least 1. */
  readonly failuresInARow: number;
  /** Opens when this share of the calls of the window failed, above 0 to 1. */
  readonly failureRate: number;
  /** Length of the window, milliseconds. */
  readonly windowMs: number;
  /** Calls that the window must hold before its share counts. */
  readonly minimumCalls: number;
  /** First time that it stays open, milliseconds; doubled each time that the probes fail. */
  readonly openMs: number;
  /** Longest time that it stays open by itself, milliseconds. A `Retry-After` may be longer. */
  readonly longestOpenMs: number;
  /** Probe calls under way at a time while half open, at least 1. */
  readonly probes: number;
}

/** A call that was let through: hand it back when the call has ended. */
export interface BreakerPermit {
  /** It finds out whether the expert is well again. */
  readonly isProbe: boolean;
  /** Which spell of the breaker it began in: what began before a change says nothing about the time after it. */
  readonly spell: number;
}

/** How a breaker stands. */
export interface BreakerStatus {
  readonly state: BreakerState;
  /** Why it opened; undefined while closed. */
  readonly reason: BreakerReason | undefined;
  /** When it lets probes through, milliseconds since 1970; 0 while closed. */
  readonly untilMs: number;
  /** Failures since the last success. */
  readonly failuresInARow: number;
  /** Probe calls under way. */
  readonly probes: number;
}

/** A circuit breaker. Every `nowMs` is in milliseconds since 1970; where it steps back, what was to last lasts from then on. */
export interface Breaker {
  status(nowMs: number): BreakerStatus;
  /** Whether `begin` would let a call through. Changes nothing. */
  admits(nowMs: number): boolean;
  /** Lets a call through, or not. */
  begin(nowMs: number): BreakerPermit | undefined;
  /** Lets a call through whatever the state is: the last resort, where nobody else is left. */
  force(nowMs: number): BreakerPermit;
  /** The call brought an answer: closes a breaker that was open or half open. */
  succeeded(permit: BreakerPermit, nowMs: number): void;
  /**
   * The call failed, and it was the expert's fault.
   *
   * @param told the expert asked to be left alone: for `retryAfterMs`, where it said how long
   */
  failed(permit: BreakerPermit, nowMs: number, told?: { readonly retryAfterMs?: number | undefined }): void;
  /** The call ended in a way that says nothing about the expert. */
  dropped(permit: BreakerPermit): void;
  /** Opens it from outside, unless it is open already. */
  open(nowMs: number, reason: BreakerReason): void;
}

/** The window moves in steps of a tenth of its length. */
const BUCKETS = 10;

/** A closed breaker. */
export function breaker(options: BreakerOptions): Breaker {
  const bucketMs = Math.max(1, options.windowMs / BUCKETS);
  const calls = new Uint32Array(BUCKETS);
  const failures = new Uint32Array(BUCKETS);
  let newestBucket = 0;
  let isOpen = false;
  let reason: BreakerReason | undefined;
  let untilMs = 0;
  let openedMs = 0;
  let spell = 0;
  let failuresInARow = 0;
  /** Openings since it was closed last. */
  let openings = 0;
  let probes = 0;

  const open = (nowMs: number, why: BreakerReason, told?: { readonly retryAfterMs?: number | undefined }): void => {
    isOpen = true;
    reason = why;
    spell++;
    openings++;
    const ownMs = Math.min(options.longestOpenMs, options.openMs * 2 ** Math.min(20, openings - 1));
    openedMs = nowMs;
    untilMs = nowMs + (told?.retryAfterMs ?? ownMs);
  };
  /** A clock that was set back must not keep it open until the old time comes again. */
  const follow = (nowMs: number): void => {
    if (!isOpen || nowMs >= openedMs) return;
    untilMs -= openedMs - nowMs;
    openedMs = nowMs;
  };
  const close = (): void => {
    isOpen = false;
    reason = undefined;
    untilMs = 0;
    spell++;
    openings = 0;
    calls.fill(0);
    failures.fill(0);
  };
  const count = (nowMs: number, isFailure: boolean): void => {
    const bucket = Math.floor(nowMs / bucketMs);
    // Whatever lies between the newest bucket and this one is over; after a whole window, all of it.
    if (bucket > newestBucket) {
      const gone = Math.min(BUCKETS, bucket - newestBucket);
      for (let step = 1; step <= gone; step++) {
        const slot = (newestBucket + step) % BUCKETS;
        calls[slot] = 0;
        failures[slot] = 0;
      }
      if (bucket - newestBucket > BUCKETS) {
        calls.fill(0);
        failures.fill(0);
      }
      newestBucket = bucket;
    } else if (bucket < newestBucket - BUCKETS) {
      calls.fill(0);
      failures.fill(0);
      newestBucket = bucket;
    }
    const slot = newestBucket % BUCKETS;
    calls[slot]!++;
    if (isFailure) failures[slot]!++;
  };
  const isRateTooHigh = (): boolean => {
    let all = 0;
    let failed = 0;
    for (let slot = 0; slot < BUCKETS; slot++) {
      all += calls[slot]!;
      failed += failures[slot]!;
    }
    return all >= options.minimumCalls && failed >= options.failureRate * all;
  };
  const admits = (nowMs: number): boolean => {
    follow(nowMs);
    return !isOpen || (nowMs >= untilMs && probes < options.probes);
  };
  const permit = (isProbe: boolean): BreakerPermit => {
    if (isProbe) probes++;
    return { isProbe, spell };
  };
  const release = ({ isProbe }: BreakerPermit): void => {
    if (isProbe) probes--;
  };

  return {
    status(nowMs) {
      follow(nowMs);
      return {
        state: !isOpen ? 'closed' : nowMs < untilMs ? 'open' : 'halfOpen',
        reason,
        untilMs,
        failuresInARow,
        probes,
      };
    },
    admits,
    begin: (nowMs) => (admits(nowMs) ? permit(isOpen) : undefined),
    // Not a probe: it must not keep one from beginning, and its end counts like one all the same.
    force: () => permit(false),
    succeeded(ended, nowMs) {
      release(ended);
      if (ended.spell !== spell) return;
      failuresInARow = 0;
      if (isOpen) close();
      count(nowMs, false);
    },
    failed(ended, nowMs, told) {
      release(ended);
      if (ended.spell !== spell) {
        // Begun before it opened or closed: no news, but for a wish to be left alone.
        if (told?.retryAfterMs !== undefined && isOpen) untilMs = Math.max(untilMs, nowMs + told.retryAfterMs);
        return;
      }
      failuresInARow++;
      count(nowMs, true);
      if (isOpen) open(nowMs, told === undefined ? (reason ?? 'failures') : 'told', told);
      else if (told !== undefined) open(nowMs, 'told', told);
      else if (failuresInARow >= options.failuresInARow) open(nowMs, 'failures');
      else if (isRateTooHigh()) open(nowMs, 'rate');
    },
    dropped: release,
    open(nowMs, why) {
      if (!isOpen) open(nowMs, why);
    },
  };
}
