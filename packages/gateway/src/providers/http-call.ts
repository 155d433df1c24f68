/**
 * One call to a server over HTTP: the connection, the limits, the framing of streams. What the bytes mean is the
 * provider's: it hands in an `AnswerFormat`.
 *
 * Written against undici's dispatch interface: no stream objects and no promise per chunk stand between the socket and
 * the sink.
 */
import { isAscii } from 'node:buffer';
import { createParser } from 'eventsource-parser';
import { type Dispatcher, Pool } from 'undici';
import { redact } from '../redact.ts';
import type { ChatChunk, ChatCompletion, Usage } from '../wire/chat.ts';
import { ProviderFailure } from './failure.ts';
import type { AnswerSink, ProviderAnswer, ProviderCall, ProviderContext, RunningCall } from './provider.ts';
import { headerText, isObject, malformed, statusFailure, transportFailure } from './upstream-failures.ts';

/** What a provider's wire format makes of an answer. */
export interface AnswerFormat {
  /** How a stream is framed: server-sent events, or one JSON object a line. */
  readonly framing: 'sse' | 'ndjson';
  /**
   * A whole answer in the gateway's own form, with its JSON text.
   *
   * @throws {ProviderFailure} if it cannot be read
   */
  whole(
    text: string,
  ): ProviderAnswer & { readonly completion: { readonly data: string; readonly body: ChatCompletion } };
  /** Begins the translation of one stream. */
  stream(emit: Emit): StreamTranslator;
  /**
   * What an answer with a status that is no success means, where this server says it otherwise than all others.
   *
   * @returns undefined for what `statusFailure` makes of it
   */
  refusal?(status: number, body: Buffer, retryAfter: string | undefined): ProviderFailure | undefined;
}

/**
 * Hands on one event in the gateway's own form.
 *
 * @param data its JSON text, where the upstream's own text can be passed on; default the chunk written anew
 */
export type Emit = (chunk: ChatChunk, data?: string) => void;

/** Makes chunks of a provider's stream. It emits only while one of its methods runs. */
export interface StreamTranslator {
  /**
   * One event.
   *
   * @param data of the event, or the line
   * @param name `event:` of a server-sent event
   * @throws {ProviderFailure} if it is an error, or cannot be read
   */
  event(data: string, name: string | undefined): void;
  /**
   * The connection has closed, or `isWhole`.
   *
   * @throws {ProviderFailure} `GW_UPSTREAM_TRUNCATED` if the answer had not ended
   */
  end(): ProviderAnswer;
  /** Something of an answer has come: a stream that breaks now was cut. */
  readonly hasContent: boolean;
  /** All has come. Some servers leave the connection open after it. */
  readonly isWhole: boolean;
  /** The newest counts: what a stream that breaks off has cost by then. */
  readonly usage: Usage | undefined;
}

/** Bounds of one call. */
export interface CallLimits {
  readonly maxAnswerBytes: number;
  /** Kept out of every message. */
  readonly secrets: readonly string[];
  readonly timeouts: ProviderContext['timeouts'];
}

/** An error body longer than this is not a message for people. */
const ERROR_BODY_BYTES = 65_536;

/** How long the end of a whole stream is waited for, so that its connection can be used again, milliseconds. */
const LINGER_MS = 500;

/** Connections to a server, with the configuration's timeouts. */
export function httpPool(url: URL, { timeouts }: Pick<ProviderContext, 'timeouts'>): Pool {
  return new Pool(url.origin, {
    connect: { timeout: timeouts.connectMs },
    headersTimeout: timeouts.firstByteMs,
    bodyTimeout: timeouts.idleMs,
    pipelining: 1,
    // Node's own server closes idle connections after 5 s: stay under it, or requests race with that close.
    keepAliveTimeout: 4_000,
  });
}

/**
 * The body of a call as JSON, or the failure if it cannot be written.
 *
 * @param make the body's content
 */
export function bodyText(make: () => unknown): string | ProviderFailure {
  try {
    return JSON.stringify(make());
  } catch (cause) {
    if (cause instanceof ProviderFailure) return cause;
    // JSON.parse takes deeper nesting than JSON.stringify.
    return new ProviderFailure('GW_UPSTREAM_REJECTED', 'The request is nested too deeply to be sent on.', {
      fix: 'Send a flatter body.',
      elsewhere: false,
      cause,
    });
  }
}

/** A call that failed before it was made. */
export function failedCall(failure: ProviderFailure): RunningCall {
  return { answer: Promise.reject(failure), cancel() {} };
}

