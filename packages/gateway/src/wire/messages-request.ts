/** A request of the Messages format in the one form. What the one form cannot say stays with its piece (`origin.ts`). */
import { GatewrightError } from '@gatewright/kernel';
import type { ChatMessage, ChatRequest } from './chat.ts';
import { isFields } from './json.ts';
import { assistantMessage, type Lose, systemMessage, userMessages, wrong } from './messages-blocks.ts';
import type { Block, RequestOrigin } from './messages-format.ts';
import { withOrigin } from './origin.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Fields that are translated whole; `cache_control` asks for nothing that an answer would show. */
const HELD = new Set(['max_tokens', 'stop_sequences', 'temperature', 'top_p', 'cache_control']);
/** Fields that stand in the request or its messages and need no keeping. */
const STRUCTURE = new Set(['model', 'messages', 'system', 'stream']);

/**
 * Checks a parsed body and translates it.
 *
 * @param betas names out of the header `anthropic-beta`
 * @param needsMaxTokens false where tokens are only counted
 * @throws {GatewrightError} `GW_REQUEST_TYPE`, `GW_REQUEST_DEPTH`
 */
export function readMessagesRequest(body: unknown, betas: readonly string[], needsMaxTokens = true): ChatRequest {
  if (!isFields(body))
    throw new GatewrightError('GW_REQUEST_TYPE', 'The body must be an object.', {
      fix: 'Send {"model": ..., "max_tokens": ..., "messages": [...]}.',
    });
  // Copied into an object by its name, it would be that object's prototype: fields that nobody has checked.
  if (Object.hasOwn(body, '__proto__')) throw wrong('__proto__', 'is no field of the Messages format', 'Leave it out.');
  const lost: string[] = [];
  const lose: Lose = (path) => lost.push(path);
  const model = body['model'];
  if (typeof model !== 'string' || model === '' || model.length > 200)
    throw wrong(
      'model',
      'is missing, or not a text of 1 to 200 characters',
      'Name a mode such as "gw/auto", or an expert.',
    );
  const stream = body['stream'] ?? false;
  if (typeof stream !== 'boolean') throw wrong('stream', 'is not true or false', 'Use true or false.');
  const messages = readTurns(body, lose);
  const form: Record<string, unknown> = {};
  readLimits(body, form, needsMaxTokens);
  readTools(body, form, lose);
  readThinking(body, form, lose);
  readFormat(body, form, lose);
  readRest(body, form, lose);
  const fields: Record<string, unknown> = {};
  for (const name in body) if (!STRUCTURE.has(name) && body[name] != null) fields[name] = body[name];
  const origin: RequestOrigin = { fields, form, betas };
  const request = {
    model,
    messages,
    ...form,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  return withOrigin(request, 'messages', origin, lost);
}

function readTurns(body: Fields, lose: Lose): ChatMessage[] {
  const out: ChatMessage[] = [];
  const { system, messages } = body;
  if (typeof system === 'string' || Array.isArray(system)) {
    if (system.length > 0) out.push(systemMessage(system as string | Block[], 'prompt', 'system', lose));
  } else if (system != null) throw wrong('system', 'is neither a text nor a list of blocks', 'Give a text.');
  if (!Array.isArray(messages) || messages.length === 0)
    throw wrong('messages', 'is missing, or not a list of at least one', 'Give [{"role": "user", "content": ...}].');
  for (let i = 0; i < messages.length; i++) {
    const path = `messages[${i}]`;
    const turn: unknown = messages[i];
    if (!isFields(turn)) throw wrong(path, 'is not an object', 'Give {"role": "user", "content": ...}.');
    const content = contentOf(turn['content'], `${path}.content`);
    switch (turn['role']) {
      case 'user':
        userMessages(content, `${path}.content`, lose, out);
        break;
      case 'assistant':
        out.push(assistantMessage(content, `${path}.content`, lose));
        break;
      case 'system':
        out.push(systemMessage(content, 'system', `${path}.content`, lose));
        break;
      default:
        throw wrong(`${path}.role`, 'is not a role of the Messages format', 'Use "user" or "assistant".');
    }
  }
  return out;
}

function contentOf(content: unknown, path: string): string | readonly Block[] {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content))
    throw wrong(path, 'is neither a text nor a list of blocks', 'Give a text, or [{"type": "text", "text": ...}].');
  for (let i = 0; i < content.length; i++) {
    const block: unknown = content[i];
    if (!isFields(block) || typeof block['type'] !== 'string')
      throw wrong(`${path}[${i}]`, 'is no block', 'Give {"type": "text", "text": ...} or another block.');
  }
  return content as Block[];
}

