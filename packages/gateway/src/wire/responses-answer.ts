/**
 * The answer as output items of the Responses API, put together delta by delta; a whole answer is one large delta, so that
 * a stream ends in the very items that the JSON answer has. While it grows it tells each step as an event.
 */
import type { TokenLogprob } from './chat.ts';
import { isFields } from './json.ts';
import type { Fields } from './responses-check.ts';
import {
  type CallItem,
  type Common,
  type Item,
  type MessageItem,
  type ReasoningItem,
  shownItem,
  shownPart,
  type TextPart,
} from './responses-output.ts';
import { growingDetails, type ReasoningDetail } from './responses-reasoning.ts';

/**
 * Takes one event.
 *
 * @param type as in `response.output_text.delta`, without the `response.`
 * @param fields JSON text of the event's own fields, without braces
 */
export type TellEvent = (type: string, fields: string) => void;

/** An answer that grows. */
export interface GrowingAnswer {
  /**
   * Adds a delta or a whole message. Experts are outside our reach: what has not the form that it should have is left out.
   *
   * @param logprobs of the choice: the tokens that belong to the text
   */
  add(delta: Fields, logprobs?: unknown): void;
  /**
   * Ends what is open, once.
   *
   * @param isWhole false where the answer was cut off by a limit or a filter: then its last item is incomplete
   */
  end(isWhole: boolean): void;
  /**
   * The items so far.
   *
   * @param isWhole with `encrypted_content`, whether it is shown or not: for the store
   */
  items(isWhole?: boolean): Fields[];
}

/** What an answer needs from outside. */
export interface AnswerOptions {
  /** What is common to the ids of this answer's items. */
  readonly base: string;
  /** Show the tokens' probabilities. */
  readonly showsLogprobs: boolean;
  /** Show `encrypted_content` in events and items. */
  readonly showsEncrypted: boolean;
  /** Undefined where nobody listens. */
  readonly tell?: TellEvent | undefined;
}

