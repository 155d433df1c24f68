/** Items of the Responses API into messages of the one form. */
import type { ChatMessage, ContentPart } from './chat.ts';
import { checkItem, checkPart, type Fields, unsupported, wrongType } from './responses-check.ts';
import { type ReasoningDetail, unsealed } from './responses-reasoning.ts';

/** Puts messages together, item by item, in the order of the conversation. */
export interface MessageBuilder {
  /**
   * Adds an item. Thoughts, texts and calls of one turn of the model become one message.
   *
   * @param path of the item, for errors and for what is not carried
   * @throws {GatewrightError} `GW_REQUEST_TYPE`, `GW_REQUEST_UNSUPPORTED`
   */
  add(item: Fields, path: string): void;
  /** The messages of all items. */
  messages(): ChatMessage[];
}

/** One turn of the model while its items come in. */
interface Turn {
  content: ContentPart[];
  isText: boolean;
  calls: Fields[];
  thoughts: string;
  details: ReasoningDetail[];
  /** The turn right before, where that one has text already and this one began with thoughts. */
  continues: Turn | undefined;
}

/** What a kind of item becomes when nobody here can carry it out. */
const HOSTED =
  /^(?:web_search|file_search|computer|code_interpreter|image_generation|local_shell|shell|apply_patch|mcp|tool_search|program|compaction|additional_tools|configuration_update)/;

/**
 * Begins a list of messages.
 *
 * @param notCarried paths of what is left out are added to it
 */
export function messageBuilder(notCarried: string[]): MessageBuilder {
  const messages: ChatMessage[] = [];
  let turn: Turn | undefined;

  const endTurn = (): void => {
    if (turn === undefined) return;
    const { isText, calls, continues } = turn;
    // Thoughts that came behind the text belong to it: a message of thoughts alone is none.
    if (continues !== undefined && !isText && calls.length === 0) {
      continues.thoughts += turn.thoughts;
      // Not spread into a call, here and below: a list can be longer than a stack is deep.
      for (const detail of turn.details) continues.details.push(detail);
      messages[messages.length - 1] = assistantMessage(continues);
    } else messages.push(assistantMessage(turn));
    turn = undefined;
  };
  const openTurn = (): Turn => {
    turn ??= { content: [], isText: false, calls: [], thoughts: '', details: [], continues: undefined };
    return turn;
  };

  return {
    add(item, path) {
      const type = typeof item['type'] === 'string' ? item['type'] : 'message';
      if (!checkItem(type, item, path)) {
        if (!HOSTED.test(type))
          throw wrongType(
            `${path}.type`,
            `There is no item of type ${JSON.stringify(type.slice(0, 60))}.`,
            'Use message, function_call, function_call_output, custom_tool_call, custom_tool_call_output, reasoning or item_reference.',
          );
        notCarried.push(path);
        return;
      }
      if (item['namespace'] != null) notCarried.push(`${path}.namespace`);
      if (item['async'] === true) notCarried.push(`${path}.async`);
      const caller = item['caller'] as Fields | null | undefined;
      if (caller != null && caller['type'] !== 'direct') notCarried.push(`${path}.caller`);
      switch (type) {
        case 'message': {
          const role = item['role'] as string;
          const content = contentOf(item['content'] as string | Fields[], `${path}.content`, notCarried);
          if (item['phase'] != null) notCarried.push(`${path}.phase`);
          if (role !== 'assistant') {
            endTurn();
            messages.push({ role, content: simplest(content) });
            return;
          }
          // A second text of the same role is a message of its own, unless calls bind it to this turn.
          if (turn?.isText === true && turn.calls.length === 0) endTurn();
          const open = openTurn();
          for (const part of content) open.content.push(part);
          open.isText = true;
          return;
        }
        case 'reasoning': {
          const before = turn?.isText === true && turn.calls.length === 0 ? turn : undefined;
          if (before !== undefined) endTurn();
          const open = openTurn();
          open.continues ??= before;
          addThoughts(open, item);
          return;
        }
        case 'function_call':
          openTurn().calls.push({
            id: item['call_id'],
            type: 'function',
            function: { name: item['name'], arguments: item['arguments'] },
          });
          return;
        case 'custom_tool_call':
          openTurn().calls.push({
            id: item['call_id'],
            type: 'custom',
            custom: { name: item['name'], input: item['input'] },
          });
          return;
        case 'function_call_output':
        case 'custom_tool_call_output': {
          endTurn();
          const output = contentOf(item['output'] as string | Fields[], `${path}.output`, notCarried);
          messages.push({ role: 'tool', tool_call_id: item['call_id'], content: simplest(output) });
          return;
        }
        default:
          throw wrongType(`${path}.type`, `An item_reference was not resolved.`, 'Send the item itself.');
      }
    },
    messages() {
      endTurn();
      return messages;
    },
  };
}

