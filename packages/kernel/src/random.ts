/** Seeded randomness. Every random choice in the kernel takes one of these: nothing here reads a clock or `Math.random`. */

/** A stream of uniform numbers that its seed decides completely. */
export interface Random {
  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number;
  /** Uniform whole number in [0, bound). `bound` is at least 1. */
  below(bound: number): number;
  /** A whole number in [0, 2^32), e.g. as the seed of another stream. */
  seed(): number;
}

/**
 * The seeded generator: SplitMix32, a Weyl sequence through a finaliser with full avalanche.
 *
 * Chosen because one 32-bit word is its whole state (so a trace can name it), neighbouring seeds give unrelated
 * streams, and it needs nothing but `Math.imul`. Not for secrets.
 *
 * @param seed any number; only its lowest 32 bits count
 * @see Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix; here with 32-bit constants)
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const word = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return {
    next: () => word() / 4294967296,
    // Multiply-shift: the bias is below bound / 2^32, far under what any test of a routing decision can see.
    below: (bound) => Math.floor((word() / 4294967296) * bound),
    seed: word,
  };
}

/**
 * A 32-bit hash of a text (FNV-1a over UTF-16 code units, then a finaliser): turns ids and prompts into seeds.
 * Not for secrets or for tables that a stranger can fill.
 */
export function hashText(text: string, seed = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
