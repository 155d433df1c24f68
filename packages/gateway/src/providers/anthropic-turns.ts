/** Messages of the one form as turns of the Messages format: system apart, neighbours of one role as one turn. */
import type { ChatMessage, ContentPart } from '../wire/chat.ts';
import { inputOf } from '../wire/messages-answer.ts';
import { type Block, type MessageOrigin, type MessageParam, thoughtsOf } from '../wire/messages-format.ts';
import { originOf } from '../wire/origin.ts';
import { isSealed, unsealed } from '../wire/responses-reasoning.ts';
import { callsOf, dataUrl, hasDetail, uncarriedOfMessage } from './carry.ts';
import { isObject } from './upstream-failures.ts';

type Lose = (path: string) => void;

/** A conversation in the format. */
export interface Turns {
  readonly system: string | readonly Block[] | undefined;
  readonly messages: readonly MessageParam[];
}

/**
 * Translates the messages. System and developer messages go into `system` wherever they stand, since not every model takes
 * them in between; only those that a client of the format itself put there stay.
 */
export function turnsOf(messages: readonly ChatMessage[], lose: Lose): Turns {
  const system: (string | readonly Block[])[] = [];
  const turns: { role: string; content: string | readonly Block[] }[] = [];
  /** Blocks of the last turn, once it has neighbours: a list of our own, to which the next ones are added. */
  let merged: Block[] | undefined;
  const add = (role: string, content: string | readonly Block[]): void => {
    const last = turns.at(-1);
    if (last?.role !== role || role === 'system') {
      merged = undefined;
      turns.push({ role, content });
      return;
    }
    merged ??= [...blocksOf(last.content)];
    for (const block of blocksOf(content)) merged.push(block);
    last.content = merged;
  };
  for (const [index, message] of messages.entries()) {
    const path = `messages[${index}]`;
    const origin = originOf(message, 'messages') as MessageOrigin | undefined;
    if (origin !== undefined && origin.said === message.content) {
      if (origin.role === 'prompt') system.push(origin.content);
      // The message that only shows the images of a result has nothing of its own.
      else {
        const taken = origin.role === 'assistant' ? ownThoughts(origin.content, path, lose) : origin.content;
        if (taken.length > 0 || (message.content === '' && taken === origin.content)) add(origin.role, taken);
      }
      continue;
    }
    const { content } = message;
    for (const lost of uncarriedOfMessage(message, path, CARRIED[message.role] ?? [])) lose(lost);
    switch (message.role) {
      case 'system':
      case 'developer':
        if (typeof content === 'string') system.push(content);
        else system.push(partBlocks(content, path, lose).filter(({ type }) => type === 'text'));
        break;
      case 'assistant': {
        const said = assistantContent(message, path, lose);
        // A turn that says nothing is refused.
        if (said.length > 0) add('assistant', said);
        break;
      }
      case 'tool':
      case 'function':
        add('user', [
          {
            type: 'tool_result',
            tool_use_id: toolId(message['tool_call_id'] ?? message['name']),
            content: typeof content === 'string' ? content : partBlocks(content, path, lose),
            ...(message['is_error'] === true ? { is_error: true } : {}),
          },
        ]);
        break;
      case 'user':
        add('user', typeof content === 'string' ? content : partBlocks(content, path, lose));
        break;
      default:
        lose(path);
    }
  }
  const prompt = system.filter((part) => part.length > 0);
  return {
    system: prompt.length === 0 ? undefined : prompt.length === 1 ? prompt[0]! : prompt.flatMap(blocksOf),
    messages: turns,
  };
}

/** Fields of messages that are looked at, by role. */
const CARRIED: Readonly<Record<string, readonly string[]>> = {
  assistant: ['reasoning_content', 'reasoning_details'],
  tool: ['name', 'is_error'],
  function: ['name', 'is_error'],
};

/**
 * A turn as a client of the format sent it, without thoughts that another model had and that were shown in this form: they
 * have no signature, or stand in an envelope of ours.
 */
function ownThoughts(content: string | readonly Block[], path: string, lose: Lose): string | readonly Block[] {
  if (typeof content === 'string' || !content.some(isForeign)) return content;
  return content.flatMap((block, index) => {
    if (!isForeign(block)) return [block];
    const own = unsealed(String(block['data'] ?? '')).find(isOurs);
    if (block.type === 'redacted_thinking' && own !== undefined) return [{ ...block, data: own['data'] }];
    lose(`${path}.content[${index}]`);
    return [];
  });
}

function isForeign(block: Block): boolean {
  if (block.type === 'thinking') return !isFilled(block['signature']);
  return block.type === 'redacted_thinking' && isSealed(block['data']);
}

/** Only what Anthropic signed or ciphered itself is taken back. */
function isOurs(detail: Readonly<Record<string, unknown>>): boolean {
  return detail['format'] === undefined || String(detail['format']).startsWith('anthropic');
}

/** Other servers make ids that are refused here, such as `functions.weather:0`. */
function toolId(id: unknown): unknown {
  return typeof id === 'string' ? id.replace(/[^a-zA-Z0-9_-]/g, '_') : id;
}

/**
 * The same body with its beginning marked for the prompt cache: tools, system and conversation each end in a mark, as the
 * guide recommends. Marks that a client set itself stand instead: the format allows four.
 */
