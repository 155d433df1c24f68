/** A scripted expert on loopback: every request is answered by a named behaviour, good or broken. For tests. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';

/** One request as the upstream got it. */
export interface Received {
  readonly body: Record<string, unknown>;
  readonly headers: IncomingMessage['headers'];
  /** When the other side closed the connection before the answer was over, milliseconds since 1970. */
  abortedAtMs: number | undefined;
}

/** What a behaviour may do with a request. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Record<string, unknown>;
  readonly stream: boolean;
  /** The key that came in the request, without `Bearer`. */
  readonly key: string;
  /** Begins a 200 with that content type (or another status). */
  head(status?: number, headers?: Record<string, string>): void;
  /** Sends bytes of the body, counted. False when the client does not keep up. */
  send(bytes: string | Buffer): boolean;
  end(bytes?: string | Buffer): void;
  /** Cuts the connection with a reset. */
  reset(): void;
  /** Runs something later, unless the upstream has closed by then. */
  later(afterMs: number, run: () => void): void;
}

/** An upstream that listens. */
export interface Upstream {
  /** As for `baseUrl`. */
  readonly url: string;
  readonly requests: Received[];
  /** Connections that the other side closed before the answer was over. */
  readonly aborted: number;
  readonly bytesSent: number;
  /** Answers that have not ended. */
  readonly open: number;
  close(): Promise<void>;
}

/** Who answers a request: one behaviour for all, or a choice by number (0, 1, ...) and exchange. */
export type Script = Behaviour | ((number: number, exchange: Exchange) => Behaviour);

/** The text of the ordinary answers. */
export const GOOD_TEXT = 'It is forty-two.';
const GOOD_USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

/** A whole answer's JSON. */
export function completionJson(text = GOOD_TEXT, extra: object = {}): string {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop', logprobs: null }],
    usage: GOOD_USAGE,
    ...extra,
  });
}

/** One event of a stream: `data: {...}` and the empty line. */
export function event(delta: object, finish: string | null = null, extra: object = {}): string {
  return `data: ${JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...extra,
  })}\n\n`;
}

export const ROLE = event({ role: 'assistant', content: '' });
export const FINISH = event({}, 'stop');
export const DONE = 'data: [DONE]\n\n';
const USAGE_EVENT = `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: GOOD_USAGE })}\n\n`;

/** All events of an ordinary stream with that text. */
export function streamEvents(text = GOOD_TEXT): string[] {
  return [ROLE, ...(text.match(/\S+\s*/g) ?? []).map((content) => event({ content })), FINISH, USAGE_EVENT, DONE];
}

const JSON_TYPE = { 'content-type': 'application/json' };
const SSE = { 'content-type': 'text/event-stream' };

function errorStatus(status: number, error: object, headers: Record<string, string> = {}) {
  return (exchange: Exchange): void => {
    exchange.head(status, { ...JSON_TYPE, ...headers });
    exchange.end(JSON.stringify({ error }));
  };
}

/** Sends the parts one after another, `gapMs` apart: each is a TCP chunk of its own. */
function trickle(exchange: Exchange, parts: readonly (string | Buffer)[], gapMs: number, then: () => void): void {
  const [part, ...rest] = parts;
  if (part === undefined) {
    then();
    return;
  }
  exchange.send(part);
  exchange.later(gapMs, () => trickle(exchange, rest, gapMs, then));
}

/** The bytes in pieces of that length. */
function pieces(text: string, length: number): Buffer[] {
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += length) parts.push(bytes.subarray(start, start + length));
  return parts;
}

/** A stream that shows some content first and goes on 20 ms later. */
function afterContent(exchange: Exchange, then: () => void): void {
  exchange.head(200, SSE);
  exchange.send(ROLE + event({ content: 'It is ' }));
  exchange.later(20, then);
}

const endlessly = (exchange: Exchange, block: string | Buffer): void => {
  const more = (): void => {
    if (exchange.response.destroyed || exchange.response.socket === null) return;
    if (exchange.send(block)) setImmediate(more);
    else exchange.response.once('drain', more);
  };
  more();
};

/** Connections that brought a request before. */
const served = new WeakSet<object>();

/** The same text every 30 ms without end. */
function beat(exchange: Exchange, text: string): void {
  exchange.send(text);
  exchange.later(30, () => beat(exchange, text));
}

