/** Memory over many requests: what leaks shows as a slope that does not go away after the first half. */
import { address } from './comparison.ts';
import type { Generator } from './generator.ts';
import { failedRequests } from './load.ts';
import type { UsageReader } from './process-usage.ts';
import { leastSquaresSlope } from './statistics.ts';
import type { RunningTarget } from './targets/target.ts';

/** Resident memory after so many requests. */
export interface SoakPoint {
  readonly requests: number;
  readonly rssMB: number;
}

export interface SoakResult {
  readonly points: readonly SoakPoint[];
  readonly errors: number;
  readonly seconds: number;
  /** False when the time limit or Ctrl-C ended it. */
  readonly isComplete: boolean;
}

export const SOAK_STEP = 10_000;
export const SOAK_CONNECTIONS = 8;
/** A soak ends after this long, done or not. */
const SOAK_LIMIT_MS = 15 * 60_000;

/** JSON requests, closed loop, with a reading of memory every `SOAK_STEP`, each handed to `onReading`. */
export async function soak(
  target: RunningTarget,
  requests: number,
  context: {
    readonly generator: Generator;
    readonly readUsage: UsageReader;
    readonly say: (text: string) => void;
    readonly isStopped: () => boolean;
  },
  onReading: (resultSoFar: SoakResult) => void,
): Promise<void> {
  const points: SoakPoint[] = [];
  const startAt = performance.now();
  const elapsedMs = () => performance.now() - startAt;
  let sent = 0;
  let errors = 0;
  const look = () => {
    const usage = context.readUsage(target.pids);
    if (usage !== undefined) points.push({ requests: sent, rssMB: usage.rssBytes / 1e6 });
    context.say(`soak  ${sent}/${requests}  RSS ${points.at(-1)?.rssMB.toFixed(1) ?? 'not available'} MB`);
    onReading({ points: [...points], errors, seconds: elapsedMs() / 1000, isComplete: sent >= requests });
  };
  look();
  while (sent < requests && elapsedMs() < SOAK_LIMIT_MS && !context.isStopped()) {
    const step = Math.min(SOAK_STEP, requests - sent);
    try {
      const { result } = await context.generator.run({
        ...address(target),
        kind: 'json',
        pattern: { loop: 'closed', connections: SOAK_CONNECTIONS },
        requests: step,
        limitMs: SOAK_LIMIT_MS - elapsedMs(),
      });
      sent += result.answered + failedRequests(result);
      errors += failedRequests(result);
    } catch (error) {
      if (!context.isStopped()) context.say(`soak ended: ${(error as Error).message}`);
      return;
    }
    look();
  }
}

/** Least-squares slope over the second half, in MB per 100,000 requests; undefined for fewer than three points in it. */
export function soakSlope(points: readonly SoakPoint[]): number | undefined {
  const half = (points.at(-1)?.requests ?? 0) / 2;
  const secondHalf = points.filter(({ requests }) => requests >= half);
  if (secondHalf.length < 3) return undefined;
  return leastSquaresSlope(secondHalf.map(({ requests, rssMB }) => ({ x: requests / 100_000, y: rssMB })));
}
