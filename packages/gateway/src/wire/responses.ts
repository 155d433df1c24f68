/** OpenAI's Responses API as clients speak it: items instead of messages, typed events, and turns that are kept. */
import type { Principal } from '../identity/principal.ts';
import type { ResponseStore } from '../stores/responses.ts';
import { type ChatChunk, type ChatMessage, type ChatRequest, firstChoice, type Usage } from './chat.ts';
import type { AnswerContext, Dialect, DialectReading, DialectStream } from './dialect.ts';
import { jsonOf } from './json.ts';
import { type GrowingAnswer, growingAnswer } from './responses-answer.ts';
import { echoOf, type ResponseState, responseJson } from './responses-body.ts';
import {
  checkResponsesRequest,
  type Fields,
  type ResponsesRequest,
  unsupported,
  wrongType,
} from './responses-check.ts';
import { earlierItems, itemFinder } from './responses-history.ts';
import { messageBuilder } from './responses-items.ts';
import { sharedFields } from './responses-request.ts';
import { carriedTools } from './responses-tools.ts';

/** What the dialect needs from outside. */
export interface ResponsesOptions {
  readonly store: ResponseStore;
  /** Whether anything may be kept at all. */
  readonly isKept: () => boolean;
  /** 32 hexadecimal digits, new each time. */
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told when an answer could not be kept. */
  readonly onFault: (error: unknown) => void;
}

/** Whose answers a principal finds: those of its own key. */
export function ownerOf({ keyId, keyDigest }: Principal): string {
  // All keys of the environment share an id.
  return keyId === 'static' ? `static:${keyDigest}` : keyId;
}

/** `POST /v1/responses`. */
export function responses(options: ResponsesOptions): Dialect {
  return {
    name: 'responses',
    read: (body, { principal }) => read(options, checkResponsesRequest(body), ownerOf(principal)),
    error: ({ body }) => body,
  };
}

/** A request's items and messages, for whoever only wants to count them. */
export interface ReadConversation {
  readonly messages: readonly ChatMessage[];
  /** Items of this request alone, references resolved. */
  readonly items: readonly Fields[];
}

/**
 * Puts the conversation of a request together: instructions, the turns before, its own items.
 *
 * @param notCarried is added to
 * @throws {GatewrightError} `GW_REQUEST_TYPE`, `GW_REQUEST_UNSUPPORTED`, `GW_RESPONSE_UNKNOWN`, `GW_RESPONSE_CHAIN`
 */
export function readConversation(
  { store, isKept }: Pick<ResponsesOptions, 'store' | 'isKept'>,
  { input, instructions, previous_response_id: previousId }: ResponsesRequest,
  owner: string,
  notCarried: string[],
): ReadConversation {
  const builder = messageBuilder(notCarried);
  if (instructions != null && instructions !== '')
    builder.add({ role: 'system', content: instructions }, 'instructions');
  if (previousId != null) {
    if (!isKept())
      throw unsupported(
        'previous_response_id',
        'The gateway keeps no responses: storage.responses is false in its configuration.',
        'Send the whole conversation as input.',
      );
    for (const { item, path } of earlierItems(store, owner, previousId)) builder.add(item, path);
  }
  const given: readonly Fields[] =
    typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : (input ?? []);
  const find = itemFinder(store, owner);
  const items = given.map((item, index) =>
    isReference(item) ? find(item['id'] as string, `input[${index}].id`) : item,
  );
  for (const [index, item] of items.entries()) builder.add(item, `input[${index}]`);
  const messages = builder.messages();
  if (messages.length === 0) throw wrongType('input', 'There is nothing to answer.', 'Give a text or a list of items.');
  return { messages, items };
}

/** The published form lets a reference be an id and nothing else. */
function isReference({ type, id, role, content }: Fields): boolean {
  const isNamed = type === 'item_reference' || (type == null && role === undefined && content === undefined);
  return isNamed && typeof id === 'string';
}

function read(options: ResponsesOptions, request: ResponsesRequest, owner: string): DialectReading {
  const notCarried: string[] = [];
  const shared = sharedFields(request, notCarried);
  const tools = carriedTools(request.tools, request.tool_choice, notCarried);
  const isStored = request.store !== false && options.isKept();
  if (request.store === true && !isStored) notCarried.push('store');
  const { messages, items } = readConversation(options, request, owner, notCarried);
  const base = options.newId();
  const echo = echoOf(request, isStored);
  const input = isStored
    ? jsonOf(
        items.map((item, index) => inputItem(item, base, index)),
        'input',
      )
    : '';
  const chat: ChatRequest = {
    model: request.model,
    messages,
    ...tools,
    ...shared,
    ...(request.stream == null ? {} : { stream: request.stream }),
    ...(request.stream === true ? { stream_options: { include_usage: true } } : {}),
  };
  const { include } = request;
  const shown = {
    base,
    showsLogprobs: shared.logprobs === true,
    showsEncrypted: include?.includes('reasoning.encrypted_content') === true,
  };
  /** The answer when its last word is known. */
  let ended: { readonly answer: GrowingAnswer; readonly state: ResponseState } | undefined;

  return {
    request: chat,
    notCarried,
    whole(completion, _, context) {
      const answer = growingAnswer(shown);
      const choice = firstChoice(completion);
      const message = (choice?.message ?? {}) as Fields;
      answer.add(numbered(message), choice?.logprobs);
      const state = lastState(options, base, context, completion.model, choice?.finish_reason, completion.usage);
      answer.end(state.status === 'completed');
      ended = { answer, state };
      return responseJson(state, echo, JSON.stringify(answer.items()));
    },
    stream: (context) =>
      streamOf(options, context, echo, shown, (answer, state) => {
        ended = { answer, state };
      }),
    ...(isStored
      ? {
          keep() {
            try {
              if (ended !== undefined)
                options.store.add({
                  id: `resp_${base}`,
                  owner,
                  atMs: options.now(),
                  previousId: request.previous_response_id ?? undefined,
                  response: responseJson(ended.state, echo, undefined),
                  input,
                  output: JSON.stringify(ended.answer.items(true)),
                });
            } catch (error) {
              options.onFault(error);
            }
            return Promise.resolve();
          },
        }
      : {}),
  };
}

