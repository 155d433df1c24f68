/** A request in the one form as a body of Gemini's `generateContent`. */
import type { ChatMessage, ChatRequest } from '../wire/chat.ts';
import { thoughtsOf } from '../wire/messages-format.ts';
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

/** One piece of a content: a text, a call, a picture. */
export type GeminiPart = Readonly<Record<string, unknown>>;

/** A body, and paths of what it could not carry. */
export interface GeminiRequest {
  readonly body: Readonly<Record<string, unknown>>;
  readonly notCarried: readonly string[];
}

/** What is known of the model. */
export interface GeminiModel {
  /** Its effort is a level (Gemini 3 and later), not a number of tokens, and its calls must come back signed. */
  readonly hasThinkingLevels: boolean;
}

const CARRIED = [
  'temperature',
  'top_p',
  'top_k',
  'max_tokens',
  'max_completion_tokens',
  'stop',
  'n',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'logprobs',
  'top_logprobs',
  'tools',
  'tool_choice',
];

/** Whose sealed thoughts these are: `format` of an entry of `reasoning_details`. */
export const SIGNATURE_FORMAT = 'google-gemini-v1';

/** Stands for the signature of a call that another model made, or whose signature its client did not keep. */
const UNSIGNED = 'skip_thought_signature_validator';

/** Tokens of thought for each effort, as in the published table of Gemini's own OpenAI-compatible server. */
const BUDGETS: Readonly<Record<string, number>> = { none: 0, minimal: 1024, low: 1024, medium: 8192, high: 24_576 };
const LEVELS: Readonly<Record<string, string>> = { minimal: 'MINIMAL', low: 'LOW', medium: 'MEDIUM', high: 'HIGH' };

/** Type by ending, for media that is named by address. */
const MIME_TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  heic: 'image/heic',
  heif: 'image/heif',
  gif: 'image/gif',
  pdf: 'application/pdf',
  mp4: 'video/mp4',
  mp3: 'audio/mp3',
  wav: 'audio/wav',
  txt: 'text/plain',
};

/**
 * Translates.
 *
 * System and developer messages become the instruction, wherever they stand: the format has one place for them.
 *
 * @param params fields of Gemini's body that win; objects in it are joined one level deep
 */
export function geminiRequest(
  request: ChatRequest,
  params: Readonly<Record<string, unknown>>,
  model: GeminiModel,
): GeminiRequest {
  const notCarried: string[] = [];
  const names = calledNames(request);
  const instruction: GeminiPart[] = [];
  const contents: { role: string; parts: GeminiPart[] }[] = [];
  let answers: GeminiPart[] | undefined;
  for (const [i, message] of request.messages.entries()) {
    const path = `messages[${i}]`;
    if (message.role === 'system' || message.role === 'developer') {
      const text = contentText(message.content);
      if (text !== '') instruction.push({ text });
      notCarried.push(...uncarriedOfMessage(message, path, []));
      continue;
    }
    if (message.role === 'tool' || message.role === 'function') {
      // The answers to calls made at once belong into one content.
      if (answers === undefined) {
        answers = [];
        contents.push({ role: 'user', parts: answers });
      }
      answers.push(functionResponse(message, names, path, notCarried));
      continue;
    }
    answers = undefined;
    const isModel = message.role === 'assistant';
    const parts = contentParts(message.content, `${path}.content`, notCarried);
    notCarried.push(...uncarriedOfMessage(message, path, isModel ? ['reasoning_details', 'extra_content'] : []));
    if (isModel) modelParts(message, parts, path, model, notCarried);
    if (parts.length > 0) contents.push({ role: isModel ? 'model' : 'user', parts });
  }
  // Contents may not be empty: a lone instruction is said as the user.
  const isLone = contents.length === 0;
  if (isLone) contents.push({ role: 'user', parts: instruction.length > 0 ? instruction : [{ text: '' }] });

  const { mode, names: allowed } = toolChoice(request['tool_choice']) ?? {};
  const functions = declarations(request, mode === 'auto' ? allowed : undefined, notCarried);
  const body = {
    contents,
    ...(isLone || instruction.length === 0 ? {} : { systemInstruction: { parts: instruction } }),
    ...(functions.length === 0 ? {} : { tools: [{ functionDeclarations: functions }] }),
    ...(functions.length === 0 || mode === undefined
      ? {}
      : {
          toolConfig: {
            functionCallingConfig: {
              mode: mode === 'required' ? 'ANY' : mode.toUpperCase(),
              ...(mode === 'required' && allowed !== undefined ? { allowedFunctionNames: allowed } : {}),
            },
          },
        }),
    generationConfig: generationConfig(request, model, notCarried),
  };
  notCarried.push(...uncarriedFields(request, [...CARRIED, 'response_format', 'reasoning_effort']));
  if (request['tool_choice'] != null && mode === undefined) notCarried.push('tool_choice');
  return { body: mergedBody(body, params), notCarried };
}

