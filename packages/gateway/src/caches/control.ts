/** What a request says about caches, in headers. */

/** What is wanted. */
export interface CacheControl {
  /** May an answer that is there be given? */
  readonly reads: boolean;
  /** May this answer be kept? */
  readonly writes: boolean;
  /** Nothing may be called: an answer that is there, or `GW_CACHE_MISS`. */
  readonly isOnly: boolean;
  /** Oldest answer taken, milliseconds. */
  readonly maxAgeMs: number;
}

const USUAL: CacheControl = { reads: true, writes: true, isOnly: false, maxAgeMs: Infinity };

/**
 * Reads `cache-control` (`no-cache`, `no-store`, `max-age`, `only-if-cached`; RFC 9111, section 5.2.1) and `x-gw-cache` (`off`,
 * `only`). What is not known is left alone, as the RFC asks; of two that disagree, the one that gives less away stands.
 */
export function cacheControlOf(
  headers: Readonly<Record<string, string | string[] | undefined>> | undefined,
): CacheControl {
  const control = headers?.['cache-control'];
  const own = headers?.['x-gw-cache'];
  if (control === undefined && own === undefined) return USUAL;
  let { reads, writes, isOnly, maxAgeMs } = USUAL;
  for (const part of String(control ?? '')
    .toLowerCase()
    .split(',')) {
    const [name, value] = part.trim().split('=');
    if (name === 'no-store') reads = writes = false;
    else if (name === 'no-cache') reads = false;
    else if (name === 'only-if-cached') isOnly = true;
    else if (name === 'max-age' && /^"?\d{1,10}"?$/.test(value ?? ''))
      maxAgeMs = Math.min(maxAgeMs, Number(value!.replaceAll('"', '')) * 1_000);
  }
  const said = String(own ?? '')
    .trim()
    .toLowerCase();
  if (said === 'off') reads = writes = false;
  else if (said === 'only') isOnly = true;
  return { reads, writes, isOnly, maxAgeMs };
}