function streamOf(
  options: ResponsesOptions,
  context: AnswerContext,
  echo: string,
  shown: { readonly base: string; readonly showsLogprobs: boolean; readonly showsEncrypted: boolean },
  onEnd: (answer: GrowingAnswer, state: ResponseState) => void,
): DialectStream {
  const id = `resp_${shown.base}`;
  const { createdS } = context;
  let text = '';
  let sequence = 0;
  let model: string | undefined;
  let finish: string | null | undefined;
  let usage: Usage | null | undefined;
  const tell = (type: string, fields: string): void => {
    text += `event: response.${type}\ndata: {"type":"response.${type}","sequence_number":${sequence++},${fields}}\n\n`;
  };
  const answer = growingAnswer({ ...shown, tell });
  const taken = (): string => {
    const told = text;
    text = '';
    return told;
  };
  const begin = (name: unknown): void => {
    model = typeof name === 'string' ? name : context.expert;
    const begun = responseJson({ id, createdS, status: 'in_progress', model }, echo, '[]');
    tell('created', `"response":${begun}`);
    tell('in_progress', `"response":${begun}`);
  };

  return {
    // The expert's own name of the model comes with the first chunk.
    begin: () => '',
    chunk(_, chunk: ChatChunk) {
      if (model === undefined) begin(chunk.model);
      if (chunk.usage != null) usage = chunk.usage;
      for (const choice of chunk.choices) {
        if (choice.index !== 0 && choice.index !== undefined) continue;
        answer.add(choice.delta, choice.logprobs);
        if (choice.finish_reason != null) finish = choice.finish_reason;
      }
      return taken();
    },
    end() {
      if (model === undefined) begin(undefined);
      const state = lastState(options, shown.base, context, model, finish, usage);
      answer.end(state.status === 'completed');
      tell(state.status, `"response":${responseJson(state, echo, JSON.stringify(answer.items()))}`);
      onEnd(answer, state);
      return taken();
    },
    fail({ error, status }) {
      const { message, code, param, gateway } = error;
      const told = { code, message, param, gateway };
      text += `event: error\ndata: {"type":"error","sequence_number":${sequence++},${JSON.stringify(told).slice(1)}\n\n`;
      if (model === undefined) return taken();
      const state: ResponseState = {
        id,
        createdS,
        status: 'failed',
        model,
        error: { code: status === 429 ? 'rate_limit_exceeded' : 'server_error', message },
        usage,
      };
      const items = answer
        .items()
        .map((item) => ('status' in item ? { ...item, status: broken(item['status']) } : item));
      tell('failed', `"response":${responseJson(state, echo, JSON.stringify(items))}`);
      return taken();
    },
  };
}

function broken(status: unknown): unknown {
  return status === 'in_progress' ? 'incomplete' : status;
}

/** How it ended, the same for a stream and a whole answer. */
function lastState(
  { now }: ResponsesOptions,
  base: string,
  { createdS, expert }: AnswerContext,
  model: unknown,
  finish: string | null | undefined,
  usage: Usage | null | undefined,
): ResponseState {
  const reason = finish === 'length' ? 'max_output_tokens' : finish === 'content_filter' ? 'content_filter' : undefined;
  return {
    id: `resp_${base}`,
    createdS,
    status: reason === undefined ? 'completed' : 'incomplete',
    model: typeof model === 'string' ? model : expert,
    completedS: reason === undefined ? Math.floor(now() / 1000) : undefined,
    reason,
    usage,
  };
}

/** Calls of a whole message have no index: their place is theirs. */
function numbered(message: Fields): Fields {
  const { tool_calls: calls } = message;
  if (!Array.isArray(calls)) return message;
  return { ...message, tool_calls: calls.map((call, index) => ({ ...call, index })) };
}

/** An item of the request as it is kept and listed: with an id, and a message's text as a part. */
function inputItem(item: Fields, base: string, index: number): Fields {
  const { type = 'message', id, content, role } = item;
  const own = typeof id === 'string' && id !== '' ? id : `${PREFIX[type as string] ?? 'item'}_${base}_in${index}`;
  if (type !== 'message') return { ...item, id: own };
  const parts =
    typeof content === 'string'
      ? [
          role === 'assistant'
            ? { type: 'output_text', text: content, annotations: [] }
            : { type: 'input_text', text: content },
        ]
      : content;
  return { ...item, type, id: own, status: item['status'] ?? 'completed', content: parts };
}

const PREFIX: Readonly<Record<string, string>> = {
  message: 'msg',
  reasoning: 'rs',
  function_call: 'fc',
  function_call_output: 'fco',
  custom_tool_call: 'ctc',
  custom_tool_call_output: 'ctco',
};
