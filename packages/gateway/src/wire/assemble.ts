/** From the chunks of a stream to the whole answer, and back. */
import type { ChatChoice, ChatChunk, ChatCompletion, Usage } from './chat.ts';
import { isFields } from './json.ts';

/** Puts one answer together, chunk by chunk. */
export interface Assembler {
  add(chunk: ChatChunk): void;
  /** What has come so far; undefined before the first chunk. A choice without an end has `finish_reason` null. */
  completion(): ChatCompletion | undefined;
  /** About how many characters it holds, to bound memory. */
  readonly characters: number;
}

type Fields = Record<string, unknown>;

interface OpenChoice {
  index: number;
  message: Fields;
  finishReason: string | null;
  logprobs: Fields | null | undefined;
  /** Pieces by list and index: tool calls, details of thoughts. */
  lists: Map<string, IndexedList>;
  rest: Fields;
}

/** Entries by their index, and the first index behind them all. */
interface IndexedList {
  readonly entries: Map<number, Fields>;
  next: number;
}

/** Texts that arrive in pieces; any other text of a delta is whole. */
const TEXTS = new Set(['content', 'reasoning_content', 'reasoning', 'refusal']);
/** Lists whose entries arrive in pieces, each with its `index`. */
const INDEXED = new Set(['tool_calls', 'reasoning_details']);
/** Texts inside such an entry that arrive in pieces. */
const INNER_TEXTS = new Set(['arguments', 'input', 'text', 'summary', 'data', 'transcript']);

/** JSON may name it; read from an object without one, it is what all objects share. */
const SHARED = '__proto__';

/** Begins an answer. */
export function assembler(): Assembler {
  let head: Fields | undefined;
  let usage: Usage | undefined;
  let characters = 0;
  const open = new Map<number, OpenChoice>();

  const count = (value: unknown): void => {
    if (typeof value === 'string') characters += value.length;
  };
  const mergeEntry = (target: Fields, piece: Fields): void => {
    for (const name in piece) {
      if (name === SHARED) continue;
      const value = piece[name];
      const known = target[name];
      if (INNER_TEXTS.has(name) && typeof value === 'string' && typeof known === 'string') target[name] = known + value;
      else if (isFields(value) && isFields(known)) mergeEntry(known, value);
      else if (value !== undefined && (value !== null || known === undefined))
        target[name] = isFields(value) ? { ...value } : value;
      count(value);
    }
  };
  const addIndexed = (choice: OpenChoice, name: string, pieces: readonly unknown[]): void => {
    let list = choice.lists.get(name);
    if (list === undefined) {
      list = { entries: new Map(), next: 0 };
      choice.lists.set(name, list);
    }
    for (const piece of pieces) {
      if (!isFields(piece)) continue;
      const { index, ...fields } = piece;
      // Without an index each piece is whole: it comes behind what is there.
      const at = typeof index === 'number' ? index : list.next;
      let entry = list.entries.get(at);
      if (entry === undefined) {
        entry = {};
        list.entries.set(at, entry);
        list.next = Math.max(list.next, at + 1);
      }
      mergeEntry(entry, fields);
    }
  };
  const addDelta = (choice: OpenChoice, delta: Fields): void => {
    const { message } = choice;
    for (const name in delta) {
      if (name === SHARED) continue;
      const value = delta[name];
      const known = message[name];
      if (INDEXED.has(name) && Array.isArray(value)) addIndexed(choice, name, value);
      else if (TEXTS.has(name) && typeof value === 'string') {
        message[name] = typeof known === 'string' ? known + value : value;
        characters += value.length;
      } else if (Array.isArray(value)) {
        // A list of our own grows: a chunk's is left alone, and none is copied again and again.
        if (Array.isArray(known)) for (const entry of value) known.push(entry);
        else message[name] = [...value];
      } else if (isFields(value) && isFields(known)) mergeEntry(known, value);
      else if (value !== undefined && (value !== null || known === undefined)) {
        message[name] = isFields(value) ? { ...value } : value;
        count(value);
      }
    }
  };

  return {
    add(chunk) {
      const { choices, usage: told, object: _, ...fields } = chunk;
      // The first chunk says what the answer is; later ones only add what it did not say.
      if (head === undefined) head = fields as Fields;
      else for (const name in fields) if (head[name] == null) head[name] = fields[name];
      if (told != null) usage = told;
      for (const { index, delta, finish_reason: finishReason, logprobs, ...rest } of choices) {
        let choice = open.get(index);
        if (choice === undefined) {
          choice = { index, message: {}, finishReason: null, logprobs: undefined, lists: new Map(), rest: {} };
          open.set(index, choice);
        }
        addDelta(choice, delta as Fields);
        if (finishReason != null) choice.finishReason = finishReason;
        if (logprobs !== undefined) choice.logprobs = addLogprobs(choice.logprobs, logprobs as Fields | null);
        Object.assign(choice.rest, rest);
      }
    },
    completion() {
      if (head === undefined) return undefined;
      return {
        ...(head as unknown as ChatCompletion),
        object: 'chat.completion',
        choices: [...open.values()].sort((a, b) => a.index - b.index).map(choiceOf),
        ...(usage === undefined ? {} : { usage }),
      };
    },
    get characters() {
      return characters;
    },
  };
}