/** Begins an answer. */
export function growingAnswer({ base, showsLogprobs, showsEncrypted, tell }: AnswerOptions): GrowingAnswer {
  const items: Item[] = [];
  const calls = new Map<string, CallItem>();
  /** The place that the expert gave a call -> the last one that has it. */
  const callAt = new Map<unknown, CallItem>();
  let lastCall: CallItem | undefined;
  let hasThoughts = false;
  /** The message or the thoughts that are growing. Calls may grow side by side, to the end of the answer. */
  let open: MessageItem | ReasoningItem | undefined;

  const common = (prefix: string): Common => ({
    id: `${prefix}_${base}_${items.length}`,
    outputIndex: items.length,
    status: 'in_progress',
  });
  const place = ({ id, outputIndex }: Common): string => `"item_id":"${id}","output_index":${outputIndex}`;
  const shown = (item: Item): Fields => shownItem(item, showsLogprobs, showsEncrypted);
  const begin = <T extends Item>(item: T): T => {
    items.push(item);
    tell?.('output_item.added', `"output_index":${item.outputIndex},"item":${JSON.stringify(shown(item))}`);
    return item;
  };
  const end = (item: Item, status: 'completed' | 'incomplete'): void => {
    item.status = status;
    if (tell === undefined) return;
    const where = place(item);
    switch (item.type) {
      case 'message':
        if (item.parts.length > 0) endPart(item);
        break;
      case 'reasoning':
        if (item.summaries.length > 0) endSummary(item);
        if (item.text !== undefined) {
          const text = JSON.stringify(item.text);
          tell('reasoning_text.done', `${where},"content_index":0,"text":${text}`);
          tell('content_part.done', `${where},"content_index":0,"part":{"type":"reasoning_text","text":${text}}`);
        }
        break;
      case 'function_call':
        tell('function_call_arguments.done', `${where},"arguments":${JSON.stringify(item.text)}`);
        break;
      case 'custom_tool_call':
        tell('custom_tool_call_input.done', `${where},"input":${JSON.stringify(item.text)}`);
        break;
    }
    tell('output_item.done', `"output_index":${item.outputIndex},"item":${JSON.stringify(shown(item))}`);
  };
  const endOpen = (): void => {
    if (open === undefined) return;
    end(open, 'completed');
    open = undefined;
  };

  function endPart(item: MessageItem): void {
    const index = item.parts.length - 1;
    const part = item.parts[index]!;
    const where = `${place(item)},"content_index":${index}`;
    const text = JSON.stringify(part.text);
    if (part.type === 'refusal') tell!('refusal.done', `${where},"refusal":${text}`);
    else tell!('output_text.done', `${where},"text":${text},"logprobs":${eventLogprobs(part.logprobs)}`);
    tell!('content_part.done', `${where},"part":${JSON.stringify(shownPart(part, showsLogprobs))}`);
  }

  function endSummary(item: ReasoningItem): void {
    const index = item.summaries.length - 1;
    const where = `${place(item)},"summary_index":${index}`;
    const text = JSON.stringify(item.summaries[index]!.text);
    tell!('reasoning_summary_text.done', `${where},"text":${text}`);
    tell!('reasoning_summary_part.done', `${where},"part":{"type":"summary_text","text":${text}}`);
  }

  function eventLogprobs(tokens: readonly TokenLogprob[]): string {
    if (tokens.length === 0) return '[]';
    return JSON.stringify(
      tokens.map(({ token, logprob, top_logprobs: likeliest }) => ({
        token,
        logprob,
        top_logprobs: likeliest.map((other) => ({ token: other.token, logprob: other.logprob })),
      })),
    );
  }

  function thoughts(): ReasoningItem {
    if (open?.type === 'reasoning') return open;
    endOpen();
    open = begin({ type: 'reasoning', ...common('rs'), text: undefined, summaries: [], details: growingDetails() });
    return open;
  }

  function think(text: string): void {
    const item = thoughts();
    const where = place(item);
    if (item.text === undefined) {
      item.text = '';
      tell?.('content_part.added', `${where},"content_index":0,"part":{"type":"reasoning_text","text":""}`);
    }
    item.text += text;
    tell?.('reasoning_text.delta', `${where},"content_index":0,"delta":${JSON.stringify(text)}`);
  }

  function summarize(index: unknown, text: string): void {
    const item = thoughts();
    let last = item.summaries.at(-1);
    if (last === undefined || index === undefined || last.index !== index) {
      if (last !== undefined && tell !== undefined) endSummary(item);
      last = { index, text: '' };
      item.summaries.push(last);
      tell?.(
        'reasoning_summary_part.added',
        `${place(item)},"summary_index":${item.summaries.length - 1},"part":{"type":"summary_text","text":""}`,
      );
    }
    last.text += text;
    tell?.(
      'reasoning_summary_text.delta',
      `${place(item)},"summary_index":${item.summaries.length - 1},"delta":${JSON.stringify(text)}`,
    );
  }

  /** The part of that type, the last one of the message that grows. */
  function part(type: 'output_text' | 'refusal'): MessageItem {
    if (open?.type !== 'message') {
      endOpen();
      open = begin({ type: 'message', ...common('msg'), parts: [] });
    }
    const last = open.parts.at(-1);
    if (last?.type === type) return open;
    if (last !== undefined && tell !== undefined) endPart(open);
    const part = type === 'refusal' ? { type, text: '' } : { type, text: '', annotations: [], logprobs: [] };
    open.parts.push(part);
    tell?.(
      'content_part.added',
      `${place(open)},"content_index":${open.parts.length - 1},"part":${JSON.stringify(shownPart(part, showsLogprobs))}`,
    );
    return open;
  }

  function say(text: string, tokens: readonly TokenLogprob[]): void {
    const item = part('output_text');
    const last = item.parts.at(-1) as TextPart;
    last.text += text;
    for (const token of tokens) last.logprobs.push(token);
    tell?.(
      'output_text.delta',
      `${place(item)},"content_index":${item.parts.length - 1},"delta":${JSON.stringify(text)},"logprobs":${eventLogprobs(tokens)}`,
    );
  }

  function refuse(text: string): void {
    const item = part('refusal');
    item.parts.at(-1)!.text += text;
    tell?.('refusal.delta', `${place(item)},"content_index":${item.parts.length - 1},"delta":${JSON.stringify(text)}`);
  }

  function cite(annotation: unknown): void {
    const item = part('output_text');
    const { annotations } = item.parts.at(-1) as TextPart;
    annotations.push(annotation);
    tell?.(
      'output_text.annotation.added',
      `${place(item)},"content_index":${item.parts.length - 1},"annotation_index":${annotations.length - 1},"annotation":${JSON.stringify(annotation)}`,
    );
  }

  /** The call that a piece goes on with. */
  function knownCall({ index, id }: Fields, name: string | undefined): CallItem | undefined {
    if (index === undefined) return id === undefined ? lastCall : calls.get(id as string);
    const known = callAt.get(index);
    // Some servers give every call the same place: another id with a name is another call all the same. Others make up an
    // id for every piece: without a name it is the same call.
    const isOther = isFilled(id) && isFilled(known?.givenId) && id !== known.givenId && name !== undefined;
    return isOther ? undefined : known;
  }

  function callOf(piece: Fields): CallItem {
    const { index, id } = piece;
    const type = piece['type'] === 'custom' || isFields(piece['custom']) ? 'custom_tool_call' : 'function_call';
    const name = nameOf(type, piece);
    const known = knownCall(piece, name);
    if (known !== undefined) {
      if (!isFilled(known.givenId)) known.givenId = id;
      return known;
    }
    endOpen();
    // Clients tell calls apart by this id, and some experts give none, or the same twice.
    const callId = isFilled(id) && !calls.has(id) ? id : `call_${base}_${items.length}`;
    const prefix = type === 'function_call' ? 'fc' : 'ctc';
    lastCall = begin({ type, ...common(prefix), givenId: id, callId, name: name ?? '', text: '' });
    calls.set(callId, lastCall);
    callAt.set(index, lastCall);
    return lastCall;
  }

  function call(piece: Fields): void {
    const item = callOf(piece);
    if (item.name === '') item.name = nameOf(item.type, piece) ?? '';
    const body = piece[item.type === 'function_call' ? 'function' : 'custom'];
    const text = isFields(body) ? body[item.type === 'function_call' ? 'arguments' : 'input'] : undefined;
    if (typeof text !== 'string' || text === '') return;
    item.text += text;
    tell?.(
      item.type === 'function_call' ? 'function_call_arguments.delta' : 'custom_tool_call_input.delta',
      `${place(item)},"delta":${JSON.stringify(text)}`,
    );
  }

  return {
    add(delta, logprobs) {
      const { content, refusal, reasoning_content: thought, reasoning_details: details } = delta;
      const { annotations, tool_calls: pieces } = delta;
      if (typeof thought === 'string' && thought !== '') {
        hasThoughts = true;
        think(thought);
      }
      if (Array.isArray(details)) {
        for (const detail of details) {
          if (!isFields(detail) || typeof detail['type'] !== 'string' || !isWritable(detail)) continue;
          const { text, summary, index } = detail;
          // The same text stands in reasoning_content, where there is one.
          if (detail['type'] === 'reasoning.text' && typeof text === 'string' && text !== '' && !hasThoughts)
            think(text);
          else if (detail['type'] === 'reasoning.summary' && typeof summary === 'string') summarize(index, summary);
          thoughts().details.add(detail as ReasoningDetail);
        }
      }
      const tokens = showsLogprobs ? tokensOf(logprobs) : NO_TOKENS;
      // A token may be a part of a character, which comes whole with the next one.
      if (typeof content === 'string' && (content !== '' || tokens.length > 0)) say(content, tokens);
      if (typeof refusal === 'string' && refusal !== '') refuse(refusal);
      if (Array.isArray(annotations))
        for (const annotation of annotations) if (isWritable(annotation)) cite(flatAnnotation(annotation));
      if (Array.isArray(pieces)) for (const piece of pieces) if (isFields(piece)) call(piece);
    },
    end(isWhole) {
      // An answer without a word is a message without a word, not a list without items.
      if (items.length === 0) part('output_text');
      const last = items.at(-1);
      open = undefined;
      for (const item of items)
        if (item.status === 'in_progress') end(item, isWhole || item !== last ? 'completed' : 'incomplete');
    },
    items: (isWhole = false) => items.map((item) => shownItem(item, showsLogprobs, showsEncrypted || isWhole)),
  };
}

