/**
 * A request of the one form as a body of Anthropic's Messages API. What came from that format is put back as it was; what
 * the format cannot say is reported by its path.
 */
import type { ChatRequest } from '../wire/chat.ts';
import type { RequestOrigin } from '../wire/messages-format.ts';
import { leftovers, originOf } from '../wire/origin.ts';
import { cachePoints, turnsOf } from './anthropic-turns.ts';
import { stopTexts, toolChoice, uncarriedFields } from './carry.ts';
import { isObject } from './upstream-failures.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Settings of the translation. */
export interface RequestSettings {
  readonly model: string;
  /** Where the client sets no bound: the format requires one. */
  readonly maxTokens: number;
  readonly cache: boolean;
  readonly thinking: 'adaptive' | 'budget';
  readonly structuredOutput: 'native' | 'tool';
}

/** What is sent, and what of it could not be. */
export interface AnthropicRequest {
  readonly body: Record<string, unknown>;
  readonly betas: readonly string[];
  readonly notCarried: readonly string[];
  /** Name of the tool whose input is the answer's text; undefined where there is none. */
  readonly answerTool: string | undefined;
}

/** The tool that a schema is forced through. */
export const ANSWER_TOOL = 'answer_as_json';

/** Translates a request. Without `stream`, which is the call's. */
export function anthropicRequest(request: ChatRequest, settings: RequestSettings): AnthropicRequest {
  const lost: string[] = [...leftovers(request, 'messages')];
  const origin = originOf(request, 'messages') as RequestOrigin | undefined;
  const { system, messages } = turnsOf(request.messages, (path) => lost.push(path));
  const body: Record<string, unknown> = {
    model: settings.model,
    max_tokens: request.max_completion_tokens ?? request.max_tokens ?? settings.maxTokens,
    ...(system === undefined ? {} : { system }),
    messages,
  };
  if (origin !== undefined) putBack(origin, request, body);
  addSampling(request, body, origin !== undefined, lost);
  if (origin === undefined && request['top_k'] != null) body['top_k'] = request['top_k'];
  if (!('tools' in body)) addTools(request, body, lost);
  if (!('tool_choice' in body)) addToolChoice(request, body, lost);
  addThinking(request, body, settings, lost);
  const answerTool = addFormat(request, body, settings, lost);
  if (typeof request.user === 'string' && body['metadata'] === undefined) body['metadata'] = { user_id: request.user };
  if (origin === undefined) addUnknown(request, body, lost);
  return {
    body: settings.cache ? cachePoints(body) : body,
    betas: origin?.betas ?? [],
    notCarried: lost,
    answerTool,
  };
}

/** Fields of a Messages request and where each went: they are put back unless somebody changed them on the way. */
const PLACES: readonly (readonly [field: string, ...places: string[]])[] = [
  ['tools', 'tools'],
  ['tool_choice', 'tool_choice', 'parallel_tool_calls'],
  ['thinking', 'reasoning_effort'],
  ['output_config', 'reasoning_effort', 'response_format'],
  ['output_format', 'response_format'],
  ['metadata', 'user'],
  ['service_tier', 'service_tier'],
];

/** Told by the one form in so many words, and written from there. */
const WRITTEN = new Set(['max_tokens', 'stop_sequences', 'temperature', 'top_p']);

function putBack({ fields, form }: RequestOrigin, request: ChatRequest, body: Record<string, unknown>): void {
  const changed = new Set<string>();
  for (const [field, ...places] of PLACES) {
    if (places.some((place) => request[place] !== (form as Fields)[place])) changed.add(field);
  }
  for (const field of Object.keys(fields)) if (!WRITTEN.has(field) && !changed.has(field)) body[field] = fields[field];
}

/** @param isOwn whoever writes the format itself is not corrected */
function addSampling(request: ChatRequest, body: Record<string, unknown>, isOwn: boolean, lost: string[]): void {
  const { temperature, top_p: topP } = request;
  if (temperature != null) {
    // The one form goes to 2, this format to 1.
    body['temperature'] = Math.min(1, temperature);
    if (temperature > 1) lost.push('temperature');
  }
  // Newer models take one of the two; all that is likely is what they do anyway.
  if (topP != null && (isOwn || topP !== 1 || temperature == null)) body['top_p'] = topP;
  const stops = stopTexts(request.stop) ?? [];
  // White space alone is refused.
  const taken = stops.filter((text) => isOwn || text.trim() !== '');
  if (taken.length < stops.length) lost.push('stop');
  if (taken.length > 0) body['stop_sequences'] = taken;
}

function addTools(request: ChatRequest, body: Record<string, unknown>, lost: string[]): void {
  const tools: object[] = [];
  const choice = request['tool_choice'];
  const allowed = isObject(choice) && choice['type'] === 'allowed_tools' ? toolChoice(choice)?.names : undefined;
  for (const [index, tool] of (request.tools ?? []).entries()) {
    const called = isObject(tool) && tool['type'] === 'function' ? tool['function'] : undefined;
    if (!isObject(called)) {
      lost.push(`tools[${index}]`);
      continue;
    }
    if (allowed !== undefined && !allowed.includes(String(called['name']))) continue;
    tools.push({
      name: called['name'],
      ...(typeof called['description'] === 'string' ? { description: called['description'] } : {}),
      input_schema: isObject(called['parameters'])
        ? { type: 'object', ...called['parameters'] }
        : { type: 'object', properties: {} },
      ...(typeof called['strict'] === 'boolean' ? { strict: called['strict'] } : {}),
    });
  }
  if (tools.length > 0) body['tools'] = tools;
}

