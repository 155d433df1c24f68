/**
 * The two ways to put load on a target. Both are bounded in count and in time, and know nothing of HTTP: they call
 * `send` and keep the accounts. `load-process.ts` runs them in a process of their own.
 */
import { createHistogram, type Histogram, record } from './histogram.ts';
import type { Exchange } from './http-client.ts';
import type { Pacer } from './pacer.ts';

/** What one phase of load came to. */
export interface LoadResult {
  /** Whole answers. */
  answered: number;
  /** Everything that was due but is not an answer, by reason. */
  readonly failures: Record<string, number>;
  /** First request due to last answer. */
  durationMs: number;
  /**
   * Whole answers only. Open loop: from the time that the request was *due*; closed loop: from when it was sent. A
   * request that never ended counts with the time until the limit, a lower bound.
   */
  readonly latency: Histogram;
  /** The same to the first byte of the body, whole answers only. */
  readonly firstByte: Histogram;
  /** Open loop: how late the generator itself was, due to sent. Part of `latency`. */
  readonly lag: Histogram;
}

export interface LoadOptions {
  /** How many requests in all. */
  readonly requests: number;
  /** Nothing is sent after this long, done or not. */
  readonly limitMs: number;
  readonly send: () => Promise<Exchange>;
  readonly clock: () => number;
}

const NOT_ANSWERED = 'not answered within the time limit';
/** Distinct reasons that are kept apart; more go under "other". */
const MAX_REASONS = 12;
/** What a closed loop still has under way at its limit may end within this time before it counts as failed. */
const GRACE_MS = 5000;
/** Time between ordering a schedule and its first arrival, so that the pacer is never late at the start. */
const LEAD_MS = 20;

/**
 * Open loop: requests arrive at a fixed rate whatever the target does, as users do. Latency counts from when a request
 * was due, so a stall shows in every request that it delayed and not only in the one that was under way
 * ("coordinated omission", G. Tene).
 */
export function openLoop(
  options: LoadOptions & { readonly ratePerSecond: number; readonly pacer: Pacer },
): Promise<LoadResult> {
  const { requests, limitMs, send, clock, ratePerSecond, pacer } = options;
  const result = emptyResult();
  const startAtMs = clock() + LEAD_MS;
  const intervalMs = 1000 / ratePerSecond;
  const dueAtMs = (i: number) => startAtMs + i * intervalMs;
  /** Due times of what is under way. */
  const pending = new Set<number>();
  let issued = 0;
  let finished = 0;

  return new Promise((resolve) => {
    let isOver = false;
    const timer = setTimeout(endEarly, LEAD_MS + limitMs);
    const stopPacing = pacer.pace({ startAtMs, intervalMs, count: requests }, (due) => {
      while (issued < due && !isOver) issue(dueAtMs(issued++));
    });
    function end(): void {
      isOver = true;
      clearTimeout(timer);
      stopPacing();
      result.durationMs = clock() - startAtMs;
      resolve(result);
    }
    function endEarly(): void {
      for (const due of pending) {
        record(result.latency, clock() - due);
        fail(result, NOT_ANSWERED);
      }
      for (let i = issued; i < requests; i++) fail(result, 'not sent within the time limit');
      end();
    }
    async function issue(due: number): Promise<void> {
      pending.add(due);
      record(result.lag, clock() - due);
      const exchange = await send();
      if (isOver) return;
      pending.delete(due);
      account(result, exchange, due);
      finished += 1;
      if (finished === requests) end();
    }
  });
}

/**
 * Closed loop: `connections` clients, each sending its next request when it has the answer to the last. Finds the
 * ceiling; its latencies say little, because a slow target slows its own load down.
 */
export async function closedLoop(options: LoadOptions & { readonly connections: number }): Promise<LoadResult> {
  const { requests, limitMs, send, clock, connections } = options;
  const result = emptyResult();
  const startAtMs = clock();
  let issued = 0;
  let finished = 0;
  let isOver = false;

  async function client(): Promise<void> {
    while (issued < requests && clock() - startAtMs < limitMs) {
      issued += 1;
      const sentAtMs = clock();
      const exchange = await send();
      if (isOver) return;
      finished += 1;
      account(result, exchange, sentAtMs);
    }
  }

  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs + GRACE_MS);
  });
  await Promise.race([Promise.all(Array.from({ length: connections }, client)), patience]);
  clearTimeout(timer);
  isOver = true;
  for (let i = finished; i < issued; i++) fail(result, NOT_ANSWERED);
  result.durationMs = clock() - startAtMs;
  return result;
}

/** Answers and failures together: what the target had to do. */
export function finishedRequests(result: LoadResult): number {
  return result.answered + failedRequests(result);
}

/** All failures together. */
export function failedRequests(result: LoadResult): number {
  return Object.values(result.failures).reduce((sum, count) => sum + count, 0);
}

function emptyResult(): LoadResult {
  return {
    answered: 0,
    failures: {},
    durationMs: 0,
    latency: createHistogram(),
    firstByte: createHistogram(),
    lag: createHistogram(),
  };
}

function account(result: LoadResult, exchange: Exchange, sinceMs: number): void {
  if (exchange.failure !== undefined) {
    fail(result, exchange.failure);
    return;
  }
  result.answered += 1;
  record(result.latency, exchange.endAtMs - sinceMs);
  record(result.firstByte, exchange.firstByteAtMs - sinceMs);
}

function fail(result: LoadResult, reason: string): void {
  const { failures } = result;
  const key = reason in failures || Object.keys(failures).length < MAX_REASONS ? reason : 'other';
  failures[key] = (failures[key] ?? 0) + 1;
}
