/** A request in the one form as a body of Ollama's `/api/chat`. */
import type { ChatMessage, ChatRequest } from '../wire/chat.ts';
import {
  callArguments,
  calledNames,
  callsOf,
  contentText,
  dataUrl,
  hasDetail,
  mergedBody,
  stopTexts,
  toolChoice,
  uncarriedFields,
  uncarriedOfMessage,
} from './carry.ts';
import { isObject } from './upstream-failures.ts';

/** A body, and paths of what it could not carry. */
export interface OllamaRequest {
  readonly body: Readonly<Record<string, unknown>>;
  readonly notCarried: readonly string[];
}

/** Names of the sampling options that Ollama calls as the one form does. */
const SAME_OPTIONS = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'repeat_penalty',
];

const CARRIED = [
  ...SAME_OPTIONS,
  'max_tokens',
  'max_completion_tokens',
  'stop',
  'logprobs',
  'top_logprobs',
  'tools',
  'tool_choice',
  'response_format',
  'reasoning_effort',
];

/** How hard to think, by effort. */
const THINK: Readonly<Record<string, boolean | string>> = {
  none: false,
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
};

/**
 * Translates.
 *
 * @param fixed fields of Ollama's body that win over the client's; objects in it are joined one level deep
 */
export function ollamaRequest(
  request: ChatRequest,
  model: string,
  stream: boolean,
  fixed: Readonly<Record<string, unknown>>,
): OllamaRequest {
  const notCarried: string[] = [];
  const names = calledNames(request);
  const messages = request.messages.map((message, i) => ollamaMessage(message, names, `messages[${i}]`, notCarried));
  const choice = toolChoice(request['tool_choice']);
  const tools = choice?.mode === 'none' ? [] : offeredTools(request, choice?.names, notCarried);
  // A tool can be offered here, but not demanded.
  if (choice?.mode === 'required' || (request['tool_choice'] != null && choice === undefined))
    notCarried.push('tool_choice');
  const think = thinkOf(request['reasoning_effort'], notCarried);
  const format = formatOf(request.response_format, notCarried);
  const options = optionsOf(request);
  const body = {
    messages,
    ...(tools.length === 0 ? {} : { tools }),
    ...(format === undefined ? {} : { format }),
    ...(think === undefined ? {} : { think }),
    ...(request.logprobs === true
      ? { logprobs: true, ...(request.top_logprobs == null ? {} : { top_logprobs: request.top_logprobs }) }
      : {}),
    options,
  };
  notCarried.push(...uncarriedFields(request, CARRIED));
  return { body: { ...mergedBody(body, fixed), model, stream }, notCarried };
}

