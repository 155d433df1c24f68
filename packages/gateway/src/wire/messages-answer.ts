/** A whole answer of the one form as a Message. */
import { type ChatChoice, type ChatCompletion, firstChoice } from './chat.ts';
import type { AnswerContext } from './dialect.ts';
import {
  type AnswerOrigin,
  type Block,
  stopReason,
  thoughtsOf,
  USAGE_OF_WHOLE,
  usageToMessages,
} from './messages-format.ts';
import { originOf } from './origin.ts';
import { type ReasoningDetail, sealed } from './responses-reasoning.ts';

/** A published id: `msg_` and what the trace is found under. */
export function messageId({ traceId }: AnswerContext): string {
  return `msg_${traceId.replace(/^tr_/, '')}`;
}

/** The name of the model that answered, where the expert told one. */
export function modelName(model: unknown, { expert }: AnswerContext): string {
  return typeof model === 'string' && model !== '' ? model : expert;
}

/** The Message of a completion: its first choice, since the format has no other. */
export function messageOf(completion: ChatCompletion, context: AnswerContext): Record<string, unknown> {
  const choice = firstChoice(completion);
  const origin = originOf(completion, 'messages') as AnswerOrigin | undefined;
  const content =
    choice === undefined
      ? []
      : ((originOf(choice.message, 'messages') as readonly Block[] | undefined) ?? contentOf(choice));
  return {
    id: messageId(context),
    type: 'message',
    role: 'assistant',
    model: modelName(completion.model, context),
    content,
    stop_reason: stopReason(
      choice?.finish_reason,
      origin?.stop_reason ?? choice?.['native_finish_reason'],
      content.some(({ type }) => type === 'tool_use'),
    ),
    stop_sequence: origin?.stop_sequence ?? null,
    stop_details: origin?.stop_details ?? null,
    container: origin?.container ?? null,
    diagnostics: origin?.diagnostics ?? null,
    usage: { ...USAGE_OF_WHOLE, ...(origin?.usage ?? usageToMessages(completion.usage)) },
  };
}

function contentOf({ message }: ChatChoice): Block[] {
  const blocks: Block[] = thoughtBlocks(message);
  const { content, refusal, tool_calls: calls } = message;
  const text = `${typeof content === 'string' ? content : ''}${typeof refusal === 'string' ? refusal : ''}`;
  if (text !== '') blocks.push({ type: 'text', text, citations: null });
  if (Array.isArray(calls)) for (const call of calls) blocks.push(...toolBlock(call));
  return blocks;
}

/** Thoughts with the signature or the cipher under which their own server takes them back. */
function thoughtBlocks(message: ChatChoice['message']): Block[] {
  const told = typeof message['reasoning_content'] === 'string' ? message['reasoning_content'] : '';
  const blocks: Block[] = [];
  for (const detail of thoughtsOf(message)) {
    const text = detail['text'] ?? detail['summary'];
    if (detail['type'] === 'reasoning.encrypted')
      blocks.push({ type: 'redacted_thinking', data: sealed([detail as ReasoningDetail])! });
    else if (typeof text === 'string' || typeof detail['signature'] === 'string')
      blocks.push({
        type: 'thinking',
        thinking: typeof text === 'string' ? text : '',
        signature: typeof detail['signature'] === 'string' ? detail['signature'] : '',
      });
  }
  if (told === '' || blocks.some(({ type, thinking }) => type === 'thinking' && thinking !== '')) return blocks;
  // The text stands apart from its signature: together they are what its server takes back.
  const signed = blocks.findIndex(({ type }) => type === 'thinking');
  if (signed < 0) blocks.unshift({ type: 'thinking', thinking: told, signature: '' });
  else blocks[signed] = { ...blocks[signed]!, thinking: told };
  return blocks;
}

function toolBlock(call: unknown): Block[] {
  const { id, function: called } = (call ?? {}) as { id?: unknown; function?: { name?: unknown; arguments?: unknown } };
  if (typeof called?.name !== 'string') return [];
  return [
    {
      type: 'tool_use',
      id: typeof id === 'string' ? id : '',
      name: called.name,
      input: inputOf(called.arguments),
      caller: { type: 'direct' },
    },
  ];
}

/** A text this short is not nested deeper than can be written. */
const SURELY_FLAT_CHARACTERS = 1_000;

/** What a model wrote as arguments; where it is no JSON object the client gets the words and may tell the model so. */
export function inputOf(text: unknown): unknown {
  if (typeof text !== 'string' || text.trim() === '') return {};
  try {
    const input: unknown = JSON.parse(text);
    // JSON.parse takes deeper nesting than JSON.stringify, and whoever asks writes it again.
    if (text.length > SURELY_FLAT_CHARACTERS) JSON.stringify(input);
    return input !== null && typeof input === 'object' && !Array.isArray(input) ? input : { arguments: input };
  } catch {
    return { arguments: text };
  }
}