function contentParts(content: ChatMessage['content'], path: string, notCarried: string[]): GeminiPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ text: content }];
  if (!Array.isArray(content)) return [];
  const parts: GeminiPart[] = [];
  for (const [i, part] of content.entries()) {
    const translated = isObject(part) ? contentPart(part) : undefined;
    if (translated === undefined) notCarried.push(`${path}[${i}]`);
    else parts.push(translated);
    if (hasDetail(part)) notCarried.push(`${path}[${i}].image_url.detail`);
  }
  return parts;
}

function contentPart(part: Record<string, unknown>): GeminiPart | undefined {
  switch (part['type']) {
    case 'text':
      return typeof part['text'] === 'string' ? { text: part['text'] } : undefined;
    case 'refusal':
      return typeof part['refusal'] === 'string' ? { text: part['refusal'] } : undefined;
    case 'image_url':
    case 'video_url': {
      const media = part[part['type']];
      return mediaPart(isObject(media) ? media['url'] : media);
    }
    case 'input_audio': {
      const audio = part['input_audio'];
      if (!isObject(audio) || typeof audio['data'] !== 'string' || typeof audio['format'] !== 'string')
        return undefined;
      return { inlineData: { mimeType: `audio/${audio['format']}`, data: audio['data'] } };
    }
    case 'file': {
      const file = part['file'];
      return isObject(file) ? mediaPart(file['file_data'] ?? file['file_id']) : undefined;
    }
    default:
      return undefined;
  }
}

