/** How servers of OpenAI's format, and Ollama, are asked to go on with an answer that was cut. */
import { OptionError } from '@gatewright/kernel';
import type { ChatMessage, ChatRequest } from '../wire/chat.ts';

/**
 * Flavours of continuing an assistant's text at the end of the messages:
 *
 * - `none`: the server begins a new answer there;
 * - `assistant`: it continues without being told (llama.cpp);
 * - `vllm`: it continues with `continue_final_message` and without `add_generation_prompt` (vLLM, SGLang);
 * - `deepseek`, `mistral`: it continues a message that says `prefix: true` (DeepSeek's needs its `/beta` base URL).
 */
export type PrefillFlavour = 'none' | 'assistant' | 'vllm' | 'deepseek' | 'mistral';

const FLAVOURS: readonly string[] = ['none', 'assistant', 'vllm', 'deepseek', 'mistral'];

/**
 * Checks the option `prefill`.
 *
 * @throws {OptionError} otherwise
 */
export function prefillOption(value: unknown = 'none'): PrefillFlavour {
  if (typeof value === 'string' && FLAVOURS.includes(value)) return value as PrefillFlavour;
  throw new OptionError(
    'prefill',
    `one of ${FLAVOURS.join(', ')}`,
    value,
    'Leave it out for "none": only some servers continue an answer.',
  );
}

/** The continuation of a flavour; undefined where there is none. */
export function prefillOf(flavour: PrefillFlavour): ((request: ChatRequest, text: string) => ChatRequest) | undefined {
  switch (flavour) {
    case 'none':
      return undefined;
    case 'assistant':
      return (request, text) => continuedBy(request, text);
    case 'vllm':
      return (request, text) => ({
        ...continuedBy(request, text),
        continue_final_message: true,
        add_generation_prompt: false,
      });
    case 'deepseek':
    case 'mistral':
      return (request, text) => continuedBy(request, text, { prefix: true });
    default:
      return flavour satisfies never;
  }
}

/**
 * The request with what has come of the answer at its end. Text that the client itself had put there to be continued stays
 * in one message with it.
 *
 * @param marks further fields of that message
 */
export function continuedBy(request: ChatRequest, text: string, marks: object = {}): ChatRequest {
  const last = request.messages.at(-1);
  if (last?.role === 'assistant' && typeof last.content === 'string' && last['tool_calls'] == null) {
    const message: ChatMessage = { ...last, ...marks, content: last.content + text };
    return { ...request, messages: [...request.messages.slice(0, -1), message] };
  }
  return { ...request, messages: [...request.messages, { role: 'assistant', content: text, ...marks }] };
}
