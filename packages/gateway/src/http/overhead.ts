/** The gateway's own time on a request, and the headers that tell it. */
import type { CacheRecord, CallRecord } from '@gatewright/kernel';

/**
 * Milliseconds in which at least one call was under way, or an answer of a call of somebody else was waited for. Calls that
 * overlap count once.
 */
export function waitedMs(calls: readonly CallRecord[], cache: CacheRecord | undefined): number {
  if (cache !== undefined) return cache.waitedMs ?? 0;
  if (calls.length === 1) return calls[0]!.latencyMs;
  let sum = 0;
  let untilMs = -Infinity;
  for (const { startedMs, latencyMs } of [...calls].sort((a, b) => a.startedMs - b.startedMs)) {
    const endMs = startedMs + latencyMs;
    if (endMs <= untilMs) continue;
    sum += endMs - Math.max(startedMs, untilMs);
    untilMs = endMs;
  }
  return sum;
}

/** `x-gw-overhead-ms` and `server-timing` (W3C) of an answer; of a stream's begin the experts' time is not known yet. */
export function timingHeaders(ownMs: number, expertsMs?: number): string[] {
  const own = milliseconds(ownMs);
  return [
    'x-gw-overhead-ms',
    own,
    'server-timing',
    `gateway;dur=${own}${expertsMs === undefined ? '' : `, experts;dur=${milliseconds(expertsMs)}`}`,
  ];
}

/** With three digits: microseconds. */
export function milliseconds(ms: number): string {
  return Math.max(0, ms).toFixed(3);
}
