/**
 * What a piece of a request or an answer was in the format it came from. The one form cannot hold everything that a
 * format can say; a provider or a dialect of that same format takes the original and loses nothing.
 *
 * Kept under a symbol: no client can send one, JSON leaves it out, and a spread copies it with the piece. So whoever
 * changes a piece's content must make a new piece and not spread the old one.
 */

/** Formats with pieces of their own. */
export type OriginFormat = 'messages' | 'responses' | 'gemini';

const ORIGIN: unique symbol = Symbol('origin');

interface Origin {
  readonly format: OriginFormat;
  readonly value: unknown;
  readonly lost: readonly string[];
}

interface Marked {
  readonly [ORIGIN]?: Origin;
}

/**
 * The same piece with its original beside it.
 *
 * @param piece a message, a part of its content, a tool, a call of a tool, a delta; of a whole request or answer the
 *   value holds only the fields that the one form cannot carry
 * @param lost of a request: paths, as the client named them, of all that only this format can say
 */
export function withOrigin<T extends object>(
  piece: T,
  format: OriginFormat,
  value: unknown,
  lost: readonly string[] = [],
): T {
  const marked: T & Marked = { ...piece, [ORIGIN]: { format, value, lost } };
  return marked;
}

/** The original of a piece, if it came from that format. */
export function originOf(piece: object, format: OriginFormat): unknown {
  const origin = (piece as Marked)[ORIGIN];
  return origin?.format === format ? origin.value : undefined;
}

/**
 * What a provider loses of a request that came from another format: it reports these paths in `RunningCall.notCarried`,
 * without those for which it has a place of its own.
 *
 * @param own the provider's own format: from that nothing is lost
 */
export function leftovers(request: object, own?: OriginFormat): readonly string[] {
  const origin = (request as Marked)[ORIGIN];
  return origin === undefined || origin.format === own ? [] : origin.lost;
}
