/** What providers share that translate the one form into a format of their own: reading its pieces, and naming what is left. */
import type { ChatMessage, ChatRequest } from '../wire/chat.ts';
import { isObject } from './upstream-failures.ts';

/** Media inside a request. */
export interface InlineMedia {
  /** For example `image/png`. */
  readonly mimeType: string;
  /** Base64, without prefix. */
  readonly base64: string;
}

/** The content of a `data:` URL in base64; undefined for any other text. */
export function dataUrl(url: unknown): InlineMedia | undefined {
  if (typeof url !== 'string' || !url.startsWith('data:')) return undefined;
  const comma = url.indexOf(',');
  // A header is short: a comma far away belongs to something else.
  if (comma < 0 || comma > 256) return undefined;
  const [mimeType, ...parameters] = url.slice('data:'.length, comma).split(';');
  if (parameters.at(-1)?.toLowerCase() !== 'base64') return undefined;
  const type = mimeType === '' ? 'text/plain' : mimeType!.toLowerCase();
  // A name that many write, and no server knows.
  return { mimeType: type === 'image/jpg' ? 'image/jpeg' : type, base64: url.slice(comma + 1) };
}

/** Text of a content: itself, or its text and refusal parts joined with newlines. */
export function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const texts: string[] = [];
  for (const part of content) {
    if (!isObject(part)) continue;
    const text = part['type'] === 'refusal' ? part['refusal'] : part['text'];
    if (typeof text === 'string') texts.push(text);
  }
  return texts.join('\n');
}

/** Arguments of a call as the object that their text says; undefined if it says none. No text at all is no argument. */
export function callArguments(text: unknown): Readonly<Record<string, unknown>> | undefined {
  if (isObject(text)) return text;
  if (text === undefined || text === null || text === '') return {};
  if (typeof text !== 'string') return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Calls of an assistant's message. The one call of the older form, `function_call`, goes by its name, as its answer does. */
export function callsOf(message: ChatMessage): readonly unknown[] {
  const { tool_calls: calls, function_call: call } = message;
  if (Array.isArray(calls)) return calls;
  return isObject(call) ? [{ id: call['name'], type: 'function', function: call }] : [];
}

/** Name of the function by id of the call, over all messages. */
export function calledNames({ messages }: ChatRequest): Map<string, string> {
  const names = new Map<string, string>();
  for (const message of messages) {
    for (const call of callsOf(message)) {
      if (!isObject(call) || typeof call['id'] !== 'string' || !isObject(call['function'])) continue;
      const name = call['function']['name'];
      if (typeof name === 'string') names.set(call['id'], name);
    }
  }
  return names;
}

/** What `tool_choice` asks for. `names` are the only functions allowed; undefined stands for all. */
export interface ToolChoice {
  readonly mode: 'auto' | 'none' | 'required';
  readonly names?: readonly string[];
}

/** Reads `tool_choice` in all its forms; undefined where there is none, or none that is known. */
export function toolChoice(choice: unknown): ToolChoice | undefined {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { mode: choice };
  if (!isObject(choice)) return undefined;
  const name = functionName(choice);
  if (choice['type'] === 'function') return name === undefined ? undefined : { mode: 'required', names: [name] };
  const allowed = choice['allowed_tools'];
  if (choice['type'] !== 'allowed_tools' || !isObject(allowed) || !Array.isArray(allowed['tools'])) return undefined;
  const names = allowed['tools'].flatMap((tool: unknown) => (isObject(tool) ? (functionName(tool) ?? []) : []));
  return { mode: allowed['mode'] === 'required' ? 'required' : 'auto', names };
}

function functionName(tool: Record<string, unknown>): string | undefined {
  const name = isObject(tool['function']) ? tool['function']['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** Texts that end the answer. */
export function stopTexts(stop: unknown): readonly string[] | undefined {
  if (typeof stop === 'string') return [stop];
  if (!Array.isArray(stop) || stop.length === 0) return undefined;
  return stop.filter((text): text is string => typeof text === 'string');
}

/** Fields that tell the gateway or the transport something, and the model nothing. */
const ENVELOPE = ['model', 'messages', 'stream', 'stream_options'];

/** What a server does anyway when it is not told: nothing is lost with these values. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  n: [1],
  store: [false],
  parallel_tool_calls: [true],
  service_tier: ['auto', 'default'],
  logprobs: [false],
  top_logprobs: [0],
  tool_choice: ['auto'],
  frequency_penalty: [0],
  presence_penalty: [0],
  verbosity: ['medium'],
};

/**
 * Fields of a request that a format has no place for.
 *
 * @param carried names of the fields that it has a place for
 */
export function uncarriedFields(request: ChatRequest, carried: readonly string[]): string[] {
  const names: string[] = [];
  for (const name of Object.keys(request)) {
    const value = request[name];
    if (value === null || value === undefined) continue;
    if (carried.includes(name) || ENVELOPE.includes(name)) continue;
    if (NEUTRAL[name]?.includes(value) === true) continue;
    if (isEmpty(value) || (name === 'modalities' && String(value) === 'text')) continue;
    names.push(name);
  }
  return names;
}

/** Fields of a message that every format has a place for. */
const OF_MESSAGES = ['role', 'content', 'tool_calls', 'function_call', 'tool_call_id', 'refusal'];

/**
 * Paths of a message's fields that a format has no place for. What one and the same model would not want either, `false` or
 * nothing, is not lost.
 *
 * @param carried names of further fields that it has a place for
 */
export function uncarriedOfMessage(message: ChatMessage, path: string, carried: readonly string[]): string[] {
  const paths: string[] = [];
  for (const name of Object.keys(message)) {
    const value = message[name];
    if (OF_MESSAGES.includes(name) || carried.includes(name)) continue;
    if (value !== null && value !== undefined && value !== '' && value !== false && !isEmpty(value))
      paths.push(`${path}.${name}`);
  }
  return paths;
}

/** How closely a picture is to be looked at, where the client says so: only OpenAI's format has a place for it. */
export function hasDetail(part: unknown): boolean {
  const image = isObject(part) && part['type'] === 'image_url' ? part['image_url'] : undefined;
  return isObject(image) && image['detail'] != null && image['detail'] !== 'auto';
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** An object's own objects, one level deep, joined with ours; everything else of `over` wins. */
export function mergedBody(
  body: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...body };
  for (const name of Object.keys(over)) {
    const own = merged[name];
    const value = over[name];
    merged[name] = isObject(own) && isObject(value) ? { ...own, ...value } : value;
  }
  return merged;
}
