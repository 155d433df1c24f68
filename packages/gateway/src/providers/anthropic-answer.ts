/** Answers of Anthropic's Messages API in the one form, whole and streamed, each with what it was beside it. */
import type { ChatChunk, ChatCompletion, Usage } from '../wire/chat.ts';
import { type AnswerOrigin, type Block, finishReason, usageFromMessages } from '../wire/messages-format.ts';
import type { ChunkOrigin, MessagesEvent } from '../wire/messages-stream.ts';
import { withOrigin } from '../wire/origin.ts';
import { ProviderFailure } from './failure.ts';
import type { AnswerFormat, Emit, StreamTranslator } from './http-call.ts';
import { errorEvent, isObject, malformed, parsedObject, truncated } from './upstream-failures.ts';

/** What one call's answers are read with. */
export interface AnswerSettings {
  /** Kept out of every message. */
  readonly secrets: readonly string[];
  /** Name of the tool whose input is the answer's text; undefined where there is none. */
  readonly answerTool: string | undefined;
  /** Seconds since 1970. */
  readonly createdS: number;
}

/** The format of one call's answer. */
export function anthropicFormat(settings: AnswerSettings): AnswerFormat {
  return {
    framing: 'sse',
    whole: (text) => whole(text, settings),
    stream: (emit) => streamOf(emit, settings),
  };
}