function addToolChoice(request: ChatRequest, body: Record<string, unknown>, lost: string[]): void {
  const choice = toolChoice(request['tool_choice']);
  if (request['tool_choice'] != null && choice === undefined) lost.push('tool_choice');
  if (body['tools'] === undefined) {
    if (choice?.mode === 'required') lost.push('tool_choice');
    return;
  }
  const isSingle = request['parallel_tool_calls'] === false;
  const one = isSingle ? { disable_parallel_tool_use: true } : {};
  if (choice?.mode === 'none') body['tool_choice'] = { type: 'none' };
  else if (choice?.mode === 'required')
    body['tool_choice'] =
      choice.names?.length === 1 ? { type: 'tool', name: choice.names[0], ...one } : { type: 'any', ...one };
  else if (choice !== undefined || isSingle) body['tool_choice'] = { type: 'auto', ...one };
}

/** Tokens of thought for an effort, where a model takes a number: the steps are ours, the least is the format's. */
const BUDGET_TOKENS: Readonly<Record<string, number>> = {
  low: 2_048,
  medium: 8_192,
  high: 16_384,
  xhigh: 32_768,
  max: 65_536,
};
const LEAST_BUDGET_TOKENS = 1_024;

function addThinking(
  request: ChatRequest,
  body: Record<string, unknown>,
  { thinking }: RequestSettings,
  lost: string[],
): void {
  const said = request['reasoning_effort'];
  if (said == null || body['thinking'] !== undefined || isObject(body['output_config'])) return;
  if (typeof said !== 'string') {
    lost.push('reasoning_effort');
    return;
  }
  if (said === 'none') {
    body['thinking'] = { type: 'disabled' };
    return;
  }
  const effort = said === 'minimal' ? 'low' : said;
  if (!Object.hasOwn(BUDGET_TOKENS, effort)) {
    lost.push('reasoning_effort');
    return;
  }
  const choice = body['tool_choice'];
  const isForced = isObject(choice) && (choice['type'] === 'any' || choice['type'] === 'tool');
  const most = body['max_tokens'] as number;
  if (thinking === 'adaptive') body['output_config'] = { effort };
  // A forced tool leaves no room for thoughts, nor does a bound below the least that there is.
  if (isForced || (thinking === 'budget' && most <= LEAST_BUDGET_TOKENS)) {
    if (thinking === 'budget') lost.push('reasoning_effort');
    return;
  }
  body['thinking'] =
    thinking === 'adaptive'
      ? { type: 'adaptive' }
      : {
          type: 'enabled',
          // Thoughts count against the bound: at least half of it is left for the answer.
          budget_tokens: Math.max(LEAST_BUDGET_TOKENS, Math.min(BUDGET_TOKENS[effort]!, Math.floor(most / 2))),
        };
  // With thoughts the format takes no other temperature than 1.
  for (const name of ['temperature', 'top_p', 'top_k']) {
    if (body[name] === undefined || body[name] === 1) continue;
    delete body[name];
    lost.push(name);
  }
}

function addFormat(
  request: ChatRequest,
  body: Record<string, unknown>,
  { structuredOutput }: RequestSettings,
  lost: string[],
): string | undefined {
  const { response_format: format } = request;
  if (format == null || format.type === 'text') return undefined;
  const config = body['output_config'];
  const isThere = body['output_format'] !== undefined || (isObject(config) && config['format'] != null);
  if (isThere && structuredOutput === 'native') return undefined;
  const described = isObject(format['json_schema']) ? format['json_schema'] : {};
  const schema = isObject(described['schema']) ? described['schema'] : undefined;
  if (structuredOutput === 'native') {
    if (schema === undefined) lost.push('response_format');
    else body['output_config'] = { ...(isObject(config) ? config : {}), format: { type: 'json_schema', schema } };
    return undefined;
  }
  delete body['output_format'];
  if (isObject(config)) {
    const { format: _, ...rest } = config;
    body['output_config'] = rest;
  }
  const tools = (body['tools'] as object[] | undefined) ?? [];
  body['tools'] = [
    ...tools,
    {
      name: ANSWER_TOOL,
      description: 'The answer. Call this tool once, with the whole answer, and write nothing else.',
      input_schema: schema ?? { type: 'object' },
    },
  ];
  body['tool_choice'] = tools.length === 0 ? { type: 'tool', name: ANSWER_TOOL } : { type: 'any' };
  // A forced tool and thoughts exclude each other.
  if (isObject(body['thinking']) && body['thinking']['type'] !== 'disabled') {
    delete body['thinking'];
    lost.push('reasoning_effort');
  }
  return ANSWER_TOOL;
}

/** Fields of the one form that are looked at above. */
const CARRIED = [
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning_effort',
  'response_format',
  'user',
];

/** Fields of this format that clients of Chat Completions send beside their own. */
const NATIVE = new Set(['thinking', 'cache_control', 'container', 'inference_geo', 'output_config', 'speed']);

function addUnknown(request: ChatRequest, body: Record<string, unknown>, lost: string[]): void {
  const { service_tier: tier, safety_identifier: user } = request;
  if (tier === 'auto' || tier === 'default') body['service_tier'] = tier === 'auto' ? 'auto' : 'standard_only';
  for (const name of uncarriedFields(request, CARRIED)) {
    const value = request[name];
    if (NATIVE.has(name)) body[name] = isObject(value) && isObject(body[name]) ? { ...value, ...body[name] } : value;
    else if (name === 'safety_identifier' && body['metadata'] === undefined) body['metadata'] = { user_id: user };
    else lost.push(name);
  }
}
