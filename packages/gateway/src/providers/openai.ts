/**
 * Any server that speaks OpenAI's Chat Completions: OpenAI itself, vLLM, Ollama, llama.cpp, LM Studio, OpenRouter.
 *
 * Written against undici's dispatch interface: no stream objects and no promise per chunk stand between the socket and
 * the sink.
 */
import { GatewrightError, numberOption, OptionError, onlyOptions, WITHHELD } from '@gatewright/kernel';
import { createParser } from 'eventsource-parser';
import { type Dispatcher, errors, Pool } from 'undici';
import { redact } from '../redact.ts';
import type { ChatChunk, ChatCompletion, Usage } from '../wire/chat.ts';
import { ProviderFailure } from './failure.ts';
import type {
  AnswerSink,
  ConnectProvider,
  ProviderAnswer,
  ProviderCall,
  ProviderContext,
  RunningCall,
} from './provider.ts';

/** Options of `openai`, as in the configuration. */
export interface OpenaiOptions {
  /** Up to and without `/chat/completions`, e.g. `https://api.openai.com/v1`. No user or password in it. */
  readonly baseUrl: string;
  /** The server's own name of the model. */
  readonly model: string;
  /** Environment variable that holds the key. Default: no key is sent. */
  readonly apiKeyEnv?: string;
  /** Fields added to every body, e.g. `{ reasoning_effort: high }`; they win over the client's. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Ask for token counts in streams (`stream_options.include_usage`). Default true; false for servers that refuse it. */
  readonly streamUsage?: boolean;
  /** Largest answer taken, bytes. Default 33554432. */
  readonly maxAnswerBytes?: number;
}

/** An error body longer than this is not a message for people. */
const ERROR_BODY_BYTES = 65_536;

/**
 * Connects to an OpenAI-compatible server.
 *
 * @throws {OptionError} if an option has the wrong form
 */
export function openai(options: OpenaiOptions): ConnectProvider {
  for (const name of Object.keys(options)) {
    // The value is a key by all appearances: it must not stand in the message.
    if (name !== 'apiKeyEnv' && /key|token|secret|passw|authorization/i.test(name))
      throw new OptionError(
        name,
        'left out',
        WITHHELD,
        'Put the key into the environment and name the variable with apiKeyEnv.',
      );
  }
  onlyOptions(options, ['baseUrl', 'model', 'apiKeyEnv', 'params', 'streamUsage', 'maxAnswerBytes']);
  const url = endpoint(options.baseUrl);
  const { model, apiKeyEnv, params = {}, streamUsage = true } = options;
  if (typeof model !== 'string' || model === '')
    throw new OptionError('model', "the server's name of the model", model, 'Ask the server: GET /v1/models.');
  if (apiKeyEnv !== undefined && (typeof apiKeyEnv !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(apiKeyEnv))) {
    // The value may be a key that somebody put here by mistake: it must not stand in the message.
    throw new OptionError(
      'apiKeyEnv',
      'the name of an environment variable',
      WITHHELD,
      'Name the variable, for example OPENAI_API_KEY; never the key itself.',
    );
  }
  if (params === null || typeof params !== 'object' || Array.isArray(params))
    throw new OptionError('params', 'a map of body fields', params, 'For example { temperature: 0 }.');
  for (const name of Object.keys(params)) {
    if (/api[-_]?key|authorization|secret|passw/i.test(name))
      throw new OptionError(
        `params.${name}`,
        'left out',
        WITHHELD,
        'Put the key into the environment and name the variable with apiKeyEnv.',
      );
  }
  if (typeof streamUsage !== 'boolean')
    throw new OptionError('streamUsage', 'true or false', streamUsage, 'Leave it out for true.');
  const maxAnswerBytes = numberOption(
    'maxAnswerBytes',
    options.maxAnswerBytes ?? 33_554_432,
    { min: 1024, whole: true },
    'Leave it out for 32 MiB.',
  );

  return (context) => {
    const secret = apiKeyEnv === undefined ? undefined : keyFromEnvironment(apiKeyEnv, context);
    const headers = [
      'content-type',
      'application/json',
      'user-agent',
      'gatewright',
      ...(secret === undefined ? [] : ['authorization', `Bearer ${secret}`]),
    ];
    const pool = new Pool(url.origin, {
      connect: { timeout: context.timeouts.connectMs },
      headersTimeout: context.timeouts.firstByteMs,
      bodyTimeout: context.timeouts.idleMs,
      pipelining: 1,
      // Node's own server closes idle connections after 5 s: stay under it, or requests race with that close.
      keepAliveTimeout: 4_000,
    });
    const path = `${url.pathname}/chat/completions`;

    return {
      start(call, sink) {
        let body: string;
        try {
          const streamOptions =
            call.stream && streamUsage ? { stream_options: { ...call.body.stream_options, include_usage: true } } : {};
          body = JSON.stringify({ ...call.body, ...streamOptions, ...params, model, stream: call.stream });
        } catch (cause) {
          // JSON.parse takes deeper nesting than JSON.stringify.
          return failedCall(
            new ProviderFailure('GW_UPSTREAM_REJECTED', 'The request is nested too deeply to be sent on.', {
              fix: 'Send a flatter body.',
              elsewhere: false,
              cause,
            }),
          );
        }
        return dispatch(pool, { path, method: 'POST', headers, body }, call, sink, {
          maxAnswerBytes,
          totalMs: context.timeouts.totalMs,
          secrets: secret === undefined ? [] : [secret],
          timeouts: context.timeouts,
        });
      },
      close: () => pool.close(),
    };
  };
}