function whole(text: string, { secrets, answerTool, createdS }: AnswerSettings): ReturnType<AnswerFormat['whole']> {
  const message = parsedObject(text, 'the answer');
  if (message['type'] === 'error') throw streamError(message['error'], secrets);
  const blocks: unknown = message['content'];
  if (!Array.isArray(blocks)) throw malformed('the answer has no content');
  let content = '';
  let thoughts = '';
  let isForced = false;
  const details: object[] = [];
  const calls: object[] = [];
  for (const block of blocks as unknown[]) {
    if (!isObject(block)) throw malformed('a block of the answer is not an object');
    switch (block['type']) {
      case 'text':
        content += textOf(block['text']);
        break;
      case 'thinking':
        thoughts += textOf(block['thinking']);
        details.push({
          type: 'reasoning.text',
          text: textOf(block['thinking']),
          signature: textOf(block['signature']),
        });
        break;
      case 'redacted_thinking':
        details.push({ type: 'reasoning.encrypted', data: textOf(block['data']) });
        break;
      case 'tool_use':
        if (block['name'] === answerTool) {
          content += JSON.stringify(block['input']);
          isForced = true;
        } else
          calls.push({
            id: textOf(block['id']),
            type: 'function',
            function: { name: textOf(block['name']), arguments: JSON.stringify(block['input'] ?? {}) },
          });
    }
  }
  const stop = stopOf(message['stop_reason'], isForced && calls.length === 0);
  const usage = usageFromMessages(isObject(message['usage']) ? message['usage'] : {});
  const said = {
    role: 'assistant',
    content: content === '' && calls.length > 0 ? null : content,
    ...refusalOf(message['stop_reason'], message['stop_details']),
    ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  const plain: ChatCompletion = {
    id: textOf(message['id']),
    object: 'chat.completion',
    created: createdS,
    model: textOf(message['model']),
    choices: [
      {
        index: 0,
        message: isForced ? said : withOrigin(said, 'messages', blocks),
        finish_reason: finishReason(stop),
        native_finish_reason: stop,
        logprobs: null,
      },
    ],
    usage,
  };
  const { stop_sequence, stop_details, container, diagnostics } = message;
  const origin: AnswerOrigin = {
    stop_reason: stop,
    stop_sequence,
    stop_details,
    container,
    diagnostics,
    usage: message['usage'],
  };
  const body = withOrigin(plain, 'messages', origin);
  return { completion: { data: JSON.stringify(body), body }, usage };
}

/** A block of the stream under way. */
interface OpenBlock {
  readonly kind: 'text' | 'thinking' | 'call' | 'answer' | 'other';
  /** Among the calls, or among the details of thought. */
  readonly place: number;
  isEmpty: boolean;
}

function streamOf(emit: Emit, { secrets, answerTool, createdS }: AnswerSettings): StreamTranslator {
  const open = new Map<number, OpenBlock>();
  let head = { id: '', object: 'chat.completion.chunk' as const, created: createdS, model: '' };
  let counts: Record<string, unknown> = {};
  let usage: Usage | undefined;
  let calls = 0;
  let thoughts = 0;
  let hasContent = false;
  let hasStarted = false;
  let hasAnswer = false;
  let isFinished = false;
  let isDone = false;

  const say = (delta: ChatChunk['choices'][0]['delta'], sent: MessagesEvent | undefined, end?: object): void => {
    const chunk: ChatChunk = { ...head, choices: [{ index: 0, delta, finish_reason: null, ...end }] };
    if (sent === undefined) {
      emit(chunk);
      return;
    }
    const origin: ChunkOrigin = { event: sent, choices: chunk.choices };
    emit(withOrigin(chunk, 'messages', origin));
  };
  const callDelta = (place: number, called: object, more: object = {}): ChatChunk['choices'][0]['delta'] => ({
    tool_calls: [{ index: place, ...more, function: called }],
  });

  const start = (sent: MessagesEvent): void => {
    const block = sent.content_block as Block | undefined;
    if (!isObject(block) || typeof sent.index !== 'number') throw malformed('a block of the stream is not an object');
    hasContent = true;
    switch (block.type) {
      case 'text': {
        open.set(sent.index, { kind: 'text', place: 0, isEmpty: true });
        const text = textOf(block['text']);
        say(text === '' ? {} : { content: text }, sent);
        return;
      }
      case 'thinking': {
        const place = thoughts++;
        open.set(sent.index, { kind: 'thinking', place, isEmpty: true });
        const text = textOf(block['thinking']);
        say(text === '' ? {} : thoughtDelta(text, place), sent);
        return;
      }
      case 'redacted_thinking':
        open.set(sent.index, { kind: 'other', place: thoughts, isEmpty: false });
        say({ reasoning_details: [{ type: 'reasoning.encrypted', data: block['data'], index: thoughts++ }] }, sent);
        return;
      case 'tool_use': {
        if (block['name'] === answerTool) {
          hasAnswer = true;
          open.set(sent.index, { kind: 'answer', place: 0, isEmpty: true });
          return;
        }
        const place = calls++;
        const isWhole = isObject(block['input']) && Object.keys(block['input']).length > 0;
        open.set(sent.index, { kind: 'call', place, isEmpty: !isWhole });
        const called = { name: block['name'], arguments: isWhole ? JSON.stringify(block['input']) : '' };
        say(callDelta(place, called, { id: block['id'], type: 'function' }), sent);
        return;
      }
      default:
        open.set(sent.index, { kind: 'other', place: 0, isEmpty: false });
        say({}, sent);
    }
  };

  const add = (sent: MessagesEvent): void => {
    const block = open.get(sent.index!);
    const { delta } = sent;
    if (block === undefined || !isObject(delta)) throw malformed('a delta of the stream has no block');
    switch (delta['type']) {
      case 'text_delta':
        say({ content: textOf(delta['text']) }, sent);
        return;
      case 'input_json_delta': {
        const piece = textOf(delta['partial_json']);
        if (piece !== '') block.isEmpty = false;
        if (block.kind === 'answer') say({ content: piece }, undefined);
        else say(block.kind === 'call' ? callDelta(block.place, { arguments: piece }) : {}, sent);
        return;
      }
      case 'thinking_delta':
        say(thoughtDelta(textOf(delta['thinking']), block.place), sent);
        return;
      case 'signature_delta':
        say(
          { reasoning_details: [{ type: 'reasoning.text', signature: delta['signature'], index: block.place }] },
          sent,
        );
        return;
      default:
        say({}, sent);
    }
  };

  const stop = (sent: MessagesEvent): void => {
    const block = open.get(sent.index!);
    if (block?.kind === 'answer') {
      if (block.isEmpty) say({ content: '{}' }, undefined);
    } else if (block?.kind === 'call' && block.isEmpty) say(callDelta(block.place, { arguments: '{}' }), sent);
    else say({}, sent);
  };

  const finish = (sent: MessagesEvent): void => {
    if (isObject(sent.usage)) for (const name in sent.usage) counts[name] = sent.usage[name] ?? counts[name];
    const delta = isObject(sent.delta) ? sent.delta : {};
    const reason = delta['stop_reason'];
    if (typeof reason !== 'string') return;
    isFinished = true;
    usage = usageFromMessages(counts);
    const native = stopOf(reason, hasAnswer && calls === 0);
    const shown = native === reason ? sent : { ...sent, delta: { ...delta, stop_reason: native } };
    say(refusalOf(reason, delta['stop_details']), shown, {
      finish_reason: finishReason(native),
      native_finish_reason: native,
    });
    emit({ ...head, choices: [], usage });
  };

  return {
    event(data, name) {
      if (isDone) return;
      const sent = parsedObject(data, 'an event of the stream') as unknown as MessagesEvent;
      const type = typeof sent.type === 'string' ? sent.type : (name ?? '');
      // Only an error may come before the start; what is not known is to be passed over.
      if (!hasStarted && type.startsWith('content_block')) throw malformed('the stream has no beginning');
      switch (type) {
        case 'message_start': {
          const message: Record<string, unknown> = isObject(sent.message) ? sent.message : {};
          head = { ...head, id: textOf(message['id']), model: textOf(message['model']) };
          if (isObject(message['usage'])) counts = { ...message['usage'] };
          hasStarted = true;
          say({ role: 'assistant', content: '' }, sent);
          return;
        }
        case 'content_block_start':
          start(sent);
          return;
        case 'content_block_delta':
          add(sent);
          return;
        case 'content_block_stop':
          stop(sent);
          return;
        case 'message_delta':
          finish(sent);
          return;
        case 'message_stop':
          isDone = true;
          return;
        case 'error':
          throw streamError((sent as unknown as Record<string, unknown>)['error'], secrets);
      }
    },
    end() {
      if (isFinished) return { usage };
      throw truncated(
        isDone ? 'the stream says it is done, but gives no stop reason' : 'the connection closed before a stop reason',
      );
    },
    get hasContent() {
      return hasContent;
    },
    get isWhole() {
      return isDone && isFinished;
    },
    get usage() {
      return usage ?? (hasStarted ? usageFromMessages(counts) : undefined);
    },
  };
}

function thoughtDelta(text: string, place: number): ChatChunk['choices'][0]['delta'] {
  return { reasoning_content: text, reasoning_details: [{ type: 'reasoning.text', text, index: place }] };
}

/** A forced tool is our doing: for the client the answer just ended. */
function stopOf(reason: unknown, isForced: boolean): string {
  if (typeof reason !== 'string') return 'end_turn';
  return isForced && reason === 'tool_use' ? 'end_turn' : reason;
}

function refusalOf(reason: unknown, details: unknown): { refusal?: string } {
  const said = reason === 'refusal' && isObject(details) ? details['explanation'] : undefined;
  return typeof said === 'string' && said !== '' ? { refusal: said } : {};
}

/** A request that is too large is so everywhere; of the rest only a wrong one is the request's fault. */
function streamError(error: unknown, secrets: readonly string[]): ProviderFailure {
  const failure = errorEvent(error, secrets);
  if (failure.upstream?.['type'] !== 'request_too_large') return failure;
  return new ProviderFailure(failure.code, failure.message, {
    fix: 'Send less.',
    elsewhere: false,
    upstream: failure.upstream,
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
