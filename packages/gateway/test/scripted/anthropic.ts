/** A scripted server of Anthropic's Messages API on loopback, good or broken as told. For tests. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the server got it. */
export interface AnthropicReceived {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
  /** The other side closed the connection before the answer was over. */
  wasAborted: boolean;
}

/** What a script may do with a request. */
export interface AnthropicExchange {
  readonly body: Record<string, unknown>;
  readonly isStream: boolean;
  readonly response: ServerResponse;
}

/** A server that listens. */
export interface AnthropicUpstream {
  /** As for `baseUrl`. */
  readonly url: string;
  readonly requests: AnthropicReceived[];
  close(): Promise<void>;
}

type Fields = Readonly<Record<string, unknown>>;
type Script = (exchange: AnthropicExchange) => void;

/** A whole Message with that content. */
export function message(content: readonly Fields[], more: Fields = {}): Record<string, unknown> {
  return {
    id: 'msg_01Script',
    type: 'message',
    role: 'assistant',
    model: 'claude-script-1',
    content,
    stop_reason: content.some(({ type }) => type === 'tool_use') ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    usage: {
      input_tokens: 12,
      cache_creation_input_tokens: 3,
      cache_read_input_tokens: 5,
      cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 0 },
      inference_geo: null,
      output_tokens: 7,
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: 'standard',
      speed: null,
    },
    ...more,
  };
}

/** A block of text. */
export function text(value: string): Fields {
  return { type: 'text', text: value, citations: null };
}

/** A call of a tool. */
export function toolUse(id: string, name: string, input: unknown): Fields {
  return { type: 'tool_use', id, name, input, caller: { type: 'direct' } };
}

/** One server-sent event. */
export function sse(event: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** The events in which a Message is streamed, in the published order. */
export function eventsOfMessage(whole: Record<string, unknown>): string[] {
  const { content, stop_reason, stop_sequence, stop_details, container, usage, ...rest } = whole;
  const counts = usage as Fields;
  const events = [
    sse({
      type: 'message_start',
      message: {
        ...rest,
        container: null,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        stop_details: null,
        usage: { ...counts, output_tokens: 1 },
      },
    }),
  ];
  for (const [index, block] of (content as readonly Fields[]).entries()) {
    const { begin, deltas } = blockEvents(block);
    events.push(sse({ type: 'content_block_start', index, content_block: begin }));
    if (index === 0) events.push(sse({ type: 'ping' }));
    for (const delta of deltas) events.push(sse({ type: 'content_block_delta', index, delta }));
    events.push(sse({ type: 'content_block_stop', index }));
  }
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, output_tokens } = counts;
  events.push(
    sse({
      type: 'message_delta',
      delta: { stop_reason, stop_sequence, stop_details, container },
      usage: {
        input_tokens,
        cache_creation_input_tokens,
        cache_read_input_tokens,
        output_tokens,
        output_tokens_details: counts['output_tokens_details'] ?? null,
        server_tool_use: counts['server_tool_use'] ?? null,
      },
    }),
    sse({ type: 'message_stop' }),
  );
  return events;
}

function blockEvents(block: Fields): { begin: Fields; deltas: Fields[] } {
  switch (block['type']) {
    case 'text':
      return {
        begin: { type: 'text', text: '', citations: null },
        deltas: [
          ...pieces(block['text'] as string).map((value) => ({ type: 'text_delta', text: value })),
          ...((block['citations'] as Fields[] | null) ?? []).map((citation) => ({ type: 'citations_delta', citation })),
        ],
      };
    case 'thinking':
      return {
        begin: { type: 'thinking', thinking: '', signature: '' },
        deltas: [
          ...pieces(block['thinking'] as string).map((value) => ({ type: 'thinking_delta', thinking: value })),
          { type: 'signature_delta', signature: block['signature'] },
        ],
      };
    case 'tool_use':
    case 'server_tool_use': {
      const json = JSON.stringify(block['input']);
      const parts = json === '{}' ? [''] : ['', ...pieces(json)];
      return {
        begin: { ...block, input: {} },
        deltas: parts.map((partial_json) => ({ type: 'input_json_delta', partial_json })),
      };
    }
    default:
      return { begin: block, deltas: [] };
  }
}

function pieces(value: string): string[] {
  return value.match(/[\s\S]{1,6}/g) ?? [];
}

/** The error body of the API. */
export function errorBody(type: string, words: string): Fields {
  return { type: 'error', error: { type, message: words }, request_id: 'req_script' };
}

/** Answers with a Message, whole or streamed. */
export function says(whole: Record<string, unknown>): Script {
  return ({ isStream, response }) => {
    response.writeHead(200, { 'content-type': isStream ? SSE : JSON_TYPE, 'request-id': 'req_script' });
    response.end(isStream ? eventsOfMessage(whole).join('') : JSON.stringify(whole));
  };
}

/** Answers with an error status. */
export function refuses(status: number, type: string, words: string, headers: Record<string, string> = {}): Script {
  return ({ response }) => {
    response.writeHead(status, { 'content-type': JSON_TYPE, 'request-id': 'req_script', ...headers });
    response.end(JSON.stringify(errorBody(type, words)));
  };
}

/** Streams these texts and then ends, or cuts the connection. */
export function streams(parts: readonly string[], then: 'end' | 'cut' = 'end'): Script {
  return ({ response }) => {
    response.writeHead(200, { 'content-type': SSE });
    // Written out before the cut, so that the other side has them.
    response.write(parts.join(''), () => {
      if (then === 'end') response.end();
      else setTimeout(() => response.socket?.resetAndDestroy(), 20);
    });
  };
}

