/** Fields of a Responses request that have a field of the one form, and those that have none. */
import { type Fields, type ResponsesRequest, unsupported } from './responses-check.ts';

/** Carried under the same name. */
const SAME = [
  'parallel_tool_calls',
  'temperature',
  'top_p',
  'user',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'service_tier',
];

/** Translated elsewhere, or done by the gateway itself. */
const HANDLED: ReadonlySet<string> = new Set([
  ...SAME,
  'model',
  'input',
  'instructions',
  'previous_response_id',
  'stream',
  'stream_options',
  'store',
  'background',
  'conversation',
  'prompt',
  'include',
  'tools',
  'tool_choice',
  'max_output_tokens',
  'top_logprobs',
  'reasoning',
  'text',
  'metadata',
  'truncation',
]);

/** What `include` may name and the gateway gives. Pictures of the request are always listed. */
const INCLUDED: ReadonlySet<string> = new Set([
  'message.output_text.logprobs',
  'reasoning.encrypted_content',
  'message.input_image.image_url',
]);

/** Fields of the one form, from everything but the conversation and the tools. */
export interface SharedFields extends Fields {
  readonly logprobs?: true;
  readonly top_logprobs?: number;
  readonly response_format?: { readonly type: string; readonly [field: string]: unknown };
}

/**
 * Translates the settings of a request.
 *
 * @param notCarried is added to
 * @throws {GatewrightError} `GW_REQUEST_UNSUPPORTED` for what changes the meaning of the whole request
 */
export function sharedFields(request: ResponsesRequest, notCarried: string[]): SharedFields {
  refuse(request);
  const carried: Record<string, unknown> = {};
  for (const name of SAME) if (request[name] != null) carried[name] = request[name];
  for (const name in request) if (!HANDLED.has(name) && request[name] != null) notCarried.push(name);
  if (request['truncation'] != null && request['truncation'] !== 'disabled') notCarried.push('truncation');
  for (const [index, name] of (request.include ?? []).entries())
    if (!INCLUDED.has(name)) notCarried.push(`include[${index}]`);
  for (const [name, value] of Object.entries((request['stream_options'] ?? {}) as Fields))
    if (value != null && value !== false) notCarried.push(`stream_options.${name}`);
  for (const [name, value] of Object.entries(request.reasoning ?? {}))
    if (name !== 'effort' && value != null) notCarried.push(`reasoning.${name}`);
  if (request.reasoning?.['effort'] != null) carried['reasoning_effort'] = request.reasoning['effort'];
  if (request.max_output_tokens != null) carried['max_completion_tokens'] = request.max_output_tokens;
  if (request.text?.verbosity != null) carried['verbosity'] = request.text.verbosity;
  const format = request.text?.format;
  if (format != null && format['type'] !== 'text') carried['response_format'] = formatOf(format);
  const topLogprobs = request.top_logprobs ?? 0;
  if (topLogprobs > 0 || request.include?.includes('message.output_text.logprobs') === true) {
    carried['logprobs'] = true;
    if (topLogprobs > 0) carried['top_logprobs'] = topLogprobs;
  }
  return carried;
}

function refuse(request: ResponsesRequest): void {
  if (request.background === true)
    throw unsupported(
      'background',
      'Nothing runs in the background here.',
      'Leave background out, and stream if it is long.',
    );
  if (request['conversation'] != null)
    throw unsupported(
      'conversation',
      'The gateway keeps no conversations.',
      'Go on with previous_response_id, or send the conversation as input.',
    );
  if (request['prompt'] != null)
    throw unsupported('prompt', 'The gateway keeps no prompt templates.', 'Send its text as instructions and input.');
}

/** `{type, name, schema, ...}` -> `{type, json_schema: {name, schema, ...}}` */
function formatOf(format: Fields): Fields {
  if (format['type'] !== 'json_schema') return format;
  const { type, ...schema } = format;
  return { type, json_schema: schema };
}