function readLimits(body: Fields, form: Record<string, unknown>, needsMaxTokens: boolean): void {
  const most = body['max_tokens'];
  if (most != null || needsMaxTokens) {
    if (!Number.isInteger(most) || (most as number) < 1)
      throw wrong('max_tokens', 'is missing, or not a whole number of at least 1', 'Use a whole number of at least 1.');
    form['max_tokens'] = most;
  }
  const stops = body['stop_sequences'];
  if (stops != null) {
    if (!Array.isArray(stops) || !stops.every((stop) => typeof stop === 'string'))
      throw wrong('stop_sequences', 'is not a list of texts', 'Give a list of texts.');
    if (stops.length > 0) form['stop'] = stops;
  }
  for (const name of ['temperature', 'top_p'] as const) {
    const value = body[name];
    if (value == null) continue;
    if (typeof value !== 'number') throw wrong(name, 'is not a number', 'Use a number.');
    form[name] = value;
  }
}

function readTools(body: Fields, form: Record<string, unknown>, lose: Lose): void {
  const { tools, tool_choice: choice } = body;
  const functions: object[] = [];
  if (tools != null) {
    if (!Array.isArray(tools)) throw wrong('tools', 'is not a list', 'Give a list of tools.');
    for (let i = 0; i < tools.length; i++) {
      const tool: unknown = tools[i];
      const path = `tools[${i}]`;
      if (!isFields(tool)) throw wrong(path, 'is not an object', 'Give {"name": ..., "input_schema": ...}.');
      // Whatever has a type of its own is run by the server that defined it, or known to its models alone.
      if (tool['type'] != null && tool['type'] !== 'custom') lose(path);
      else functions.push(functionTool(tool, path, lose));
    }
  }
  if (functions.length > 0) form['tools'] = functions;
  if (choice == null) return;
  if (!isFields(choice) || typeof choice['type'] !== 'string')
    throw wrong('tool_choice', 'is no choice', 'Use {"type": "auto"}, "any", "none" or {"type": "tool", "name": ...}.');
  const parallel = choice['disable_parallel_tool_use'];
  const name = choice['name'];
  const isKnown = functions.some((tool) => (tool as { function: { name: unknown } }).function.name === name);
  switch (choice['type']) {
    case 'auto':
    case 'none':
    case 'any':
      if (functions.length === 0) {
        if (choice['type'] === 'any') lose('tool_choice');
        return;
      }
      form['tool_choice'] = choice['type'] === 'any' ? 'required' : choice['type'];
      break;
    case 'tool':
      if (typeof name !== 'string') throw wrong('tool_choice.name', 'is not a text', 'Name the tool.');
      if (!isKnown) {
        lose('tool_choice');
        return;
      }
      form['tool_choice'] = { type: 'function', function: { name } };
      break;
    default:
      throw wrong('tool_choice.type', 'is not known', 'Use "auto", "any", "tool" or "none".');
  }
  if (typeof parallel === 'boolean') form['parallel_tool_calls'] = !parallel;
}

/** Fields of a tool that a function of the one form has as well, or that ask for nothing an answer would show. */
const HELD_OF_TOOL = new Set(['type', 'name', 'description', 'input_schema', 'strict', 'cache_control']);