const table = {
  ok(exchange) {
    if (exchange.stream) {
      exchange.head(200, SSE);
      exchange.end(streamEvents().join(''));
    } else {
      exchange.head(200, JSON_TYPE);
      exchange.end(completionJson());
    }
  },
  /** Says the text of the last message back. */
  echo(exchange) {
    const messages = exchange.body['messages'] as { content: string }[];
    const text = `echo ${messages.at(-1)!.content}`;
    exchange.head(200, exchange.stream ? SSE : JSON_TYPE);
    exchange.end(exchange.stream ? streamEvents(text).join('') : completionJson(text));
  },
  rateLimited: errorStatus(429, { message: 'slow down', type: 'rate_limit_error' }, { 'retry-after': '7' }),
  status500: errorStatus(500, { message: 'boom' }),
  status503: errorStatus(503, { message: 'overloaded' }),
  status404: errorStatus(404, { message: 'no such model' }),
  unauthorized(exchange) {
    errorStatus(401, {
      message: `Incorrect API key provided: ${exchange.key}. ${'x'.repeat(940)} again ${exchange.key}`,
      type: exchange.key,
      code: exchange.key,
    })(exchange);
  },
  status400: errorStatus(400, {
    message: 'top_p is wrong',
    type: 'invalid_request_error',
    param: 'top_p',
    code: 'bad_top_p',
  }),
  status413: errorStatus(413, { message: 'too long', type: 'invalid_request_error', code: 'too_long' }),
  status422: errorStatus(422, { message: 'not possible', type: 'invalid_request_error', code: 'unprocessable' }),
  /** A refusal whose body never ends by itself. */
  endless400(exchange) {
    exchange.head(400, JSON_TYPE);
    exchange.send('{"error":{"message":"');
    endlessly(exchange, 'x'.repeat(16_384));
  },
  cut400(exchange) {
    exchange.head(400, { ...JSON_TYPE, 'content-length': '500' });
    exchange.send('{"error":{"mess');
    exchange.later(20, () => exchange.reset());
  },
  redirect(exchange) {
    exchange.head(302, { location: 'http://127.0.0.1:1/' });
    exchange.end();
  },
  reset: (exchange) => exchange.reset(),
  resetMidJson(exchange) {
    exchange.head(200, JSON_TYPE);
    exchange.send(completionJson().slice(0, 60));
    exchange.later(20, () => exchange.reset());
  },
  /** The connection closes in good order before the announced length. */
  shortJson(exchange) {
    exchange.head(200, { ...JSON_TYPE, 'content-length': '5000' });
    exchange.send(completionJson());
    exchange.later(20, () => exchange.response.socket?.end());
  },
  silent() {},
  stallMidJson(exchange) {
    exchange.head(200, JSON_TYPE);
    exchange.send(completionJson().slice(0, 60));
  },
  stallBeforeContent(exchange) {
    exchange.head(200, SSE);
    exchange.send(ROLE);
  },
  stallAfterContent: (exchange) => afterContent(exchange, () => {}),
  emptyJson(exchange) {
    exchange.head(200, JSON_TYPE);
    exchange.end();
  },
  brokenJson(exchange) {
    exchange.head(200, exchange.stream ? SSE : JSON_TYPE);
    exchange.end(exchange.stream ? `${ROLE}data: {"choices": [\n\n` : completionJson().slice(0, -20));
  },
  brokenEventLater: (exchange) => afterContent(exchange, () => exchange.end('data: {"choices": [\n\n')),
  noChoices(exchange) {
    exchange.head(200, exchange.stream ? SSE : JSON_TYPE);
    exchange.end(exchange.stream ? 'data: {"hello": 1}\n\n' : '{"hello": 1}');
  },
  errorIn200(exchange) {
    exchange.head(200, JSON_TYPE);
    exchange.end('{"error": {"message": "quota is used up", "type": "insufficient_quota"}}');
  },
  html(exchange) {
    exchange.head(200, { 'content-type': 'text/html' });
    exchange.end('<!doctype html><title>Welcome to the proxy</title>');
  },
  jsonForStream(exchange) {
    exchange.head(200, JSON_TYPE);
    exchange.end(completionJson());
  },
  errorFirst(exchange) {
    exchange.head(200, SSE);
    exchange.end('data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n');
  },
  errorMiddle: (exchange) =>
    afterContent(exchange, () => exchange.end('event: error\ndata: {"error": {"message": "overloaded"}}\n\n')),
  cutAtOnce(exchange) {
    exchange.head(200, SSE);
    exchange.end();
  },
  cutBeforeContent(exchange) {
    exchange.head(200, SSE);
    exchange.end(ROLE);
  },
  resetBeforeContent(exchange) {
    exchange.head(200, SSE);
    exchange.send(ROLE);
    exchange.later(20, () => exchange.reset());
  },
  cutAfterContent: (exchange) => afterContent(exchange, () => exchange.end()),
  resetAfterContent: (exchange) => afterContent(exchange, () => exchange.reset()),
  doneWithoutFinish: (exchange) => afterContent(exchange, () => exchange.end(DONE)),
  /** Everything is there, but the connection stays open. */
  doneButOpen(exchange) {
    exchange.head(200, SSE);
    exchange.send(streamEvents().join(''));
  },
  noDone(exchange) {
    exchange.head(200, SSE);
    exchange.end(ROLE + event({ content: GOOD_TEXT }) + FINISH);
  },
  invalidUtf8(exchange) {
    if (!exchange.stream) {
      exchange.head(200, JSON_TYPE);
      exchange.end(Buffer.from(completionJson('caf\u00e9'), 'latin1'));
    } else
      afterContent(exchange, () =>
        exchange.end(Buffer.from(event({ content: 'caf\u00e9' }) + FINISH + DONE, 'latin1')),
      );
  },
  /** A character of several bytes is cut in the middle by the end of the stream. */
  cutCharacter: (exchange) =>
    afterContent(exchange, () => exchange.end(Buffer.from('data: {"x": "\u20ac').subarray(0, -1))),
  splitCharacters(exchange) {
    exchange.head(200, exchange.stream ? SSE : JSON_TYPE);
    const text = exchange.stream ? streamEvents(MULTI_BYTE_TEXT).join('') : completionJson(MULTI_BYTE_TEXT);
    trickle(exchange, pieces(text, 41), 0, () => exchange.end());
  },
  crlf(exchange) {
    exchange.head(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    trickle(exchange, pieces(streamEvents().join('').replaceAll('\n', '\r\n'), 50), 0, () => exchange.end());
  },
  comments(exchange) {
    exchange.head(200, SSE);
    exchange.end(
      `\ufeff: hello\n\nretry: 1000\n${streamEvents()
        .map((text) => `: still here\nid: 7\nevent: message\n${text}`)
        .join(': keep-alive\n\n')}`,
    );
  },
  oneEventOverManyChunks(exchange) {
    exchange.head(200, SSE);
    trickle(exchange, pieces(streamEvents().join(''), 23), 0, () => exchange.end());
  },
  oversized(exchange) {
    exchange.head(200, exchange.stream ? SSE : JSON_TYPE);
    if (exchange.stream) endlessly(exchange, event({ content: 'x'.repeat(1000) }));
    else exchange.end(completionJson('x'.repeat(20_000)));
  },
  endlessLine(exchange) {
    exchange.head(200, SSE);
    endlessly(exchange, Buffer.from(`data: ${'x'.repeat(16_000)}`));
  },
  /** Answers the first request of a connection; closes it, in good order, when a second one comes. */
  closeReused(exchange) {
    const { socket } = exchange.request;
    if (served.has(socket)) {
      socket.end();
      return;
    }
    served.add(socket);
    exchange.head(200, exchange.stream ? SSE : JSON_TYPE);
    exchange.end(exchange.stream ? streamEvents().join('') : completionJson());
  },
  /** Alive, but says nothing: comments every 30 ms. */
  heartbeats(exchange) {
    exchange.head(200, SSE);
    beat(exchange, ': still here\n\n');
  },
  /** The role again and again, and empty content. */
  rolesOnly(exchange) {
    exchange.head(200, SSE);
    exchange.send(event({}) + event({ content: null }));
    beat(exchange, ROLE);
  },
  heartbeatsAfterContent: (exchange) => afterContent(exchange, () => beat(exchange, ': still here\n\n')),
  /** Says nothing for a while, then an error. */
  errorAfterHeartbeats(exchange) {
    exchange.head(200, SSE);
    trickle(exchange, [': a\n\n', ROLE, event({ content: '' }), ': b\n\n'], 15, () =>
      exchange.end('data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'),
    );
  },
  /** A call of a tool begins, and breaks off. */
  cutToolCall(exchange) {
    exchange.head(200, SSE);
    const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"a' } };
    exchange.send(ROLE + event({ tool_calls: [call] }));
    exchange.later(20, () => exchange.end());
  },
  /** Goes on where `afterContent` breaks off. */
  continuation(exchange) {
    exchange.head(200, SSE);
    exchange.end(ROLE + event({ content: 'forty-two.' }) + FINISH + USAGE_EVENT + DONE);
  },
  status529: errorStatus(529, { message: 'overloaded', type: 'overloaded_error' }),
  rateLimitedShortly: errorStatus(429, { message: 'slow down', type: 'rate_limit_error' }, { 'retry-after': '0' }),
  rateLimitedIn1s: errorStatus(429, { message: 'slow down', type: 'rate_limit_error' }, { 'retry-after': '1' }),
  /** An ordinary stream, 15 ms between events. */
  slow(exchange) {
    exchange.head(200, SSE);
    trickle(exchange, streamEvents(), 15, () => exchange.end());
  },
  /** Content without end as fast as it is read. */
  flood(exchange) {
    exchange.head(200, SSE);
    exchange.send(ROLE);
    endlessly(exchange, event({ content: 'x'.repeat(4000) }));
  },
  /** Content every 10 ms without end. */
  drip(exchange) {
    exchange.head(200, SSE);
    exchange.send(ROLE);
    const more = (): void => {
      exchange.send(event({ content: 'drop ' }));
      exchange.later(10, more);
    };
    more();
  },
  /** An answer of 24 MB in one piece. */
  large(exchange) {
    exchange.head(200, JSON_TYPE);
    exchange.end(completionJson('y'.repeat(24_000_000)));
  },
  /** 12 MB of content as fast as it is read, and a clean end. */
  longStream(exchange) {
    exchange.head(200, SSE);
    const block = event({ content: 'z'.repeat(12_000) });
    let left = 1_000;
    const more = (): void => {
      if (exchange.response.destroyed) return;
      for (; left > 0; left--) {
        if (!exchange.send(block)) {
          left--;
          exchange.response.once('drain', more);
          return;
        }
      }
      exchange.end(FINISH + DONE);
    };
    exchange.send(ROLE);
    more();
  },
  deep(exchange) {
    exchange.head(200, exchange.stream ? SSE : JSON_TYPE);
    const nest = '['.repeat(100_000) + ']'.repeat(100_000);
    if (exchange.stream)
      exchange.end(ROLE + event({ content: 'x' }).replace('"created":1', `"created":${nest}`) + FINISH);
    else exchange.end(completionJson().replace('"created":1', `"created":${nest}`));
  },
} satisfies Record<string, (exchange: Exchange) => void>;

/** Name of what an upstream does with a request. */
export type Behaviour = keyof typeof table;

/** Characters of two, three and four bytes. */
export const MULTI_BYTE_TEXT = 'd\u00e9j\u00e0 \u20ac5 \u{1f600}\u{1f680} \u4e2d\u6587 ende';

/** Starts an upstream on a free port. */
export async function upstream(script: Script): Promise<Upstream> {
  const requests: Received[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let bytesSent = 0;
  let aborted = 0;
  let open = 0;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>;
      const received: Received = { body, headers: request.headers, abortedAtMs: undefined };
      requests.push(received);
      open++;
      let isCutByUs = false;
      response.on('close', () => {
        open--;
        if (response.writableFinished || isCutByUs) return;
        aborted++;
        received.abortedAtMs = Date.now();
      });
      const exchange: Exchange = {
        request,
        response,
        body,
        stream: body['stream'] === true,
        key: (request.headers.authorization ?? '').replace(/^Bearer /, ''),
        head: (status = 200, headers = {}) => void response.writeHead(status, headers),
        send(bytes) {
          bytesSent += Buffer.byteLength(bytes);
          return response.write(bytes);
        },
        end(bytes) {
          if (bytes !== undefined) bytesSent += Buffer.byteLength(bytes);
          response.end(bytes);
        },
        reset() {
          isCutByUs = true;
          request.socket.resetAndDestroy();
        },
        later(afterMs, run) {
          const timer = setTimeout(() => {
            timers.delete(timer);
            if (!response.destroyed) run();
          }, afterMs);
          timers.add(timer);
        },
      };
      const name = typeof script === 'function' ? script(requests.length - 1, exchange) : script;
      (table[name] as (exchange: Exchange) => void)(exchange);
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    get aborted() {
      return aborted;
    },
    get bytesSent() {
      return bytesSent;
    },
    get open() {
      return open;
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A port on loopback where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
