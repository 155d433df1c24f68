/** Answers as Gemini's published REST format has them, for a scripted server. For tests. */
import { type Answer, pieces, type Reply } from './script.ts';

/** What a test model is called, and the text of the ordinary answer. */
export const MODEL = 'gemini-3-flash';
export const TEXT = 'It is forty-two, caf\u00e9 \u20ac \u{1f600}.';
export const SIGNATURE = 'CuEBAdHtim9Zc2lnbmF0dXJl';

export const USAGE = {
  promptTokenCount: 120,
  cachedContentTokenCount: 100,
  candidatesTokenCount: 8,
  thoughtsTokenCount: 30,
  totalTokenCount: 158,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: 120 }],
  cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 100 }],
};

/** A `GenerateContentResponse`. */
export function response(parts: readonly object[], finishReason: string | null = 'STOP', more: object = {}): object {
  return {
    candidates: [
      {
        ...(parts.length === 0 ? { content: { role: 'model' } } : { content: { parts, role: 'model' } }),
        ...(finishReason === null ? {} : { finishReason }),
        index: 0,
      },
    ],
    usageMetadata: USAGE,
    modelVersion: MODEL,
    responseId: 'r3sp0ns3',
    ...more,
  };
}

/** An error body: `google.rpc.Status` as JSON. */
export function failure(code: number, status: string, message: string, details: readonly object[] = []): object {
  return { error: { code, message, status, ...(details.length === 0 ? {} : { details }) } };
}

export const QUOTA = failure(429, 'RESOURCE_EXHAUSTED', 'You exceeded your current quota.', [
  {
    '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
    violations: [{ quotaMetric: 'generate_content_free_tier_requests', quotaId: 'PerMinute', quotaValue: '10' }],
  },
  { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.074824224s' },
]);

export const BAD_KEY = failure(400, 'INVALID_ARGUMENT', 'API key not valid. Please pass a valid API key.', [
  {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: 'API_KEY_INVALID',
    domain: 'googleapis.com',
    metadata: { service: 'generativelanguage.googleapis.com' },
  },
]);

export const BAD_REQUEST = failure(400, 'INVALID_ARGUMENT', 'Invalid value at generation_config.temperature.', [
  {
    '@type': 'type.googleapis.com/google.rpc.BadRequest',
    fieldViolations: [{ field: 'generation_config.temperature', description: 'too high' }],
  },
]);

export const BLOCKED = {
  promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
  usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 },
  modelVersion: MODEL,
};

/** One event, framed as Google's front end does. */
export function event(content: object): string {
  return `data: ${JSON.stringify(content)}\r\n\r\n`;
}

const SSE = 'text/event-stream';

/** Streams the events, whatever was asked for. */
export function stream(events: readonly string[], then: (reply: Reply) => void = (reply) => reply.end()): Answer {
  return (_, reply) => {
    reply.begin(SSE);
    reply.trickle(events, () => then(reply));
  };
}

/** JSON or the events, by the method that was called. */
export function both(whole: object, events: readonly object[]): Answer {
  return (request, reply) => {
    if (request.url.includes(':streamGenerateContent')) stream(events.map(event))(request, reply);
    else reply.json(whole);
  };
}

/** An answer with that status. */
export function refuse(status: number, body: object): Answer {
  return (_, reply) => reply.json(body, status);
}

const CALLS = [
  { functionCall: { name: 'weather', args: { city: 'Paris', days: 2 } }, thoughtSignature: SIGNATURE },
  { functionCall: { id: 'fc-2', name: 'weather', args: { city: 'Rome' } } },
];

/** Answers by name. */
export const ANSWERS = {
  text: both(response([{ text: TEXT }]), [
    response([{ text: 'It is forty-two' }], null, { usageMetadata: { promptTokenCount: 120, totalTokenCount: 120 } }),
    response([{ text: ', caf\u00e9 \u20ac \u{1f600}.' }]),
  ]),
  thinking: both(
    response([
      { text: 'Let me see.', thought: true },
      { text: TEXT, thoughtSignature: SIGNATURE },
    ]),
    [
      response([{ text: 'Let me ', thought: true }], null),
      response([{ text: 'see.', thought: true }], null),
      response([{ text: TEXT }], null),
      response([{ text: '', thoughtSignature: SIGNATURE }]),
    ],
  ),
  tools: both(response(CALLS), [response([CALLS[0]!], null), response([CALLS[1]!], null), response([])]),
  json: both(response([{ text: '{"answer":42}' }]), [
    response([{ text: '{"answer":' }], null),
    response([{ text: '42}' }]),
  ]),
  logprobs: both(
    response([{ text: 'Yes' }], 'STOP', {
      candidates: [
        {
          content: { parts: [{ text: 'Yes' }], role: 'model' },
          finishReason: 'STOP',
          index: 0,
          avgLogprobs: -0.1,
          logprobsResult: {
            chosenCandidates: [{ token: 'Yes', tokenId: 7, logProbability: -0.1 }],
            topCandidates: [
              {
                candidates: [
                  { token: 'Yes', tokenId: 7, logProbability: -0.1 },
                  { token: 'No', tokenId: 8, logProbability: -2.5 },
                ],
              },
            ],
          },
        },
      ],
    }),
    [],
  ),
  length: both(response([{ text: 'It is' }], 'MAX_TOKENS'), [response([{ text: 'It is' }], 'MAX_TOKENS')]),
  filtered: both(response([], 'SAFETY'), [response([{ text: 'It' }], null), response([], 'SAFETY')]),
  malformedCall: both(response([], 'MALFORMED_FUNCTION_CALL'), [response([], 'MALFORMED_FUNCTION_CALL')]),
  blocked: both(BLOCKED, [BLOCKED]),
  stopEverywhere: both(response([{ text: TEXT }]), [response([{ text: 'It is ' }]), response([{ text: 'done.' }])]),
  quota: refuse(429, QUOTA),
  badKey: refuse(400, BAD_KEY),
  badRequest: refuse(400, BAD_REQUEST),
  noLocation: refuse(400, failure(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.')),
  overloaded: refuse(503, failure(503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.')),
  notFound: refuse(404, failure(404, 'NOT_FOUND', 'models/x is not found for API version v1beta.')),
  errorFirst: stream([event(failure(503, 'UNAVAILABLE', 'The model is overloaded.'))]),
  quotaFirst: stream([event(QUOTA)]),
  errorLater: stream([
    event(response([{ text: 'It is ' }], null)),
    event(failure(500, 'INTERNAL', 'An internal error.')),
  ]),
  cut: stream([event(response([{ text: 'It is ' }], null))], (reply) => reply.cut()),
  ended: stream([event(response([{ text: 'It is ' }], null))]),
  empty: stream([]),
  broken: stream(['data: {"candidates": [\r\n\r\n']),
  slow: (_, reply) => {
    reply.begin(SSE);
    const text = [response([{ text: 'It is forty-two' }], null), response([{ text: ', caf\u00e9 \u20ac \u{1f600}.' }])];
    reply.trickle(pieces(text.map(event).join(''), 17), () => reply.end());
  },
} satisfies Record<string, Answer>;
