/** Answers as OpenAI's published Chat Completions have them, and as compatible servers bend them. For tests. */
import type { Answer, Reply } from './script.ts';

export const MODEL = 'gpt-5-mini-2025-08-07';
export const TEXT = 'It is forty-two, caf\u00e9 \u20ac \u{1f600}.';

export const USAGE = {
  prompt_tokens: 19,
  completion_tokens: 12,
  total_tokens: 31,
  prompt_tokens_details: { cached_tokens: 16, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 5,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
};

const HEAD = { id: 'chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG', created: 1_741_570_283, model: MODEL };

/** A `ChatCompletion`. */
export function completion(message: object, finish: string | null = 'stop', more: object = {}): object {
  return {
    ...HEAD,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: null, refusal: null, annotations: [], ...message },
        logprobs: null,
        finish_reason: finish,
      },
    ],
    usage: USAGE,
    service_tier: 'default',
    system_fingerprint: 'fp_44709d6fcb',
    ...more,
  };
}

/** One event with a `ChatCompletionChunk`; `usage` is null until the last. */
export function chunk(delta: object | undefined, finish: string | null = null, more: object = {}): object {
  return {
    ...HEAD,
    object: 'chat.completion.chunk',
    service_tier: 'default',
    system_fingerprint: 'fp_44709d6fcb',
    choices: [{ index: 0, ...(delta === undefined ? {} : { delta }), logprobs: null, finish_reason: finish }],
    usage: null,
    obfuscation: 'x7',
    ...more,
  };
}

export const USAGE_CHUNK = chunk({}, null, { choices: [], usage: USAGE });
const ROLE = chunk({ role: 'assistant', content: '', refusal: null });
const FINISH = chunk({}, 'stop');

export function event(content: object | '[DONE]'): string {
  return `data: ${content === '[DONE]' ? content : JSON.stringify(content)}\n\n`;
}

/** Streams the events and `[DONE]`. */
export function stream(chunks: readonly object[], then: (reply: Reply) => void = (reply) => reply.end()): Answer {
  return (_, reply) => {
    reply.begin('text/event-stream; charset=utf-8');
    reply.trickle([...chunks.map((content) => event(content))], () => then(reply));
  };
}

const DONE = (reply: Reply): void => reply.end(event('[DONE]'));

/** JSON or the events, as was asked. */
export function both(whole: object, chunks: readonly object[]): Answer {
  return (request, reply) => {
    if (request.body['stream'] === true) stream(chunks, DONE)(request, reply);
    else reply.json(whole);
  };
}

function refuse(status: number, error: unknown, headers: Record<string, string> = {}): Answer {
  return (_, reply) => reply.json({ error }, status, headers);
}

const PARIS = { name: 'weather', arguments: '{"city":"Paris"}' };
const ROME = { name: 'weather', arguments: '{"city":"Rome"}' };
const call = (index: number, fields: object): object => chunk({ tool_calls: [{ index, ...fields }] });

/** Answers by name, true to OpenAI's own. */
export const ANSWERS = {
  text: both(completion({ content: TEXT }), [
    ROLE,
    chunk({ content: 'It is forty-two' }),
    chunk({ content: ', caf\u00e9 \u20ac \u{1f600}.' }),
    FINISH,
    USAGE_CHUNK,
  ]),
  tools: both(
    completion(
      {
        tool_calls: [
          { id: 'call_a', type: 'function', function: PARIS },
          { id: 'call_b', type: 'function', function: ROME },
        ],
      },
      'tool_calls',
    ),
    [
      chunk({
        role: 'assistant',
        content: null,
        refusal: null,
        tool_calls: [{ index: 0, id: 'call_a', type: 'function', function: { name: 'weather', arguments: '' } }],
      }),
      call(0, { function: { arguments: '{"city":' } }),
      call(0, { function: { arguments: '"Paris"}' } }),
      call(1, { id: 'call_b', type: 'function', function: { name: 'weather', arguments: '' } }),
      call(1, { function: { arguments: '{"city":"Rome"}' } }),
      chunk({}, 'tool_calls'),
      USAGE_CHUNK,
    ],
  ),
  json: both(completion({ content: '{"answer":42}' }), [
    ROLE,
    chunk({ content: '{"answer":' }),
    chunk({ content: '42}' }),
    FINISH,
    USAGE_CHUNK,
  ]),
  refusal: both(completion({ refusal: 'I cannot help with that.' }), [
    chunk({ role: 'assistant', content: null, refusal: '' }),
    chunk({ refusal: 'I cannot ' }),
    chunk({ refusal: 'help with that.' }),
    FINISH,
    USAGE_CHUNK,
  ]),
  filtered: both(completion({ content: 'It' }, 'content_filter'), [
    ROLE,
    chunk({ content: 'It' }),
    chunk({}, 'content_filter'),
  ]),
  rateLimited: refuse(
    429,
    { message: 'Rate limit reached for gpt-5-mini.', type: 'requests', param: null, code: 'rate_limit_exceeded' },
    { 'retry-after': '20', 'retry-after-ms': '19530' },
  ),
  badRequest: refuse(400, {
    message: "Unsupported parameter: 'max_tokens' is not supported with this model.",
    type: 'invalid_request_error',
    param: 'max_tokens',
    code: 'unsupported_parameter',
  }),
  errorText: refuse(500, 'out of memory'),
  errorLater: stream([
    ROLE,
    chunk({ content: 'It is ' }),
    { error: { message: 'The server had an error.', type: 'server_error', param: null, code: null } },
  ]),
  errorObject: stream([ROLE, { object: 'error', message: 'bad', type: 'InternalServerError', param: null, code: 500 }]),
  cut: stream([ROLE, chunk({ content: 'It is ' })], (reply) => reply.cut()),
} satisfies Record<string, Answer>;

