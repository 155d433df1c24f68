/**
 * What a call costs: every kind of token at its own price. A stream and a whole answer of the same content cost the
 * same, since both are priced from the same counts by this one function.
 */
import type { Usage } from './wire/chat.ts';

/** What tokens of each kind cost, USD per million. */
export interface Rates {
  /** Prompt tokens that no other field prices. */
  readonly inputUsdPerMTok: number;
  /** Completion tokens that no other field prices. */
  readonly outputUsdPerMTok: number;
  /** Prompt tokens read from a cache. Default: the input price. */
  readonly cachedInputUsdPerMTok?: number;
  /** Prompt tokens written to a cache. Default: the input price. */
  readonly cacheWriteUsdPerMTok?: number;
  /** Of them, those kept for an hour. Default: the price of other cache writes. */
  readonly cacheWrite1hUsdPerMTok?: number;
  /** Completion tokens spent on thoughts. Default: the output price. */
  readonly reasoningUsdPerMTok?: number;
  /** Prompt tokens of sound. Default: the input price. */
  readonly audioInputUsdPerMTok?: number;
  /** Completion tokens of sound. Default: the output price. */
  readonly audioOutputUsdPerMTok?: number;
}

/** What an expert charges. */
export interface Price extends Rates {
  /** For each request, beside its tokens. Default 0. */
  readonly requestUsd?: number;
  /**
   * Other prices for long prompts, in any order: the whole request is charged by the entry with the largest
   * `promptTokens` that its prompt exceeds. A field that an entry does not name is as without it.
   */
  readonly above?: readonly (Partial<Rates> & { readonly promptTokens: number })[];
}

/** Tokens of one call, each kind at least 0. */
export interface TokenCounts {
  /** All of the prompt, whatever else counts a part of it. */
  readonly promptTokens: number;
  /** All of the answer, thoughts and sound included. */
  readonly completionTokens: number;
  /** Of the prompt: read from a cache. */
  readonly cachedTokens?: number;
  /** Of the prompt: written to a cache. */
  readonly cacheWriteTokens?: number;
  /** Of the cache writes: kept for an hour. */
  readonly cacheWrite1hTokens?: number;
  /** Of the prompt, and not cached: sound. */
  readonly audioInputTokens?: number;
  /** Of the answer: thoughts. */
  readonly reasoningTokens?: number;
  /** Of the answer: sound. */
  readonly audioOutputTokens?: number;
}

/**
 * What a call costs at an expert's price, USD. A part that is counted larger than its whole counts as the whole.
 *
 * @param expert whoever has a price
 */
export function priceUsd({ price }: { readonly price: Price }, tokens: TokenCounts): number {
  const { promptTokens, completionTokens } = tokens;
  const rates = price.above === undefined ? price : ratesFor(price, promptTokens);
  const { inputUsdPerMTok: input, outputUsdPerMTok: output } = rates;

  const cached = Math.min(tokens.cachedTokens ?? 0, promptTokens);
  const written = Math.min(tokens.cacheWriteTokens ?? 0, promptTokens - cached);
  const written1h = Math.min(tokens.cacheWrite1hTokens ?? 0, written);
  const heard = Math.min(tokens.audioInputTokens ?? 0, promptTokens - cached - written);
  const thought = Math.min(tokens.reasoningTokens ?? 0, completionTokens);
  const spoken = Math.min(tokens.audioOutputTokens ?? 0, completionTokens - thought);
  const write = rates.cacheWriteUsdPerMTok ?? input;
  return (
    ((promptTokens - cached - written - heard) * input +
      cached * (rates.cachedInputUsdPerMTok ?? input) +
      (written - written1h) * write +
      written1h * (rates.cacheWrite1hUsdPerMTok ?? write) +
      heard * (rates.audioInputUsdPerMTok ?? input) +
      (completionTokens - thought - spoken) * output +
      thought * (rates.reasoningUsdPerMTok ?? output) +
      spoken * (rates.audioOutputUsdPerMTok ?? output)) /
      1_000_000 +
    (price.requestUsd ?? 0)
  );
}

/** The counts in an answer's `usage`. Providers are outside our reach: a count that is no count is 0. */
export function countsOf(usage: Usage): TokenCounts {
  const prompt = usage['prompt_tokens_details'] as Details;
  const completion = usage['completion_tokens_details'] as Details;
  return {
    promptTokens: tokenCount(usage.prompt_tokens),
    completionTokens: tokenCount(usage.completion_tokens),
    cachedTokens: tokenCount(prompt?.['cached_tokens']),
    cacheWriteTokens: tokenCount(prompt?.['cache_creation_tokens']),
    cacheWrite1hTokens: tokenCount(prompt?.['cache_creation_1h_tokens']),
    audioInputTokens: tokenCount(prompt?.['audio_tokens']),
    reasoningTokens: tokenCount(completion?.['reasoning_tokens']),
    audioOutputTokens: tokenCount(completion?.['audio_tokens']),
  };
}

type Details = Readonly<Record<string, unknown>> | null | undefined;

/** A price in force for a prompt of that length. */
function ratesFor(price: Price, promptTokens: number): Rates {
  let highest: NonNullable<Price['above']>[number] | undefined;
  for (const tier of price.above ?? [])
    if (promptTokens > tier.promptTokens && tier.promptTokens >= (highest?.promptTokens ?? 0)) highest = tier;
  return highest === undefined ? price : { ...price, ...highest };
}

function tokenCount(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value < 1e12 ? value : 0;
}