const SSE = 'text/event-stream; charset=utf-8';
const JSON_TYPE = 'application/json';

/** The words of the ordinary answer. */
export const ANSWER = 'It is forty-two.';

const begun = eventsOfMessage(message([text(ANSWER)]));
const SEARCH_ID = 'srvtoolu_01';

/** Named messages, as an expert may say them. */
export const MESSAGES = {
  text: message([text(ANSWER)]),
  tool: message([text('Let me look.'), toolUse('toolu_01', 'weather', { city: 'Bern' })]),
  parallelTools: message([
    toolUse('toolu_01', 'weather', { city: 'Bern' }),
    toolUse('toolu_02', 'weather', { city: 'Z\u00fcrich', days: [1, 2] }),
    toolUse('toolu_03', 'now', {}),
  ]),
  thinking: message([
    { type: 'thinking', thinking: 'Six times seven.', signature: 'c2lnbmVk' },
    { type: 'redacted_thinking', data: 'Y2lwaGVy' },
    text(ANSWER),
  ]),
  interleaved: message([
    { type: 'thinking', thinking: 'First.', signature: 'czE=' },
    toolUse('toolu_01', 'now', {}),
    { type: 'thinking', thinking: 'Second.', signature: 'czI=' },
    toolUse('toolu_02', 'now', { zone: 'CET' }),
  ]),
  stopSequence: message([text('one, two')], { stop_reason: 'stop_sequence', stop_sequence: 'three' }),
  tooLong: message([text('one, two')], { stop_reason: 'max_tokens' }),
  paused: message([text('wait')], { stop_reason: 'pause_turn' }),
  refusal: message([], {
    stop_reason: 'refusal',
    stop_details: { type: 'refusal', category: 'cyber', explanation: 'I will not help with that.' },
  }),
  search: message([
    { type: 'server_tool_use', id: SEARCH_ID, name: 'web_search', input: { query: 'x' }, caller: { type: 'direct' } },
    {
      type: 'web_search_tool_result',
      tool_use_id: SEARCH_ID,
      caller: { type: 'direct' },
      content: [
        {
          type: 'web_search_result',
          title: 'X',
          url: 'https://example.com/',
          encrypted_content: 'eA==',
          page_age: null,
        },
      ],
    },
    {
      type: 'text',
      text: 'X is a letter.',
      citations: [
        {
          type: 'web_search_result_location',
          url: 'https://example.com/',
          title: 'X',
          encrypted_index: 'aQ==',
          cited_text: 'a letter',
        },
      ],
    },
  ]),
} satisfies Record<string, Record<string, unknown>>;

/** What a server does with a request, by name. */
export const BEHAVIOURS = {
  ...(Object.fromEntries(Object.entries(MESSAGES).map(([name, whole]) => [name, says(whole)])) as Record<
    keyof typeof MESSAGES,
    Script
  >),
  rateLimited: refuses(429, 'rate_limit_error', 'slow down', { 'retry-after': '7' }),
  overloaded: refuses(529, 'overloaded_error', 'Overloaded'),
  unauthorized: refuses(401, 'authentication_error', 'invalid x-api-key'),
  invalid: refuses(400, 'invalid_request_error', 'messages: at least one message is required'),
  tooLarge: refuses(413, 'request_too_large', 'Request exceeds the maximum size'),
  missing: refuses(404, 'not_found_error', 'model: claude-none'),
  failed: refuses(500, 'api_error', 'Internal server error'),
  errorFirst: streams([sse(errorBody('overloaded_error', 'Overloaded') as { type: string })]),
  invalidFirst: streams([sse(errorBody('invalid_request_error', 'no') as { type: string })]),
  errorAfter: streams([...begun.slice(0, 4), sse(errorBody('overloaded_error', 'Overloaded') as { type: string })]),
  cut: streams(begun.slice(0, 4), 'cut'),
  endsEarly: streams(begun.slice(0, 4)),
  malformed: streams([...begun.slice(0, 2), 'event: content_block_delta\ndata: {"type": \n\n']),
  malformedJson({ response }) {
    response.writeHead(200, { 'content-type': JSON_TYPE });
    response.end('{"type": "message"}');
  },
  /** Begins and never ends. */
  slow({ response }) {
    response.writeHead(200, { 'content-type': SSE });
    response.write(begun.slice(0, 4).join(''));
  },
} satisfies Record<string, Script>;

/** Name of what a server does. */
export type AnthropicBehaviour = keyof typeof BEHAVIOURS;

/**
 * Starts a server on a free port.
 *
 * @param choose the behaviour, or how to answer the request with this number (0, 1, ...)
 */
export async function anthropicUpstream(
  choose: AnthropicBehaviour | ((number: number, exchange: AnthropicExchange) => AnthropicBehaviour | Script),
): Promise<AnthropicUpstream> {
  const requests: AnthropicReceived[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>;
      const received: AnthropicReceived = {
        path: request.url ?? '',
        headers: request.headers,
        body,
        wasAborted: false,
      };
      requests.push(received);
      response.on('close', () => {
        received.wasAborted = !response.writableFinished;
      });
      if (request.url?.endsWith('/count_tokens') === true && choose !== 'failed') {
        response.writeHead(200, { 'content-type': JSON_TYPE });
        response.end(JSON.stringify({ input_tokens: 4321 }));
        return;
      }
      const exchange: AnthropicExchange = { body, isStream: body['stream'] === true, response };
      const chosen = typeof choose === 'function' ? choose(requests.length - 1, exchange) : choose;
      (typeof chosen === 'function' ? chosen : BEHAVIOURS[chosen])(exchange);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
