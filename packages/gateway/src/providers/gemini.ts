/**
 * Google Gemini: `generateContent` and `streamGenerateContent` of the Gemini API, or of Vertex AI where `baseUrl` says so.
 * The request is translated in `gemini-request.ts`, the answer in `gemini-answer.ts`.
 */
import { OptionError } from '@gatewright/kernel';
import { leftovers } from '../wire/origin.ts';
import type { ProviderFailure } from './failure.ts';
import { type GeminiAnswerContext, geminiStream, geminiWhole } from './gemini-answer.ts';
import { type GeminiRequest, geminiRequest } from './gemini-request.ts';
import { type AnswerFormat, bodyText, failedCall, httpCall, httpPool } from './http-call.ts';
import { type HttpOptions, httpOptions } from './http-options.ts';
import type { ConnectProvider } from './provider.ts';
import { accountFailure, errorEvent, isObject, malformed, statusFailure } from './upstream-failures.ts';
import { type Vectors, vectorCall } from './vectors.ts';

/** Options of `gemini`, as in the configuration. `params` are fields of Gemini's own body, e.g. `safetySettings`. */
export interface GeminiOptions extends HttpOptions {
  /**
   * Default `https://generativelanguage.googleapis.com`. A path is taken as it is, with `/models/...` put behind it:
   * `https://aiplatform.googleapis.com/v1/publishers/google` is Vertex AI. Without a path it is `/v1beta`.
   */
  readonly baseUrl?: string;
  /** How the key is sent: as `x-goog-api-key`, or as `Authorization: Bearer` (an access token). Default `key`. */
  readonly auth?: 'key' | 'bearer';
  /**
   * A prompt that Gemini's filter blocks: `answer` ends with finish reason `content_filter` and a refusal, as the end of a
   * blocked answer does; `elsewhere` asks the next expert. Default `answer`: what one provider refuses is not sent to others
   * unless somebody decided so.
   */
  readonly blocked?: 'answer' | 'elsewhere';
}

const BASE_URL = 'https://generativelanguage.googleapis.com';

/**
 * Connects to Gemini.
 *
 * @throws {OptionError} if an option has the wrong form
 */
export function gemini(options: GeminiOptions): ConnectProvider {
  const { url, basePath, model, params, maxAnswerBytes, secretOf } = httpOptions(options, ['auth', 'blocked'], {
    baseUrl: BASE_URL,
    apiKeyEnv: 'GEMINI_API_KEY',
    exampleUrl: BASE_URL,
  });
  const { auth = 'key', blocked = 'answer' } = options;
  if (auth !== 'key' && auth !== 'bearer')
    throw new OptionError('auth', '"key" or "bearer"', auth, 'Leave it out for "key".');
  if (blocked !== 'answer' && blocked !== 'elsewhere')
    throw new OptionError('blocked', '"answer" or "elsewhere"', blocked, 'Leave it out for "answer".');
  // A tuned model or one of another publisher comes with its own collection.
  const name = model.includes('/')
    ? model.split('/').map(encodeURIComponent).join('/')
    : `models/${encodeURIComponent(model)}`;
  const path = `${basePath === '' ? '/v1beta' : basePath}/${name}`;
  const known = { hasThinkingLevels: /(^|\/)gemini-([3-9]|\d\d)/.test(model) };

  return (context) => {
    const secret = secretOf(context)!;
    const headers = [
      'content-type',
      'application/json',
      'user-agent',
      'gatewright',
      ...(auth === 'key' ? ['x-goog-api-key', secret] : ['authorization', `Bearer ${secret}`]),
    ];
    const pool = httpPool(url, context);
    const secrets = [secret];
    const limits = { maxAnswerBytes, secrets, timeouts: context.timeouts };

    return {
      start(call, sink) {
        let request: GeminiRequest | undefined;
        const body = bodyText(() => {
          request = geminiRequest(call.body, params, known);
          return request.body;
        });
        if (typeof body !== 'string') return failedCall(body);
        const answer: GeminiAnswerContext = {
          traceId: call.traceId,
          model,
          createdS: () => Math.floor(Date.now() / 1000),
          blocked,
          failure: (error) => geminiEvent(error, secrets),
        };
        const format: AnswerFormat = {
          framing: 'sse',
          whole: (text) => geminiWhole(text, answer),
          stream: (emit) => geminiStream(emit, answer),
          refusal: (status, bytes, retryAfter) => geminiRefusal(status, bytes, retryAfter, secrets),
        };
        const method = call.stream ? 'streamGenerateContent?alt=sse' : 'generateContent';
        const running = httpCall(
          pool,
          { path: `${path}:${method}`, method: 'POST', headers, body },
          call,
          sink,
          format,
          limits,
        );
        return { ...running, notCarried: [...leftovers(call.body), ...request!.notCarried] };
      },
      embed: (call) =>
        vectorCall(
          {
            pool,
            path: `${path}:batchEmbedContents`,
            headers,
            model,
            limits,
            body: (texts, { dimensions }) => ({
              requests: texts.map((text) => ({
                model: name,
                content: { parts: [{ text }] },
                ...(dimensions == null ? {} : { outputDimensionality: dimensions }),
                ...params,
              })),
            }),
            read: readVectors,
            refusal: (status, bytes, retryAfter) => geminiRefusal(status, bytes, retryAfter, secrets),
          },
          call,
        ),
      close: () => pool.close(),
    };
  };
}

