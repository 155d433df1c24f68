/** Answers of Ollama's `/api/chat` in the one form. */
import type { ChatChunk, TokenLogprob, Usage } from '../wire/chat.ts';
import type { AnswerFormat, Emit, StreamTranslator } from './http-call.ts';
import { errorEvent, isObject, malformed, parsedObject, truncated } from './upstream-failures.ts';

/** What the translation of one answer knows of its call. */
export interface OllamaAnswerContext {
  readonly traceId: string;
  readonly model: string;
  readonly secrets: readonly string[];
}

/** A whole answer. */
export function ollamaWhole(text: string, context: OllamaAnswerContext): ReturnType<AnswerFormat['whole']> {
  const answer = parsedLine(text, 'the answer', context);
  if (!isObject(answer['message'])) throw malformed('the answer has no message');
  const counter = { calls: 0 };
  const delta = deltaOf(answer['message'], counter, context);
  const usage = usageOf(answer);
  const { tool_calls: calls, content = '', ...rest } = delta;
  const body = {
    ...headOf(answer, context),
    object: 'chat.completion' as const,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: content === '' && calls !== undefined ? null : String(content),
          ...rest,
          ...(Array.isArray(calls) ? { tool_calls: calls.map(({ index: _, ...call }) => call) } : {}),
        },
        ...finishOf(answer, counter.calls),
        logprobs: logprobsOf(answer['logprobs']),
      },
    ],
    ...(usage === undefined ? {} : { usage }),
  };
  return { completion: { data: JSON.stringify(body), body }, usage };
}

/** A stream: one object a line, the last one says `done`. */
export function ollamaStream(emit: Emit, context: OllamaAnswerContext): StreamTranslator {
  const counter = { calls: 0 };
  let head: Pick<ChatChunk, 'id' | 'object' | 'created' | 'model'> | undefined;
  let usage: Usage | undefined;
  let isDone = false;
  let hasContent = false;
  return {
    event(line) {
      const event = parsedLine(line, 'a line of the stream', context);
      const message = event['message'];
      if (!isObject(message)) throw malformed('a line of the stream has no message');
      const role = head === undefined ? { role: 'assistant' } : {};
      head ??= { ...headOf(event, context), object: 'chat.completion.chunk' };
      const delta = deltaOf(message, counter, context);
      const logprobs = logprobsOf(event['logprobs']);
      hasContent = true;
      if (event['done'] !== true) {
        emit({
          ...head,
          choices: [
            { index: 0, delta: { ...role, ...delta }, finish_reason: null, ...(logprobs === null ? {} : { logprobs }) },
          ],
        });
        return;
      }
      isDone = true;
      emit({
        ...head,
        choices: [
          {
            index: 0,
            delta: { ...role, ...delta },
            ...finishOf(event, counter.calls),
            ...(logprobs === null ? {} : { logprobs }),
          },
        ],
      });
      usage = usageOf(event);
      if (usage !== undefined) emit({ ...head, choices: [], usage });
    },
    end() {
      if (!isDone) throw truncated('the connection closed before a line that says done');
      return { usage };
    },
    get hasContent() {
      return hasContent;
    },
    get isWhole() {
      return isDone;
    },
    get usage() {
      return usage;
    },
  };
}

function deltaOf(
  message: Record<string, unknown>,
  counter: { calls: number },
  { traceId }: OllamaAnswerContext,
): { content?: string; reasoning_content?: string; tool_calls?: Record<string, unknown>[] } {
  const { content, thinking } = message;
  const calls = Array.isArray(message['tool_calls']) ? message['tool_calls'] : [];
  const toolCalls: Record<string, unknown>[] = [];
  for (const call of calls) {
    const called: unknown = isObject(call) ? call['function'] : undefined;
    if (!isObject(called) || typeof called['name'] !== 'string') throw malformed('a tool call has no function');
    const number = counter.calls++;
    const args = called['arguments'];
    toolCalls.push({
      index: number,
      id: typeof call.id === 'string' && call.id !== '' ? call.id : `call_${traceId.slice(3)}_${number}`,
      type: 'function',
      function: { name: called['name'], arguments: typeof args === 'string' ? args : JSON.stringify(args ?? {}) },
    });
  }
  return {
    ...(typeof content === 'string' && content !== '' ? { content } : {}),
    ...(typeof thinking === 'string' && thinking !== '' ? { reasoning_content: thinking } : {}),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
  };
}

function finishOf(
  event: Record<string, unknown>,
  calls: number,
): { finish_reason: string; native_finish_reason?: string } {
  const reason = event['done_reason'];
  const native = typeof reason === 'string' && reason !== '' ? reason.slice(0, 64) : undefined;
  return {
    finish_reason: native === 'length' ? 'length' : calls > 0 ? 'tool_calls' : 'stop',
    ...(native === undefined ? {} : { native_finish_reason: native }),
  };
}

function usageOf(event: Record<string, unknown>): Usage | undefined {
  const { prompt_eval_count: prompt, eval_count: completion } = event;
  // Left out where it is nothing, or where the whole prompt came from the cache: then nobody knows.
  if (typeof prompt !== 'number' || typeof completion !== 'number') return undefined;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function logprobsOf(logprobs: unknown): { content: TokenLogprob[] } | null {
  if (!Array.isArray(logprobs)) return null;
  const content = logprobs.flatMap((entry: unknown) => {
    const token = tokenOf(entry);
    if (token === undefined) return [];
    const likeliest = (entry as Record<string, unknown>)['top_logprobs'];
    return [
      { ...token, top_logprobs: Array.isArray(likeliest) ? likeliest.flatMap((other) => tokenOf(other) ?? []) : [] },
    ];
  });
  return content.length === 0 ? null : { content };
}

function tokenOf(entry: unknown): { token: string; logprob: number; bytes: readonly number[] | null } | undefined {
  if (!isObject(entry) || typeof entry['token'] !== 'string' || typeof entry['logprob'] !== 'number') return undefined;
  const { bytes } = entry;
  return {
    token: entry['token'],
    logprob: entry['logprob'],
    bytes: Array.isArray(bytes) && bytes.every((byte) => typeof byte === 'number') ? bytes : null,
  };
}

function headOf(
  event: Record<string, unknown>,
  { traceId, model }: OllamaAnswerContext,
): { id: string; created: number; model: string } {
  const createdMs = typeof event['created_at'] === 'string' ? Date.parse(event['created_at']) : Number.NaN;
  return {
    id: `chatcmpl-${traceId}`,
    created: Math.floor((Number.isFinite(createdMs) ? createdMs : Date.now()) / 1000),
    model: typeof event['model'] === 'string' ? event['model'] : model,
  };
}

function parsedLine(text: string, what: string, { secrets }: OllamaAnswerContext): Record<string, unknown> {
  const parsed = parsedObject(text, what);
  if (parsed['error'] != null) throw errorEvent(parsed['error'], secrets);
  return parsed;
}