function nameOf(type: CallItem['type'], piece: Fields): string | undefined {
  const body = piece[type === 'function_call' ? 'function' : 'custom'];
  return isFields(body) && typeof body['name'] === 'string' ? body['name'] : undefined;
}

const NO_TOKENS: readonly TokenLogprob[] = [];

function tokensOf(logprobs: unknown): TokenLogprob[] {
  const content = isFields(logprobs) ? logprobs['content'] : undefined;
  if (!Array.isArray(content)) return [];
  return content.filter(isToken).map((token) => ({
    ...token,
    bytes: bytesOf(token.bytes),
    top_logprobs: Array.isArray(token.top_logprobs)
      ? token.top_logprobs.filter(isToken).map((other) => ({ ...other, bytes: bytesOf(other.bytes) }))
      : [],
  }));
}

function bytesOf(bytes: unknown): number[] | null {
  return Array.isArray(bytes) && bytes.every((byte) => typeof byte === 'number') ? bytes : null;
}

function isToken(value: unknown): value is TokenLogprob {
  return isFields(value) && typeof value['token'] === 'string' && typeof value['logprob'] === 'number';
}

/** `{type, url_citation: {...}}` -> `{type, ...}`: Responses has the fields beside the type. */
function flatAnnotation(annotation: unknown): unknown {
  if (!isFields(annotation)) return annotation;
  const { type } = annotation;
  const inner = typeof type === 'string' && Object.hasOwn(annotation, type) ? annotation[type] : undefined;
  return isFields(inner) ? { type, ...inner } : annotation;
}

/** JSON.parse takes deeper nesting than JSON.stringify. Only what holds something else can be nested. */
function isWritable(value: unknown): boolean {
  if (!isFields(value) && !Array.isArray(value)) return true;
  if (!Object.values(value).some((inner) => typeof inner === 'object' && inner !== null)) return true;
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
