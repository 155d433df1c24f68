/** Traces for tests of stores. */
import type { DecisionTrace } from '@gatewright/kernel';
import type { Feedback } from '../src/stores/store.ts';

/** A served trace with that id. `padding` makes its record longer by as many bytes. */
export function sampleTrace(id: string, padding = 0): DecisionTrace {
  return {
    version: 1,
    id,
    atMs: 1_700_000_000_000,
    configHash: '0123456789abcdef',
    seed: 7,
    request: {
      model: 'gw/first',
      stream: false,
      promptTokens: 10,
      skill: `caf\u00e9 \u20ac${'.'.repeat(padding)}`,
      needs: [],
      bodyHash: 'ab'.repeat(32),
    },
    removed: [],
    candidates: [{ expert: 'one', quality: 0.5, costUsd: 0.001, latencyMs: 100, load: 0, price: 0 }],
    policy: { use: 'static' },
    selection: { ranked: [0], terms: [{}], propensity: 1, reason: 'fixed order' },
    composition: { use: 'single' },
    calls: [],
    gates: [],
    result: {
      status: 'ok',
      expert: 'one',
      rank: 0,
      reason: 'one expert asked',
      costUsd: 0.001,
      latencyMs: 12,
      httpStatus: 200,
    },
  };
}

export function sampleFeedback(trace: string, score = 1): Feedback {
  return { trace, atMs: 1_700_000_001_000, score, source: 'user' };
}

/** Ids that sort by number, as the gateway's own. */
export function traceId(number: number): string {
  return `tr_${String(number).padStart(12, '0')}`;
}
