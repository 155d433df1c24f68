/** The Response object as JSON text. What stays the same from the first event to the last is written once. */
import type { Usage } from './chat.ts';
import { jsonOf } from './json.ts';
import type { Fields, ResponsesRequest } from './responses-check.ts';

/** What changes while a response comes about. */
export interface ResponseState {
  readonly id: string;
  /** Seconds since 1970. */
  readonly createdS: number;
  readonly status: 'in_progress' | 'completed' | 'incomplete' | 'failed';
  readonly model: string;
  /** Seconds since 1970; undefined where it is not completed. */
  readonly completedS?: number | undefined;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  /** Why it is incomplete. */
  readonly reason?: 'max_output_tokens' | 'content_filter' | undefined;
  readonly usage?: Usage | null | undefined;
}

/**
 * Writes a Response.
 *
 * @param echo as `echoOf` wrote it
 * @param output JSON text of the list of items; undefined leaves the list out, for `withOutput`
 */
export function responseJson(state: ResponseState, echo: string, output: string | undefined): string {
  const { id, createdS, status, model, completedS, error, reason, usage } = state;
  return (
    `{"id":"${id}","object":"response","created_at":${createdS},"status":"${status}"` +
    `,"completed_at":${completedS ?? null}` +
    `,"error":${error === undefined ? 'null' : JSON.stringify(error)}` +
    `,"incomplete_details":${reason === undefined ? 'null' : `{"reason":"${reason}"}`}` +
    `,"model":${JSON.stringify(model)}` +
    (output === undefined ? '' : `,"output":${output}`) +
    `,"usage":${usage == null ? 'null' : JSON.stringify(usageOf(usage))}` +
    `,${echo}}`
  );
}

/** The same text with its output put in. */
export function withOutput(response: string, output: string): string {
  return `${response.slice(0, -1)},"output":${output}}`;
}

/**
 * What a Response repeats of its request, as JSON text without braces.
 *
 * @param isStored whether it is kept
 * @throws {GatewrightError} `GW_REQUEST_DEPTH` if the request is nested deeper than can be written again
 */
export function echoOf(request: ResponsesRequest, isStored: boolean): string {
  const { tools, tool_choice, text, reasoning } = request;
  const or = (name: string, otherwise: unknown): unknown => request[name] ?? otherwise;
  const echo = {
    access_programs: null,
    background: false,
    instructions: or('instructions', null),
    max_output_tokens: or('max_output_tokens', null),
    max_tool_calls: or('max_tool_calls', null),
    metadata: or('metadata', {}),
    parallel_tool_calls: or('parallel_tool_calls', true),
    previous_response_id: or('previous_response_id', null),
    prompt_cache_key: or('prompt_cache_key', null),
    prompt_cache_retention: or('prompt_cache_retention', null),
    reasoning: { effort: reasoning?.['effort'] ?? null, summary: reasoning?.['summary'] ?? null },
    safety_identifier: or('safety_identifier', null),
    service_tier: or('service_tier', 'default'),
    store: isStored,
    temperature: or('temperature', null),
    text: { format: text?.format ?? { type: 'text' }, verbosity: text?.verbosity ?? 'medium' },
    tool_choice: tool_choice ?? 'auto',
    tools: (tools ?? []).map(echoedTool),
    top_logprobs: or('top_logprobs', 0),
    top_p: or('top_p', null),
    // Nobody here truncates, whatever was asked.
    truncation: 'disabled',
    ...(request.user == null ? {} : { user: request.user }),
  };
  return jsonOf(echo, '').slice(1, -1);
}

/** A function with the fields that the published form always has. */
function echoedTool(tool: Fields): Fields {
  if (tool['type'] !== 'function') return tool;
  return { ...tool, parameters: tool['parameters'] ?? null, strict: tool['strict'] ?? null };
}

function usageOf(usage: Usage): Fields {
  const inputDetails = usage['prompt_tokens_details'] as Fields | null | undefined;
  const outputDetails = usage['completion_tokens_details'] as Fields | null | undefined;
  const inputTokens = count(usage.prompt_tokens);
  const outputTokens = count(usage.completion_tokens);
  return {
    input_tokens: inputTokens,
    input_tokens_details: {
      cache_write_tokens: count(inputDetails?.['cache_creation_tokens']),
      cached_tokens: count(inputDetails?.['cached_tokens']),
    },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: count(outputDetails?.['reasoning_tokens']) },
    total_tokens: typeof usage.total_tokens === 'number' ? usage.total_tokens : inputTokens + outputTokens,
  };
}

/** Experts are outside our reach: a count that is no count is none. */
function count(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0;
}
