/** What a response cache keeps and finds. One file per kind beside this one. */

/** Whose answers a request may be given. */
export const CACHE_SCOPES = ['key', 'project', 'gateway'] as const;

/** One of `CACHE_SCOPES`: answers never cross from one scope into another. */
export type CacheScope = (typeof CACHE_SCOPES)[number];

/** A whole, finished answer. Frozen text: whoever serves it parses it anew. */
export interface CachedAnswer {
  /** JSON text of the completion, in the one form. */
  readonly data: string;
  /** Id of the expert whose answer it is. */
  readonly expert: string;
  /** Trace of the request that paid for it. */
  readonly source: string;
  /** What that request cost, USD. */
  readonly costUsd: number;
  readonly confidence: number | undefined;
  /** Paths of the request that the expert's format could not carry. */
  readonly notCarried: readonly string[];
  /** Milliseconds since 1970. */
  readonly storedMs: number;
}

/** An answer that was found. */
export interface CacheFound {
  readonly answer: CachedAnswer;
  readonly kind: 'exact' | 'semantic';
  /** Milliseconds since it was stored. */
  readonly ageMs: number;
  /** 0..1, of a semantic hit. */
  readonly similarity?: number;
}

/** Counts since the start, for metrics and status. */
export interface CacheCounts {
  readonly entries: number;
  readonly bytes: number;
  /** Dropped for want of room. */
  readonly evicted: number;
}