function functionTool(tool: Fields, path: string, lose: Lose): object {
  const { name, description, input_schema: parameters, strict } = tool;
  if (typeof name !== 'string' || name === '') throw wrong(`${path}.name`, 'is not a text', 'Name the tool.');
  if (!isFields(parameters))
    throw wrong(`${path}.input_schema`, 'is not a JSON schema', 'Give {"type": "object", "properties": {...}}.');
  for (const field in tool) {
    // How a server streams the input is no part of what is answered.
    if (!HELD_OF_TOOL.has(field) && field !== 'eager_input_streaming' && tool[field] != null) lose(`${path}.${field}`);
  }
  return {
    type: 'function',
    function: {
      name,
      ...(typeof description === 'string' ? { description } : {}),
      parameters,
      ...(typeof strict === 'boolean' ? { strict } : {}),
    },
  };
}

/** Tokens of thought up to which an effort counts as that one; the steps of the efforts themselves are nobody's standard. */
const LOW_BUDGET_TOKENS = 4_096;
const MEDIUM_BUDGET_TOKENS = 16_384;

function readThinking(body: Fields, form: Record<string, unknown>, lose: Lose): void {
  const { thinking, output_config: config } = body;
  if (thinking != null && (!isFields(thinking) || typeof thinking['type'] !== 'string'))
    throw wrong('thinking', 'is no setting', 'Use {"type": "adaptive"}, "enabled" with budget_tokens, or "disabled".');
  if (config != null && !isFields(config)) throw wrong('output_config', 'is not an object', 'Give {"effort": ...}.');
  const effort = isFields(config) ? config['effort'] : undefined;
  if (isFields(thinking))
    for (const name in thinking)
      if (name !== 'type' && name !== 'budget_tokens' && thinking[name] != null) lose(`thinking.${name}`);
  if (isFields(thinking) && thinking['type'] === 'disabled') {
    // Without thoughts an effort says how much to write: the one form has no word for that.
    if (typeof effort === 'string') lose('output_config.effort');
    return;
  }
  if (typeof effort === 'string') form['reasoning_effort'] = effort === 'max' ? 'xhigh' : effort;
  else if (isFields(thinking) && thinking['type'] === 'enabled') {
    const budget = thinking['budget_tokens'];
    if (typeof budget !== 'number')
      throw wrong('thinking.budget_tokens', 'is missing, or not a number', 'Give a number of tokens.');
    form['reasoning_effort'] = budget <= LOW_BUDGET_TOKENS ? 'low' : budget <= MEDIUM_BUDGET_TOKENS ? 'medium' : 'high';
  }
}

function readFormat(body: Fields, form: Record<string, unknown>, lose: Lose): void {
  const config = body['output_config'] as Fields | null | undefined;
  const format = config?.['format'] ?? body['output_format'];
  if (config != null)
    for (const name in config)
      if (name !== 'effort' && name !== 'format' && config[name] != null) lose(`output_config.${name}`);
  if (format == null) return;
  if (!isFields(format) || format['type'] !== 'json_schema' || !isFields(format['schema']))
    throw wrong('output_config.format', 'is no format', 'Give {"type": "json_schema", "schema": {...}}.');
  form['response_format'] = {
    type: 'json_schema',
    json_schema: { name: 'answer', schema: format['schema'], strict: true },
  };
}

/** Fields that `read...` above look at themselves. */
const READ = new Set(['tools', 'tool_choice', 'thinking', 'output_config', 'output_format']);

function readRest(body: Fields, form: Record<string, unknown>, lose: Lose): void {
  for (const name in body) {
    const value = body[name];
    if (value == null || STRUCTURE.has(name) || HELD.has(name) || READ.has(name)) continue;
    if (name === 'metadata' && isFields(value)) {
      if (typeof value['user_id'] === 'string') form['user'] = value['user_id'];
      for (const field in value) if (field !== 'user_id') lose(`metadata.${field}`);
    } else if (name === 'service_tier' && (value === 'auto' || value === 'standard_only'))
      form['service_tier'] = value === 'auto' ? 'auto' : 'default';
    else lose(name);
  }
}