export function cachePoints(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { tools, system, messages } = body as { tools?: Block[]; system?: string | Block[]; messages: MessageParam[] };
  if (body['cache_control'] !== undefined || isMarked(tools) || isMarked(system)) return { ...body };
  if (messages.some(({ content }) => isMarked(content))) return { ...body };
  const lastUser = messages.findLastIndex(({ role }) => role === 'user');
  return {
    ...body,
    ...(tools === undefined || tools.length === 0 ? {} : { tools: marked(tools) }),
    ...(system === undefined ? {} : { system: marked(blocksOf(system)) }),
    messages: messages.map((turn, index) =>
      index === lastUser ? { role: turn.role, content: marked(blocksOf(turn.content)) } : turn,
    ),
  };
}

const MARK = { cache_control: { type: 'ephemeral' } } as const;

function isMarked(blocks: unknown): boolean {
  return Array.isArray(blocks) && blocks.some((block) => isObject(block) && block['cache_control'] != null);
}

function marked(blocks: readonly Block[]): Block[] {
  return blocks.map((block, index) => (index === blocks.length - 1 ? { ...block, ...MARK } : block));
}

function blocksOf(content: string | readonly Block[]): readonly Block[] {
  // An empty text is refused.
  return typeof content !== 'string' ? content : content === '' ? [] : [{ type: 'text', text: content }];
}

function assistantContent(message: ChatMessage, path: string, lose: Lose): string | Block[] {
  const blocks: Block[] = [];
  for (const [index, detail] of thoughtsOf(message).entries()) {
    if (isOurs(detail) && detail['type'] === 'reasoning.text' && isFilled(detail['signature']))
      blocks.push({ type: 'thinking', thinking: detail['text'] ?? '', signature: detail['signature'] });
    else if (isOurs(detail) && detail['type'] === 'reasoning.encrypted')
      blocks.push({ type: 'redacted_thinking', data: detail['data'] });
    else lose(`${path}.reasoning_details[${index}]`);
  }
  if (blocks.length === 0 && isFilled(message['reasoning_content'])) lose(`${path}.reasoning_content`);
  const { content, refusal } = message;
  if (isFilled(refusal) && content != null && content !== '') lose(`${path}.refusal`);
  const said = Array.isArray(content)
    ? partBlocks(content, path, lose)
    : blocksOf(typeof content === 'string' && content !== '' ? content : isFilled(refusal) ? refusal : '');
  // Not spread into a call: a list can be longer than a stack is deep.
  for (const block of said) blocks.push(block);
  for (const [index, call] of callsOf(message).entries()) {
    const called = isObject(call) ? call['function'] : undefined;
    if (!isObject(call) || !isObject(called)) {
      lose(`${path}.tool_calls[${index}]`);
      continue;
    }
    if (call['extra_content'] != null) lose(`${path}.tool_calls[${index}].extra_content`);
    blocks.push({
      type: 'tool_use',
      id: toolId(call['id']),
      name: called['name'],
      input: inputOf(called['arguments']),
    });
  }
  return blocks.length === 1 && blocks[0]!.type === 'text' && typeof content === 'string' ? content : blocks;
}

function partBlocks(parts: ChatMessage['content'], path: string, lose: Lose): Block[] {
  if (typeof parts === 'string') return [...blocksOf(parts)];
  return (parts ?? []).flatMap((part, index) => {
    const block = partBlock(part);
    if (block === undefined) lose(`${path}.content[${index}]`);
    else if (hasDetail(part)) lose(`${path}.content[${index}].image_url.detail`);
    return block === undefined || (block.type === 'text' && block['text'] === '') ? [] : [block];
  });
}

function partBlock(part: ContentPart): Block | undefined {
  const mark = isObject(part['cache_control']) ? { cache_control: part['cache_control'] } : {};
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text ?? '', ...mark };
    case 'refusal':
      return { type: 'text', text: String(part['refusal'] ?? '') };
    case 'image_url': {
      const image = part['image_url'];
      const url = typeof image === 'string' ? image : isObject(image) ? image['url'] : undefined;
      if (typeof url !== 'string') return undefined;
      const data = dataUrl(url);
      if (data !== undefined)
        return { type: 'image', source: { type: 'base64', media_type: data.mimeType, data: data.base64 }, ...mark };
      return /^https?:\/\//i.test(url) ? { type: 'image', source: { type: 'url', url }, ...mark } : undefined;
    }
    case 'file':
      return fileBlock(part['file']);
    default:
      return undefined;
  }
}

function fileBlock(file: unknown): Block | undefined {
  const sent = isObject(file) ? dataUrl(file['file_data']) : undefined;
  if (sent === undefined) return undefined;
  const title = isFilled((file as Block)['filename']) ? { title: (file as Block)['filename'] } : {};
  const { mimeType, base64 } = sent;
  if (mimeType === 'application/pdf')
    return { type: 'document', source: { type: 'base64', media_type: mimeType, data: base64 }, ...title };
  if (!mimeType.startsWith('text/')) return undefined;
  const data = Buffer.from(base64, 'base64').toString('utf8');
  return { type: 'document', source: { type: 'text', media_type: 'text/plain', data }, ...title };
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