interface Limits {
  readonly maxAnswerBytes: number;
  readonly totalMs: number;
  readonly secrets: readonly string[];
  readonly timeouts: ProviderContext['timeouts'];
}

function dispatch(
  pool: Pool,
  request: Dispatcher.DispatchOptions,
  call: ProviderCall,
  sink: AnswerSink,
  limits: Limits,
): RunningCall {
  const { promise: answer, resolve, reject } = Promise.withResolvers<ProviderAnswer>();
  let controller: Dispatcher.DispatchController | undefined;
  let isSettled = false;
  let status = 0;
  let retryAfter: string | undefined;
  let receivedBytes = 0;
  const parts: Buffer[] = [];
  let stream: StreamReader | undefined;

  const total = setTimeout(() => {
    fail(
      new ProviderFailure('GW_UPSTREAM_TIMEOUT', `The expert did not finish within ${limits.totalMs} ms.`, {
        fix: 'Raise timeouts.totalMs, or ask for a shorter answer.',
        elsewhere: true,
      }),
    );
  }, limits.totalMs);

  const settle = (): boolean => {
    if (isSettled) return false;
    isSettled = true;
    clearTimeout(total);
    return true;
  };
  const succeed = (value: ProviderAnswer): void => {
    if (settle()) resolve(value);
  };
  const fail = (failure: ProviderFailure): void => {
    if (!settle()) return;
    reject(failure);
    // Frees the connection at once; a request that has no connection yet is dropped when it gets one.
    controller?.abort(failure);
  };

  const refuse = (): void => fail(statusFailure(status, Buffer.concat(parts), retryAfter, limits.secrets));

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      if (isSettled) started.abort(new Error('settled before it started'));
    },
    onResponseStart(_, statusCode, responseHeaders) {
      status = statusCode;
      if (statusCode < 200) return;
      if (statusCode >= 300) {
        retryAfter = headerText(responseHeaders['retry-after']);
        return;
      }
      if (!call.stream) return;
      const type = headerText(responseHeaders['content-type']) ?? '';
      if (!type.startsWith('text/event-stream')) {
        const what = type === '' ? 'no content type' : redact(type, limits.secrets).slice(0, 100);
        fail(malformed(`asked for a stream, the expert answered with ${what}`));
        return;
      }
      stream = streamReader(sink, fail, limits.secrets);
    },
    onResponseData(paused, chunk) {
      if (isSettled) return;
      receivedBytes += chunk.length;
      if (status >= 300) {
        parts.push(chunk);
        if (receivedBytes >= ERROR_BODY_BYTES) refuse();
        return;
      }
      if (receivedBytes > limits.maxAnswerBytes) {
        fail(
          new ProviderFailure('GW_UPSTREAM_TOO_LARGE', `The answer is larger than ${limits.maxAnswerBytes} bytes.`, {
            fix: 'Raise maxAnswerBytes of the provider, or set max_tokens.',
            elsewhere: true,
          }),
        );
        return;
      }
      if (stream === undefined) {
        parts.push(chunk);
        return;
      }
      const ready = stream.read(chunk);
      // Some servers leave the connection open after [DONE]: the answer is whole all the same.
      if (stream.isWhole()) stream.end(succeed);
      if (ready === undefined || isSettled) return;
      paused.pause();
      ready.then(
        () => paused.resume(),
        () => {}, // the sink's owner cancels the call itself
      );
    },
    onResponseEnd() {
      if (isSettled) return;
      if (status >= 300) {
        refuse();
        return;
      }
      if (stream !== undefined) {
        stream.end(succeed);
        return;
      }
      const completion = readCompletion(Buffer.concat(parts));
      if (typeof completion === 'string') fail(malformed(completion));
      else succeed({ completion, usage: completion.body.usage });
    },
    onResponseError(_, error) {
      // The status is the answer, whatever became of the words that were to explain it.
      if (status >= 300) refuse();
      else fail(transportFailure(error, stream?.hasContent() === true, limits));
    },
  };
  try {
    pool.dispatch(request, handler);
  } catch (error) {
    fail(transportFailure(error instanceof Error ? error : new Error(String(error)), false, limits));
  }

  return {
    answer,
    cancel: () =>
      fail(new ProviderFailure('GW_CANCELLED', 'The call was cancelled.', { fix: 'Nothing to do.', elsewhere: false })),
  };
}

