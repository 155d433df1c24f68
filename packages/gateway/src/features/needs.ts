/** Which capabilities a request needs of whoever answers it. */
import type { Capability } from '../config/schema.ts';
import type { ChatMessage, ChatRequest, ContentPart } from '../wire/chat.ts';

/**
 * The capabilities without which the request cannot be answered as asked, in a fixed order.
 *
 * @param named capabilities that some expert of the configuration names. The later ones (`jsonSchema`, `parallelTools`,
 *   `audio`, `files`, `reasoning`, `prefill`) count only if they are among these: where nobody names them, nobody is
 *   known to lack them, and configurations written before them hold as they did.
 */
export function neededCapabilities(request: ChatRequest, named: ReadonlySet<Capability> = NONE): Capability[] {
  const needs: Capability[] = [];
  const { tools, response_format: format } = request;
  const hasTools = tools != null && tools.length > 0;
  if (hasTools) needs.push('tools');
  if (format != null && format.type !== 'text')
    needs.push(format.type === 'json_schema' && named.has('jsonSchema') ? 'jsonSchema' : 'json');
  const parts = partTypes(request.messages);
  if (parts.has('image_url') || parts.has('input_image')) needs.push('vision');
  if (request.logprobs === true) needs.push('logprobs');
  if ((request.n ?? 1) > 1) needs.push('samples');
  if (named.size === 0) return needs;
  if (hasTools && request['parallel_tool_calls'] === true && named.has('parallelTools')) needs.push('parallelTools');
  if (named.has('audio') && (parts.has('input_audio') || wantsAudio(request))) needs.push('audio');
  if (named.has('files') && (parts.has('file') || parts.has('input_file'))) needs.push('files');
  if (named.has('reasoning') && wantsReasoning(request)) needs.push('reasoning');
  if (named.has('prefill') && isPrefilled(request)) needs.push('prefill');
  return needs;
}

/** Whether an expert with those capabilities has that one: whoever keeps to a schema writes JSON, and so on. */
export function offers(capabilities: readonly Capability[], need: Capability): boolean {
  return (
    capabilities.includes(need) ||
    (need === 'json' && capabilities.includes('jsonSchema')) ||
    (need === 'tools' && capabilities.includes('parallelTools'))
  );
}

const NONE: ReadonlySet<Capability> = new Set();
const NO_PARTS: ReadonlySet<string> = new Set();

function partTypes(messages: readonly ChatMessage[]): ReadonlySet<string> {
  let types: Set<string> | undefined;
  for (const { content } of messages) {
    if (!Array.isArray(content)) continue;
    types ??= new Set();
    for (const part of content as readonly ContentPart[]) types.add(part.type);
  }
  return types ?? NO_PARTS;
}

function wantsAudio({ modalities }: ChatRequest): boolean {
  return Array.isArray(modalities) && modalities.includes('audio');
}

function wantsReasoning({ reasoning_effort: effort, reasoning }: ChatRequest): boolean {
  if (effort != null) return effort !== 'none';
  if (reasoning === null || typeof reasoning !== 'object') return false;
  const { enabled, effort: inner } = reasoning as Record<string, unknown>;
  return enabled !== false && inner !== 'none';
}

/** Only where the client says so: a last message of the assistant alone is a turn that is over. */
function isPrefilled({ messages, continue_final_message: continues }: ChatRequest): boolean {
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return false;
  return continues === true || last['prefix'] === true || last['partial'] === true;
}