/** Makes a call and reads its answer. */
export function httpCall(
  pool: Pool,
  request: Dispatcher.DispatchOptions,
  call: Pick<ProviderCall, 'stream' | 'traceparent'>,
  sink: AnswerSink,
  format: AnswerFormat,
  limits: CallLimits,
): RunningCall {
  const { promise: answer, resolve, reject } = Promise.withResolvers<ProviderAnswer>();
  let controller: Dispatcher.DispatchController | undefined;
  let isSettled = false;
  let status = 0;
  let retryAfter: string | undefined;
  let receivedBytes = 0;
  const parts: Buffer[] = [];
  let stream: StreamReader | undefined;
  /** Fails the call unless an error stands in what came in place of a stream. */
  let notStream: ProviderFailure | undefined;
  /** Runs while a server has said all and not ended. */
  let linger: NodeJS.Timeout | undefined;
  let hasEnded = false;

  const total = setTimeout(() => {
    fail(
      new ProviderFailure('GW_UPSTREAM_TIMEOUT', `The expert did not finish within ${limits.timeouts.totalMs} ms.`, {
        fix: 'Raise timeouts.totalMs, or ask for a shorter answer.',
        elsewhere: true,
        isOutOfTime: true,
      }),
    );
  }, limits.timeouts.totalMs);

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
    failure.usage ??= stream?.usage();
    reject(failure);
    // Frees the connection at once; a request that has no connection yet is dropped when it gets one.
    controller?.abort(failure);
  };

  const refuse = (): void => {
    const body = Buffer.concat(parts);
    fail(format.refusal?.(status, body, retryAfter) ?? statusFailure(status, body, retryAfter, limits.secrets));
  };

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
      if (format.framing === 'sse' && !/^text\/event-stream/i.test(type)) {
        const what = type === '' ? 'no content type' : redact(type, limits.secrets).slice(0, 100);
        notStream = malformed(`asked for a stream, the expert answered with ${what}`);
        // Some say so that it is an error, with a status that says success.
        if (!/json/i.test(type)) fail(notStream);
        return;
      }
      stream = streamReader(format, sink, fail);
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
        if (notStream !== undefined && receivedBytes >= ERROR_BODY_BYTES) fail(notStream);
        return;
      }
      const ready = stream.read(chunk);
      if (stream.isWhole()) {
        stream.end(succeed);
        // Mostly the end stands behind it in the same bytes.
        queueMicrotask(() => {
          if (!hasEnded) linger = setTimeout(() => controller?.abort(new Error('the answer is whole')), LINGER_MS);
        });
      }
      if (ready === undefined || isSettled) return;
      paused.pause();
      ready.then(
        () => paused.resume(),
        () => {}, // the sink's owner cancels the call itself
      );
    },
    onResponseEnd() {
      hasEnded = true;
      clearTimeout(linger);
      if (isSettled) return;
      if (status >= 300) {
        refuse();
        return;
      }
      if (stream !== undefined) {
        stream.end(succeed);
        return;
      }
      try {
        const text = utf8(Buffer.concat(parts));
        if (notStream === undefined) succeed(format.whole(text));
        else {
          tellError(text, (data) => format.stream(() => {}).event(data, undefined));
          fail(notStream);
        }
      } catch (error) {
        fail(failureOf(error));
      }
    },
    onResponseError(_, error) {
      hasEnded = true;
      clearTimeout(linger);
      // The status is the answer, whatever became of the words that were to explain it.
      if (status >= 300) refuse();
      else fail(transportFailure(error, stream?.hasContent() === true, limits, status === 0));
    },
  };
  try {
    pool.dispatch(withTraceparent(request, call.traceparent), handler);
  } catch (error) {
    fail(transportFailure(error instanceof Error ? error : new Error(String(error)), false, limits));
  }

  return {
    answer,
    cancel: () =>
      fail(new ProviderFailure('GW_CANCELLED', 'The call was cancelled.', { fix: 'Nothing to do.', elsewhere: false })),
  };
}

/** All providers over HTTP list their headers flat: name, value, name, value. */
function withTraceparent(
  request: Dispatcher.DispatchOptions,
  traceparent: string | undefined,
): Dispatcher.DispatchOptions {
  if (traceparent === undefined) return request;
  return { ...request, headers: [...((request.headers ?? []) as string[]), 'traceparent', traceparent] };
}

/** Reads the events of one stream. */
interface StreamReader {
  /** @returns a promise if the sink asks to wait */
  read(bytes: Buffer): Promise<void> | undefined;
  end(succeed: (answer: ProviderAnswer) => void): void;
  hasContent(): boolean;
  isWhole(): boolean;
  usage(): Usage | undefined;
}

