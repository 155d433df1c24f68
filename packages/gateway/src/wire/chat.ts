/**
 * The one form of requests and answers inside the gateway: OpenAI's Chat Completions, the parts of it that Gatewright
 * reads or writes itself. Everything else in a body is carried through untouched, so these types are open: an unknown
 * field is the client's business, not ours.
 *
 * Beyond OpenAI's own fields, as other servers have them too:
 *
 * - `reasoning_content` of a message or delta: the text of what the model thought;
 * - `reasoning_details` beside it: `{ type: 'reasoning.text', text, signature? }`, `{ type: 'reasoning.encrypted', data }`
 *   or `{ type: 'reasoning.summary', summary }`, each with `index` in deltas, for models that want their thoughts back;
 * - `usage.prompt_tokens` counts cached tokens too, `usage.prompt_tokens_details` says how many were read from a cache
 *   (`cached_tokens`) and written to one (`cache_creation_tokens`, for an hour `cache_creation_1h_tokens`); `usage.completion_tokens` counts thoughts too, and
 *   `usage.completion_tokens_details.reasoning_tokens` says how many;
 * - `is_error: true` of a message with role `tool`;
 * - `native_finish_reason` of a choice: what the provider itself called the end;
 * - what cannot be said here at all stands under `origin.ts`.
 */

/** A message of the request. `content` may be text, a list of parts, or null beside tool calls. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly ContentPart[] | null;
  readonly [field: string]: unknown;
}

/** One part of a message's content. */
export interface ContentPart {
  readonly type: string;
  readonly text?: string;
  readonly [field: string]: unknown;
}

/** A chat request after validation. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly n?: number | null;
  readonly seed?: number | null;
  readonly temperature?: number | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly tools?: readonly unknown[] | null;
  readonly response_format?: { readonly type: string; readonly [field: string]: unknown } | null;
  readonly user?: string | null;
  readonly [field: string]: unknown;
}

/** Tokens that a call used. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly [field: string]: unknown;
}

/** One token with its natural-log probability, as in `choices[].logprobs.content[]`. */
export interface TokenLogprob {
  readonly token: string;
  /** Natural logarithm of the token's probability, at most 0. */
  readonly logprob: number;
  readonly bytes: readonly number[] | null;
  readonly top_logprobs: readonly {
    readonly token: string;
    readonly logprob: number;
    readonly bytes: readonly number[] | null;
  }[];
}

/** A whole answer, `object: "chat.completion"`. */
export interface ChatCompletion {
  readonly id: string;
  readonly object: 'chat.completion';
  readonly created: number;
  readonly model: string;
  readonly choices: readonly ChatChoice[];
  readonly usage?: Usage;
  readonly [field: string]: unknown;
}

/** One choice of a whole answer. */
export interface ChatChoice {
  readonly index: number;
  readonly message: { readonly role: string; readonly content: string | null; readonly [field: string]: unknown };
  readonly finish_reason: string | null;
  readonly logprobs?: { readonly content: readonly TokenLogprob[] | null } | null;
  readonly [field: string]: unknown;
}

/** One event of a stream, `object: "chat.completion.chunk"`. */
export interface ChatChunk {
  readonly id: string;
  readonly object: 'chat.completion.chunk';
  readonly created: number;
  readonly model: string;
  readonly choices: readonly ChatChunkChoice[];
  readonly usage?: Usage | null;
  readonly [field: string]: unknown;
}

/** One choice of a stream's event. */
export interface ChatChunkChoice {
  readonly index: number;
  readonly delta: { readonly role?: string; readonly content?: string | null; readonly [field: string]: unknown };
  readonly finish_reason?: string | null;
  readonly logprobs?: { readonly content: readonly TokenLogprob[] | null } | null;
  readonly [field: string]: unknown;
}

/** The choice of an answer that a format without choices shows; undefined where there is none. */
export function firstChoice({ choices }: ChatCompletion): ChatChoice | undefined {
  return choices.find(({ index }) => index === 0) ?? choices[0];
}

/** All text of a message, parts joined with newlines. Images and other parts are left out. */
export function messageText(message: ChatMessage): string {
  const { content } = message;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.flatMap((part: ContentPart) => (typeof part.text === 'string' ? [part.text] : [])).join('\n');
}

/** The text of the last message with role `user`, or an empty string. */
export function lastUserText(messages: readonly ChatMessage[]): string {
  for (let i = messages.length - 1; i >= 0; i--) {
    const message = messages[i]!;
    if (message.role === 'user') return messageText(message);
  }
  return '';
}
