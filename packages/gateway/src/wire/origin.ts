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

interface Marked {
  readonly [ORIGIN]?: { readonly format: OriginFormat; readonly value: unknown };
}

/**
 * The same piece with its original beside it.
 *
 * @param piece a message, a part of its content, a tool, a call of a tool, a delta; of a whole request or answer the
 *   value holds only the fields that the one form cannot carry
 */
export function withOrigin<T extends object>(piece: T, format: OriginFormat, value: unknown): T {
  const marked: T & Marked = { ...piece, [ORIGIN]: { format, value } };
  return marked;
}

/** The original of a piece, if it came from that format. */
export function originOf(piece: object, format: OriginFormat): unknown {
  const origin = (piece as Marked)[ORIGIN];
  return origin?.format === format ? origin.value : undefined;
}