function ollamaMessage(
  message: ChatMessage,
  names: ReadonlyMap<string, string>,
  path: string,
  notCarried: string[],
): Record<string, unknown> {
  const images: string[] = [];
  if (Array.isArray(message.content)) {
    for (const [i, part] of message.content.entries()) {
      if (isObject(part) && typeof part['text'] === 'string') continue;
      if (isObject(part) && part['type'] === 'refusal') continue;
      const image = isObject(part) && part['type'] === 'image_url' ? part['image_url'] : undefined;
      const media = dataUrl(isObject(image) ? image['url'] : image);
      // It fetches nothing by itself, and takes nothing but pictures.
      if (media === undefined) notCarried.push(`${path}.content[${i}]`);
      else images.push(media.base64);
      if (hasDetail(part)) notCarried.push(`${path}.content[${i}].image_url.detail`);
    }
  }
  const isModel = message.role === 'assistant';
  notCarried.push(
    ...uncarriedOfMessage(
      message,
      path,
      isModel ? ['reasoning_content'] : TOOL_ROLES.has(message.role) ? ['name'] : [],
    ),
  );
  const role = message.role === 'developer' ? 'system' : message.role === 'function' ? 'tool' : message.role;
  const thinking = message['reasoning_content'];
  const calls = isModel ? toolCalls(message, path, notCarried) : [];
  const text = contentText(message.content);
  const refusal = typeof message['refusal'] === 'string' ? message['refusal'] : '';
  if (text !== '' && refusal !== '') notCarried.push(`${path}.refusal`);
  return {
    role,
    content: text || refusal,
    ...(isModel && typeof thinking === 'string' && thinking !== '' ? { thinking } : {}),
    ...(images.length === 0 ? {} : { images }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(role === 'tool' ? toolResult(message, names) : {}),
  };
}

const TOOL_ROLES: ReadonlySet<string> = new Set(['tool', 'function']);

function toolResult(message: ChatMessage, names: ReadonlyMap<string, string>): Record<string, unknown> {
  const id = message['tool_call_id'];
  const name = (typeof id === 'string' ? names.get(id) : undefined) ?? message['name'];
  return {
    ...(typeof name === 'string' ? { tool_name: name } : {}),
    ...(typeof id === 'string' ? { tool_call_id: id } : {}),
  };
}

function toolCalls(message: ChatMessage, path: string, notCarried: string[]): Record<string, unknown>[] {
  const translated: Record<string, unknown>[] = [];
  for (const [i, call] of callsOf(message).entries()) {
    const called = isObject(call) ? call['function'] : undefined;
    if (isObject(call) && call['extra_content'] != null) notCarried.push(`${path}.tool_calls[${i}].extra_content`);
    if (!isObject(call) || !isObject(called) || typeof called['name'] !== 'string') {
      notCarried.push(`${path}.tool_calls[${i}]`);
      continue;
    }
    const args = callArguments(called['arguments']);
    if (args === undefined) notCarried.push(`${path}.tool_calls[${i}].function.arguments`);
    translated.push({
      ...(typeof call['id'] === 'string' ? { id: call['id'] } : {}),
      function: { name: called['name'], arguments: args ?? {} },
    });
  }
  return translated;
}

function offeredTools(
  { tools }: ChatRequest,
  only: readonly string[] | undefined,
  notCarried: string[],
): Record<string, unknown>[] {
  if (!Array.isArray(tools)) return [];
  const offered: Record<string, unknown>[] = [];
  for (const [i, tool] of tools.entries()) {
    const declared: unknown = isObject(tool) && tool['type'] === 'function' ? tool['function'] : undefined;
    if (!isObject(declared) || typeof declared['name'] !== 'string') {
      notCarried.push(`tools[${i}]`);
      continue;
    }
    if (only !== undefined && !only.includes(declared['name'])) continue;
    if (declared['strict'] === true) notCarried.push(`tools[${i}].function.strict`);
    const { strict: _, ...rest } = declared;
    offered.push({ type: 'function', function: rest });
  }
  return offered;
}

function thinkOf(effort: unknown, notCarried: string[]): boolean | string | undefined {
  if (effort === null || effort === undefined) return undefined;
  if (typeof effort === 'string' && Object.hasOwn(THINK, effort)) return THINK[effort];
  notCarried.push('reasoning_effort');
  return undefined;
}

function formatOf(format: ChatRequest['response_format'], notCarried: string[]): unknown {
  if (format == null || format.type === 'text') return undefined;
  if (format.type === 'json_object') return 'json';
  const described = format.type === 'json_schema' ? format['json_schema'] : undefined;
  const schema = isObject(described) ? described['schema'] : undefined;
  if (isObject(schema)) return schema;
  notCarried.push('response_format');
  return undefined;
}

function optionsOf(request: ChatRequest): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const name of SAME_OPTIONS) if (request[name] != null) options[name] = request[name];
  const most = request.max_completion_tokens ?? request.max_tokens;
  if (most != null) options['num_predict'] = most;
  const stop = stopTexts(request.stop);
  if (stop !== undefined) options['stop'] = stop;
  return options;
}
