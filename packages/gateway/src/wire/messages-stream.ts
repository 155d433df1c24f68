/**
 * A stream of the one form as events of the Messages format: blocks one after another, each with its start, deltas and
 * stop. The events of an expert that speaks the format itself come as they are, under our own block numbers.
 */
import type { ChatChunk, ChatChunkChoice, Usage } from './chat.ts';
import type { AnswerContext, DialectStream } from './dialect.ts';
import { messageId, modelName } from './messages-answer.ts';
import { type AnswerOrigin, stopReason, thoughtsOf, USAGE_OF_WHOLE, usageToMessages } from './messages-format.ts';
import { originOf } from './origin.ts';
import { type ReasoningDetail, sealed } from './responses-reasoning.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One event of the format, as an expert sent it. */
export interface MessagesEvent {
  readonly type: string;
  readonly index?: number;
  readonly message?: Fields;
  readonly content_block?: Fields;
  readonly delta?: Fields;
  readonly usage?: Fields;
}

/** What a chunk was. */
export interface ChunkOrigin {
  readonly event: MessagesEvent;
  /** Of the chunk as it was made: where it has others by now, the event no longer holds. */
  readonly choices: ChatChunk['choices'];
}

/** A call of a tool whose turn has not come. */
interface WaitingCall {
  /** Its index as the expert gave it: the order in which calls are told. */
  readonly at: number;
  id: string;
  name: string;
  input: string;
}

const PING = event({ type: 'ping' });

/**
 * Begins a stream.
 *
 * @param promptTokens as estimated: an expert tells its own count at the end, if at all
 * @param fail the text of an error event's data
 */
