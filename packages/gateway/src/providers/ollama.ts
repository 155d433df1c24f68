/**
 * Ollama by its own protocol, `/api/chat`: beside its OpenAI-compatible endpoint it takes the context window, how long the
 * model stays loaded, and how it thinks. The request is translated in `ollama-request.ts`, the answer in `ollama-answer.ts`.
 */
import { numberOption, OptionError } from '@gatewright/kernel';
import type { ChatRequest } from '../wire/chat.ts';
import { leftovers } from '../wire/origin.ts';
import { ProviderFailure } from './failure.ts';
import { type AnswerFormat, bodyText, failedCall, httpCall, httpPool } from './http-call.ts';
import { type HttpOptions, httpOptions } from './http-options.ts';
import { type OllamaAnswerContext, ollamaStream, ollamaWhole } from './ollama-answer.ts';
import { type OllamaRequest, ollamaRequest } from './ollama-request.ts';
import { continuedBy } from './prefill.ts';
import type { ConnectProvider } from './provider.ts';
import { isObject, malformed, statusFailure } from './upstream-failures.ts';
import { type Vectors, vectorCall } from './vectors.ts';

/** Options of `ollama`, as in the configuration. `params` are fields of Ollama's own body, e.g. `options.num_gpu`. */
export interface OllamaOptions extends HttpOptions {
  /** Default `http://127.0.0.1:11434`. */
  readonly baseUrl?: string;
  /** `num_ctx`: the context window that the model is loaded with, tokens. Default: the model's or the server's. */
  readonly contextTokens?: number;
  /** `keep_alive`: how long the model stays loaded after a call, such as `10m`, or seconds; -1 for ever. */
  readonly keepAlive?: string | number;
  /**
   * Whether an assistant's text at the end of the messages is continued. Templates decide that, and not all do: declare it
   * for a model that was tried. Default `none`.
   */
  readonly prefill?: 'none' | 'assistant';
}

const BASE_URL = 'http://127.0.0.1:11434';

/**
 * Connects to Ollama.
 *
 * @throws {OptionError} if an option has the wrong form
 */
export function ollama(options: OllamaOptions): ConnectProvider {
  const { url, basePath, model, params, maxAnswerBytes, secretOf } = httpOptions(
    options,
    ['contextTokens', 'keepAlive', 'prefill'],
    { baseUrl: BASE_URL, exampleUrl: BASE_URL },
  );
  const { contextTokens, keepAlive, prefill = 'none' } = options;
  if (contextTokens !== undefined)
    numberOption('contextTokens', contextTokens, { min: 1, whole: true }, "Leave it out for the model's own.");
  if (keepAlive !== undefined && typeof keepAlive !== 'string' && !Number.isFinite(keepAlive))
    throw new OptionError(
      'keepAlive',
      'a duration such as "10m", or seconds',
      keepAlive,
      'Leave it out for 5 minutes.',
    );
  if (prefill !== 'none' && prefill !== 'assistant')
    throw new OptionError('prefill', '"none" or "assistant"', prefill, 'Leave it out for "none".');
  const fixed = {
    ...(keepAlive === undefined ? {} : { keep_alive: keepAlive }),
    ...params,
    options: {
      ...(contextTokens === undefined ? {} : { num_ctx: contextTokens }),
      ...(isObject(params['options']) ? params['options'] : {}),
    },
  };
  const path = `${basePath.replace(/\/api(\/chat)?$/, '')}/api/chat`;

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

    return {
      start(call, sink) {
        let request: OllamaRequest | undefined;
        const body = bodyText(() => {
          request = ollamaRequest(call.body, model, call.stream, fixed);
          return request.body;
        });
        if (typeof body !== 'string') return failedCall(body);
        const answer: OllamaAnswerContext = { traceId: call.traceId, model, secrets };
        const format: AnswerFormat = {
          framing: 'ndjson',
          whole: (text) => ollamaWhole(text, answer),
          stream: (emit) => ollamaStream(emit, answer),
          refusal: (status, bytes, retryAfter) => ollamaRefusal(status, bytes, retryAfter, model, secrets),
        };
        const running = httpCall(pool, { path, method: 'POST', headers, body }, call, sink, format, limits);
        return { ...running, notCarried: [...leftovers(call.body), ...request!.notCarried] };
      },
      ...(prefill === 'none' ? {} : { prefill: (request: ChatRequest, text: string) => continuedBy(request, text) }),
      embed: (call) =>
        vectorCall(
          {
            pool,
            path: path.replace(/chat$/, 'embed'),
            headers,
            model,
            limits,
            body: (texts, { dimensions }) => ({
              ...fixed,
              model,
              input: texts,
              ...(dimensions == null ? {} : { dimensions }),
            }),
            read: readVectors,
            refusal: (status, bytes, retryAfter) => ollamaRefusal(status, bytes, retryAfter, model, secrets),
          },
          call,
        ),
      close: () => pool.close(),
    };
  };
}

function readVectors(answer: Record<string, unknown>): Vectors {
  const { embeddings, prompt_eval_count: tokens } = answer;
  if (!Array.isArray(embeddings)) throw malformed('the answer has no embeddings');
  return { vectors: embeddings, promptTokens: typeof tokens === 'number' ? tokens : undefined };
}

/** What a refusal means: `{"error": "..."}`, a text for people. */
function ollamaRefusal(
  status: number,
  body: Buffer,
  retryAfter: string | undefined,
  model: string,
  secrets: readonly string[],
): ProviderFailure | undefined {
  const failure = statusFailure(status, body, retryAfter, secrets);
  const said = String(failure.upstream?.['message'] ?? '');
  const upstream = failure.upstream === undefined ? {} : { upstream: failure.upstream };
  if (status === 404 && /not found/i.test(said)) {
    return new ProviderFailure('GW_UPSTREAM_STATUS', `Ollama does not have the model ${model} (404).`, {
      fix: `Run on its machine: ollama pull ${model}`,
      elsewhere: true,
      status,
      ...upstream,
    });
  }
  // Tools, thinking or pictures that this model has no part for: another expert may have.
  if (status === 400 && /does not support|is not supported for this model/i.test(said)) {
    return new ProviderFailure('GW_UPSTREAM_STATUS', `The model ${model} cannot do what the request asks for (400).`, {
      fix: 'Declare what it can do under capabilities of this expert, so that it is not asked for the rest.',
      elsewhere: true,
      status,
      ...upstream,
    });
  }
  return failure;
}