function streamReader(format: AnswerFormat, sink: AnswerSink, fail: (failure: ProviderFailure) => void): StreamReader {
  // Fatal: a byte that is no UTF-8 must not reach the client as a replacement character in the middle of an answer.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  /** The decoder may hold the beginning of a character. */
  let isMidCharacter = false;
  let isOver = false;
  let wait: Promise<void> | undefined;
  const stop = (error: unknown): void => {
    isOver = true;
    fail(failureOf(error));
  };
  const translator = format.stream((chunk, data) => {
    if (isOver) return;
    const ready = sink.onChunk(data ?? JSON.stringify(chunk), chunk);
    if (ready !== undefined) wait = ready;
  });
  const event = (data: string, name: string | undefined): void => {
    if (isOver || translator.isWhole) return;
    try {
      translator.event(data, name);
    } catch (error) {
      stop(error);
    }
  };
  const frames = format.framing === 'sse' ? sseFrames(event) : lineFrames(event);
  const feed = (bytes: Buffer | undefined): void => {
    let text: string;
    try {
      // A hot path: most pieces are ASCII, and their bytes are their characters.
      if (bytes !== undefined && !isMidCharacter && isAscii(bytes)) text = bytes.toString('latin1');
      else {
        text = bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
        if (bytes !== undefined && bytes.length > 0) isMidCharacter = bytes[bytes.length - 1]! > 127;
      }
    } catch {
      stop(malformed('the stream is not valid UTF-8'));
      return;
    }
    if (text !== '') frames.feed(text);
    if (bytes === undefined) frames.end();
  };
  return {
    read(bytes) {
      if (isOver) return undefined;
      wait = undefined;
      feed(bytes);
      return wait;
    },
    end(succeed) {
      if (isOver) return;
      feed(undefined);
      if (isOver) return;
      let answer: ProviderAnswer;
      try {
        // May emit: some formats say only with the end of the connection that a choice has ended.
        answer = translator.end();
      } catch (error) {
        stop(error);
        return;
      }
      isOver = true;
      succeed(answer);
    },
    hasContent: () => translator.hasContent,
    isWhole: () => !isOver && translator.isWhole,
    usage: () => translator.usage,
  };
}

interface Frames {
  feed(text: string): void;
  end(): void;
}

/**
 * Some servers write an error into the stream as plain JSON, whole or over several lines: to the format that is nothing but
 * fields that nobody knows. JSON at the beginning of a line is kept for the end.
 */
function sseFrames(event: (data: string, name: string | undefined) => void): Frames {
  const parser = createParser({ onEvent: ({ data, event: name }) => event(data, name) });
  let unframed = '';
  let isAtLineStart = true;
  /** An empty line was the last thing that came: the parser holds nothing. */
  let isBetweenEvents = true;
  return {
    feed(text) {
      const wasBetween = isBetweenEvents;
      isBetweenEvents = text.endsWith('\n\n');
      const isPlain = unframed === '' && isAtLineStart && isBetweenEvents && text.startsWith(DATA);
      if (isPlain) {
        const from = wasBetween && !text.includes('\r') ? plainEvents(text, event) : 0;
        if (from < text.length) parser.feed(from === 0 ? text : text.slice(from));
        return;
      }
      if (unframed === '') {
        const at = isAtLineStart && (text[0] === '{' || text[0] === '[') ? 0 : text.search(UNFRAMED);
        if (at >= 0) unframed = text.slice(at);
        isAtLineStart = text.endsWith('\n');
      } else if (unframed.length < ERROR_BODY_BYTES) unframed += text;
      parser.feed(text);
    },
    end() {
      if (unframed !== '') tellError(unframed, (data) => event(data, undefined));
    },
  };
}

const DATA = 'data: ';

/**
 * A hot path: most pieces are one event or several, whole, each of one line of data. Those are handed on without the parser.
 *
 * @returns where in the text that ends
 */
function plainEvents(text: string, event: (data: string, name: string | undefined) => void): number {
  let from = 0;
  while (text.startsWith(DATA, from)) {
    const end = text.indexOf('\n', from);
    if (end < 0 || text.charCodeAt(end + 1) !== LINE_END) break;
    event(text.slice(from + DATA.length, end), undefined);
    from = end + 2;
  }
  return from;
}

const LINE_END = 10;
const UNFRAMED = /\n[[{]/;

/** Hands on what is an error object by all appearances, alone or in a list. */
function tellError(text: string, event: (data: string) => void): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return;
  }
  const told: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  if (isObject(told) && (told['error'] != null || told['object'] === 'error')) event(JSON.stringify(told));
}

function lineFrames(event: (data: string, name: string | undefined) => void): Frames {
  let rest = '';
  const line = (text: string): void => {
    const trimmed = text.trim();
    if (trimmed !== '') event(trimmed, undefined);
  };
  return {
    feed(text) {
      let from = 0;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
        line(rest + text.slice(from, at));
        rest = '';
        from = at + 1;
      }
      rest += text.slice(from);
    },
    // The last line may have no end.
    end() {
      line(rest);
      rest = '';
    },
  };
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed('the answer is not valid UTF-8');
  }
}

/** A translator's own defect is told as an answer that cannot be read, without a stranger's words. */
function failureOf(error: unknown): ProviderFailure {
  if (error instanceof ProviderFailure) return error;
  return new ProviderFailure('GW_UPSTREAM_MALFORMED', "The expert's answer cannot be read.", {
    fix: 'Check that baseUrl is a server of the kind that the provider speaks to.',
    elsewhere: true,
    cause: error,
  });
}