export function messagesStream(
  context: AnswerContext,
  promptTokens: () => number,
  fail: DialectStream['fail'],
): DialectStream {
  let hasBegun = false;
  /** Number of the next block. */
  let next = 0;
  let open: 'text' | 'thinking' | 'call' | 'own' | undefined;
  let openCall = -1;
  let hasCalls = false;
  let hasStartedCall = false;
  /** The text of thoughts comes as such: that of their details is the same. */
  let isTold = false;
  /** Index of the tool call -> what waits: calls of one answer may come interleaved, blocks may not. */
  const waiting = new Map<number, WaitingCall>();
  /** Thoughts and text that came behind a call: it may still go on. */
  const deferred: ChatChunkChoice['delta'][] = [];
  const keys = new Map<number, { key: number; id: string }>();
  let calls = 0;
  /** The expert's own block number -> ours. */
  const own = new Map<number, number>();
  let finish: string | null | undefined;
  let native: unknown;
  let usage: Usage | undefined;
  let ending: AnswerOrigin = {};
  let startUsage: Fields | undefined;
  let endUsage: Fields | undefined;

  const begin = (model: unknown, started?: Fields): string => {
    hasBegun = true;
    startUsage = started?.['usage'] as Fields | undefined;
    return (
      event({
        type: 'message_start',
        message: {
          id: messageId(context),
          type: 'message',
          role: 'assistant',
          model: modelName(model, context),
          content: [],
          stop_reason: null,
          stop_sequence: null,
          stop_details: null,
          container: started?.['container'] ?? null,
          diagnostics: started?.['diagnostics'] ?? null,
          usage: {
            ...USAGE_OF_WHOLE,
            ...(startUsage ?? { ...usageToMessages(undefined), input_tokens: promptTokens() }),
          },
        },
      }) + PING
    );
  };
  const close = (): string => {
    if (open === undefined) return '';
    open = undefined;
    openCall = -1;
    return event({ type: 'content_block_stop', index: next - 1 });
  };
  const start = (kind: NonNullable<typeof open>, block: Fields): string => {
    const before = close();
    open = kind;
    return before + event({ type: 'content_block_start', index: next++, content_block: block });
  };
  const delta = (value: Fields): string => event({ type: 'content_block_delta', index: next - 1, delta: value });
  const words = (value: ChatChunkChoice['delta']): string => {
    let out = '';
    for (const said of [value.content, value['refusal']]) {
      if (typeof said !== 'string' || said === '') continue;
      if (open !== 'text') out += start('text', { type: 'text', text: '', citations: null });
      out += delta({ type: 'text_delta', text: said });
    }
    return out;
  };
  const thoughts = (value: ChatChunkChoice['delta']): string => {
    let out = '';
    const thinking = (): string =>
      open === 'thinking' ? '' : start('thinking', { type: 'thinking', thinking: '', signature: '' });
    const told = value['reasoning_content'];
    const isTelling = typeof told === 'string' && told !== '';
    isTold ||= isTelling;
    if (isTelling) out += thinking() + delta({ type: 'thinking_delta', thinking: told });
    if (value['reasoning_details'] === undefined) return out;
    for (const detail of thoughtsOf(value)) {
      const said = detail['text'] ?? detail['summary'];
      if (detail['type'] === 'reasoning.encrypted') {
        const data = sealed([detail as ReasoningDetail])!;
        out += start('own', { type: 'redacted_thinking', data }) + close();
        continue;
      }
      if (!isTold && typeof said === 'string' && said !== '')
        out += thinking() + delta({ type: 'thinking_delta', thinking: said });
      if (typeof detail['signature'] === 'string' && detail['signature'] !== '')
        // A signature ends a thought: what follows is another.
        out += thinking() + delta({ type: 'signature_delta', signature: detail['signature'] }) + close();
    }
    return out;
  };

  /**
   * Some servers give every call the same index: another id with a name is another call all the same. Others make up an id
   * for every piece: without a name it is the same call.
   */
  const keyOf = (index: number, id: unknown, name: unknown): number => {
    const isNamed = typeof id === 'string' && id !== '';
    const known = keys.get(index);
    if (known !== undefined && (!isNamed || known.id === '' || known.id === id || typeof name !== 'string')) {
      if (isNamed && known.id === '') known.id = id;
      return known.key;
    }
    keys.set(index, { key: calls, id: isNamed ? id : '' });
    return calls++;
  };
  const call = (given: number, id: unknown, name: unknown, input: unknown): string => {
    hasCalls = true;
    const index = keyOf(given, id, name);
    const piece = typeof input === 'string' ? input : '';
    if (openCall === index) return piece === '' ? '' : delta({ type: 'input_json_delta', partial_json: piece });
    const held = waiting.get(index) ?? { at: given, id: '', name: '', input: '' };
    // What is said again in every piece is said once.
    if (typeof id === 'string' && held.id === '') held.id = id;
    if (typeof name === 'string' && held.name === '') held.name = name;
    held.input += piece;
    // Only the first goes out as it comes: whether another is whole can be known at the end alone.
    if (hasStartedCall || given !== 0 || held.name === '') {
      waiting.set(index, held);
      return '';
    }
    hasStartedCall = true;
    waiting.delete(index);
    return startCall(index, held);
  };
  const startCall = (index: number, { id, name, input }: WaitingCall): string => {
    const started = start('call', { type: 'tool_use', id, name, input: {}, caller: { type: 'direct' } });
    openCall = index;
    return started + (input === '' ? '' : delta({ type: 'input_json_delta', partial_json: input }));
  };
  /** Without the pieces of calls, which would stay in memory to the end. */
  const defer = (value: ChatChunkChoice['delta']): void => {
    const { content, refusal, reasoning_content, reasoning_details } = value;
    if (content || refusal || reasoning_content || reasoning_details)
      deferred.push({ content: content ?? null, refusal, reasoning_content, reasoning_details });
  };
  const flush = (): string => {
    let out = close();
    for (const [index, held] of [...waiting].sort(([a, { at: first }], [b, { at: second }]) => first - second || a - b))
      if (held.name !== '') out += startCall(index, held) + close();
    waiting.clear();
    for (const value of deferred) out += thoughts(value) + words(value);
    deferred.length = 0;
    return out + close();
  };

  const ownEvent = (sent: MessagesEvent): string => {
    switch (sent.type) {
      case 'content_block_start':
        own.set(sent.index!, next);
        hasCalls ||= sent.content_block?.['type'] === 'tool_use';
        return start('own', sent.content_block ?? {});
      case 'content_block_delta':
        return event({ type: 'content_block_delta', index: own.get(sent.index!) ?? next - 1, delta: sent.delta });
      case 'content_block_stop':
        return close();
      case 'message_delta':
        ending = sent.delta ?? {};
        endUsage = sent.usage;
        return '';
      default:
        return '';
    }
  };

  return {
    // What is said at the start comes with the first chunk.
    begin: () => '',
    chunk(_, chunk: ChatChunk) {
      const origin = originOf(chunk, 'messages') as ChunkOrigin | undefined;
      // Who wrote the chunk anew, as at the seam of a continued answer, says in the one form what is to be told.
      const sent = origin?.choices === chunk.choices ? origin.event : undefined;
      let out = hasBegun ? '' : begin(chunk.model, sent?.message);
      if (chunk.usage != null) usage = chunk.usage;
      const choice = chunk.choices[0];
      if (choice !== undefined) {
        if (choice.finish_reason != null) finish = choice.finish_reason;
        native = choice['native_finish_reason'] ?? native;
      }
      if (sent !== undefined) return out + ownEvent(sent);
      // Other choices than the first have no place in the format, and its requests cannot ask for them.
      if (choice === undefined || choice.index !== 0) return out;
      const value = choice.delta;
      if (hasCalls) defer(value);
      else out += thoughts(value) + words(value);
      const pieces = value['tool_calls'];
      if (Array.isArray(pieces)) {
        for (const piece of pieces as { index?: unknown; id?: unknown; function?: Fields }[])
          out += call(
            typeof piece?.index === 'number' ? piece.index : 0,
            piece?.id,
            piece?.function?.['name'],
            piece?.function?.['arguments'],
          );
      }
      return out;
    },
    end() {
      let out = hasBegun ? '' : begin(undefined);
      out += flush();
      out += event({
        type: 'message_delta',
        delta: {
          stop_reason: stopReason(finish, ending.stop_reason ?? native, hasCalls),
          stop_sequence: ending.stop_sequence ?? null,
          stop_details: ending.stop_details ?? null,
          container: ending.container ?? null,
        },
        usage:
          endUsage ??
          (usage === undefined ? { ...usageToMessages(undefined), input_tokens: null } : usageToMessages(usage)),
      });
      return out + event({ type: 'message_stop' });
    },
    fail,
  };
}

/** @param value with its `type` */
function event(value: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
}
