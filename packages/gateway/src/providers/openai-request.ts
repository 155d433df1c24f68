/** What servers of OpenAI's format want otherwise in a request, each by an option of `openai`. */
import { OptionError } from '@gatewright/kernel';
import type { ChatMessage, ChatRequest } from '../wire/chat.ts';
import { isObject } from './upstream-failures.ts';

/** Options of the request. */
export interface OpenaiRequestOptions {
  /**
   * Field that the length limit goes into. Default: the one that the client used. OpenAI's reasoning models refuse
   * `max_tokens`; older servers ignore `max_completion_tokens`.
   */
  readonly maxTokensField?: 'max_tokens' | 'max_completion_tokens';
  /** Role that the client's instructions get, be they `system` or `developer`. Default: as the client sent them. */
  readonly roles?: 'developer' | 'system';
  /**
   * Send what the gateway's form has beyond OpenAI's (`reasoning_content` of earlier answers and the like). Default true;
   * false at OpenAI, Azure and Mistral, which refuse fields they do not know.
   */
  readonly extensions?: boolean;
}

/** Servers that refuse unknown fields of a message. */
const STRICT_HOSTS = /(^|\.)(api\.openai\.com|openai\.azure\.com|services\.ai\.azure\.com|api\.mistral\.ai)$/;

/** Fields of messages, and of calls in them, that OpenAI does not have. */
const MESSAGE_EXTENSIONS = [
  'reasoning_content',
  'reasoning_details',
  'reasoning',
  'is_error',
  'extra_content',
  'native_finish_reason',
  'images',
];

/** A request as the server wants it, and paths of what was left out. */
export interface OpenaiRequest {
  readonly body: ChatRequest;
  readonly notCarried: readonly string[];
}

const NOTHING: readonly string[] = [];

/**
 * Checks the options and returns the translation.
 *
 * @throws {OptionError} if an option has the wrong form
 */
export function openaiRequest(
  { maxTokensField, roles, extensions }: OpenaiRequestOptions,
  host: string,
): (request: ChatRequest) => OpenaiRequest {
  if (maxTokensField !== undefined && maxTokensField !== 'max_tokens' && maxTokensField !== 'max_completion_tokens')
    throw new OptionError(
      'maxTokensField',
      '"max_tokens" or "max_completion_tokens"',
      maxTokensField,
      'Leave it out to send the one that the client used.',
    );
  if (roles !== undefined && roles !== 'developer' && roles !== 'system')
    throw new OptionError('roles', '"developer" or "system"', roles, 'Leave it out to send what the client sent.');
  if (extensions !== undefined && typeof extensions !== 'boolean')
    throw new OptionError('extensions', 'true or false', extensions, 'Leave it out: it follows from baseUrl.');
  const isStrict = !(extensions ?? !STRICT_HOSTS.test(host));
  if (maxTokensField === undefined && roles === undefined && !isStrict)
    return (body) => ({ body, notCarried: NOTHING });

  return (request) => {
    let body = request;
    const notCarried: string[] = [];
    if (maxTokensField !== undefined) body = withLimitIn(body, maxTokensField);
    if (roles !== undefined) body = withRole(body, roles);
    if (isStrict) body = withoutExtensions(body, notCarried);
    return { body, notCarried };
  };
}

function withLimitIn(request: ChatRequest, field: 'max_tokens' | 'max_completion_tokens'): ChatRequest {
  const { max_tokens: old, max_completion_tokens: current, ...rest } = request;
  const most = current ?? old;
  return most == null ? request : { ...rest, [field]: most };
}

function withRole(request: ChatRequest, role: 'developer' | 'system'): ChatRequest {
  const other = role === 'system' ? 'developer' : 'system';
  if (!request.messages.some((message) => message.role === other)) return request;
  return {
    ...request,
    messages: request.messages.map((message) => (message.role === other ? { ...message, role } : message)),
  };
}

function withoutExtensions(request: ChatRequest, notCarried: string[]): ChatRequest {
  let messages: ChatMessage[] | undefined;
  for (const [i, message] of request.messages.entries()) {
    const plain = plainMessage(message, `messages[${i}]`, notCarried);
    if (plain === message) continue;
    messages ??= [...request.messages];
    messages[i] = plain;
  }
  return messages === undefined ? request : { ...request, messages };
}

function plainMessage(message: ChatMessage, path: string, notCarried: string[]): ChatMessage {
  let plain = message;
  for (const name of MESSAGE_EXTENSIONS) {
    if (message[name] === undefined) continue;
    const { [name]: value, ...rest } = plain;
    plain = rest as ChatMessage;
    if (value !== null) notCarried.push(`${path}.${name}`);
  }
  const calls = message['tool_calls'];
  if (!Array.isArray(calls) || !calls.some((call) => isObject(call) && call['extra_content'] !== undefined))
    return plain;
  const plainCalls = calls.map((call: unknown, i) => {
    if (!isObject(call) || call['extra_content'] === undefined) return call;
    const { extra_content: _, ...rest } = call;
    notCarried.push(`${path}.tool_calls[${i}].extra_content`);
    return rest;
  });
  return { ...plain, tool_calls: plainCalls };
}