/** Reads the events of one stream. */
interface StreamReader {
  /** @returns a promise if the sink asks to wait */
  read(bytes: Buffer): Promise<void> | undefined;
  end(succeed: (answer: ProviderAnswer) => void): void;
  hasContent(): boolean;
  /** Every choice has a finish reason and `[DONE]` has come. */
  isWhole(): boolean;
}

function streamReader(
  sink: AnswerSink,
  fail: (failure: ProviderFailure) => void,
  secrets: readonly string[],
): StreamReader {
  // Fatal: a byte that is no UTF-8 must not reach the client as a replacement character in the middle of an answer.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const unfinished = new Set<number>();
  let finishedChoices = 0;
  let usage: Usage | undefined;
  let isDone = false;
  let isOver = false;
  let sawContent = false;
  let wait: Promise<void> | undefined;
  const isFinished = (): boolean => finishedChoices > 0 && unfinished.size === 0;
  const stop = (failure: ProviderFailure): void => {
    isOver = true;
    fail(failure);
  };
  const parser = createParser({
    onEvent({ data }) {
      if (isOver || isDone) return;
      if (data === '[DONE]') {
        isDone = true;
        return;
      }
      let chunk: unknown;
      try {
        chunk = JSON.parse(data);
      } catch {
        stop(malformed('an event of the stream is not JSON'));
        return;
      }
      if (!isObject(chunk)) {
        stop(malformed('an event of the stream is not an object'));
        return;
      }
      if (chunk['error'] != null) {
        stop(errorEvent(chunk['error'], secrets));
        return;
      }
      if (!Array.isArray(chunk['choices'])) {
        stop(malformed('an event of the stream has no choices'));
        return;
      }
      const parsed = chunk as unknown as ChatChunk;
      for (const choice of parsed.choices) {
        if (!isObject(choice) || !isObject(choice.delta)) {
          stop(malformed('a choice of the stream has no delta'));
          return;
        }
        sawContent = true;
        if (choice.finish_reason != null) {
          finishedChoices++;
          unfinished.delete(choice.index);
        } else unfinished.add(choice.index);
      }
      if (parsed.usage != null) usage = parsed.usage;
      // Data in several lines is joined by the parser; one line is what we can pass on.
      const ready = sink.onChunk(data.includes('\n') ? JSON.stringify(parsed) : data, parsed);
      if (ready !== undefined) wait = ready;
    },
  });
  const feed = (bytes: Buffer | undefined): void => {
    let text: string;
    try {
      text = bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch {
      stop(malformed('the stream is not valid UTF-8'));
      return;
    }
    if (text !== '') parser.feed(text);
  };
  return {
    read(bytes) {
      if (isOver) return undefined;
      wait = undefined;
      feed(bytes);
      return wait;
    },
    end(succeed) {
      feed(undefined);
      if (isOver) return;
      if (!isFinished()) {
        stop(
          truncated(
            isDone
              ? 'the stream says it is done, but no choice has a finish reason'
              : 'the connection closed before a finish reason',
          ),
        );
        return;
      }
      succeed({ usage });
    },
    hasContent: () => sawContent,
    isWhole: () => isDone && !isOver && isFinished(),
  };
}

function readCompletion(bytes: Buffer): { data: string; body: ChatCompletion } | string {
  let data: string;
  try {
    data = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'the answer is not valid UTF-8';
  }
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    return `the answer is not JSON (${bytes.length} bytes)`;
  }
  if (!isObject(body) || !Array.isArray(body['choices']) || body['choices'].length === 0)
    return 'the answer has no choices';
  if (!body['choices'].every((choice) => isObject(choice) && isObject(choice['message'])))
    return 'a choice of the answer has no message';
  return { data, body: body as unknown as ChatCompletion };
}

