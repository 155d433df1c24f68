/**
 * What goes over the wire in every comparison: one request of about 1 KB and one answer of about 1 KB, whole or as a
 * stream. The generator and the mock upstream share it, so the generator can check that a gateway lost nothing.
 */

/** Whole answers or streams. */
export type AnswerKind = 'json' | 'sse';

/** Content chunks of a streamed answer, the one with the finish reason included. */
export const STREAM_CHUNKS = 20;

const WORDS =
  'A gateway sits between a client and the models and decides for every request which of them answers and what it may cost ';
const PROMPT = `Explain in plain words, for a reader who knows HTTP but not this system: ${WORDS.repeat(6)}`;
/** Each piece is one chunk of the stream; together they are the whole answer. ASCII only. */
const PIECES = Array.from({ length: STREAM_CHUNKS }, (_, i) => `${WORDS.slice(i * 3, i * 3 + 34)} `);

/** The text that both answers carry. */
export const ANSWER_TEXT = PIECES.join('');

const USAGE = { prompt_tokens: 190, completion_tokens: 150, total_tokens: 340 };
const CREATED = 1_767_225_600;

/** Stands in a request body where a serial number goes, so that no two requests are the same. */
export const SERIAL_PLACEHOLDER = '00000000';

/** The request body, as text. */
export function requestBody(kind: AnswerKind, modelName: string): string {
  return JSON.stringify({
    model: modelName,
    messages: [
      { role: 'system', content: 'You are a careful assistant. Answer in three short paragraphs.' },
      { role: 'user', content: `Request ${SERIAL_PLACEHOLDER}. ${PROMPT}` },
    ],
    temperature: 0.2,
    max_tokens: 400,
    ...(kind === 'sse' ? { stream: true, stream_options: { include_usage: true } } : {}),
  });
}

/** The whole answer, as text. */
export function jsonAnswer(): string {
  return JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: CREATED,
    model: 'mock-model',
    choices: [
      { index: 0, message: { role: 'assistant', content: ANSWER_TEXT }, logprobs: null, finish_reason: 'stop' },
    ],
    usage: USAGE,
    system_fingerprint: 'fp_bench',
  });
}

/** The events of the streamed answer, each ready to be sent; the last is `[DONE]`. */
export function streamEvents({ includeUsage }: { readonly includeUsage: boolean }): readonly string[] {
  const head = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: CREATED, model: 'mock-model' };
  const usageField = includeUsage ? { usage: null } : {};
  const events = PIECES.map((content, i) => ({
    ...head,
    choices: [
      {
        index: 0,
        delta: i === 0 ? { role: 'assistant', content } : { content },
        finish_reason: i === PIECES.length - 1 ? 'stop' : null,
      },
    ],
    ...usageField,
  }));
  const usage = includeUsage ? [{ ...head, choices: [], usage: USAGE }] : [];
  return [...[...events, ...usage].map((event) => `data: ${JSON.stringify(event)}\n\n`), 'data: [DONE]\n\n'];
}
