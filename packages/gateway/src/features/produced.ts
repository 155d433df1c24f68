/**
 * How much of an answer has come, counted as it comes: what a call that nobody counts is booked with. By its text and
 * not by its events, so that a stream is booked like the whole answer, however it was cut into pieces.
 */
import type { TokenCounts } from '../cost.ts';
import { countsOf } from '../cost.ts';
import type { Usage } from '../wire/chat.ts';
import { tokensOfLengths } from './tokens.ts';

/** The running count of one call. */
export interface Produced {
  /** Counts a whole message or one delta: its text, thoughts, refusal and calls of tools. */
  add(piece: { readonly [field: string]: unknown }): void;
  /** Something has come. */
  readonly isAny: boolean;
  /** Estimated. */
  tokens(): number;
}

/** Starts at nothing. */
export function produced(): Produced {
  let characters = 0;
  let bytes = 0;
  const text = (value: unknown): void => {
    if (typeof value !== 'string') return;
    characters += value.length;
    bytes += Buffer.byteLength(value);
  };
  const called = (call: unknown): void => {
    const { name, arguments: given } = ((call as { function?: unknown } | null)?.function ?? {}) as Record<
      string,
      unknown
    >;
    text(name);
    text(given);
  };
  return {
    add(piece) {
      text(piece['content']);
      // Some servers say their thoughts twice, under both names.
      text(piece['reasoning_content'] ?? piece['reasoning']);
      text(piece['refusal']);
      const calls = piece['tool_calls'];
      if (Array.isArray(calls)) for (const call of calls) called(call);
    },
    get isAny() {
      return characters > 0;
    },
    tokens: () => tokensOfLengths(characters, bytes),
  };
}

/**
 * What a call is booked with.
 *
 * @param told of the whole call; undefined or null where nobody told
 * @param heard the newest usage in a stream that did not end, if there was one: its prompt is whole, its answer may have
 *   gone on since
 * @param isCharged whether a call without any usage counts at all: one that failed without a word does not
 * @param promptTokens estimated, for a call that nobody counted
 */
export function bookedCounts(
  told: Usage | null | undefined,
  heard: Usage | undefined,
  answer: Produced,
  isCharged: boolean,
  promptTokens: number,
): { readonly counts: TokenCounts; readonly from: 'provider' | 'estimate' } {
  if (told != null) return { counts: countsOf(told), from: 'provider' };
  if (!isCharged) return { counts: { promptTokens: 0, completionTokens: 0 }, from: 'estimate' };
  const completionTokens = answer.tokens();
  if (heard === undefined) return { counts: { promptTokens, completionTokens }, from: 'estimate' };
  const counts = countsOf(heard);
  return counts.completionTokens >= completionTokens
    ? { counts, from: 'provider' }
    : { counts: { ...counts, completionTokens }, from: 'estimate' };
}
