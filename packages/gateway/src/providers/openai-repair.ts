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
  readonly places: Map<string, number>;
  /** An index that the server gave to several calls, and where the newest of them stands. */
  readonly moved: Map<number, number>;
  last: number;
  /** Above all that were used. */
  next: number;
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
      const { usage } = chunk;
      let isOdd =
        usage == null
          ? chunk['x_groq'] !== undefined && usageOf(chunk) !== undefined
          : isObject(usage) && countedOnce(usage as unknown as Usage) !== (usage as object);
      let hasCalls = false;
      for (const choice of choices) {
        if (!isObject(choice)) throw malformed('a choice of the stream has no delta');
        if (usage == null && isObject(choice['usage'])) isOdd = true;
        if (isOddChoice(choice)) isOdd = true;
        else if ((choice['delta'] as Record<string, unknown>)['tool_calls'] != null) hasCalls = true;
      }
      if (!isOdd && !hasCalls) return chunk as unknown as ChatChunk;
      known ??= new Map();
      if (!isOdd && !choices.some((choice) => hasTakenPlace(choice as unknown as ChatChunkChoice, known!))) {
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

/** Whether a call has the index of another: some servers give every call the same. */
function hasTakenPlace({ index, delta }: ChatChunkChoice, known: Map<number, KnownCalls>): boolean {
  const calls = known.get(index);
  if (calls === undefined || !Array.isArray(delta['tool_calls'])) return false;
  if (calls.moved.size > 0) return true;
  return delta['tool_calls'].some((call) => {
    const owner = calls.ids.get(call.index);
    return owner !== undefined && isFilled(call.id) && call.id !== owner && isFilled(call.function?.name);
  });
}

/** Remembers the calls of a choice in order: a later piece may lack what they said. */
function noteCalls({ index, delta }: ChatChunkChoice, known: Map<number, KnownCalls>): void {
  if (!Array.isArray(delta['tool_calls'])) return;
  const calls = callsOf(known, index);
  for (const { index: place, id } of delta['tool_calls']) {
    calls.last = place;
    if (isFilled(id) && !calls.ids.has(place)) addCall(calls, place, id);
  }
}

function callsOf(known: Map<number, KnownCalls>, choice: number): KnownCalls {
  const calls = known.get(choice) ?? { ids: new Map(), places: new Map(), moved: new Map(), last: -1, next: 0 };
  known.set(choice, calls);
  return calls;
}

function addCall(calls: KnownCalls, place: number, id: string): void {
  calls.ids.set(place, id);
  calls.places.set(id, place);
  calls.next = Math.max(calls.next, place + 1);
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function repairedChoice(
  choice: Record<string, unknown>,
  position: number,
  known: Map<number, KnownCalls>,
  traceId: string,
): ChatChunkChoice {
  const index = typeof choice['index'] === 'number' ? choice['index'] : position;
  const finishReason = choice['finish_reason'] === '' ? null : (choice['finish_reason'] ?? null);
  // Azure's filter annotates what has gone before.
  const isAnnotation = choice['delta'] == null && isObject(choice['content_filter_results']);
  if (!isObject(choice['delta']) && finishReason === null && !isAnnotation)
    throw malformed('a choice of the stream has no delta');
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
  const isNamed = isObject(call['function']) && isFilled(call['function']['name']);
  const stated = isFilled(call['id']) ? call['id'] : undefined;
  const index = placeOf(calls, call['index'], stated, isNamed);
  calls.last = index;
  if (calls.ids.has(index)) return { ...call, index };
  const id = stated ?? madeId(traceId, choice, index);
  addCall(calls, index, id);
  return { ...call, index, id, type: 'function' };
}

function placeOf(calls: KnownCalls, said: unknown, id: string | undefined, isNamed: boolean): number {
  const known = id === undefined ? undefined : calls.places.get(id);
  if (known !== undefined) return known;
  if (typeof said !== 'number') return isNamed || id !== undefined ? calls.next : Math.max(0, calls.last);
  const place = calls.moved.get(said) ?? said;
  if (id === undefined || !isNamed || !calls.ids.has(place)) return place;
  calls.moved.set(said, calls.next);
  return calls.next;
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
  const told = answer.usage ?? usageOf(answer);
  if (told === undefined) return answer;
  const usage = countedOnce(told);
  return usage === answer.usage ? answer : { ...answer, usage };
}

/** Groq's and Moonshot's places for it in streams are others. */
function usageOf(answer: Readonly<Record<string, unknown>>): Usage | undefined {
  const { usage, x_groq: groq, choices } = answer;
  if (isObject(usage)) return usage as unknown as Usage;
  if (isObject(groq) && isObject(groq['usage'])) return groq['usage'] as unknown as Usage;
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
  return isObject(first) && isObject(first['usage']) ? (first['usage'] as unknown as Usage) : undefined;
}

/** Counts as OpenAI has them: all thoughts within the answer, and what a cache held by its own name. The same object if so. */
function countedOnce(usage: Usage): Usage {
  const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = usage;
  let counted = usage;
  const answer = usage['completion_tokens_details'];
  const thoughts = isObject(answer) ? answer['reasoning_tokens'] : undefined;
  // xAI counts thoughts beside the answer: its sum says so.
  if (typeof thoughts === 'number' && thoughts > 0 && total === prompt + completion + thoughts)
    counted = { ...counted, completion_tokens: completion + thoughts };
  const parts = isObject(usage['prompt_tokens_details']) ? usage['prompt_tokens_details'] : {};
  // DeepSeek's and Moonshot's names for what was read, OpenRouter's for what was written.
  const read = parts['cached_tokens'] ?? usage['prompt_cache_hit_tokens'] ?? usage['cached_tokens'];
  const written = parts['cache_creation_tokens'] ?? parts['cache_write_tokens'];
  if (read === parts['cached_tokens'] && written === parts['cache_creation_tokens']) return counted;
  return {
    ...counted,
    prompt_tokens_details: {
      ...parts,
      ...(read === undefined ? {} : { cached_tokens: read }),
      ...(written === undefined ? {} : { cache_creation_tokens: written }),
    },
  };
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
    }) || withUsage(body) !== body;
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
