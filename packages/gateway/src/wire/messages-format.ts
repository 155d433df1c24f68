/** What the Messages format calls things: shared by the client dialect and by the provider that speaks it. */
import type { ChatMessage, ChatRequest, Usage } from './chat.ts';

/** A block of content, of a request or an answer. */
export interface Block {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A turn of a conversation. */
export interface MessageParam {
  readonly role: string;
  readonly content: string | readonly Block[];
}

/** What a message of the one form was: one turn, or the part of a turn that the message stands for. */
export interface MessageOrigin {
  /** `prompt` is the request's own `system` field; `system` a turn in the middle of the conversation. */
  readonly role: 'prompt' | 'system' | 'user' | 'assistant';
  readonly content: string | readonly Block[];
  /** Content of the message as it was made: where it says something else by now, the original no longer holds. */
  readonly said: ChatMessage['content'];
}

/** What a request was. */
export interface RequestOrigin {
  /** Every field but `model`, `messages`, `system` and `stream`, as the client sent it. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** What was made of them: where the request says something else by now, the field as sent no longer holds. */
  readonly form: Pick<ChatRequest, string>;
  /** Features that the client switched on in its header `anthropic-beta`. */
  readonly betas: readonly string[];
}

/** What an answer was, beside its messages. */
export interface AnswerOrigin {
  readonly stop_reason?: unknown;
  readonly stop_sequence?: unknown;
  readonly stop_details?: unknown;
  readonly container?: unknown;
  readonly diagnostics?: unknown;
  readonly usage?: unknown;
  readonly [field: string]: unknown;
}

/** Why a model stopped, in both formats. `stop` may also be `stop_sequence`: only the format itself knows. */
const FINISH_OF: Readonly<Record<string, string>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
};

const STOP_OF: Readonly<Record<string, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  function_call: 'tool_use',
  content_filter: 'refusal',
};

/** `finish_reason` of the one form; a reason that is not known is an ordinary end. */
export function finishReason(stopReason: string): string {
  return Object.hasOwn(FINISH_OF, stopReason) ? FINISH_OF[stopReason]! : 'stop';
}

/**
 * `stop_reason` of the Messages format.
 *
 * @param native what the provider itself called it: of this format it stands as it is
 * @param hasCalls some servers end a turn of tool calls with `stop`
 */
export function stopReason(finish: string | null | undefined, native: unknown, hasCalls: boolean): string {
  if (typeof native === 'string' && Object.hasOwn(FINISH_OF, native)) return native;
  if (hasCalls && (finish === 'stop' || finish == null)) return 'tool_use';
  return finish != null && Object.hasOwn(STOP_OF, finish) ? STOP_OF[finish]! : 'end_turn';
}

/** Counts of the Messages format as the one form has them: there the prompt contains what a cache held or took. */
export function usageFromMessages(usage: Readonly<Record<string, unknown>>): Usage {
  const cached = count(usage['cache_read_input_tokens']);
  const created = count(usage['cache_creation_input_tokens']);
  const prompt = count(usage['input_tokens']) + cached + created;
  const completion = count(usage['output_tokens']);
  // Kept for an hour, at a price of their own.
  const lasting = count(
    (usage['cache_creation'] as Readonly<Record<string, unknown>> | null | undefined)?.['ephemeral_1h_input_tokens'],
  );
  const thinking = (usage['output_tokens_details'] as { thinking_tokens?: unknown } | null | undefined)
    ?.thinking_tokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: cached,
      cache_creation_tokens: created,
      ...(lasting > 0 ? { cache_creation_1h_tokens: lasting } : {}),
    },
    ...(typeof thinking === 'number' ? { completion_tokens_details: { reasoning_tokens: thinking } } : {}),
  };
}

/** Counts of the one form as the Messages format has them. */
export function usageToMessages(usage: Usage | null | undefined): Record<string, unknown> & { output_tokens: number } {
  const details = usage?.['prompt_tokens_details'] as Readonly<Record<string, unknown>> | null | undefined;
  const cached = count(details?.['cached_tokens']);
  const created = count(details?.['cache_creation_tokens']);
  const thinking = (usage?.['completion_tokens_details'] as Readonly<Record<string, unknown>> | null | undefined)?.[
    'reasoning_tokens'
  ];
  return {
    input_tokens: Math.max(0, count(usage?.prompt_tokens) - cached - created),
    cache_creation_input_tokens: created,
    cache_read_input_tokens: cached,
    output_tokens: count(usage?.completion_tokens),
    output_tokens_details: typeof thinking === 'number' ? { thinking_tokens: count(thinking) } : null,
    server_tool_use: null,
  };
}

/** The rest of a whole answer's counts, which those at the end of a stream do not have. */
export const USAGE_OF_WHOLE = { cache_creation: null, inference_geo: null, service_tier: null, speed: null } as const;

/** The details of a message's thoughts, whatever a server made of them. */
export function thoughtsOf(
  message: ChatMessage | Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>>[] {
  const details = message['reasoning_details'];
  return Array.isArray(details) ? details.filter((entry) => entry !== null && typeof entry === 'object') : [];
}

function count(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value < 1e12 ? value : 0;
}
