/** How many tokens a request will be, before anybody counted them: for cost estimates and context windows. */
import { GatewrightError } from '@gatewright/kernel';
import type { ChatMessage, ContentPart } from '../wire/chat.ts';

/** OpenAI's chat format spends about this many tokens around each message. */
const TOKENS_PER_MESSAGE = 4;
/** A low-detail image costs this with OpenAI's vision models; others differ, so it is a floor more than a guess. */
const TOKENS_PER_IMAGE = 85;

/**
 * A quick estimate of the prompt's length: four ASCII characters a token, one token for each other character.
 *
 * A tokenizer would be exact for one family of models only, and reads every word of the prompt to be so. English prose comes
 * out a little high, code and digits a little low.
 *
 * @throws {GatewrightError} `GW_REQUEST_DEPTH` if tools are nested deeper than can be written again
 */
export function estimatePromptTokens(
  messages: readonly ChatMessage[],
  tools: readonly unknown[] | null | undefined,
): number {
  let tokens = 0;
  for (const message of messages) {
    tokens += TOKENS_PER_MESSAGE;
    const { content } = message;
    if (typeof content === 'string') tokens += estimateTextTokens(content);
    else if (Array.isArray(content)) for (const part of content) tokens += estimatePartTokens(part);
    if (message['tool_calls'] != null) tokens += estimateTextTokens(jsonOf(message['tool_calls'], 'messages'));
  }
  if (tools != null && tools.length > 0) tokens += estimateTextTokens(jsonOf(tools, 'tools'));
  return tokens;
}

/** The same estimate for one text. */
export function estimateTextTokens(text: string): number {
  return tokensOfLengths(text.length, Buffer.byteLength(text));
}

/** The same, of a text that comes in pieces. @param characters UTF-16 units @param bytes as UTF-8 */
export function tokensOfLengths(characters: number, bytes: number): number {
  // Every character beyond ASCII takes at least one more byte than UTF-16 units: native counting instead of a loop.
  const beyondAscii = Math.min(characters, bytes - characters);
  return Math.ceil((characters - beyondAscii) / 4 + beyondAscii * 0.6);
}

function estimatePartTokens(part: ContentPart): number {
  if (typeof part.text === 'string') return estimateTextTokens(part.text);
  return part.type === 'image_url' ? TOKENS_PER_IMAGE : 0;
}

/** JSON.parse takes deeper nesting than JSON.stringify. */
function jsonOf(value: unknown, path: string): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new GatewrightError('GW_REQUEST_DEPTH', `${path} is nested too deeply.`, {
      path,
      fix: 'Send a flatter body.',
      cause,
    });
  }
}
