/** A text that broke off in sight of the client, continued by another call: when it can be, and how the two become one. */
import type { ChatChunk, ChatRequest, Usage } from '../wire/chat.ts';

/** What has come of the broken answer. */
export interface Broken {
  /** Text of the first choice, whole. */
  readonly text: string;
  /** False once it held anything but the text and thoughts of one choice. */
  readonly isPlainText: boolean;
  /** It has said how it ended: there is nothing to continue. */
  readonly finishReason: string | undefined;
}

/**
 * Whether an answer to this request can be continued: one choice of plain text. A tool call or a JSON document that
 * another model goes on with would be of two minds, and logprobs of the seam would be wrong.
 */
export function isContinuable(request: ChatRequest, clientLogprobs: boolean): boolean {
  const format = request.response_format?.type;
  return (request.n ?? 1) <= 1 && !clientLogprobs && (format === undefined || format === 'text');
}

/** Whether what has come can be continued. */
export function isCutText({ text, isPlainText, finishReason }: Broken): boolean {
  return text !== '' && isPlainText && finishReason === undefined;
}

/**
 * Makes the chunks of a continuation look like more of the same answer: its id, time and model, no second role, the tokens
 * of all parts, and no white space twice where one part ends and the other begins with it.
 *
 * @param first chunk of the broken answer
 * @param text that the client has
 * @param before tokens of the parts before
 * @returns per chunk the one to show
 */
export function stitcher(
  first: ChatChunk,
  text: string,
  before: { readonly promptTokens: number; readonly completionTokens: number },
): (chunk: ChatChunk) => ChatChunk {
  let isAtSeam = true;
  return (chunk) => {
    const choices = chunk.choices.map((choice) => {
      const { role: _, ...delta } = choice.delta;
      if (!isAtSeam || typeof delta.content !== 'string' || delta.content === '') return { ...choice, delta };
      isAtSeam = false;
      return { ...choice, delta: { ...delta, content: withoutOverlap(text, delta.content) } };
    });
    return {
      ...chunk,
      id: first.id,
      created: first.created,
      model: first.model,
      choices,
      ...(chunk.usage == null ? {} : { usage: summed(chunk.usage, before) }),
    };
  };
}

/** Some servers take the text without the white space at its end, and their model says it again. */
function withoutOverlap(text: string, next: string): string {
  // Not by a pattern: one that looks for white space at the end begins anew at every space before it.
  const ending = text.slice(text.trimEnd().length);
  const beginning = next.slice(0, next.length - next.trimStart().length);
  for (let length = Math.min(ending.length, beginning.length); length > 0; length--)
    if (ending.endsWith(beginning.slice(0, length))) return next.slice(length);
  return next;
}

function summed(usage: Usage, before: { readonly promptTokens: number; readonly completionTokens: number }): Usage {
  const prompt = usage.prompt_tokens + before.promptTokens;
  const completion = usage.completion_tokens + before.completionTokens;
  return { ...usage, prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
