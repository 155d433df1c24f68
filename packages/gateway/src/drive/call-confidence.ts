/** How sure one call's answer is, read token by token. */
import { tokenConfidence } from '@gatewright/kernel';
import type { ConfidenceMeasure } from '../confidence-measure.ts';
import type { TokenLogprob } from '../wire/chat.ts';

/** How sure one call's answer is, token by token. */
export interface CallConfidence {
  add(token: TokenLogprob): void;
  /** How many tokens came. */
  readonly tokens: number;
  /** 0..1; undefined before the first token, or where the server returned other than the measure was set up for. */
  value(): number | undefined;
}

/** The mode's measure of confidence, else the geometric mean of the tokens' probabilities. */
export function callConfidence(measured: ConfidenceMeasure | undefined): CallConfidence {
  if (measured === undefined) {
    const plain = tokenConfidence();
    return {
      add: ({ logprob }) => plain.add(logprob),
      get tokens() {
        return plain.tokens;
      },
      value: plain.value,
    };
  }
  const measure = measured.start();
  let tokens = 0;
  return {
    add({ top_logprobs: likeliest }) {
      tokens++;
      measure.add(logprobsOf(likeliest));
    },
    get tokens() {
      return tokens;
    },
    value() {
      const confidence = measure.value();
      // A server that caps top_logprobs measures something else: no confidence rather than a wrong one.
      return confidence?.truncated?.topLogprobs === measured.topLogprobs ? confidence.value : undefined;
    },
  };
}

/** Of the likeliest tokens of a position; none where an expert sent anything else. */
function logprobsOf(likeliest: unknown): number[] {
  if (!Array.isArray(likeliest)) return [];
  const logprobs = likeliest.map((entry) => (entry as TokenLogprob | null)?.logprob);
  return logprobs.every((logprob) => typeof logprob === 'number') ? logprobs : [];
}
