/** Answers as Ollama's published `/api/chat` has them, for a scripted server. For tests. */
import { type Answer, pieces, type Reply } from './script.ts';

export const MODEL = 'qwen3:8b';
export const TEXT = 'It is forty-two, caf\u00e9 \u20ac \u{1f600}.';

const COUNTS = {
  total_duration: 5_191_566_416,
  load_duration: 2_154_458,
  prompt_eval_count: 26,
  prompt_eval_duration: 383_809_000,
  eval_count: 9,
  eval_duration: 4_799_921_000,
};

/** One line of a stream. */
export function line(message: object, more: object = {}): string {
  return `${JSON.stringify({
    model: MODEL,
    created_at: '2026-01-02T03:04:05.678901234Z',
    message: { role: 'assistant', content: '', ...message },
    done: false,
    ...more,
  })}\n`;
}

/** The last line, or a whole answer. */
export function done(message: object = {}, reason = 'stop', more: object = {}): string {
  return line(message, { done: true, done_reason: reason, ...COUNTS, ...more });
}

/** A whole answer or the lines, as was asked. */
export function both(whole: string, lines: readonly string[]): Answer {
  return (request, reply) => {
    if (request.body['stream'] === false) {
      reply.begin('application/json; charset=utf-8');
      reply.end(whole);
    } else stream(lines)(request, reply);
  };
}

/** Streams the lines. */
export function stream(lines: readonly string[], then: (reply: Reply) => void = (reply) => reply.end()): Answer {
  return (_, reply) => {
    reply.begin('application/x-ndjson');
    reply.trickle(lines, () => then(reply));
  };
}

function refuse(status: number, error: string): Answer {
  return (_, reply) => reply.json({ error }, status);
}

const CALL = { function: { name: 'weather', arguments: { city: 'Paris', days: 2 } } };
const SECOND_CALL = { id: 'call_own', function: { index: 1, name: 'weather', arguments: { city: 'Rome' } } };

/** Answers by name. */
export const ANSWERS = {
  text: both(done({ content: TEXT }), [
    line({ content: 'It is forty-two' }),
    line({ content: ', caf\u00e9 \u20ac \u{1f600}.' }),
    done(),
  ]),
  thinking: both(done({ content: TEXT, thinking: 'Let me see.' }), [
    line({ thinking: 'Let me ' }),
    line({ thinking: 'see.' }),
    line({ content: TEXT }),
    done(),
  ]),
  tools: both(done({ tool_calls: [CALL, SECOND_CALL] }), [
    line({ tool_calls: [CALL] }),
    line({ tool_calls: [SECOND_CALL] }),
    done(),
  ]),
  json: both(done({ content: '{"answer":42}' }), [line({ content: '{"answer":' }), line({ content: '42}' }), done()]),
  logprobs: both(
    done({ content: 'Yes' }, 'stop', {
      logprobs: [
        {
          token: 'Yes',
          logprob: -0.1,
          bytes: [89, 101, 115],
          top_logprobs: [
            { token: 'Yes', logprob: -0.1, bytes: [89, 101, 115] },
            { token: 'No', logprob: -2.5, bytes: [78, 111] },
          ],
        },
      ],
    }),
    [],
  ),
  length: both(done({ content: 'It is' }, 'length'), [line({ content: 'It is' }), done({}, 'length')]),
  uncounted: both(done({ content: TEXT }, 'stop', { prompt_eval_count: undefined }), [
    line({ content: TEXT }),
    done({}, 'stop', { prompt_eval_count: undefined }),
  ]),
  noModel: refuse(404, `model '${MODEL}' not found`),
  noTools: refuse(400, `registry.ollama.ai/library/${MODEL} does not support tools`),
  badRequest: refuse(400, 'invalid options: num_ctx'),
  busy: refuse(503, 'server busy, please try again.  maximum pending requests exceeded'),
  errorFirst: stream(['{"error":"llama runner process has terminated"}\n']),
  errorLater: stream([line({ content: 'It is ' }), '{"error":"an error was encountered while running the model"}\n']),
  cut: stream([line({ content: 'It is ' })], (reply) => reply.cut()),
  ended: stream([line({ content: 'It is ' })]),
  empty: stream([]),
  broken: stream(['{"message": \n']),
  /** The last line has no end, and the connection stays open. */
  open: stream([line({ content: TEXT }), done()], () => {}),
  slow: (_, reply) => {
    reply.begin('application/x-ndjson');
    const text = [
      line({ content: 'It is forty-two' }),
      line({ content: ', caf\u00e9 \u20ac \u{1f600}.' }),
      done().trimEnd(),
    ];
    reply.trickle(pieces(text.join(''), 17), () => reply.end());
  },
} satisfies Record<string, Answer>;
