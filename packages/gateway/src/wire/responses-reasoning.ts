/**
 * Thoughts of a model between the two forms. A Responses item has text, summaries and one opaque `encrypted_content`;
 * the one form has a list of details with signatures and sealed blocks. What an item cannot say travels in
 * `encrypted_content` as an envelope that only this file reads, so that a model gets back exactly the thoughts that it gave.
 */
import type { Fields } from './responses-check.ts';

const ENVELOPE = 'gw1.';

/** One entry of `reasoning_details`, an open form. */
export interface ReasoningDetail extends Fields {
  readonly type: string;
}

/**
 * Seals what an item's text and summaries do not say.
 *
 * @returns undefined where nothing is left to say
 */
export function sealed(pieces: readonly ReasoningDetail[]): string | undefined {
  if (pieces.every(isPlain)) return undefined;
  // The index says only which pieces of a stream belong together.
  const details = pieces.map(({ index: _, ...detail }) => detail as ReasoningDetail);
  const [only] = details;
  if (details.length === 1 && only!.type === 'reasoning.encrypted' && typeof only!['data'] === 'string') {
    const { type: _, data, ...rest } = only as ReasoningDetail & { data: string };
    if (Object.keys(rest).length === 0 && !data.startsWith(ENVELOPE)) return data;
  }
  return ENVELOPE + Buffer.from(JSON.stringify(details)).toString('base64url');
}

/** Whether a text is an envelope of ours. */
export function isSealed(content: unknown): boolean {
  return typeof content === 'string' && content.startsWith(ENVELOPE);
}

/** The details behind `encrypted_content`: of our envelope, or one block that somebody else sealed. */
export function unsealed(content: string): ReasoningDetail[] {
  if (content.startsWith(ENVELOPE)) {
    try {
      const details: unknown = JSON.parse(Buffer.from(content.slice(ENVELOPE.length), 'base64url').toString('utf8'));
      if (Array.isArray(details) && details.every((detail) => typeof detail?.type === 'string')) return details;
    } catch {
      // Not ours then.
    }
  }
  return [{ type: 'reasoning.encrypted', data: content }];
}

/** Details that grow: pieces with the same `index` and type are one. */
export interface GrowingDetails {
  readonly all: readonly ReasoningDetail[];
  /** Adds a streamed piece to those before it. */
  add(piece: ReasoningDetail): void;
}

/** Begins a list of details. */
export function growingDetails(): GrowingDetails {
  const all: ReasoningDetail[] = [];
  const places = new Map<string, number>();
  return {
    all,
    add(piece) {
      const { index, type } = piece;
      const key = typeof index === 'number' || typeof index === 'string' ? `${typeof index} ${index} ${type}` : '';
      const at = places.get(key);
      if (at !== undefined) {
        grow(all, at, piece);
        return;
      }
      if (key !== '') places.set(key, all.length);
      all.push({ ...piece });
    },
  };
}

function grow(details: ReasoningDetail[], at: number, piece: ReasoningDetail): void {
  const grown: Record<string, unknown> = { ...details[at] };
  for (const name in piece) {
    const value = piece[name];
    const before = grown[name];
    const isGrowing = GROWING.has(name) && typeof before === 'string' && typeof value === 'string';
    if (value != null) grown[name] = isGrowing ? (before as string) + (value as string) : value;
  }
  details[at] = grown as unknown as ReasoningDetail;
}

const GROWING: ReadonlySet<string> = new Set(['text', 'summary', 'data']);

/** Text without a signature, or a summary: the item says all of it. */
function isPlain(detail: ReasoningDetail): boolean {
  return detail.type === 'reasoning.summary' || (detail.type === 'reasoning.text' && detail['signature'] == null);
}
