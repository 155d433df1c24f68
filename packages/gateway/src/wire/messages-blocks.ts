/** Blocks of the Messages format as parts of the one form, and what of them it cannot hold. */
import { GatewrightError } from '@gatewright/kernel';
import type { ChatMessage, ContentPart } from './chat.ts';
import { isFields, jsonOf } from './json.ts';
import type { Block, MessageOrigin } from './messages-format.ts';
import { withOrigin } from './origin.ts';
import { unsealed } from './responses-reasoning.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Takes the paths of what the one form cannot hold. */
export type Lose = (path: string) => void;

/** The `system` field, or a system turn, as one message. */
export function systemMessage(
  content: string | readonly Block[],
  role: 'prompt' | 'system',
  path: string,
  lose: Lose,
): ChatMessage {
  const text = typeof content === 'string' ? content : textOfBlocks(content, path, lose);
  const origin: MessageOrigin = { role, content, said: text };
  return withOrigin({ role: 'system', content: text }, 'messages', origin);
}

/**
 * A user's turn: each result of a tool becomes a message of its own, what stands between them one of the user. Images in
 * a result come in the user's message behind it, since only text may stand in a tool's.
 */
export function userMessages(content: string | readonly Block[], path: string, lose: Lose, out: ChatMessage[]): void {
  if (typeof content === 'string') {
    out.push({ role: 'user', content });
    return;
  }
  let blocks: Block[] = [];
  let parts: ContentPart[] = [];
  const flush = (): void => {
    const only = parts.length === 1 && parts[0]!.type === 'text' ? parts[0]!.text! : undefined;
    const said = only ?? (parts.length === 0 ? '' : parts);
    const origin: MessageOrigin = { role: 'user', content: blocks, said };
    out.push(withOrigin({ role: 'user', content: said }, 'messages', origin));
    blocks = [];
    parts = [];
  };
  for (let i = 0; i < content.length; i++) {
    const block = content[i]!;
    const place = `${path}[${i}]`;
    if (block.type !== 'tool_result') {
      blocks.push(block);
      addParts(block, place, lose, parts);
      continue;
    }
    // Images of results wait until all results are told: those have to stand together.
    if (blocks.length > 0) flush();
    out.push(toolMessage(block, place, lose, parts));
  }
  if (content.length === 0 || blocks.length > 0 || parts.length > 0) flush();
}

