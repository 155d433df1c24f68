/**
 * What servers of OpenAI's format say otherwise in their answers, brought into OpenAI's own form: `reasoning` for
 * `reasoning_content` (vLLM, OpenRouter), an empty finish reason, a choice without index or delta, calls of tools without
 * index or id, usage under `x_groq`. An answer in order is handed back as it is: its text is passed on unread.
 */
import type { ChatChunk, ChatChunkChoice, ChatCompletion, Usage } from '../wire/chat.ts';
import { isObject, malformed } from './upstream-failures.ts';

/** Repairs the events of one stream. */
export interface ChunkRepair {
  /**
   * @returns the same object if nothing was odd
   * @throws {ProviderFailure} `GW_UPSTREAM_MALFORMED` for what has no choices
   */
  repair(chunk: Record<string, unknown>): ChatChunk;
}

/** Calls of one choice, by their place. */
interface KnownCalls {
  /** Ids by index. */
  readonly ids: Map<number, string>;
  last: number;
}

/** Begins the repair of one stream. @param traceId what ids are made of, where a server gives none */
export function chunkRepair(traceId: string): ChunkRepair {
  let known: Map<number, KnownCalls> | undefined;
  return {
    repair(chunk) {
      const choices = chunk['choices'];
      if (!Array.isArray(choices)) {
        // Nothing but a count, as some servers end.
        if (choices == null && usageOf(chunk) !== undefined)
          return withUsage({ ...chunk, choices: [] } as unknown as ChatChunk);
        throw malformed('an event of the stream has no choices');
      }
      let isOdd = chunk['usage'] == null && chunk['x_groq'] !== undefined && usageOf(chunk) !== undefined;
      let hasCalls = false;
      for (const choice of choices) {
        if (!isObject(choice)) throw malformed('a choice of the stream has no delta');
        if (isOddChoice(choice)) isOdd = true;
        else if ((choice['delta'] as Record<string, unknown>)['tool_calls'] != null) hasCalls = true;
      }
      if (!isOdd && !hasCalls) return chunk as unknown as ChatChunk;
      known ??= new Map();
      if (!isOdd) {
        for (const choice of choices) noteCalls(choice as unknown as ChatChunkChoice, known);
        return chunk as unknown as ChatChunk;
      }
      const repaired = choices.map((choice: Record<string, unknown>, i) => repairedChoice(choice, i, known!, traceId));
      return withUsage({ ...chunk, choices: repaired } as unknown as ChatChunk);
    },
  };
}

function isOddChoice(choice: Record<string, unknown>): boolean {
  const { delta } = choice;
  if (!isObject(delta) || typeof choice['index'] !== 'number' || choice['finish_reason'] === '') return true;
  if (typeof delta['reasoning'] === 'string' && delta['reasoning_content'] === undefined) return true;
  const calls = delta['tool_calls'];
  if (!Array.isArray(calls)) return false;
  for (const call of calls) {
    if (!isObject(call) || typeof call['index'] !== 'number') return true;
    // The first piece of a call says its name: with it comes the id.
    if (typeof call['id'] !== 'string' && isObject(call['function']) && call['function']['name']) return true;
  }
  return false;
}

/** Remembers the calls of a choice in order: a later piece may lack what they said. */
function noteCalls({ index, delta }: ChatChunkChoice, known: Map<number, KnownCalls>): void {
  if (!Array.isArray(delta['tool_calls'])) return;
  const calls = callsOf(known, index);
  for (const { index: place, id } of delta['tool_calls']) {
    calls.last = place;
    if (typeof id === 'string' && id !== '') calls.ids.set(place, id);
  }
}

function callsOf(known: Map<number, KnownCalls>, choice: number): KnownCalls {
  const calls = known.get(choice) ?? { ids: new Map(), last: -1 };
  known.set(choice, calls);
  return calls;
}

function repairedChoice(
  choice: Record<string, unknown>,
  position: number,
  known: Map<number, KnownCalls>,
  traceId: string,
): ChatChunkChoice {
  const index = typeof choice['index'] === 'number' ? choice['index'] : position;
  const finishReason = choice['finish_reason'] === '' ? null : (choice['finish_reason'] ?? null);
  if (!isObject(choice['delta']) && finishReason === null) throw malformed('a choice of the stream has no delta');
  const delta = withReasoning(isObject(choice['delta']) ? choice['delta'] : {});
  if (Array.isArray(delta['tool_calls'])) {
    const calls = callsOf(known, index);
    delta['tool_calls'] = delta['tool_calls'].flatMap((call: unknown) =>
      isObject(call) ? [repairedCall(call, calls, index, traceId)] : [],
    );
  }
  return { ...choice, index, delta, finish_reason: finishReason as string | null };
}