/** A text, or parts of the one form. */
function contentOf(content: string | readonly Fields[], path: string, notCarried: string[]): ContentPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content.map((part, index) => partOf(part, `${path}[${index}]`, notCarried));
}

function partOf(part: Fields, path: string, notCarried: string[]): ContentPart {
  const type = part['type'] as string;
  if (!checkPart(part, path))
    throw wrongType(
      `${path}.type`,
      `There is no content of type ${JSON.stringify(type.slice(0, 60))}.`,
      'Use input_text, input_image, input_file, output_text or refusal.',
    );
  const cached =
    part['prompt_cache_breakpoint'] == null ? {} : { prompt_cache_breakpoint: part['prompt_cache_breakpoint'] };
  switch (type) {
    case 'input_text':
    case 'output_text':
      if (Array.isArray(part['annotations']) && part['annotations'].length > 0) notCarried.push(`${path}.annotations`);
      return { type: 'text', text: part['text'] as string, ...cached };
    case 'refusal':
      return { type: 'refusal', refusal: part['refusal'] };
    case 'input_audio':
      return { type: 'input_audio', input_audio: part['input_audio'], ...cached };
    case 'input_image': {
      const { image_url: url, detail } = part;
      if (typeof url !== 'string')
        throw unsupported(
          `${path}.file_id`,
          'An image by file_id cannot be had: the gateway keeps no files.',
          'Send it as image_url, a URL or "data:image/png;base64,...".',
        );
      const isKnown = detail === 'low' || detail === 'high' || detail === 'auto';
      if (detail != null && !isKnown) notCarried.push(`${path}.detail`);
      return { type: 'image_url', image_url: { url, ...(isKnown ? { detail } : {}) }, ...cached };
    }
    default: {
      const { file_data, file_id, filename, file_url, detail } = part;
      if (file_data == null && file_id == null)
        throw unsupported(
          `${path}.${file_url == null ? 'file_data' : 'file_url'}`,
          file_url == null ? 'The file has no content.' : 'A file by URL cannot be had: nothing here fetches it.',
          'Send it as file_data, "data:application/pdf;base64,...".',
        );
      if (detail != null && detail !== 'auto') notCarried.push(`${path}.detail`);
      if (file_url != null) notCarried.push(`${path}.file_url`);
      return {
        type: 'file',
        file: {
          ...(file_data == null ? {} : { file_data }),
          ...(file_id == null ? {} : { file_id }),
          ...(filename == null ? {} : { filename }),
        },
        ...cached,
      };
    }
  }
}

/** One plain text is a text: every server takes it, and some take no lists. */
function simplest(content: ContentPart[]): string | ContentPart[] {
  const [only] = content;
  if (content.length === 0) return '';
  return content.length === 1 && only!.type === 'text' && only!['prompt_cache_breakpoint'] === undefined
    ? only!.text!
    : content;
}

function addThoughts(turn: Turn, item: Fields): void {
  const content = (item['content'] ?? []) as readonly { readonly text: string }[];
  const summary = (item['summary'] ?? []) as readonly { readonly text: string }[];
  const encrypted = item['encrypted_content'];
  const text = content.map((part) => part.text).join('');
  turn.thoughts += text;
  const inside = typeof encrypted === 'string' && encrypted !== '' ? unsealed(encrypted) : [];
  const sealed = new Set(
    inside.flatMap(({ type, text, summary }) => (type === 'reasoning.summary' ? [text ?? summary] : [])),
  );
  if (text !== '' && !inside.some(({ type }) => type === 'reasoning.text'))
    turn.details.push({ type: 'reasoning.text', text });
  for (const part of summary)
    if (!sealed.has(part.text)) turn.details.push({ type: 'reasoning.summary', summary: part.text });
  for (const detail of inside) turn.details.push(detail);
}

function assistantMessage({ content, isText, calls, thoughts, details }: Turn): ChatMessage {
  const [only] = content;
  const isRefusal = content.length === 1 && only!.type === 'refusal';
  return {
    role: 'assistant',
    content: isRefusal || (!isText && calls.length > 0) ? null : simplest(content),
    ...(isRefusal ? { refusal: only!['refusal'] } : {}),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
    ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
    // Text alone stands in reasoning_content: details are for what it cannot say.
    ...(details.every(({ type }) => type === 'reasoning.text') && details.every(({ signature }) => signature == null)
      ? {}
      : { reasoning_details: details }),
  };
}