function statusFailure(
  status: number,
  body: Buffer,
  retryAfter: string | undefined,
  secrets: readonly string[],
): ProviderFailure {
  const upstream = upstreamError(body, secrets);
  // The expert's own words may quote the prompt: they go to the client (http-errors.ts), never into traces or logs.
  const said =
    upstream?.['code'] == null && upstream?.['type'] == null ? '' : `: ${upstream['code'] ?? upstream['type']}`;
  const shared = { status, ...(upstream === undefined ? {} : { upstream }), ...retryAfterOf(retryAfter) };
  if (status === 400 || status === 413 || status === 422) {
    return new ProviderFailure('GW_UPSTREAM_REJECTED', `The expert rejects the request (${status})${said}.`, {
      ...shared,
      fix: 'Correct the request.',
      elsewhere: false,
    });
  }
  if (status === 401 || status === 403) {
    return new ProviderFailure('GW_UPSTREAM_AUTH', `The expert does not accept the gateway's key (${status})${said}.`, {
      ...shared,
      fix: 'Check the environment variable that apiKeyEnv of this expert names.',
      elsewhere: true,
    });
  }
  if (status === 429) {
    return new ProviderFailure('GW_UPSTREAM_RATE_LIMIT', `The expert's rate limit is reached (429)${said}.`, {
      ...shared,
      fix: 'Wait, or add an expert.',
      elsewhere: true,
    });
  }
  return new ProviderFailure('GW_UPSTREAM_STATUS', `The expert answered with status ${status}${said}.`, {
    ...shared,
    fix: status === 404 ? 'Check baseUrl and model of this expert.' : 'See the logs of the expert.',
    elsewhere: true,
  });
}

/** `{message, type, code, param}` out of an error body, redacted and clipped; undefined if there is no message. */
function upstreamError(body: Buffer, secrets: readonly string[]): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const error = isObject(parsed) ? (parsed['error'] ?? parsed) : undefined;
    return errorFields(error, secrets);
  } catch {
    return undefined;
  }
}

function errorFields(error: unknown, secrets: readonly string[]): Record<string, unknown> | undefined {
  // Redacted before it is clipped: half a key is not recognised as one.
  if (typeof error === 'string') return { message: redact(error, secrets).slice(0, 1000) };
  if (!isObject(error) || typeof error['message'] !== 'string') return undefined;
  const fields: Record<string, unknown> = { message: redact(error['message'], secrets).slice(0, 1000) };
  for (const name of ['type', 'code', 'param']) {
    const value = error[name];
    if (typeof value === 'string') fields[name] = redact(value, secrets).slice(0, 200);
    else if (typeof value === 'number') fields[name] = value;
  }
  return fields;
}

function errorEvent(error: unknown, secrets: readonly string[]): ProviderFailure {
  const upstream = errorFields(error, secrets) ?? { message: 'no message' };
  const isRejected = upstream['type'] === 'invalid_request_error';
  return new ProviderFailure(
    'GW_UPSTREAM_ERROR_EVENT',
    `The expert sent an error in its stream${upstream['code'] == null && upstream['type'] == null ? '' : `: ${upstream['code'] ?? upstream['type']}`}.`,
    {
      fix: isRejected ? 'Correct the request.' : 'See the logs of the expert.',
      elsewhere: !isRejected,
      upstream,
    },
  );
}

