/** Anthropic's Messages API, and servers that speak it. */
import { numberOption, OptionError } from '@gatewright/kernel';
import type { ChatRequest } from '../wire/chat.ts';
import { anthropicFormat } from './anthropic-answer.ts';
import { type AnthropicRequest, anthropicRequest } from './anthropic-request.ts';
import { ProviderFailure } from './failure.ts';
import { type AnswerFormat, bodyText, failedCall, httpCall, httpPool } from './http-call.ts';
import { type HttpOptions, httpOptions } from './http-options.ts';
import { continuedBy } from './prefill.ts';
import type { ConnectProvider } from './provider.ts';
import { malformed, parsedObject } from './upstream-failures.ts';

/** Options of `anthropic`, as in the configuration. */
export interface AnthropicOptions extends HttpOptions {
  /** Default `https://api.anthropic.com`. */
  readonly baseUrl?: string;
  /** Default `ANTHROPIC_API_KEY`. */
  readonly apiKeyEnv?: string;
  /** Version of the API. Default `2023-06-01`. */
  readonly version?: string;
  /** Features for the header `anthropic-beta`, beside those that a client names. Default none. */
  readonly beta?: readonly string[];
  /** Bound of an answer where the client sets none, since the format requires one. Default 8192. */
  readonly maxTokens?: number;
  /** Mark tools, system and conversation for the prompt cache where the client marks nothing. Default false. */
  readonly cache?: boolean;
  /** What an effort becomes: `adaptive` for models that know efforts, `budget` for those that take tokens. Default `adaptive`. */
  readonly thinking?: 'adaptive' | 'budget';
  /** Whether the model continues an assistant's text at the end of the messages. Default false: newer ones refuse it. */
  readonly prefill?: boolean;
  /** How a JSON schema is kept: by the API itself, or through a forced tool. Default `native`. */
  readonly structuredOutput?: 'native' | 'tool';
}

const OWN_OPTIONS = ['version', 'beta', 'maxTokens', 'cache', 'thinking', 'prefill', 'structuredOutput'];

/**
 * Connects to Anthropic.
 *
 * @throws {OptionError} if an option has the wrong form
 */
export function anthropic(options: AnthropicOptions): ConnectProvider {
  const { url, basePath, model, params, maxAnswerBytes, secretOf } = httpOptions(options, OWN_OPTIONS, {
    baseUrl: 'https://api.anthropic.com',
    apiKeyEnv: 'ANTHROPIC_API_KEY',
    exampleUrl: 'https://api.anthropic.com',
  });
  const { version = '2023-06-01', beta = [], cache = false, prefill = false } = options;
  if (typeof version !== 'string' || !NAME.test(version))
    throw new OptionError('version', 'a version of the API', version, 'Leave it out for 2023-06-01.');
  if (!Array.isArray(beta) || !beta.every((name) => typeof name === 'string' && NAME.test(name)))
    throw new OptionError('beta', 'a list of names', beta, 'For example [context-1m-2025-08-07].');
  if (typeof cache !== 'boolean') throw new OptionError('cache', 'true or false', cache, 'Leave it out for false.');
  if (typeof prefill !== 'boolean')
    throw new OptionError('prefill', 'true or false', prefill, 'Leave it out for false.');
  const settings = {
    model,
    cache,
    maxTokens: numberOption('maxTokens', options.maxTokens ?? 8_192, { min: 1, whole: true }, 'Leave it out for 8192.'),
    thinking: choice('thinking', options.thinking, ['adaptive', 'budget']),
    structuredOutput: choice('structuredOutput', options.structuredOutput, ['native', 'tool']),
  };
  const path = `${basePath.replace(/(?:\/v1)?(?:\/messages)?$/, '')}/v1/messages`;

  return (context) => {
    const secret = secretOf(context);
    const secrets = secret === undefined ? [] : [secret];
    const pool = httpPool(url, context);
    const limits = { maxAnswerBytes, secrets, timeouts: context.timeouts };
    const headersFor = (betas: readonly string[]): string[] => {
      const names = [...new Set([...beta, ...betas])].filter((name) => NAME.test(name));
      return [
        'content-type',
        'application/json',
        'user-agent',
        'gatewright',
        'anthropic-version',
        version,
        ...(secret === undefined ? [] : ['x-api-key', secret]),
        ...(names.length === 0 ? [] : ['anthropic-beta', names.join(',')]),
      ];
    };
    /** The translated request and its text, or why there is none. */
    const written = (
      body: ChatRequest,
      finish: (translated: AnthropicRequest) => object,
    ): { readonly text: string; readonly translated: AnthropicRequest } | ProviderFailure => {
      let translated: AnthropicRequest | undefined;
      const text = bodyText(() => {
        translated = anthropicRequest(body, settings);
        return finish(translated);
      });
      return typeof text === 'string' ? { text, translated: translated! } : text;
    };

    return {
      start(call, sink) {
        const request = written(call.body, ({ body }) => ({ ...body, ...params, model, stream: call.stream }));
        if (request instanceof ProviderFailure) return failedCall(request);
        const { answerTool, betas, notCarried } = request.translated;
        const format = anthropicFormat({ secrets, answerTool, createdS: Math.floor(Date.now() / 1000) });
        const running = httpCall(
          pool,
          { path, method: 'POST', headers: headersFor(betas), body: request.text },
          call,
          sink,
          format,
          limits,
        );
        return { ...running, notCarried };
      },
      ...(prefill ? { prefill: continued } : {}),
      async countTokens(body) {
        const request = written(body, ({ body: whole }) => countable({ ...whole, ...params, model }));
        if (request instanceof ProviderFailure) throw request;
        const { usage } = await httpCall(
          pool,
          {
            path: `${path}/count_tokens`,
            method: 'POST',
            headers: headersFor(request.translated.betas),
            body: request.text,
          },
          { stream: false },
          { onChunk() {} },
          COUNT,
          limits,
        ).answer;
        return usage!.prompt_tokens;
      },
      close: () => pool.close(),
    };
  };
}

/** The API takes no white space at the end of a text to be continued, and no thoughts before it. */
function continued(request: ChatRequest, text: string): ChatRequest {
  const trimmed = text.trimEnd();
  return trimmed === '' ? request : { ...continuedBy(request, trimmed), reasoning_effort: null };
}

const NAME = /^[\w.-]{1,100}$/;

/** One of a few words, the first by default. */
function choice<T extends string>(name: string, value: T | undefined, known: readonly [T, ...T[]]): T {
  if (value === undefined) return known[0];
  if (known.includes(value)) return value;
  throw new OptionError(name, `one of ${known.join(', ')}`, value, `Leave it out for ${known[0]}.`);
}

/** Fields that a count knows; it refuses others. */
const COUNTED = new Set([
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'cache_control',
]);

function countable(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => COUNTED.has(name)));
}

/** A count is read as an answer that says nothing and used that many tokens. */
const COUNT: AnswerFormat = {
  framing: 'sse',
  whole(text) {
    const { input_tokens: tokens } = parsedObject(text, 'the count');
    if (typeof tokens !== 'number') throw malformed('the count has no input_tokens');
    const usage = { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens };
    return {
      completion: {
        data: '',
        body: { id: '', object: 'chat.completion', created: 0, model: '', choices: [], usage },
      },
      usage,
    };
  },
  stream() {
    throw malformed('a count does not come as a stream');
  },
};