/** An assistant's turn: thoughts, text and calls, whose order among each other only the original keeps. */
export function assistantMessage(content: string | readonly Block[], path: string, lose: Lose): ChatMessage {
  if (typeof content === 'string') return { role: 'assistant', content };
  let text = '';
  let thoughts = '';
  const details: object[] = [];
  const calls: object[] = [];
  for (let i = 0; i < content.length; i++) {
    const block = content[i]!;
    const place = `${path}[${i}]`;
    switch (block.type) {
      case 'text':
        text += textOf(block, 'text', place);
        if (isFilled(block['citations'])) lose(`${place}.citations`);
        break;
      case 'thinking': {
        const thought = textOf(block, 'thinking', place);
        thoughts += thought;
        details.push({
          type: 'reasoning.text',
          text: thought,
          ...(typeof block['signature'] === 'string' ? { signature: block['signature'] } : {}),
        });
        break;
      }
      case 'redacted_thinking':
        for (const detail of unsealed(textOf(block, 'data', place))) details.push(detail);
        break;
      case 'tool_use':
        calls.push({
          id: textOf(block, 'id', place),
          type: 'function',
          function: { name: textOf(block, 'name', place), arguments: jsonOf(block['input'] ?? {}, `${place}.input`) },
        });
        if (typeof block['toolset_name'] === 'string') lose(`${place}.toolset_name`);
        if (isFields(block['caller']) && block['caller']['type'] !== 'direct') lose(`${place}.caller`);
        break;
      default:
        lose(place);
    }
  }
  const said = text === '' && calls.length > 0 ? null : text;
  const origin: MessageOrigin = { role: 'assistant', content, said };
  return withOrigin(
    {
      role: 'assistant',
      content: said,
      ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
      ...(details.length === 0 ? {} : { reasoning_details: details }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    },
    'messages',
    origin,
  );
}

/** @throws {GatewrightError} `GW_REQUEST_TYPE` */
export function wrong(path: string, what: string, fix: string): GatewrightError {
  return new GatewrightError('GW_REQUEST_TYPE', `${path} ${what}.`, { path, fix });
}

function toolMessage(block: Block, path: string, lose: Lose, images: ContentPart[]): ChatMessage {
  const { content } = block;
  const texts: string[] = [];
  const id = textOf(block, 'tool_use_id', path);
  if (typeof content === 'string') texts.push(content);
  else if (Array.isArray(content)) {
    const parts: ContentPart[] = [];
    for (let i = 0; i < content.length; i++) {
      const inner: unknown = content[i];
      const place = `${path}.content[${i}]`;
      if (!isFields(inner) || typeof inner['type'] !== 'string') throw wrong(place, 'is no block', BLOCK);
      addParts(inner as Block, place, lose, parts);
    }
    let hasImages = false;
    for (const part of parts) {
      if (part.type === 'text') texts.push(part.text!);
      else {
        if (!hasImages) images.push({ type: 'text', text: `Of the result of ${id}:` });
        hasImages = true;
        images.push(part);
      }
    }
    if (hasImages && texts.length === 0) texts.push('(see below)');
  } else if (content != null) throw wrong(`${path}.content`, 'is neither a text nor a list of blocks', BLOCK);
  if (typeof block['toolset_name'] === 'string') lose(`${path}.toolset_name`);
  const said = texts.join('\n');
  const origin: MessageOrigin = { role: 'user', content: [block], said };
  return withOrigin(
    {
      role: 'tool',
      tool_call_id: id,
      content: said,
      ...(block['is_error'] === true ? { is_error: true } : {}),
    },
    'messages',
    origin,
  );
}

function addParts(block: Block, path: string, lose: Lose, out: ContentPart[]): void {
  switch (block.type) {
    case 'text':
      out.push({ type: 'text', text: textOf(block, 'text', path) });
      if (isFilled(block['citations'])) lose(`${path}.citations`);
      return;
    case 'image':
      addImage(block, path, lose, out);
      return;
    case 'document':
      addDocument(block, path, lose, out);
      return;
    case 'search_result': {
      const { content } = block;
      const text = Array.isArray(content) ? textOfBlocks(content, `${path}.content`, lose) : '';
      out.push({ type: 'text', text: `${textOf(block, 'title', path)}\n${textOf(block, 'source', path)}\n\n${text}` });
      if (asksCitations(block)) lose(`${path}.citations`);
      return;
    }
    default:
      lose(path);
  }
}

function addImage(block: Block, path: string, lose: Lose, out: ContentPart[]): void {
  const source = sourceOf(block, path);
  const place = `${path}.source`;
  if (source['type'] === 'base64')
    out.push({
      type: 'image_url',
      image_url: { url: `data:${textOf(source, 'media_type', place)};base64,${textOf(source, 'data', place)}` },
    });
  else if (source['type'] === 'url') out.push({ type: 'image_url', image_url: { url: textOf(source, 'url', place) } });
  else {
    lose(path);
    return;
  }
  if (block['transformations'] != null) lose(`${path}.transformations`);
}

function addDocument(block: Block, path: string, lose: Lose, out: ContentPart[]): void {
  const source = sourceOf(block, path);
  const place = `${path}.source`;
  const title = typeof block['title'] === 'string' ? block['title'] : undefined;
  const context = typeof block['context'] === 'string' ? block['context'] : undefined;
  const about = [title, context].filter((line) => line !== undefined).join('\n');
  if (source['type'] === 'base64') {
    if (context !== undefined) out.push({ type: 'text', text: context });
    const type = textOf(source, 'media_type', place);
    out.push({
      type: 'file',
      file: { filename: title ?? 'document.pdf', file_data: `data:${type};base64,${textOf(source, 'data', place)}` },
    });
  } else if (source['type'] === 'text') {
    const text = textOf(source, 'data', place);
    out.push({ type: 'text', text: about === '' ? text : `${about}\n\n${text}` });
  } else if (source['type'] === 'content') {
    if (about !== '') out.push({ type: 'text', text: about });
    const { content } = source;
    if (typeof content === 'string') out.push({ type: 'text', text: content });
    else if (Array.isArray(content)) {
      for (let i = 0; i < content.length; i++) {
        const inner: unknown = content[i];
        if (!isFields(inner) || typeof inner['type'] !== 'string')
          throw wrong(`${place}.content[${i}]`, 'is no block', BLOCK);
        addParts(inner as Block, `${place}.content[${i}]`, lose, out);
      }
    }
  } else {
    lose(path);
    return;
  }
  if (asksCitations(block)) lose(`${path}.citations`);
}

function textOfBlocks(blocks: readonly unknown[], path: string, lose: Lose): string {
  const texts: string[] = [];
  for (let i = 0; i < blocks.length; i++) {
    const block = blocks[i];
    const place = `${path}[${i}]`;
    if (!isFields(block) || typeof block['type'] !== 'string') throw wrong(place, 'is no block', BLOCK);
    if (block['type'] !== 'text') {
      lose(place);
      continue;
    }
    texts.push(textOf(block, 'text', place));
    if (isFilled(block['citations'])) lose(`${place}.citations`);
  }
  return texts.join('\n\n');
}

const BLOCK = 'Give {"type": "text", "text": ...} or another block of the Messages format.';

function textOf(fields: Fields, name: string, path: string): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw wrong(`${path}.${name}`, value === undefined ? 'is missing' : 'is not a text', 'Give a text.');
}

function sourceOf(block: Block, path: string): Fields {
  const { source } = block;
  if (isFields(source)) return source;
  throw wrong(`${path}.source`, 'is not an object', 'Give {"type": "base64", ...} or {"type": "url", ...}.');
}

function asksCitations(block: Block): boolean {
  const { citations } = block;
  return isFields(citations) && citations['enabled'] === true;
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}
