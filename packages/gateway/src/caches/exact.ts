/** Answers by fingerprint, in memory, the ones last used, as many as fit. */
import type { CacheCounts, CachedAnswer } from './cache.ts';

/** A store of answers by fingerprint. */
export interface ExactCache {
  /**
   * The answer stored under a key, unless it is older than `maxAgeMs`. What is found counts as used.
   *
   * @param nowMs milliseconds since 1970
   */
  get(key: string, maxAgeMs: number, nowMs: number): CachedAnswer | undefined;
  /** Stores an answer, in place of one under the same key. An answer larger than an eighth of the room is not kept. */
  put(key: string, answer: CachedAnswer): void;
  /** Another bound from now on; the oldest entries go where it is smaller. */
  resize(maxBytes: number): void;
  clear(): void;
  counts(): CacheCounts;
}

/** Of one entry beside its texts: objects, numbers, its place in the map. Heap growth over 100,000 entries on Node 24.21: 411. */
const ENTRY_BYTES = 400;

/**
 * Creates a store.
 *
 * @param maxBytes bound on what is kept, counted as two bytes a character: what V8 needs at most
 */
export function exactCache(maxBytes: number): ExactCache {
  // A map holds its keys in order of insertion: the first is the one used longest ago.
  const answers = new Map<string, CachedAnswer>();
  let limit = maxBytes;
  let bytes = 0;
  let evicted = 0;
  const drop = (key: string, answer: CachedAnswer): void => {
    answers.delete(key);
    bytes -= bytesOf(key, answer);
  };
  const shrink = (): void => {
    for (const [key, answer] of answers) {
      if (bytes <= limit) return;
      drop(key, answer);
      evicted++;
    }
  };
  return {
    get(key, maxAgeMs, nowMs) {
      const answer = answers.get(key);
      if (answer === undefined) return undefined;
      const ageMs = nowMs - answer.storedMs;
      // A clock that was set back makes an answer young again for no longer than it says.
      if (ageMs > maxAgeMs || ageMs < -CLOCK_SLACK_MS) return undefined;
      answers.delete(key);
      answers.set(key, answer);
      return answer;
    },
    put(key, answer) {
      const known = answers.get(key);
      if (known !== undefined) drop(key, known);
      const size = bytesOf(key, answer);
      if (size * 8 > limit) return;
      answers.set(key, answer);
      bytes += size;
      shrink();
    },
    resize(most) {
      limit = most;
      shrink();
    },
    clear() {
      answers.clear();
      bytes = 0;
    },
    counts: () => ({ entries: answers.size, bytes, evicted }),
  };
}

/** A second: clocks are set back by less than that when they are only being corrected. */
const CLOCK_SLACK_MS = 1_000;

function bytesOf(key: string, { data, source, notCarried }: CachedAnswer): number {
  let characters = key.length + data.length + source.length;
  for (const path of notCarried) characters += path.length;
  return 2 * characters + ENTRY_BYTES;
}
