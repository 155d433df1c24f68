/**
 * Answers to other words of the same question. Whether an answer may be given is for the verifier to say; the texts it lets
 * pass have the same meaning in its sense, and that is the key: nothing has to be searched, and nothing that it would let pass
 * is overlooked. How often it is wrong has been measured before this cache is allowed to start.
 *
 * Only the last message may differ, only in words, and only as text of a user: everything else must be the very same.
 */
import type { RequestHints } from '../features/hints.ts';
import type { ChatRequest } from '../wire/chat.ts';
import type { CachedAnswer, CacheFound } from './cache.ts';
import { fingerprint } from './fingerprint.ts';
import { requireMeasurement } from './measurement.ts';
import { mayAnswer, meaningOf, wordSimilarity } from './verifier.ts';

/** Options, as in the configuration under `cache.semantic`. */
export interface SemanticCacheOptions {
  readonly measurement: string;
  readonly maxFalseHitRate?: number;
  readonly minSimilarity?: number;
  readonly entries?: number;
}

/** What of a request tells where it may be answered. */
export interface SemanticQuestion {
  readonly request: ChatRequest;
  readonly hints: RequestHints | undefined;
  readonly scope: string;
  readonly configHash: string;
}

/** A cache that may answer a request with the answer to another. */
export interface SemanticCache {
  find(question: SemanticQuestion, maxAgeMs: number, nowMs: number): CacheFound | undefined;
  put(question: SemanticQuestion, answer: CachedAnswer): void;
  readonly size: number;
}

/** Characters of an answer that is kept, and of all that are: at two bytes each 64 MB, however many questions there may be. */
const LONGEST_ANSWER = 262_144;
const MOST_CHARACTERS = 33_554_432;

/** Words in common that a hit must have, where the configuration says nothing. */
export const MIN_SIMILARITY = 0.5;

/**
 * Creates a semantic cache.
 *
 * @throws {GatewrightError} `GW_CACHE_MEASUREMENT` if no measurement allows it
 */
export function semanticCache(options: SemanticCacheOptions): SemanticCache {
  const { measurement, maxFalseHitRate = 0.01, minSimilarity = MIN_SIMILARITY, entries = 10_000 } = options;
  requireMeasurement(measurement, maxFalseHitRate, minSimilarity);
  const kept = new Map<string, { readonly text: string; readonly answer: CachedAnswer }>();
  let characters = 0;
  const drop = (key: string): void => {
    characters -= kept.get(key)?.answer.data.length ?? 0;
    kept.delete(key);
  };
  return {
    find(question, maxAgeMs, nowMs) {
      const text = lastText(question.request);
      const key = text === undefined ? undefined : keyOf(question, text);
      const entry = key === undefined ? undefined : kept.get(key);
      if (entry === undefined) return undefined;
      const ageMs = nowMs - entry.answer.storedMs;
      const similarity = wordSimilarity(text!, entry.text);
      if (ageMs > maxAgeMs || ageMs < 0 || similarity < minSimilarity || !mayAnswer(text!, entry.text).allowed)
        return undefined;
      return { answer: entry.answer, kind: 'semantic', ageMs, similarity };
    },
    put(question, answer) {
      const text = lastText(question.request);
      const key = text === undefined ? undefined : keyOf(question, text);
      if (key === undefined || answer.data.length > LONGEST_ANSWER) return;
      drop(key);
      kept.set(key, { text: text!, answer });
      characters += answer.data.length;
      while (kept.size > entries || characters > MOST_CHARACTERS) drop(kept.keys().next().value!);
    },
    get size() {
      return kept.size;
    },
  };
}

function lastText({ messages }: ChatRequest): string | undefined {
  const last = messages.at(-1);
  return last?.role === 'user' && typeof last.content === 'string' ? last.content : undefined;
}

/** The request with its last text replaced by what it means. */
function keyOf({ request, hints, scope, configHash }: SemanticQuestion, text: string): string | undefined {
  const meaning = meaningOf(text);
  if (meaning === undefined) return undefined;
  const { messages } = request;
  const same = { ...request, messages: [...messages.slice(0, -1), { ...messages.at(-1)!, content: meaning }] };
  return fingerprint(same, hints, undefined, `semantic ${scope}`, configHash);
}
