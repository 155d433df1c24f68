/** What the gateway notes of an answer as it comes: text, tokens, finish, logprobs. */
import type { ChatChunk, ChatCompletion, TokenLogprob } from '../wire/chat.ts';
import type { DriveState, LiveCall } from './live-call.ts';

/** More text than this of one answer is not kept for the bodies. */
export const KEPT_CHARACTERS = 262_144;

/** Fields of a delta beside which an answer is plain text. */
const PLAIN_FIELDS: ReadonlySet<string> = new Set(['content', 'reasoning_content', 'reasoning_details', 'reasoning']);

/** Notes one event of a stream. @returns whether it has content */
export function readChunk({ keepText }: DriveState, call: LiveCall, chunk: ChatChunk): boolean {
  let hasContent = false;
  if (chunk.usage != null) call.heardUsage = chunk.usage;
  for (const choice of chunk.choices) {
    const { delta } = choice;
    call.produced.add(delta);
    for (const name in delta) {
      const value = delta[name];
      if (name === 'role' || value === null || value === '') continue;
      hasContent = true;
      if (value !== undefined && !PLAIN_FIELDS.has(name)) call.isPlainText = false;
      if (name === 'content' && typeof value === 'string') {
        if (keepText && choice.index === 0 && call.text.length < KEPT_CHARACTERS) call.text += value;
      }
    }
    if (choice.index !== 0) call.isPlainText = false;
    if (choice.finish_reason != null) {
      hasContent = true;
      if (choice.index === 0) call.finishReason = choice.finish_reason;
    } else if (hasContent) call.contentEvents++;
    if (choice.index === 0) addLogprobs(call, choice.logprobs);
  }
  return hasContent;
}

/** Notes a whole answer. */
export function readCompletion({ keepText }: DriveState, call: LiveCall, body: ChatCompletion): void {
  for (const choice of body.choices) {
    const { content } = choice.message;
    call.produced.add(choice.message);
    if (choice.index !== 0 && choice !== body.choices[0]) continue;
    call.finishReason = choice.finish_reason ?? undefined;
    if (keepText && typeof content === 'string') call.text = content.slice(0, KEPT_CHARACTERS);
    addLogprobs(call, choice.logprobs);
  }
}

function addLogprobs(
  call: LiveCall,
  logprobs: { readonly content?: readonly TokenLogprob[] | null } | null | undefined,
): void {
  if (!Array.isArray(logprobs?.content)) return;
  for (const token of logprobs.content) if (typeof token?.logprob === 'number') call.confidence.add(token);
}
