/** Bodies of requests as they were kept: in the client's own format, whichever it was. */
import { type ChatMessage, lastUserText } from './chat.ts';

/**
 * The text of the last message of a user in a kept body of any dialect, or an empty string.
 *
 * @param body JSON text
 */
export function keptUserText(body: string): string {
  const { messages, input } = JSON.parse(body) as { messages?: unknown; input?: unknown };
  // Responses: one text, or items of which messages have a role and a content like those of chat.
  if (typeof input === 'string' && messages === undefined) return input;
  const said = messages ?? input;
  return Array.isArray(said) ? lastUserText(said as readonly ChatMessage[]) : '';
}
