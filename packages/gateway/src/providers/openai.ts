/**
 * Any server that speaks OpenAI's Chat Completions: OpenAI itself, Azure, vLLM, llama.cpp, LM Studio, OpenRouter, Groq. The
 * gateway's own form is this format, so bodies and events pass through as they are; what a server wants or says otherwise
 * is in `openai-request.ts` and `openai-repair.ts`.
 */
import { GatewrightError, OptionError, WITHHELD } from '@gatewright/kernel';
import type { ChatCompletion, Usage } from '../wire/chat.ts';
import { leftovers } from '../wire/origin.ts';
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
import { openaiEmbeddings } from './openai-embeddings.ts';
import { chunkRepair, repairedCompletion } from './openai-repair.ts';
import { type OpenaiRequest, type OpenaiRequestOptions, openaiRequest } from './openai-request.ts';
import { type PrefillFlavour, prefillOf, prefillOption } from './prefill.ts';
import type { ConnectProvider, ProviderCall, ProviderContext } from './provider.ts';
import { errorEvent, isObject, malformed, parsedObject, truncated } from './upstream-failures.ts';

/** Options of `openai`, as in the configuration. */
export interface OpenaiOptions extends HttpOptions, OpenaiRequestOptions {
  /** Up to and without `/chat/completions`, e.g. `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  /** Ask for token counts in streams (`stream_options.include_usage`). Default true; false for servers that refuse it. */
  readonly streamUsage?: boolean;
  /** How the server is asked to continue an answer that was cut. Default `none`: it is not. */
  readonly prefill?: PrefillFlavour;
  /** Azure OpenAI: the key goes into the header `api-key`. `apiVersion` is its query parameter; without it, the v1 API. */
  readonly azure?: { readonly apiVersion?: string };
  /** Environment variable that holds the organization's id (`openai-organization`). */
  readonly organizationEnv?: string;
  /** Environment variable that holds the project's id (`openai-project`). */
  readonly projectEnv?: string;
  /** Further headers, such as OpenRouter's `http-referer` and `x-title`. Not for secrets. */
  readonly headers?: Readonly<Record<string, string>>;
}

const OWN_OPTIONS = [
  'streamUsage',
  'maxTokensField',
  'roles',
  'extensions',
  'prefill',
  'azure',
  'organizationEnv',
  'projectEnv',
  'headers',
];

/**
 * Connects to an OpenAI-compatible server.
 *
 * @throws {OptionError} if an option has the wrong form
 */
export function openai(options: OpenaiOptions): ConnectProvider {
  const { url, basePath, model, params, maxAnswerBytes, secretOf } = httpOptions(options, OWN_OPTIONS, {
    exampleUrl: 'http://127.0.0.1:8000/v1',
  });
  const { streamUsage = true } = options;
  if (typeof streamUsage !== 'boolean')
    throw new OptionError('streamUsage', 'true or false', streamUsage, 'Leave it out for true.');
  const { azure } = options;
  const apiVersion = azureVersion(azure);
  const translate = openaiRequest(options, url.hostname);
  const prefill = prefillOf(prefillOption(options.prefill));
  const extraHeaders = headersOption(options.headers);
  const organizationEnv = variableOption('organizationEnv', options.organizationEnv);
  const projectEnv = variableOption('projectEnv', options.projectEnv);
  const query = apiVersion === undefined ? '' : `?api-version=${encodeURIComponent(apiVersion)}`;
  const path = `${basePath.replace(/\/chat\/completions$/, '')}/chat/completions${query}`;
  const embeddingsPath = path.replace('/chat/completions', '/embeddings');

  return (context) => {
    const secret = secretOf(context);
    const headers = [
      'content-type',
      'application/json',
      'user-agent',
      'gatewright',
      ...(secret === undefined
        ? []
        : azure === undefined
          ? ['authorization', `Bearer ${secret}`]
          : ['api-key', secret]),
      ...idHeader('openai-organization', organizationEnv, context),
      ...idHeader('openai-project', projectEnv, context),
      ...extraHeaders,
    ];
    const pool = httpPool(url, context);
    const secrets = secret === undefined ? [] : [secret];
    const limits = { maxAnswerBytes, secrets, timeouts: context.timeouts };
    return {
      start(call, sink) {
        let request: OpenaiRequest | undefined;
        const body = bodyText(() => {
          request = translate(call.body);
          const stream_options = streamOptions(call, streamUsage);
          return { ...request.body, stream_options, ...params, model, stream: call.stream };
        });
        if (typeof body !== 'string') return failedCall(body);
        const format: AnswerFormat = {
          framing: 'sse',
          whole: (text) => whole(text, secrets, call.traceId),
          stream: (emit) => streamOf(emit, secrets, call.traceId),
        };
        const running = httpCall(pool, { path, method: 'POST', headers, body }, call, sink, format, limits);
        const notCarried = [...leftovers(call.body), ...request!.notCarried];
        return notCarried.length === 0 ? running : { ...running, notCarried };
      },
      ...(prefill === undefined ? {} : { prefill }),
      embed: (call) => openaiEmbeddings({ pool, path: embeddingsPath, headers, params, model, limits }, call),
      close: () => pool.close(),
    };
  };
}

