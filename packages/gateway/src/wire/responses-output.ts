/** Output items while they grow, and how they look in a Response and its events. */
import type { TokenLogprob } from './chat.ts';
import type { Fields } from './responses-check.ts';
import { type GrowingDetails, sealed } from './responses-reasoning.ts';

/** What all items have. */
export interface Common {
  readonly id: string;
  readonly outputIndex: number;
  status: 'in_progress' | 'completed' | 'incomplete';
}

/** Text and refusals. */
export interface MessageItem extends Common {
  readonly type: 'message';
  readonly parts: (TextPart | RefusalPart)[];
}

/** Text of a message. */
export interface TextPart {
  readonly type: 'output_text';
  text: string;
  readonly annotations: unknown[];
  readonly logprobs: TokenLogprob[];
}

/** Why the model does not answer. */
export interface RefusalPart {
  readonly type: 'refusal';
  text: string;
}

/** Thoughts. */
export interface ReasoningItem extends Common {
  readonly type: 'reasoning';
  /** Undefined before the first piece of it. */
  text: string | undefined;
  summaries: { readonly index: unknown; text: string }[];
  readonly details: GrowingDetails;
}

/** A call of a function or of a custom tool. */
export interface CallItem extends Common {
  readonly type: 'function_call' | 'custom_tool_call';
  /** The id that the expert gave it, usable or not. */
  givenId: unknown;
  readonly callId: string;
  name: string;
  text: string;
}

/** An item of the answer. */
export type Item = MessageItem | ReasoningItem | CallItem;

/**
 * An item in the published form.
 *
 * @param showsEncrypted with `encrypted_content`, once it is known
 */
export function shownItem(item: Item, showsLogprobs: boolean, showsEncrypted: boolean): Fields {
  const { id, type, status } = item;
  switch (type) {
    case 'message':
      return { id, type, status, role: 'assistant', content: item.parts.map((part) => shownPart(part, showsLogprobs)) };
    case 'reasoning': {
      const encrypted = showsEncrypted && status !== 'in_progress' ? sealed(item.details.all) : undefined;
      return {
        id,
        type,
        summary: item.summaries.map(({ text }) => ({ type: 'summary_text', text })),
        ...(item.text === undefined ? {} : { content: [{ type: 'reasoning_text', text: item.text }] }),
        ...(showsEncrypted ? { encrypted_content: encrypted ?? null } : {}),
      };
    }
    case 'function_call':
      return { id, type, status, call_id: item.callId, name: item.name, arguments: item.text };
    case 'custom_tool_call':
      return { id, type, status, call_id: item.callId, name: item.name, input: item.text };
  }
}

/** A part of a message in the published form. */
export function shownPart(part: TextPart | RefusalPart, showsLogprobs: boolean): Fields {
  if (part.type === 'refusal') return { type: part.type, refusal: part.text };
  return {
    type: part.type,
    text: part.text,
    annotations: part.annotations,
    logprobs: showsLogprobs
      ? part.logprobs.map(({ token, logprob, bytes, top_logprobs: likeliest }) => ({
          token,
          bytes: bytes ?? [],
          logprob,
          top_logprobs: likeliest.map((other) => ({
            token: other.token,
            bytes: other.bytes ?? [],
            logprob: other.logprob,
          })),
        }))
      : [],
  };
}