const bare = (delta: object, finish: string | null = null): object => ({
  ...HEAD,
  object: 'chat.completion.chunk',
  choices: [{ delta, finish_reason: finish }],
});

/** Answers as compatible servers send them, each off from the format in its way. */
export const BENT = {
  /** vLLM, OpenRouter. */
  reasoning: both(completion({ content: TEXT, reasoning: 'Let me see.' }), [
    chunk({ role: 'assistant', content: '' }),
    chunk({ reasoning: 'Let me ' }),
    chunk({ reasoning: 'see.', content: '' }),
    chunk({ content: TEXT }),
    FINISH,
    USAGE_CHUNK,
  ]),
  /** DeepSeek. */
  reasoningContent: both(completion({ content: TEXT, reasoning_content: 'Let me see.' }), [
    chunk({ role: 'assistant', content: null, reasoning_content: 'Let me see.' }),
    chunk({ content: TEXT, reasoning_content: null }),
    FINISH,
    USAGE_CHUNK,
  ]),
  emptyFinish: both(completion({ content: TEXT }, ''), [
    chunk({ role: 'assistant', content: TEXT }, ''),
    chunk({}, 'stop'),
    USAGE_CHUNK,
  ]),
  usageWithChoices: both(completion({ content: TEXT }), [
    ROLE,
    chunk({ content: TEXT }),
    chunk({}, 'stop', { usage: USAGE }),
  ]),
  heartbeat: both(completion({ content: TEXT }), [
    chunk({}, null, { choices: [] }),
    ROLE,
    chunk({}, null, { choices: [] }),
    chunk({ content: TEXT }),
    FINISH,
    USAGE_CHUNK,
  ]),
  /** Groq, without `stream_options`. */
  groq: both(completion({ content: TEXT }), [
    chunk({ role: 'assistant', content: '' }, null, { usage: undefined, x_groq: { id: 'req_1' } }),
    chunk({ content: TEXT }, null, { usage: undefined }),
    chunk({}, 'stop', { usage: undefined, x_groq: { id: 'req_1', usage: USAGE } }),
  ]),
  noIndex: both(
    completion({ content: TEXT }, 'stop', {
      choices: [{ message: { role: 'assistant', content: TEXT }, finish_reason: 'stop' }],
    }),
    [bare({ role: 'assistant', content: TEXT }), bare({}, 'stop'), USAGE_CHUNK],
  ),
  noDelta: both(completion({ content: TEXT }), [ROLE, chunk({ content: TEXT }), chunk(undefined, 'stop'), USAGE_CHUNK]),
  usageWithoutChoices: both(completion({ content: TEXT }), [
    ROLE,
    chunk({ content: TEXT }),
    FINISH,
    { ...HEAD, object: 'chat.completion.chunk', usage: USAGE },
  ]),
} satisfies Record<string, Answer>;

/** Calls of tools as compatible servers stream them: the same two calls in each. */
export const BENT_TOOLS = {
  noIndex: [
    chunk({ role: 'assistant', tool_calls: [{ id: 'call_a', type: 'function', function: PARIS }] }),
    chunk({ tool_calls: [{ id: 'call_b', type: 'function', function: ROME }] }),
  ],
  noIndexInPieces: [
    chunk({ tool_calls: [{ id: 'call_a', function: { name: 'weather', arguments: '{"city":' } }] }),
    chunk({ tool_calls: [{ function: { arguments: '"Paris"}' } }] }),
    chunk({ tool_calls: [{ id: 'call_b', function: { name: 'weather', arguments: '{"city":"Rome"}' } }] }),
  ],
  noId: [call(0, { function: PARIS }), call(1, { function: ROME })],
  nameRepeated: [
    call(0, { id: 'call_a', type: 'function', function: { name: 'weather', arguments: '{"city":' } }),
    call(0, { function: { arguments: '"Paris"}' } }),
    call(1, { id: 'call_b', type: 'function', function: ROME }),
  ],
  atOnce: [
    chunk({
      tool_calls: [
        { id: 'call_a', function: PARIS },
        { id: 'call_b', function: ROME },
      ],
    }),
  ],
} satisfies Record<string, object[]>;