/** What servers refuse beside a whole answer, and counts, which some refuse. */
function streamOptions({ body, stream }: ProviderCall, streamUsage: boolean): object | undefined {
  if (!stream) return undefined;
  if (streamUsage) return { ...body.stream_options, include_usage: true };
  const { include_usage: _, ...others } = body.stream_options ?? {};
  return Object.keys(others).length === 0 ? undefined : others;
}

function streamOf(emit: Emit, secrets: readonly string[], traceId: string): StreamTranslator {
  const { repair } = chunkRepair(traceId);
  const unfinished = new Set<number>();
  const finished = new Set<number>();
  let usage: Usage | undefined;
  let isDone = false;
  let hasContent = false;
  const isFinished = (): boolean => finished.size > 0 && unfinished.size === 0;
  return {
    event(data, name) {
      if (isDone) return;
      if (data === '[DONE]') {
        isDone = true;
        return;
      }
      const chunk = parsedObject(data, 'an event of the stream');
      if (chunk['error'] != null) throw errorEvent(chunk['error'], secrets);
      // Without the object around it, as some versions of vLLM and some proxies send it.
      if (name === 'error' || chunk['object'] === 'error') throw errorEvent(chunk, secrets);
      const parsed = repair(chunk);
      for (const choice of parsed.choices) {
        if (choice['error'] != null) throw errorEvent(choice['error'], secrets);
        hasContent = true;
        if (choice.finish_reason != null) {
          finished.add(choice.index);
          unfinished.delete(choice.index);
        } else if (!finished.has(choice.index)) unfinished.add(choice.index);
      }
      if (parsed.usage != null) usage = parsed.usage;
      // Data in several lines is joined by the parser; one line is what we can pass on.
      emit(parsed, (parsed as object) !== chunk || data.includes('\n') ? undefined : data);
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
    get usage() {
      return usage;
    },
  };
}

function whole(data: string, secrets: readonly string[], traceId: string): ReturnType<AnswerFormat['whole']> {
  const body = parsedObject(data, 'the answer');
  if (!Array.isArray(body['choices']) || body['choices'].length === 0) {
    if (body['error'] != null) throw errorEvent(body['error'], secrets);
    if (body['object'] === 'error') throw errorEvent(body, secrets);
    throw malformed('the answer has no choices');
  }
  const failed: unknown = body['choices'].find((choice) => isObject(choice) && choice['error'] != null);
  if (isObject(failed)) throw errorEvent(failed['error'], secrets);
  if (!body['choices'].every((choice) => isObject(choice) && isObject(choice['message'])))
    throw malformed('a choice of the answer has no message');
  const received = body as unknown as ChatCompletion;
  const completion = repairedCompletion(received, traceId);
  const text = completion === received ? data : JSON.stringify(completion);
  return { completion: { data: text, body: completion }, usage: completion.usage };
}

function azureVersion(azure: unknown): string | undefined {
  if (azure === undefined) return undefined;
  const version = isObject(azure) ? azure['apiVersion'] : null;
  const isKnown = isObject(azure) && Object.keys(azure).every((name) => name === 'apiVersion');
  if (isKnown && (version === undefined || (typeof version === 'string' && /^[\w.-]+$/.test(version)))) return version;
  throw new OptionError(
    'azure',
    'a map with apiVersion, or an empty one',
    azure,
    'For example { apiVersion: 2024-10-21 }.',
  );
}

function variableOption(option: string, name: unknown): string | undefined {
  if (name === undefined || (typeof name === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))) return name;
  throw new OptionError(option, 'the name of an environment variable', WITHHELD, 'For example OPENAI_ORG_ID.');
}

function idHeader(header: string, name: string | undefined, { env }: ProviderContext): string[] {
  if (name === undefined) return [];
  const value = env[name]?.trim();
  if (value === undefined || value === '')
    throw new GatewrightError('GW_KEY_MISSING', `The environment variable ${name} is not set.`, {
      fix: `Set it: export ${name}=...`,
      path: name,
    });
  return [header, value];
}

/** As undici takes them, name and value in turn. What carries a key or frames the message is not for the configuration. */
function headersOption(headers: unknown = {}): string[] {
  const example = 'For example { x-title: my team }.';
  if (!isObject(headers)) throw new OptionError('headers', 'a map of names and texts', WITHHELD, example);
  return Object.entries(headers).flatMap(([name, value]) => {
    if (!/^[A-Za-z0-9!#$%&'*+.^_|~-]+$/.test(name)) throw new OptionError('headers', 'names of headers', name, example);
    if (/key|token|secret|passw|authorization|cookie/i.test(name))
      throw new OptionError(
        `headers.${name}`,
        'left out',
        WITHHELD,
        'Put the key into the environment and name the variable with apiKeyEnv.',
      );
    if (/^(content-|transfer-|host$|connection$|expect$|upgrade$|te$|trailer$)/i.test(name))
      throw new OptionError(`headers.${name}`, 'left out', value, 'The gateway sets it itself.');
    if (typeof value !== 'string' || !/^[\t\x20-\x7e]*$/.test(value))
      throw new OptionError(`headers.${name}`, 'a text of ASCII characters', WITHHELD, example);
    return [name.toLowerCase(), value];
  });
}