function repairedCall(
  call: Record<string, unknown>,
  calls: KnownCalls,
  choice: number,
  traceId: string,
): Record<string, unknown> {
  const name = isObject(call['function']) ? call['function']['name'] : undefined;
  const stated = typeof call['id'] === 'string' && call['id'] !== '' ? call['id'] : undefined;
  const place = stated === undefined ? undefined : placeOf(calls, stated);
  const isNew = stated === undefined ? Boolean(name) : place === undefined;
  const index =
    typeof call['index'] === 'number' ? call['index'] : isNew ? calls.last + 1 : (place ?? Math.max(0, calls.last));
  calls.last = index;
  if (calls.ids.has(index)) return { ...call, index };
  const id = stated ?? madeId(traceId, choice, index);
  calls.ids.set(index, id);
  return { ...call, index, id, type: 'function' };
}

function placeOf({ ids }: KnownCalls, id: string): number | undefined {
  for (const [place, known] of ids) if (known === id) return place;
  return undefined;
}

function madeId(traceId: string, choice: number, call: number): string {
  return `call_${traceId.slice(3)}_${choice}_${call}`;
}

function withReasoning(message: Record<string, unknown>): Record<string, unknown> {
  const { reasoning, ...rest } = message;
  if (typeof reasoning !== 'string' || message['reasoning_content'] !== undefined) return { ...message };
  return { ...rest, reasoning_content: reasoning };
}

function withUsage<T extends ChatChunk | ChatCompletion>(answer: T): T {
  const usage = answer.usage ?? usageOf(answer);
  return usage === undefined || usage === answer.usage ? answer : { ...answer, usage };
}

function usageOf(answer: Readonly<Record<string, unknown>>): Usage | undefined {
  const { usage, x_groq: groq } = answer;
  if (isObject(usage)) return usage as unknown as Usage;
  return isObject(groq) && isObject(groq['usage']) ? (groq['usage'] as unknown as Usage) : undefined;
}

/**
 * A whole answer in order; the same object if nothing was odd.
 *
 * @param body with choices that all have a message
 */
export function repairedCompletion(body: ChatCompletion, traceId: string): ChatCompletion {
  const isOdd =
    body.choices.some(({ index, message, finish_reason }) => {
      if (typeof index !== 'number' || finish_reason === '') return true;
      if (typeof message['reasoning'] === 'string' && message['reasoning_content'] === undefined) return true;
      const calls = message['tool_calls'];
      return Array.isArray(calls) && calls.some(isOddCall);
    }) ||
    (body.usage == null && usageOf(body) !== undefined);
  if (!isOdd) return body;
  return withUsage({
    ...body,
    choices: body.choices.map((choice, i) => {
      const index = typeof choice.index === 'number' ? choice.index : i;
      const message = withReasoning(choice.message);
      const calls = message['tool_calls'];
      if (Array.isArray(calls))
        message['tool_calls'] = calls.filter(isObject).map((call, number) => wholeCall(call, traceId, index, number));
      return {
        ...choice,
        index,
        message: message as typeof choice.message,
        // A whole answer has ended.
        finish_reason: choice.finish_reason === '' ? (hasCalls(calls) ? 'tool_calls' : 'stop') : choice.finish_reason,
      };
    }),
  });
}

function hasCalls(calls: unknown): boolean {
  return Array.isArray(calls) && calls.length > 0;
}

function isOddCall(call: unknown): boolean {
  if (!isObject(call) || typeof call['id'] !== 'string' || call['id'] === '') return true;
  return isObject(call['function']) && isObject(call['function']['arguments']);
}

function wholeCall(
  call: Record<string, unknown>,
  traceId: string,
  choice: number,
  number: number,
): Record<string, unknown> {
  const called = call['function'];
  return {
    ...call,
    id: typeof call['id'] === 'string' && call['id'] !== '' ? call['id'] : madeId(traceId, choice, number),
    type: call['type'] ?? 'function',
    ...(isObject(called) && isObject(called['arguments'])
      ? { function: { ...called, arguments: JSON.stringify(called['arguments']) } }
      : {}),
  };
}