/** The whole answer that a stream's chunks make; undefined if there are none. */
export function assemble(chunks: Iterable<ChatChunk>): ChatCompletion | undefined {
  const answer = assembler();
  for (const chunk of chunks) answer.add(chunk);
  return answer.completion();
}

/** Characters of one piece of a text that is streamed again. */
const PIECE_CHARACTERS = 160;

/**
 * The chunks of a whole answer, so that `assemble` makes it again: per choice the role, the thoughts, the texts in pieces,
 * the tool calls, the end; then the usage in a chunk without choices.
 */
export function* chunksOf(completion: ChatCompletion): Generator<ChatChunk> {
  const { choices, usage, object: _, ...head } = completion;
  const chunk = (rest: Partial<ChatChunk>): ChatChunk => ({
    ...(head as unknown as ChatChunk),
    object: 'chat.completion.chunk',
    choices: [],
    ...rest,
  });
  for (const { index, message, finish_reason: finishReason, logprobs, ...rest } of choices) {
    const { content } = message;
    const hasText = typeof content === 'string' && content !== '';
    // Probabilities belong to the text: with its first piece they come, where there is one.
    let withLogprobs = logprobs === undefined ? {} : { logprobs };
    const deltas = deltasOf(message);
    const first = deltas.next().value as Fields;
    const opening = hasText ? {} : withLogprobs;
    yield chunk({ choices: [{ index, delta: first, finish_reason: null, ...opening }] });
    for (const delta of deltas) {
      const isText = hasText && 'content' in delta;
      yield chunk({ choices: [{ index, delta, finish_reason: null, ...(isText ? withLogprobs : {}) }] });
      if (isText) withLogprobs = {};
    }
    yield chunk({ choices: [{ index, ...rest, delta: {}, finish_reason: finishReason }] });
  }
  if (usage !== undefined) yield chunk({ usage });
}

/** What is said and done, after the thoughts that led to it. */
const SAID = new Set(['content', 'refusal', 'tool_calls']);

/** The deltas of a message; the first has all that does not come in pieces. */
function* deltasOf(message: ChatChoice['message']): Generator<Fields> {
  const first: Fields = {};
  const growing: [string, string | readonly unknown[]][] = [];
  for (const name in message) {
    const value = message[name];
    if (INDEXED.has(name) && Array.isArray(value) && value.length > 0) growing.push([name, value]);
    else if (TEXTS.has(name) && typeof value === 'string') growing.push([name, value]);
    else first[name] = value;
  }
  if (typeof message.content === 'string') first['content'] = '';
  yield first;
  growing.sort(
    ([a, before], [b, after]) =>
      Number(SAID.has(a)) - Number(SAID.has(b)) || Number(Array.isArray(before)) - Number(Array.isArray(after)),
  );
  const areTogether = tellsThoughts(message);
  for (const [name, value] of growing) {
    if (typeof value !== 'string') {
      const indexed = value.map((entry, at) => ({ ...(entry as Fields), index: at }));
      if (areTogether && name === 'reasoning_details')
        for (const detail of indexed) {
          const { text } = detail as Fields;
          yield { ...(typeof text === 'string' ? { reasoning_content: text } : {}), reasoning_details: [detail] };
        }
      else yield { [name]: indexed };
    } else if (!areTogether || name !== 'reasoning_content') {
      if (value === '' && name !== 'content') yield { [name]: '' };
      for (const piece of piecesOf(value)) yield { [name]: piece };
    }
  }
}

/** Whether the details say the thoughts' text once more: then each goes with its part, as experts send them. */
function tellsThoughts({ reasoning_content: thoughts, reasoning_details: details }: ChatChoice['message']): boolean {
  if (typeof thoughts !== 'string' || thoughts === '' || !Array.isArray(details)) return false;
  return details.map((detail) => (typeof detail?.text === 'string' ? detail.text : '')).join('') === thoughts;
}

function choiceOf({ index, message, finishReason, logprobs, lists, rest }: OpenChoice): ChatChoice {
  const whole: Fields = { role: 'assistant', content: null, ...message };
  for (const [name, { entries }] of lists)
    whole[name] = [...entries].sort(([a], [b]) => a - b).map(([, entry]) => entry);
  return {
    index,
    message: whole as ChatChoice['message'],
    finish_reason: finishReason,
    ...(logprobs === undefined ? {} : { logprobs: logprobs as ChatChoice['logprobs'] & object }),
    ...rest,
  };
}

/** `content` and `refusal` are lists of tokens that grow; the lists are our own, so a long answer is not copied each time. */
function addLogprobs(known: Fields | null | undefined, more: Fields | null): Fields | null {
  if (more === null) return known ?? null;
  const sum: Fields = known ?? {};
  for (const name in more) {
    const [before, after] = [sum[name], more[name]];
    if (!Array.isArray(after)) {
      if (after != null || before === undefined) sum[name] = after;
    } else if (Array.isArray(before)) for (const token of after) before.push(token);
    else sum[name] = [...after];
  }
  return sum;
}

/** Never cuts a character of two code units. */
function* piecesOf(text: string): Generator<string> {
  let from = 0;
  while (from < text.length) {
    let to = Math.min(text.length, from + PIECE_CHARACTERS);
    const last = text.charCodeAt(to - 1);
    if (to < text.length && last >= 0xd800 && last <= 0xdbff) to++;
    yield text.slice(from, to);
    from = to;
  }
}
