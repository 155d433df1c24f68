/**
 * Any server that speaks OpenAI's Chat Completions: OpenAI itself, vLLM, llama.cpp, LM Studio, OpenRouter. The gateway's
 * own form is this format, so bodies and events pass through as they are.
 */
import { OptionError } from '@gatewright/kernel';
import type { ChatChunk, ChatCompletion, Usage } from '../wire/chat.ts';
import {
  type AnswerFormat,
  bodyText,
  type Emit,
  failedCall,
  httpCall,
  httpPool,
  type StreamTranslator,
} from './http-call.ts';
import { type HttpOptions, httpOptions } from './http-options.ts';
import type { ConnectProvider } from './provider.ts';
import { errorEvent, isObject, malformed, truncated } from './upstream-failures.ts';

/** Options of `openai`, as in the configuration. */
export interface OpenaiOptions extends HttpOptions {
  /** Up to and without `/chat/completions`, e.g. `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /** Ask for token counts in streams (`stream_options.include_usage`). Default true; false for servers that refuse it. */
  readonly streamUsage?: boolean;
}

/**
 * Connects to an OpenAI-compatible server.
 *
 * @throws {OptionError} if an option has the wrong form
 */
export function openai(options: OpenaiOptions): ConnectProvider {
  const { url, model, params, maxAnswerBytes, secretOf } = httpOptions(options, ['streamUsage'], {
    exampleUrl: 'http://127.0.0.1:8000/v1',
  });
  const { streamUsage = true } = options;
  if (typeof streamUsage !== 'boolean')
    throw new OptionError('streamUsage', 'true or false', streamUsage, 'Leave it out for true.');
  const path = `${url.pathname.replace(/\/chat\/completions$/, '')}/chat/completions`;

  return (context) => {
    const secret = secretOf(context);
    const headers = [
      'content-type',
      'application/json',
      'user-agent',
      'gatewright',
      ...(secret === undefined ? [] : ['authorization', `Bearer ${secret}`]),
    ];
    const pool = httpPool(url, context);
    const secrets = secret === undefined ? [] : [secret];
    const limits = { maxAnswerBytes, secrets, timeouts: context.timeouts };
    const format: AnswerFormat = { framing: 'sse', whole, stream: (emit) => streamOf(emit, secrets) };

    return {
      start(call, sink) {
        const body = bodyText(() => {
          const streamOptions =
            call.stream && streamUsage ? { stream_options: { ...call.body.stream_options, include_usage: true } } : {};
          return { ...call.body, ...streamOptions, ...params, model, stream: call.stream };
        });
        if (typeof body !== 'string') return failedCall(body);
        return httpCall(pool, { path, method: 'POST', headers, body }, call, sink, format, limits);
      },
      close: () => pool.close(),
    };
  };
}

function streamOf(emit: Emit, secrets: readonly string[]): StreamTranslator {
  const unfinished = new Set<number>();
  let finishedChoices = 0;
  let usage: Usage | undefined;
  let isDone = false;
  let hasContent = false;
  const isFinished = (): boolean => finishedChoices > 0 && unfinished.size === 0;
  return {
    event(data) {
      if (isDone) return;
      if (data === '[DONE]') {
        isDone = true;
        return;
      }
      let chunk: unknown;
      try {
        chunk = JSON.parse(data);
      } catch {
        throw malformed('an event of the stream is not JSON');
      }
      if (!isObject(chunk)) throw malformed('an event of the stream is not an object');
      if (chunk['error'] != null) throw errorEvent(chunk['error'], secrets);
      if (!Array.isArray(chunk['choices'])) throw malformed('an event of the stream has no choices');
      const parsed = chunk as unknown as ChatChunk;
      for (const choice of parsed.choices) {
        if (!isObject(choice) || !isObject(choice.delta)) throw malformed('a choice of the stream has no delta');
        hasContent = true;
        if (choice.finish_reason != null) {
          finishedChoices++;
          unfinished.delete(choice.index);
        } else unfinished.add(choice.index);
      }
      if (parsed.usage != null) usage = parsed.usage;
      // Data in several lines is joined by the parser; one line is what we can pass on.
      emit(parsed, data.includes('\n') ? undefined : data);
    },
    end() {
      if (isFinished()) return { usage };
      throw truncated(
        isDone
          ? 'the stream says it is done, but no choice has a finish reason'
          : 'the connection closed before a finish reason',
      );
    },
    get hasContent() {
      return hasContent;
    },
    get isWhole() {
      return isDone && isFinished();
    },
  };
}

function whole(data: string): ReturnType<AnswerFormat['whole']> {
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    throw malformed(`the answer is not JSON (${Buffer.byteLength(data)} bytes)`);
  }
  if (!isObject(body) || !Array.isArray(body['choices']) || body['choices'].length === 0)
    throw malformed('the answer has no choices');
  if (!body['choices'].every((choice) => isObject(choice) && isObject(choice['message'])))
    throw malformed('a choice of the answer has no message');
  const completion = body as unknown as ChatCompletion;
  return { completion: { data, body: completion }, usage: completion.usage };
}
