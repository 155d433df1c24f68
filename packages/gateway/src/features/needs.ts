/** Which capabilities a request needs of whoever answers it. */
import type { Capability } from '../config/schema.ts';
import type { ChatRequest, ContentPart } from '../wire/chat.ts';

/** The capabilities without which the request cannot be answered as asked, in a fixed order. */
export function neededCapabilities(request: ChatRequest): Capability[] {
  const needs: Capability[] = [];
  if (request.tools != null && request.tools.length > 0) needs.push('tools');
  if (request.response_format != null && request.response_format.type !== 'text') needs.push('json');
  if (request.messages.some(({ content }) => Array.isArray(content) && content.some(isImage))) needs.push('vision');
  if (request.logprobs === true) needs.push('logprobs');
  if ((request.n ?? 1) > 1) needs.push('samples');
  return needs;
}

function isImage(part: ContentPart): boolean {
  return part.type === 'image_url' || part.type === 'input_image';
}
