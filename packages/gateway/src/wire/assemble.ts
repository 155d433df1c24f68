/** From the chunks of a stream to the whole answer, and back. */
import type { ChatChoice, ChatChunk, ChatCompletion, Usage } from './chat.ts';

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
  lists: Map<string, Map<number, Fields>>;
  rest: Fields;
}

/** Texts that arrive in pieces; any other text of a delta is whole. */
const TEXTS = new Set(['content', 'reasoning_content', 'reasoning', 'refusal']);
/** Lists whose entries arrive in pieces, each with its `index`. */
const INDEXED = new Set(['tool_calls', 'reasoning_details']);
/** Texts inside such an entry that arrive in pieces. */
const INNER_TEXTS = new Set(['arguments', 'input', 'text', 'summary', 'data', 'transcript']);

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
      list = new Map();
      choice.lists.set(name, list);
    }
    for (const [position, piece] of pieces.entries()) {
      if (!isFields(piece)) continue;
      const { index, ...fields } = piece;
      // Without an index each piece is whole: it comes behind what is there.
      const at = typeof index === 'number' ? index : list.size === 0 ? position : Math.max(...list.keys()) + 1;
      let entry = list.get(at);
      if (entry === undefined) {
        entry = {};
        list.set(at, entry);
      }
      mergeEntry(entry, fields);
    }
  };
  const addDelta = (choice: OpenChoice, delta: Fields): void => {
    const { message } = choice;
    for (const name in delta) {
      const value = delta[name];
      const known = message[name];
      if (INDEXED.has(name) && Array.isArray(value)) addIndexed(choice, name, value);
      else if (TEXTS.has(name) && typeof value === 'string') {
        message[name] = typeof known === 'string' ? known + value : value;
        characters += value.length;
      } else if (Array.isArray(value) && Array.isArray(known)) message[name] = [...known, ...value];
      else if (isFields(value) && isFields(known)) mergeEntry(known, value);
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
 * The chunks of a whole answer, so that `assemble` makes it again: per choice the role, the texts in pieces, the tool
 * calls, the end; then the usage in a chunk without choices.
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
    const first: Fields = {};
    const texts: [string, string][] = [];
    const lists: [string, readonly unknown[]][] = [];
    for (const name in message) {
      const value = message[name];
      if (INDEXED.has(name) && Array.isArray(value) && value.length > 0) lists.push([name, value]);
      else if (TEXTS.has(name) && typeof value === 'string') texts.push([name, value]);
      else first[name] = value;
    }
    // Thoughts come before what is said.
    texts.sort(([a], [b]) => Number(a === 'content') - Number(b === 'content'));
    for (const [name] of texts) if (name === 'content') first[name] = '';
    yield chunk({
      choices: [{ index, delta: first, finish_reason: null, ...(logprobs === undefined ? {} : { logprobs }) }],
    });
    for (const [name, text] of texts) {
      if (text === '' && name !== 'content')
        yield chunk({ choices: [{ index, delta: { [name]: '' }, finish_reason: null }] });
      for (const piece of piecesOf(text))
        yield chunk({ choices: [{ index, delta: { [name]: piece }, finish_reason: null }] });
    }
    for (const [name, entries] of lists) {
      const indexed = entries.map((entry, at) => ({ index: at, ...(entry as Fields) }));
      yield chunk({ choices: [{ index, delta: { [name]: indexed }, finish_reason: null }] });
    }
    yield chunk({ choices: [{ index, ...rest, delta: {}, finish_reason: finishReason }] });
  }
  if (usage !== undefined) yield chunk({ usage });
}

function choiceOf({ index, message, finishReason, logprobs, lists, rest }: OpenChoice): ChatChoice {
  const whole: Fields = { role: 'assistant', content: null, ...message };
  for (const [name, list] of lists)
    whole[name] = [...list.entries()].sort(([a], [b]) => a - b).map(([, entry]) => entry);
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

function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