function transportFailure(error: Error, hasContent: boolean, { timeouts, secrets }: Limits): ProviderFailure {
  const why = redact(error.message, secrets).slice(0, 300);
  if (error instanceof errors.HeadersTimeoutError) {
    return new ProviderFailure('GW_UPSTREAM_TIMEOUT', `No answer began within ${timeouts.firstByteMs} ms.`, {
      fix: 'Raise timeouts.firstByteMs, or check the expert.',
      elsewhere: true,
    });
  }
  if (error instanceof errors.BodyTimeoutError) {
    return new ProviderFailure('GW_UPSTREAM_TIMEOUT', `The answer stalled for ${timeouts.idleMs} ms.`, {
      fix: 'Raise timeouts.idleMs, or check the expert.',
      elsewhere: true,
    });
  }
  const code = (error as { code?: string }).code;
  const isConnect =
    error instanceof errors.ConnectTimeoutError ||
    code === 'ECONNREFUSED' ||
    code === 'ENOTFOUND' ||
    code === 'EHOSTUNREACH' ||
    code === 'ENETUNREACH' ||
    code === 'EAI_AGAIN' ||
    (code ?? '').startsWith('ERR_TLS') ||
    (code ?? '').includes('CERT');
  if (isConnect) {
    return new ProviderFailure('GW_UPSTREAM_CONNECT', `No connection to the expert: ${why || code}.`, {
      fix: 'Check baseUrl and that the server runs.',
      elsewhere: true,
    });
  }
  if (hasContent) return truncated(`the connection broke (${why})`);
  return new ProviderFailure('GW_UPSTREAM_RESET', `The connection to the expert broke: ${why}.`, {
    fix: 'See the logs of the expert.',
    elsewhere: true,
  });
}

function malformed(why: string): ProviderFailure {
  return new ProviderFailure('GW_UPSTREAM_MALFORMED', `The expert's answer cannot be read: ${why}.`, {
    fix: 'Check that baseUrl is an OpenAI-compatible server.',
    elsewhere: true,
  });
}

function truncated(why: string): ProviderFailure {
  return new ProviderFailure('GW_UPSTREAM_TRUNCATED', `The expert's stream was cut: ${why}.`, {
    fix: 'Ask again; see the logs of the expert if it repeats.',
    elsewhere: true,
  });
}

function failedCall(failure: ProviderFailure): RunningCall {
  return { answer: Promise.reject(failure), cancel() {} };
}

function keyFromEnvironment(name: string, context: ProviderContext): string {
  const value = context.env[name]?.trim();
  if (value === undefined || value === '') {
    throw new GatewrightError('GW_KEY_MISSING', `The environment variable ${name} is not set.`, {
      fix: `Set it: export ${name}=...`,
      path: 'apiKeyEnv',
    });
  }
  return value;
}

function endpoint(baseUrl: unknown): URL {
  const example = 'For example http://127.0.0.1:8000/v1.';
  if (typeof baseUrl !== 'string' || !URL.canParse(baseUrl))
    throw new OptionError('baseUrl', 'a URL', WITHHELD, example);
  const url = new URL(baseUrl);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new OptionError('baseUrl', 'an http or https URL', url.protocol, example);
  if (url.username !== '' || url.password !== '') {
    throw new OptionError(
      'baseUrl',
      'a URL without user and password',
      WITHHELD,
      'Put the key into the environment and name the variable with apiKeyEnv.',
    );
  }
  if (url.search !== '' || url.hash !== '')
    throw new OptionError('baseUrl', 'a URL without query and fragment', WITHHELD, example);
  url.pathname = url.pathname.replace(/\/+$/, '').replace(/\/chat\/completions$/, '');
  if (url.pathname === '/') url.pathname = '';
  return url;
}

function retryAfterOf(header: string | undefined): { retryAfterMs: number } | Record<never, never> {
  if (header === undefined) return {};
  const seconds = Number(header);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  // An hour at most: a wrong clock must not bench an expert for good.
  return Number.isFinite(waitMs) ? { retryAfterMs: Math.min(3_600_000, Math.max(0, Math.round(waitMs))) } : {};
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