function mediaPart(url: unknown): GeminiPart | undefined {
  const inline = dataUrl(url);
  if (inline !== undefined) return { inlineData: { mimeType: inline.mimeType, data: inline.base64 } };
  if (typeof url !== 'string' || !/^(https?|gs):\/\//i.test(url)) return undefined;
  const ending = /\.([a-z0-9]+)(?:[?#]|$)/i.exec(url.slice(url.lastIndexOf('/')))?.[1]?.toLowerCase() ?? '';
  return { fileData: { mimeType: MIME_TYPES[ending] ?? 'image/jpeg', fileUri: url } };
}

/** Adds the calls of an assistant's message, and the signatures that the model gave with its parts. */
function modelParts(
  message: ChatMessage,
  parts: GeminiPart[],
  path: string,
  { hasThinkingLevels }: GeminiModel,
  notCarried: string[],
): void {
  if (typeof message['refusal'] === 'string' && message['refusal'] !== '') parts.push({ text: message['refusal'] });
  const details = thoughtsOf(message);
  for (const [i, detail] of details.entries())
    if (detail['format'] !== SIGNATURE_FORMAT) notCarried.push(`${path}.reasoning_details[${i}]`);
  const signature = signatureOf(message, details, undefined);
  if (message['extra_content'] != null && signature === undefined) notCarried.push(`${path}.extra_content`);
  if (signature !== undefined) {
    const last = parts.pop() ?? { text: '' };
    parts.push({ ...last, thoughtSignature: signature });
  }
  let isFirst = true;
  for (const [i, call] of callsOf(message).entries()) {
    const called = isObject(call) ? call['function'] : undefined;
    if (!isObject(call) || !isObject(called) || typeof called['name'] !== 'string') {
      notCarried.push(`${path}.tool_calls[${i}]`);
      continue;
    }
    const args = callArguments(called['arguments']);
    if (args === undefined) notCarried.push(`${path}.tool_calls[${i}].function.arguments`);
    // Of calls made at once only the first is signed.
    const signed = signatureOf(call, details, call['id']) ?? (hasThinkingLevels && isFirst ? UNSIGNED : undefined);
    isFirst = false;
    parts.push({
      functionCall: {
        ...(typeof call['id'] === 'string' ? { id: call['id'] } : {}),
        name: called['name'],
        args: args ?? {},
      },
      ...(signed === undefined ? {} : { thoughtSignature: signed }),
    });
  }
}

/**
 * Where Gemini's own OpenAI-compatible server puts it, and where clients give it back; else among the details of thought,
 * which clients of other formats give back.
 *
 * @param id of a call; undefined for the message
 */
function signatureOf(
  piece: Readonly<Record<string, unknown>>,
  details: readonly Readonly<Record<string, unknown>>[],
  id: unknown,
): string | undefined {
  const extra = piece['extra_content'];
  const google = isObject(extra) ? extra['google'] : undefined;
  const signature = isObject(google)
    ? google['thought_signature']
    : details.find((detail) => detail['format'] === SIGNATURE_FORMAT && detail['id'] === id)?.['data'];
  return typeof signature === 'string' && signature !== '' ? signature : undefined;
}

function functionResponse(
  message: ChatMessage,
  names: ReadonlyMap<string, string>,
  path: string,
  notCarried: string[],
): GeminiPart {
  const id = message['tool_call_id'];
  const stated = message['name'];
  const name =
    (typeof id === 'string' ? names.get(id) : undefined) ?? (typeof stated === 'string' ? stated : undefined);
  const media: GeminiPart[] = [];
  if (Array.isArray(message.content)) {
    for (const [i, part] of message.content.entries()) {
      if (!isObject(part) || part['type'] === 'text') continue;
      const translated = contentPart(part);
      if (translated?.['inlineData'] === undefined) notCarried.push(`${path}.content[${i}]`);
      else media.push(translated);
    }
  }
  return {
    functionResponse: {
      ...(typeof id === 'string' ? { id } : {}),
      // A result without its call: the name is required, and this is all that is known.
      name: name ?? 'unknown',
      response: { [message['is_error'] === true ? 'error' : 'output']: contentText(message.content) },
      ...(media.length === 0 ? {} : { parts: media }),
    },
  };
}

function declarations(
  { tools }: ChatRequest,
  only: readonly string[] | undefined,
  notCarried: string[],
): Record<string, unknown>[] {
  if (!Array.isArray(tools)) return [];
  const functions: Record<string, unknown>[] = [];
  for (const [i, tool] of tools.entries()) {
    const declared: unknown = isObject(tool) && tool['type'] === 'function' ? tool['function'] : undefined;
    if (!isObject(declared) || typeof declared['name'] !== 'string') {
      notCarried.push(`tools[${i}]`);
      continue;
    }
    if (only !== undefined && !only.includes(declared['name'])) continue;
    if (declared['strict'] === true) notCarried.push(`tools[${i}].function.strict`);
    functions.push({
      name: declared['name'],
      ...(typeof declared['description'] === 'string' ? { description: declared['description'] } : {}),
      ...(isObject(declared['parameters']) ? { parametersJsonSchema: declared['parameters'] } : {}),
    });
  }
  return functions;
}

function generationConfig(
  request: ChatRequest,
  { hasThinkingLevels }: GeminiModel,
  notCarried: string[],
): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  const put = (name: string, value: unknown): void => {
    if (value !== null && value !== undefined) config[name] = value;
  };
  put('temperature', request.temperature);
  put('topP', request['top_p']);
  put('topK', request['top_k']);
  put('maxOutputTokens', request.max_completion_tokens ?? request.max_tokens);
  put('stopSequences', stopTexts(request.stop));
  if (request.n !== 1) put('candidateCount', request.n);
  // 32 bits here.
  if (request.seed == null || request.seed === (request.seed | 0)) put('seed', request.seed);
  else notCarried.push('seed');
  put('presencePenalty', request['presence_penalty']);
  put('frequencyPenalty', request['frequency_penalty']);
  if (request.logprobs === true) {
    config['responseLogprobs'] = true;
    if (request.top_logprobs !== 0) put('logprobs', request.top_logprobs);
  }
  answerForm(request.response_format, config, notCarried);
  const effort = request['reasoning_effort'];
  if (typeof effort === 'string') {
    const thinking = thinkingConfig(effort, hasThinkingLevels);
    if (thinking === undefined) notCarried.push('reasoning_effort');
    else config['thinkingConfig'] = thinking;
  } else if (effort != null) notCarried.push('reasoning_effort');
  return config;
}

function answerForm(
  format: ChatRequest['response_format'],
  config: Record<string, unknown>,
  notCarried: string[],
): void {
  if (format == null || format.type === 'text') return;
  if (format.type !== 'json_object' && format.type !== 'json_schema') {
    notCarried.push('response_format');
    return;
  }
  config['responseMimeType'] = 'application/json';
  if (format.type === 'json_object') return;
  const described = format['json_schema'];
  const schema = isObject(described) ? described['schema'] : undefined;
  if (isObject(schema)) config['responseJsonSchema'] = schema;
  else notCarried.push('response_format.json_schema');
}

function thinkingConfig(effort: string, hasLevels: boolean): Record<string, unknown> | undefined {
  const known = effort === 'xhigh' || effort === 'max' ? 'high' : effort;
  if (hasLevels) {
    // These models always think: the least is what "none" can mean.
    if (known === 'none') return { thinkingLevel: 'MINIMAL', includeThoughts: false };
    return Object.hasOwn(LEVELS, known) ? { thinkingLevel: LEVELS[known], includeThoughts: true } : undefined;
  }
  if (!Object.hasOwn(BUDGETS, known)) return undefined;
  return { thinkingBudget: BUDGETS[known], includeThoughts: known !== 'none' };
}