function readVectors(answer: Record<string, unknown>): Vectors {
  const { embeddings, usageMetadata: usage } = answer;
  if (!Array.isArray(embeddings)) throw malformed('the answer has no embeddings');
  const tokens = isObject(usage) ? usage['promptTokenCount'] : undefined;
  return {
    vectors: embeddings.map((embedding: unknown) => (isObject(embedding) ? embedding['values'] : undefined)),
    promptTokens: typeof tokens === 'number' ? tokens : undefined,
  };
}

/**
 * What a refusal means. A key that is wrong comes as 400, and so does a country that is not served: neither is the
 * client's fault. How long to wait stands in the details, not in a header.
 */
export function geminiRefusal(
  status: number,
  body: Buffer,
  retryAfter: string | undefined,
  secrets: readonly string[],
): ProviderFailure | undefined {
  const error = errorOf(body);
  if (error === undefined) return undefined;
  const details = detailsOf(error);
  if (status === 400 && (details.reason?.startsWith('API_KEY_') === true || error['status'] === 'UNAUTHENTICATED'))
    return statusFailure(401, body, retryAfter, secrets);
  const wait = retryAfter ?? details.retryDelayS;
  // "User location is not supported", billing that is off: the state of the account, not of the request.
  if (status === 400 && error['status'] === 'FAILED_PRECONDITION')
    return accountFailure(status, statusFailure(403, body, wait, secrets).upstream);
  return statusFailure(status, body, wait, secrets);
}

/** An error that came as an event of a stream, or in an answer with status 200. */
function geminiEvent(error: Record<string, unknown>, secrets: readonly string[]): ProviderFailure {
  const status = error['status'];
  if (status === 'RESOURCE_EXHAUSTED' || error['code'] === 429)
    return statusFailure(429, Buffer.from(JSON.stringify({ error })), detailsOf(error).retryDelayS, secrets);
  const type =
    status === 'INVALID_ARGUMENT' && detailsOf(error).reason === undefined ? 'invalid_request_error' : status;
  return errorEvent({ ...error, type }, secrets);
}

/** The error object of a body: `{ error }`, or a list with one, as a stream that is no SSE has it. */
function errorOf(body: Buffer): Record<string, unknown> | undefined {
  try {
    let parsed: unknown = JSON.parse(body.toString('utf8'));
    if (Array.isArray(parsed)) parsed = parsed[0];
    const error = isObject(parsed) ? parsed['error'] : undefined;
    return isObject(error) ? error : undefined;
  } catch {
    return undefined;
  }
}

function detailsOf(error: Record<string, unknown>): { reason?: string; retryDelayS?: string } {
  const found: { reason?: string; retryDelayS?: string } = {};
  if (!Array.isArray(error['details'])) return found;
  for (const detail of error['details']) {
    if (!isObject(detail)) continue;
    const type = String(detail['@type']);
    if (type.endsWith('.ErrorInfo') && typeof detail['reason'] === 'string') found.reason = detail['reason'];
    if (type.endsWith('.RetryInfo')) {
      const seconds = /^(\d+(?:\.\d+)?)s$/.exec(String(detail['retryDelay']))?.[1];
      if (seconds !== undefined) found.retryDelayS = seconds;
    }
  }
  return found;
}
