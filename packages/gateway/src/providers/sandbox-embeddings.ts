/**
 * The sandbox's vectors: hashed words, so that texts with words in common are near each other, the same text always has
 * the same vector, and nothing has to be downloaded. They know nothing of meaning.
 */
import { countTokens } from '../sandbox/tokens.ts';
import { base64Of, type EmbeddingList, type EmbeddingRequest } from '../wire/embeddings.ts';
import { ProviderFailure } from './failure.ts';
import type { EmbeddingCall, RunningEmbedding } from './provider.ts';

/** Length of a vector where the request does not say. */
const DIMENSIONS = 256;
const MOST_DIMENSIONS = 4_096;

/** Answers at once. @param model its name in the answer */
export function sandboxEmbeddings(model: string, { body }: EmbeddingCall): RunningEmbedding {
  const dimensions = body.dimensions ?? DIMENSIONS;
  if (dimensions > MOST_DIMENSIONS)
    return {
      answer: Promise.reject(
        new ProviderFailure(
          'GW_UPSTREAM_REJECTED',
          `The sandbox makes vectors of at most ${MOST_DIMENSIONS} numbers.`,
          {
            fix: 'Ask for fewer dimensions.',
            elsewhere: false,
            status: 400,
          },
        ),
      ),
      cancel() {},
    };
  const inputs = inputsOf(body);
  const tokens = inputs.reduce(
    (sum, input) => sum + (typeof input === 'string' ? countTokens(input) : input.length),
    0,
  );
  const list: EmbeddingList = {
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = vectorOf(
        typeof input === 'string' ? (input.toLowerCase().match(WORDS) ?? [input]) : input.map(String),
        dimensions,
      );
      return { object: 'embedding', index, embedding: body.encoding_format === 'base64' ? base64Of(vector) : vector };
    }),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
  return { answer: Promise.resolve({ data: JSON.stringify(list), body: list }), cancel() {} };
}

const WORDS = /[\p{L}\p{N}]+/gu;

function inputsOf({ input }: EmbeddingRequest): readonly (string | readonly number[])[] {
  if (typeof input === 'string') return [input];
  return typeof input[0] === 'number'
    ? [input as readonly number[]]
    : (input as readonly (string | readonly number[])[]);
}

/** Each word adds 1 or -1 at a place of its own; length 1 (L2). */
function vectorOf(words: readonly string[], dimensions: number): number[] {
  const sums = new Float64Array(dimensions);
  for (const word of words) {
    const hash = fnv1a(word);
    sums[(hash >>> 1) % dimensions]! += (hash & 1) === 0 ? 1 : -1;
  }
  const norm = Math.hypot(...sums);
  // Words that cancel each other out leave nothing to normalise.
  if (norm === 0) sums[0] = 1;
  return Array.from(sums, (sum) => Math.fround(sum / (norm || 1)));
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo), over UTF-16 units, mixed once more so that its low bits are as good as its high ones. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x2c1b3c6d) >>> 0;
}
