/** Options to try every composition with, for the suites that run over all of them. A new composition adds its own here. */

/** Exported name -> options that cover its ways of working; the first is its plainest. */
export const samples: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  cascade: [
    { minConfidence: 0.8 },
    { minConfidence: 0.8, attempts: 2 },
    { minConfidence: 0.8, prefixTokens: 16 },
    { minConfidence: 0.8, prefixTokens: 16, attempts: 1 },
    { minConfidence: 0 },
  ],
  fallback: [{}, { attempts: 1 }, { attempts: 9 }],
  hedge: [{ afterMs: 100 }, { afterMs: 0, width: 9 }, { afterMs: 100, width: 1 }],
  single: [{}],
};
