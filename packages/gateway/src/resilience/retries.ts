/** When a failed call is made again, and after how long. */
import type { Random } from '@gatewright/kernel';
import type { ProviderFailure } from '../providers/failure.ts';

/** How often and how patiently a call is repeated. */
export interface RetryOptions {
  /** Most attempts of one call, the first among them; 1 for no retries. */
  readonly attempts: number;
  /** Largest wait before the first retry, milliseconds; doubled for each one after it. */
  readonly baseMs: number;
  /** Longest wait, milliseconds. Who asks for more by Retry-After is not asked again. */
  readonly maxMs: number;
}

/**
 * Whether the same expert may be asked the same again: the failure was of the moment (no connection, a reset, an overload,
 * silence, an answer cut or garbled), not of the request, the key or the address.
 */
export function isRetryable({ code, status, elsewhere, isOutOfTime }: ProviderFailure): boolean {
  if (!elsewhere) return false;
  switch (code) {
    case 'GW_UPSTREAM_CONNECT':
    case 'GW_UPSTREAM_RESET':
    case 'GW_UPSTREAM_MALFORMED':
    case 'GW_UPSTREAM_TRUNCATED':
    case 'GW_UPSTREAM_ERROR_EVENT':
    case 'GW_UPSTREAM_RATE_LIMIT':
      return true;
    case 'GW_UPSTREAM_TIMEOUT':
      // All the time that a call may take is over.
      return !isOutOfTime;
    case 'GW_UPSTREAM_STATUS':
      return status !== undefined && (status >= 500 || status === 408 || status === 409 || status === 425);
    default:
      return false;
  }
}

/**
 * How long to wait before a call is made again, milliseconds: drawn uniformly between 0 and a bound that doubles ("full
 * jitter"), and never less than the upstream's Retry-After.
 *
 * @param retry number of the retry, 1 for the first
 * @returns undefined if the upstream asks for more than `maxMs`: then somebody else is asked, or nobody
 * @see Brooker 2015, "Exponential backoff and jitter"
 */
export function retryWaitMs(
  { baseMs, maxMs }: RetryOptions,
  retry: number,
  retryAfterMs: number | undefined,
  random: Random,
): number | undefined {
  if (retryAfterMs !== undefined && retryAfterMs > maxMs) return undefined;
  const bound = Math.min(maxMs, baseMs * 2 ** Math.min(20, retry - 1));
  return Math.max(retryAfterMs ?? 0, random.next() * bound);
}
