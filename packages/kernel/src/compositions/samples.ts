/** Options to try every composition with, for the suites that run over all of them. A new composition adds its own here. */

/** Exported name -> options that cover its ways of working; the first is its plainest. */
export const samples: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  cascade: [
    { minConfidence: 0.8 },
    { minConfidence: 0.8, attempts: 2 },
    { minConfidence: 0.8, prefixTokens: 16 },
    { minConfidence: 0.8, prefixTokens: 16, attempts: 1 },
    { minConfidence: 0.8, prefixTokens: 16, prefixMs: 500 },
    { minConfidence: 0 },
    { accept: { threshold: 0.8, maxErrorRate: 0.1, confidenceLevel: 0.9, calibratedOn: 400 } },
    { minConfidence: 0.5, calibrator: { kind: 'platt', version: 1, fittedOn: 400, slope: 4, intercept: -3 } },
  ],
  fallback: [{}, { attempts: 1 }, { attempts: 9 }],
  hedge: [{ afterMs: 100 }, {}, { afterMs: 0, width: 9 }, { afterMs: 100, width: 1 }],
  single: [{}],
  votingCascade: [
    votingSample({ start: { a: [1, 0, 0, 0, 0, 0, 0] }, a: { b: gain(0.9, -1) }, 'a + b': { c: gain(0.9, -1) } }),
    votingSample(
      { start: { b: [1, 0, 0, 0, 0, 0, 0] }, b: { a: gain(0.2, 0), c: gain(0.1, 0) } },
      { use: 'finalNumber' },
    ),
    votingSample({ start: {} }),
  ],
};

/** A plan's gain: a constant, and what the probability of the best answer adds. */
function gain(constant: number, best: number): number[] {
  return [constant, best, 0, 0, 0, 0, 0, 0, 0, 0, 0];
}

function votingSample(plan: object, extract?: object): Readonly<Record<string, unknown>> {
  return {
    experts: ['a', 'b', 'c'],
    votes: {
      weight: [2, 1.5, 1],
      length: [-0.2, 0, 0],
      lengthMean: [5, 5, 5],
      lengthSd: [1, 1, 1],
      quality: [0.5, 0.5, 0.5],
      agreement: [0.5, 0.2],
      none: [1, 0.3, 0.4, 0.2, 0.3, 0.2, -0.2, 0],
    },
    plan,
    ...(extract === undefined ? {} : { extract }),
  };
}
