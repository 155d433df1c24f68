import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewrightError } from '@gatewright/kernel';
import fc from 'fast-check';
import { eventsOfMessage, MESSAGES } from '../../test/scripted/anthropic.ts';
import { toHttpError } from '../http-errors.ts';
import { ANYONE } from '../identity/principal.ts';
import { anthropicFormat } from '../providers/anthropic-answer.ts';
import { anthropicRequest } from '../providers/anthropic-request.ts';
import type { ChatChunk, ChatCompletion } from './chat.ts';
import type { DialectReading } from './dialect.ts';
import { messages, messagesError } from './messages.ts';
import { readMessagesRequest } from './messages-request.ts';
import { leftovers } from './origin.ts';

const CONTEXT = { traceId: 'tr_abc', createdS: 1, expert: 'one' };
const ASK = { model: 'gw/auto', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };
const SETTINGS = {
  model: 'claude-script-1',
  maxTokens: 8_192,
  cache: false,
  thinking: 'adaptive',
  structuredOutput: 'native',
} as const;

/** A request as the one form shows it to anybody who does not know the format. */
function read(body: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(readMessagesRequest(body, []))) as Record<string, unknown>;
}

/** What an Anthropic expert is sent of a request. */
function backOf(body: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(anthropicRequest(readMessagesRequest(body, []), SETTINGS).body)) as Record<
    string,
    unknown
  >;
}

describe('a request in the one form', () => {
  const PNG = { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' };
  const CASES: readonly { name: string; ask: object; form: object; lost?: string[] }[] = [
    {
      name: 'keeps limits, sampling and user',
      ask: {
        ...ASK,
        temperature: 0.5,
        top_p: 0.9,
        stop_sequences: ['END'],
        metadata: { user_id: 'ada' },
        service_tier: 'standard_only',
      },
      form: { temperature: 0.5, top_p: 0.9, stop: ['END'], user: 'ada', service_tier: 'default' },
    },
    {
      name: 'begins with the system prompt',
      ask: {
        ...ASK,
        system: [
          { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } },
          { type: 'text', text: 'Be kind.' },
        ],
      },
      form: {
        messages: [
          { role: 'system', content: 'Be brief.\n\nBe kind.' },
          { role: 'user', content: 'Hello' },
        ],
      },
    },
    {
      name: 'gives each result of a tool its message, and its images to the user behind it',
      ask: {
        ...ASK,
        messages: [
          { role: 'user', content: 'Look' },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Two cameras.', signature: 'c2ln' },
              { type: 'text', text: 'Looking.' },
              { type: 'tool_use', id: 'a', name: 'camera', input: { n: 1 } },
              { type: 'tool_use', id: 'b', name: 'camera', input: {} },
            ],
          },
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 'a',
                content: [
                  { type: 'text', text: 'seen' },
                  { type: 'image', source: PNG },
                ],
              },
              { type: 'tool_result', tool_use_id: 'b', content: 'broken', is_error: true },
              { type: 'text', text: 'And?' },
            ],
          },
        ],
      },
      form: {
        messages: [
          { role: 'user', content: 'Look' },
          {
            role: 'assistant',
            content: 'Looking.',
            reasoning_content: 'Two cameras.',
            reasoning_details: [{ type: 'reasoning.text', text: 'Two cameras.', signature: 'c2ln' }],
            tool_calls: [
              { id: 'a', type: 'function', function: { name: 'camera', arguments: '{"n":1}' } },
              { id: 'b', type: 'function', function: { name: 'camera', arguments: '{}' } },
            ],
          },
          { role: 'tool', tool_call_id: 'a', content: 'seen' },
          { role: 'tool', tool_call_id: 'b', content: 'broken', is_error: true },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'Of the result of a:' },
              { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
              { type: 'text', text: 'And?' },
            ],
          },
        ],
      },
    },
    {
      name: 'shows images and documents as parts, and names what has no part',
      ask: {
        ...ASK,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
              {
                type: 'document',
                source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERg==' },
                title: 'A',
              },
              {
                type: 'document',
                source: { type: 'text', media_type: 'text/plain', data: 'words' },
                citations: { enabled: true },
              },
              { type: 'search_result', title: 'T', source: 'https://x/', content: [{ type: 'text', text: 'found' }] },
              { type: 'document', source: { type: 'file', file_id: 'file_1' } },
              { type: 'container_upload', file_id: 'file_2' },
            ],
          },
        ],
      },
      form: {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
              { type: 'file', file: { filename: 'A', file_data: 'data:application/pdf;base64,JVBERg==' } },
              { type: 'text', text: 'words' },
              { type: 'text', text: 'T\nhttps://x/\n\nfound' },
            ],
          },
        ],
      },
      lost: ['messages[0].content[2].citations', 'messages[0].content[4]', 'messages[0].content[5]'],
    },
    {
      name: 'has functions for tools, and names those that a server runs',
      ask: {
        ...ASK,
        tools: [
          {
            name: 'f',
            description: 'F.',
            input_schema: { type: 'object' },
            strict: true,
            cache_control: { type: 'ephemeral' },
          },
          { type: 'web_search_20250305', name: 'web_search' },
          { type: 'custom', name: 'g', input_schema: { type: 'object' }, input_examples: [{}] },
        ],
        tool_choice: { type: 'tool', name: 'f', disable_parallel_tool_use: true },
      },
      form: {
        tools: [
          {
            type: 'function',
            function: { name: 'f', description: 'F.', parameters: { type: 'object' }, strict: true },
          },
          { type: 'function', function: { name: 'g', parameters: { type: 'object' } } },
        ],
        tool_choice: { type: 'function', function: { name: 'f' } },
        parallel_tool_calls: false,
      },
      lost: ['tools[1]', 'tools[2].input_examples'],
    },
    {
      name: 'has an effort for thoughts',
      ask: { ...ASK, thinking: { type: 'enabled', budget_tokens: 10_000 } },
      form: { reasoning_effort: 'medium' },
    },
    {
      name: 'names what else is said of thoughts, and a choice among tools that are not carried',
      ask: {
        ...ASK,
        thinking: { type: 'adaptive', display: 'omitted' },
        tools: [{ type: 'web_search_20250305', name: 'web_search' }],
        tool_choice: { type: 'any' },
      },
      form: {},
      lost: ['tools[0]', 'tool_choice', 'thinking.display'],
    },
    {
      name: 'takes the effort that is named before the one that a budget suggests',
      ask: { ...ASK, thinking: { type: 'adaptive' }, output_config: { effort: 'max' } },
      form: { reasoning_effort: 'xhigh' },
    },
    { name: 'has no effort without thoughts', ask: { ...ASK, thinking: { type: 'disabled' } }, form: {} },
    {
      name: 'has a response format for a schema',
      ask: { ...ASK, output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
      form: {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'answer', schema: { type: 'object' }, strict: true },
        },
      },
    },
    {
      name: 'names the fields that nobody else has',
      ask: { ...ASK, top_k: 5, container: 'c', inference_geo: 'eu', cache_control: { type: 'ephemeral' }, novel: 1 },
      form: {},
      lost: ['top_k', 'container', 'inference_geo', 'novel'],
    },
    {
      name: 'shows usage in streams',
      ask: { ...ASK, stream: true },
      form: { stream: true, stream_options: { include_usage: true } },
    },
  ];
  for (const { name, ask, form, lost = [] } of CASES) {
    test(name, () => {
      assert.deepEqual(read(ask), { ...ASK, ...form });
      assert.deepEqual(leftovers(readMessagesRequest(ask, [])), lost);
      assert.deepEqual(leftovers(readMessagesRequest(ask, []), 'messages'), []);
    });
  }

  const WRONG: readonly [object, string][] = [
    [{ ...ASK, max_tokens: undefined }, 'max_tokens'],
    [{ ...ASK, max_tokens: 0 }, 'max_tokens'],
    [{ ...ASK, model: '' }, 'model'],
    [{ ...ASK, messages: [] }, 'messages'],
    [{ ...ASK, messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role'],
    [{ ...ASK, messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
    [{ ...ASK, messages: [{ role: 'user', content: [{ text: 'x' }] }] }, 'messages[0].content[0]'],
    [{ ...ASK, messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
    [{ ...ASK, messages: [{ role: 'user', content: [{ type: 'image' }] }] }, 'messages[0].content[0].source'],
    [{ ...ASK, stream: 'yes' }, 'stream'],
    [{ ...ASK, temperature: '1' }, 'temperature'],
    [{ ...ASK, stop_sequences: 'x' }, 'stop_sequences'],
    [{ ...ASK, tools: [{ name: 'f' }] }, 'tools[0].input_schema'],
    [{ ...ASK, tool_choice: 'auto' }, 'tool_choice'],
    [{ ...ASK, thinking: { type: 'enabled' } }, 'thinking.budget_tokens'],
    [JSON.parse(JSON.stringify(ASK).replace('{', '{"__proto__":{"model":"dear"},')) as object, '__proto__'],
    [{ ...ASK, system: 1 }, 'system'],
  ];
  for (const [body, path] of WRONG) {
    test(`that is wrong is refused at ${path}: ${JSON.stringify(body).slice(0, 90)}`, () => {
      assert.throws(
        () => readMessagesRequest(body, []),
        (error) => error instanceof GatewrightError && error.code === 'GW_REQUEST_TYPE' && error.path === path,
      );
    });
  }

  test('of any JSON is read, or refused with a code of the request', () => {
    const anything = fc.oneof(
      fc.jsonValue({ maxDepth: 4 }),
      fc.record({
        model: fc.constant('m'),
        max_tokens: fc.constant(1),
        messages: fc.array(
          fc.record({ role: fc.constantFrom('user', 'assistant', 'system', 'x'), content: fc.jsonValue() }),
        ),
        tools: fc.jsonValue(),
        tool_choice: fc.jsonValue(),
        thinking: fc.jsonValue(),
        system: fc.jsonValue(),
      }),
      fc.record({
        model: fc.constant('m'),
        max_tokens: fc.constant(1),
        messages: fc.array(
          fc.record({
            role: fc.constantFrom('user', 'assistant'),
            content: fc.array(
              fc.record({
                type: fc.constantFrom(
                  'text',
                  'image',
                  'document',
                  'tool_use',
                  'tool_result',
                  'thinking',
                  'search_result',
                ),
                text: fc.jsonValue(),
                source: fc.jsonValue(),
                content: fc.jsonValue(),
                id: fc.jsonValue(),
                tool_use_id: fc.constantFrom('a', 1),
                name: fc.jsonValue(),
                input: fc.jsonValue(),
                title: fc.jsonValue(),
              }),
            ),
          }),
          { minLength: 1 },
        ),
      }),
    );
    fc.assert(
      fc.property(anything, (body) => {
        try {
          anthropicRequest(readMessagesRequest(body, []), SETTINGS);
        } catch (error) {
          assert.ok(error instanceof GatewrightError && error.code === 'GW_REQUEST_TYPE', String(error));
        }
      }),
      { numRuns: 2_000, seed: 4 },
    );
  });
});

/** Blocks as the published format has them, with fields that the one form does not know. */
const word = fc.string({ minLength: 1, maxLength: 12 });
const mark = fc.option(fc.constant({ type: 'ephemeral', ttl: '1h' }), { nil: undefined });
const source = fc.oneof(
  fc.record({ type: fc.constant('base64'), media_type: fc.constant('image/png'), data: fc.base64String() }),
  fc.record({ type: fc.constant('url'), url: fc.webUrl() }),
  fc.record({ type: fc.constant('file'), file_id: word }),
);
const textBlock = fc.record(
  { type: fc.constant('text'), text: word, cache_control: mark },
  { requiredKeys: ['type', 'text'] },
);
const imageBlock = fc.record(
  { type: fc.constant('image'), source, cache_control: mark },
  { requiredKeys: ['type', 'source'] },
);
const documentBlock = fc.record(
  {
    type: fc.constant('document'),
    source: fc.oneof(
      fc.record({ type: fc.constant('base64'), media_type: fc.constant('application/pdf'), data: fc.base64String() }),
      fc.record({ type: fc.constant('text'), media_type: fc.constant('text/plain'), data: word }),
      fc.record({ type: fc.constant('content'), content: fc.array(textBlock) }),
      fc.record({ type: fc.constant('url'), url: fc.webUrl() }),
    ),
    title: word,
    context: word,
    citations: fc.record({ enabled: fc.boolean() }),
  },
  { requiredKeys: ['type', 'source'] },
);
const searchBlock = fc.record({
  type: fc.constant('search_result'),
  title: word,
  source: fc.webUrl(),
  content: fc.array(textBlock, { minLength: 1 }),
});
const input = fc.dictionary(word, fc.jsonValue(), { noNullPrototype: true });
const toolUse = fc.record({ type: fc.constant('tool_use'), id: word, name: word, input });
const toolResult = fc.record(
  {
    type: fc.constant('tool_result'),
    tool_use_id: word,
    content: fc.oneof(word, fc.array(fc.oneof(textBlock, imageBlock, documentBlock, searchBlock))),
    is_error: fc.boolean(),
    cache_control: fc.constant({ type: 'ephemeral' }),
  },
  { requiredKeys: ['type', 'tool_use_id'] },
);
const userTurn = fc.record({
  role: fc.constant('user'),
  content: fc.oneof(
    word,
    fc.array(fc.oneof(textBlock, imageBlock, documentBlock, searchBlock, toolResult), { minLength: 1, maxLength: 5 }),
  ),
});
const assistantTurn = fc.record({
  role: fc.constant('assistant'),
  content: fc.oneof(
    word,
    fc.array(
      fc.oneof(
        textBlock,
        toolUse,
        fc.record({ type: fc.constant('thinking'), thinking: word, signature: word }),
        fc.record({ type: fc.constant('redacted_thinking'), data: word }),
        fc.record({ type: fc.constant('server_tool_use'), id: word, name: fc.constant('web_search'), input }),
        fc.record({ type: fc.constant('web_search_tool_result'), tool_use_id: word, content: fc.jsonValue() }),
      ),
      { minLength: 1, maxLength: 5 },
    ),
  ),
});
const tool = fc.oneof(
  fc.record(
    {
      name: word,
      description: word,
      input_schema: fc.record({
        type: fc.constant('object'),
        properties: fc.dictionary(word, fc.constant({}), { noNullPrototype: true }),
      }),
      strict: fc.boolean(),
      type: fc.constant('custom'),
      cache_control: fc.constant({ type: 'ephemeral' }),
      defer_loading: fc.boolean(),
    },
    { requiredKeys: ['name', 'input_schema'] },
  ),
  fc.record({ type: fc.constantFrom('web_search_20250305', 'bash_20250124'), name: word, max_uses: fc.nat() }),
);
const request = fc.record(
  {
    model: fc.constant('claude-script-1'),
    max_tokens: fc.integer({ min: 1, max: 100_000 }),
    // Neighbours of one role are one turn to the API itself.
    messages: fc.array(fc.tuple(userTurn, assistantTurn), { minLength: 1, maxLength: 3 }).map((turns) => turns.flat()),
    system: fc.oneof(word, fc.array(textBlock, { minLength: 1 })),
    tools: fc.array(tool, { minLength: 1, maxLength: 3 }),
    tool_choice: fc.oneof(
      fc.record({ type: fc.constantFrom('auto', 'any'), disable_parallel_tool_use: fc.boolean() }),
      fc.constant({ type: 'none' }),
      fc.record({ type: fc.constant('tool'), name: word }),
    ),
    thinking: fc.oneof(
      fc.record({ type: fc.constant('enabled'), budget_tokens: fc.integer({ min: 1024, max: 60_000 }) }),
      fc.constantFrom({ type: 'adaptive', display: 'omitted' }, { type: 'disabled' }),
    ),
    output_config: fc.record(
      {
        effort: fc.constantFrom('low', 'medium', 'high', 'xhigh', 'max'),
        format: fc.constant({ type: 'json_schema', schema: { type: 'object' } }),
      },
      { requiredKeys: [] },
    ),
    stop_sequences: fc.array(word, { minLength: 1 }),
    temperature: fc.double({ min: 0, max: 1, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    top_p: fc.constantFrom(0.5, 1),
    top_k: fc.nat(),
    metadata: fc.record({ user_id: word }),
    service_tier: fc.constantFrom('auto', 'standard_only'),
    cache_control: fc.constant({ type: 'ephemeral' }),
    container: word,
    context_management: fc.jsonValue().filter((value) => value !== null),
  },
  { requiredKeys: ['model', 'max_tokens', 'messages'] },
);

describe('a request of the format to an expert of the format', () => {
  test('loses nothing, whatever mix of blocks it has', () => {
    fc.assert(
      fc.property(request, (body) => {
        const plain = JSON.parse(JSON.stringify(body)) as object;
        assert.deepEqual(backOf(plain), plain);
        assert.deepEqual(anthropicRequest(readMessagesRequest(plain, []), SETTINGS).notCarried, []);
      }),
      { numRuns: 1_000, seed: 4 },
    );
  });

  test('merges any number of neighbours', () => {
    // Each neighbour once copied all before it: this would take minutes.
    const turns = 100_000;
    const messages = Array.from({ length: turns }, (_, n) => ({ role: 'user', content: `${n}` }));
    const asked = readMessagesRequest({ ...ASK, messages }, []);
    const sent = anthropicRequest(asked, SETTINGS).body['messages'] as { content: object[] }[];
    assert.equal(sent[0]!.content.length, turns);
    const parts = Array.from({ length: turns * 2 }, () => ({ type: 'text', text: 'x' }));
    const chat = { model: 'm', messages: [{ role: 'assistant', content: parts }] };
    assert.equal(
      (anthropicRequest(chat, SETTINGS).body['messages'] as { content: object[] }[])[0]!.content.length,
      turns * 2,
    );
  });

  test('leaves the blocks of neighbours as they were', () => {
    const blocks = [{ type: 'text', text: 'a' }];
    const asked = readMessagesRequest({ ...ASK, messages: [{ role: 'user', content: blocks }, ...ASK.messages] }, []);
    for (let i = 0; i < 2; i++) anthropicRequest(asked, SETTINGS);
    assert.deepEqual(blocks, [{ type: 'text', text: 'a' }]);
  });

  test('names an effort that is no text', () => {
    const effort = JSON.parse('{"toString":2}') as unknown;
    const { notCarried } = anthropicRequest({ ...ASK, reasoning_effort: effort }, SETTINGS);
    assert.deepEqual(notCarried, ['reasoning_effort']);
  });

  test('keeps the betas that the client named', () => {
    assert.deepEqual(anthropicRequest(readMessagesRequest(ASK, ['a-1', 'b-2']), SETTINGS).betas, ['a-1', 'b-2']);
  });

  test('gives way where a field was changed on the way', () => {
    const asked = readMessagesRequest({ ...ASK, thinking: { type: 'enabled', budget_tokens: 2_000 } }, []);
    const changed = { ...asked, reasoning_effort: 'high', messages: [{ ...asked.messages[0]!, content: 'Changed' }] };
    const { body } = anthropicRequest(changed, SETTINGS);
    assert.deepEqual(body['thinking'], { type: 'adaptive' });
    assert.deepEqual(body['messages'], [{ role: 'user', content: 'Changed' }]);
  });

  test('merges neighbours of one role, as the API does', () => {
    const body = {
      ...ASK,
      messages: [
        { role: 'user', content: 'a' },
        { role: 'user', content: [{ type: 'text', text: 'b' }] },
      ],
    };
    assert.deepEqual(backOf(body)['messages'], [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ]);
  });
});

/** What the official client makes of a stream's events: the published rules, and an error on any breach of them. */
function accumulate(text: string, mayBreakJson = false): Record<string, unknown> {
  let whole: Record<string, unknown> | undefined;
  const content: Record<string, unknown>[] = [];
  let open = -1;
  let json = '';
  let isOver = false;
  for (const part of text.split('\n\n').filter(Boolean)) {
    const [first, second] = part.split('\n');
    const event = JSON.parse(second!.slice('data: '.length)) as Record<string, Record<string, unknown>>;
    assert.equal(first, `event: ${event['type'] as unknown as string}`);
    assert.ok(!isOver, 'nothing comes after message_stop');
    const index = event['index'] as unknown as number;
    switch (event['type'] as unknown as string) {
      case 'message_start':
        assert.equal(whole, undefined);
        whole = { ...event['message'] };
        break;
      case 'content_block_start':
        assert.equal(open, -1, 'one block at a time');
        assert.equal(index, content.length, 'blocks are numbered in order');
        open = index;
        json = '';
        content.push({ ...event['content_block'] });
        break;
      case 'content_block_delta': {
        assert.equal(index, open, 'a delta belongs to the open block');
        const block = content[index]!;
        const delta = event['delta']!;
        if (delta['type'] === 'text_delta') block['text'] = `${block['text']}${delta['text']}`;
        else if (delta['type'] === 'thinking_delta') block['thinking'] = `${block['thinking']}${delta['thinking']}`;
        else if (delta['type'] === 'signature_delta') block['signature'] = delta['signature'];
        else if (delta['type'] === 'citations_delta')
          block['citations'] = [...((block['citations'] as unknown[] | null) ?? []), delta['citation']];
        else json += delta['partial_json'] as string;
        break;
      }
      case 'content_block_stop':
        assert.equal(index, open);
        if (json !== '' && !mayBreakJson) content[index]!['input'] = JSON.parse(json);
        open = -1;
        break;
      case 'message_delta':
        assert.equal(open, -1);
        Object.assign(whole!, event['delta'], { usage: { ...(whole!['usage'] as object), ...event['usage'] } });
        break;
      case 'message_stop':
        isOver = true;
        break;
      default:
        assert.equal(event['type'], 'ping');
    }
  }
  assert.ok(isOver, 'the stream ends with message_stop');
  return { ...whole, content };
}

/** An answer of an expert of OpenAI's kind, and one of the ways to stream it. */
const answered = fc
  .record({
    thoughts: fc.array(word, { maxLength: 3 }),
    signature: fc.option(word, { nil: undefined }),
    texts: fc.array(word, { maxLength: 4 }),
    calls: fc.array(fc.record({ id: fc.uuid(), name: word, input }), { maxLength: 3 }),
    finish: fc.constantFrom('stop', 'length', 'content_filter'),
    interleave: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
    prompt: fc.nat({ max: 1000 }),
    cached: fc.nat({ max: 100 }),
    completion: fc.nat({ max: 1000 }),
  })
  .map(({ thoughts, signature, texts, calls, finish, interleave, prompt, cached, completion }) => {
    const usage = {
      prompt_tokens: prompt + cached,
      completion_tokens: completion,
      total_tokens: prompt + cached + completion,
      prompt_tokens_details: { cached_tokens: cached },
    };
    const reason = calls.length > 0 ? 'tool_calls' : finish;
    const isSigned = signature !== undefined && thoughts.length > 0;
    const head = { id: 'c', created: 1, model: 'm' };
    const whole: ChatCompletion = {
      ...head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: texts.length === 0 ? null : texts.join(''),
            ...(thoughts.length === 0 ? {} : { reasoning_content: thoughts.join('') }),
            ...(isSigned
              ? { reasoning_details: [{ type: 'reasoning.text', text: thoughts.join(''), signature }] }
              : {}),
            ...(calls.length === 0
              ? {}
              : {
                  tool_calls: calls.map(({ id, name, input }) => ({
                    id,
                    type: 'function',
                    function: { name, arguments: JSON.stringify(input) },
                  })),
                }),
          },
          finish_reason: reason,
        },
      ],
      usage,
    };
    const chunk = (delta: ChatChunk['choices'][0]['delta'], end: string | null = null): ChatChunk => ({
      ...head,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: end }],
    });
    const queues = calls.map(({ id, name, input }, index) => {
      const json = JSON.stringify(input).match(/[\s\S]{1,5}/g) ?? [];
      return [
        { index, id, type: 'function', function: { name, arguments: '' } },
        ...json.map((piece) => ({ index, function: { arguments: piece } })),
      ];
    });
    const pieces: object[] = [];
    for (let step = 0; queues.some((queue) => queue.length > 0); step++) {
      const waiting = queues.filter((queue) => queue.length > 0);
      pieces.push(waiting[interleave[step % interleave.length]! % waiting.length]!.shift()!);
    }
    const chunks = [
      chunk({ role: 'assistant', content: '' }),
      ...thoughts.map((text) => chunk({ reasoning_content: text })),
      ...(isSigned ? [chunk({ reasoning_details: [{ type: 'reasoning.text', signature, index: 0 }] })] : []),
      ...texts.map((content) => chunk({ content })),
      ...pieces.map((piece) => chunk({ tool_calls: [piece] })),
      chunk({}, reason),
      { ...head, object: 'chat.completion.chunk' as const, choices: [], usage },
    ];
    return { whole, chunks };
  });

describe('an answer', () => {
  const reading = messages().read(ASK, { principal: ANYONE }) as DialectReading;

  test('is the same whole and streamed, in the published order of events', () => {
    fc.assert(
      fc.property(answered, ({ whole, chunks }) => {
        const stream = reading.stream(CONTEXT);
        let text = stream.begin();
        for (const chunk of chunks) text += stream.chunk(JSON.stringify(chunk), chunk);
        text += stream.end();
        const message = JSON.parse(reading.whole(whole, JSON.stringify(whole), CONTEXT)) as object;
        assert.deepEqual(accumulate(text), message);
      }),
      { numRuns: 1_000, seed: 4 },
    );
  });

  for (const name of Object.keys(MESSAGES) as (keyof typeof MESSAGES)[]) {
    test(`of an expert of the format comes through whole: ${name}`, () => {
      const sent = MESSAGES[name];
      const format = anthropicFormat({ secrets: [], answerTool: undefined, createdS: 1 });
      const { completion } = format.whole(JSON.stringify(sent));
      const whole = JSON.parse(reading.whole(completion.body, completion.data, CONTEXT)) as object;
      assert.deepEqual(whole, { ...sent, id: 'msg_abc' });

      const stream = reading.stream(CONTEXT);
      let text = stream.begin();
      const translator = format.stream((chunk) => (text += stream.chunk('', chunk)));
      for (const event of eventsOfMessage(sent)) translator.event(event.split('data: ')[1]!.trim(), undefined);
      translator.end();
      text += stream.end();
      assert.deepEqual(accumulate(text), whole);
    });
  }

  test('that is told without its origin keeps its text, calls, thoughts and reason', () => {
    const format = anthropicFormat({ secrets: [], answerTool: undefined, createdS: 1 });
    for (const name of ['tool', 'parallelTools', 'thinking', 'tooLong', 'refusal', 'stopSequence'] as const) {
      const { data } = format.whole(JSON.stringify(MESSAGES[name])).completion;
      const plain = JSON.parse(data) as ChatCompletion;
      const whole = JSON.parse(reading.whole(plain, data, CONTEXT)) as Record<string, unknown>;
      const { content, stop_reason } = MESSAGES[name] as Record<string, unknown>;
      assert.equal(whole['stop_reason'], stop_reason);
      const { explanation } = (MESSAGES.refusal as { stop_details: { explanation: string } }).stop_details;
      // Its place in the format is the origin's; told as text it is at least told, as in a stream.
      if (name === 'refusal')
        assert.deepEqual(whole['content'], [{ type: 'text', text: explanation, citations: null }]);
      else assert.deepEqual(whole['content'], content);
    }
  });

  test('with calls that all have the same index keeps them apart by their ids', () => {
    const stream = reading.stream(CONTEXT);
    const head = { id: 'c', created: 1, model: 'm', object: 'chat.completion.chunk' as const };
    let text = stream.begin();
    for (const id of ['a', 'b']) {
      const tool_calls = [{ index: 0, id, type: 'function', function: { name: 'f', arguments: `{"id":"${id}"}` } }];
      const chunk = { ...head, choices: [{ index: 0, delta: { tool_calls }, finish_reason: null }] };
      text += stream.chunk('', chunk);
    }
    text += stream.end();
    assert.deepEqual(
      (accumulate(text)['content'] as Record<string, unknown>[]).map(({ id, input }) => [id, input]),
      [
        ['a', { id: 'a' }],
        ['b', { id: 'b' }],
      ],
    );
  });

  test('of any content and any pieces is told in the published order, or at least without a crash', () => {
    const piece = fc.record(
      {
        content: fc.jsonValue(),
        refusal: fc.jsonValue(),
        reasoning_content: fc.jsonValue(),
        reasoning_details: fc.oneof(
          fc.jsonValue(),
          fc.array(
            fc.record(
              {
                type: fc.constantFrom('reasoning.text', 'reasoning.encrypted', 'reasoning.summary'),
                text: fc.jsonValue(),
                data: fc.jsonValue(),
                signature: fc.jsonValue(),
              },
              { requiredKeys: [] },
            ),
          ),
        ),
        tool_calls: fc.oneof(
          fc.jsonValue(),
          fc.array(
            fc.record(
              {
                index: fc.oneof(fc.nat({ max: 3 }), fc.jsonValue()),
                id: fc.jsonValue(),
                function: fc.oneof(
                  fc.jsonValue(),
                  fc.record({ name: fc.oneof(word, fc.jsonValue()), arguments: fc.constantFrom('', '{', '}', 1) }),
                ),
              },
              { requiredKeys: [] },
            ),
          ),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.jsonValue(), (pieces, usage) => {
        const stream = reading.stream(CONTEXT);
        const head = { id: 'c', created: 1, model: 'm', object: 'chat.completion.chunk' as const };
        let text = stream.begin();
        for (const delta of pieces) {
          const chunk = { ...head, choices: [{ index: 0, delta, finish_reason: null }], usage } as unknown as ChatChunk;
          text += stream.chunk('', chunk);
        }
        text += stream.end();
        accumulate(text, true);
        for (const message of pieces) {
          const choices = [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop' }];
          reading.whole(
            { ...head, object: 'chat.completion', choices, usage } as unknown as ChatCompletion,
            '',
            CONTEXT,
          );
        }
      }),
      { numRuns: 3_000, seed: 4 },
    );
  });

  test('whose call goes on behind a text and a thought loses nothing of them', () => {
    const stream = reading.stream(CONTEXT);
    const head = { id: 'c', created: 1, model: 'm', object: 'chat.completion.chunk' as const };
    let text = stream.begin();
    for (const delta of [
      { tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{"x"' } }] },
      { content: 'Said ' },
      { reasoning_content: 'Thought.' },
      { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] },
      { content: 'last.' },
    ]) {
      const chunk = { ...head, choices: [{ index: 0, delta, finish_reason: null }] };
      text += stream.chunk('', chunk);
    }
    text += stream.end();
    assert.deepEqual(accumulate(text)['content'], [
      { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 }, caller: { type: 'direct' } },
      { type: 'text', text: 'Said ', citations: null },
      { type: 'thinking', thinking: 'Thought.', signature: '' },
      { type: 'text', text: 'last.', citations: null },
    ]);
  });

  const wholeOf = (message: object): Record<string, unknown> => {
    const choices = [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason: 'stop' }];
    const whole = { id: 'c', object: 'chat.completion' as const, created: 1, model: 'm', choices };
    return JSON.parse(reading.whole(whole, JSON.stringify(whole), CONTEXT)) as Record<string, unknown>;
  };
  const streamOf = (deltas: readonly object[]): Record<string, unknown> => {
    const stream = reading.stream(CONTEXT);
    let text = stream.begin();
    for (const delta of deltas) {
      const choices = [{ index: 0, delta, finish_reason: null }] as ChatChunk['choices'];
      text += stream.chunk('', { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices });
    }
    return accumulate(text + stream.end());
  };

  test('that is refused behind some text, or behind none, tells both', () => {
    const said = (text: string): object[] => [{ type: 'text', text, citations: null }];
    assert.deepEqual(wholeOf({ content: '', refusal: 'No.' })['content'], said('No.'));
    assert.deepEqual(wholeOf({ content: 'Well. ', refusal: 'No.' })['content'], said('Well. No.'));
    assert.deepEqual(
      streamOf([
        { content: 'Well. ', refusal: 'No' },
        { content: '', refusal: '.' },
      ])['content'],
      [...said('Well. No.')],
    );
  });

  test('has one thought where its text and its signature come apart', () => {
    const details = [{ type: 'reasoning.text', signature: 's' }];
    const thought = [{ type: 'thinking', thinking: 'Hm.', signature: 's' }];
    assert.deepEqual(wholeOf({ reasoning_content: 'Hm.', reasoning_details: details })['content'], thought);
    assert.deepEqual(streamOf([{ reasoning_content: 'Hm.' }, { reasoning_details: details }])['content'], thought);
  });

  test('whose arguments are nested deeper than can be written again has their text', () => {
    const text = `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
    const { content } = wholeOf({
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: text } }],
    });
    assert.deepEqual((content as { input: unknown }[])[0]!.input, { arguments: text });
  });

  test('of the first choice only, wherever that stands', () => {
    const choice = (index: number) => ({
      index,
      message: { role: 'assistant', content: `${index}` },
      finish_reason: 'stop',
    });
    const whole = {
      id: 'c',
      object: 'chat.completion' as const,
      created: 1,
      model: 'm',
      choices: [choice(1), choice(0)],
    };
    const { content } = JSON.parse(reading.whole(whole, '', CONTEXT)) as { content: { text: string }[] };
    assert.equal(content[0]!.text, '0');
  });

  test('without a model or a chunk is the answer of the expert', () => {
    assert.equal(streamOf([])['model'], 'one');
  });

  test('whose pieces repeat the name of a call, or change its id, has each call once', () => {
    const piece = (index: number, id: string, name: string | undefined, text: string): object => ({
      tool_calls: [{ index, id, function: { ...(name === undefined ? {} : { name }), arguments: text } }],
    });
    const deltas = [
      piece(0, 'a', 'f', '{"x"'),
      piece(0, 'other', undefined, ':1}'),
      piece(1, 'b', 'g', '{"y"'),
      piece(1, 'b', 'g', ':2}'),
    ];
    assert.deepEqual(
      (streamOf(deltas)['content'] as Record<string, unknown>[]).map(({ id, name, input }) => [id, name, input]),
      [
        ['a', 'f', { x: 1 }],
        ['b', 'g', { y: 2 }],
      ],
    );
  });

  test('that breaks off ends in an error event and no message_stop', () => {
    const stream = reading.stream(CONTEXT);
    const failure = toHttpError(new GatewrightError('GW_UPSTREAM_TRUNCATED', 'Cut.', { fix: 'Ask again.' }), 'tr_abc');
    const text = stream.begin() + stream.fail(failure);
    assert.match(text, /^event: error\ndata: \{.*\}\n\n$/);
    const data = JSON.parse(text.split('data: ')[1]!) as Record<string, Record<string, unknown>>;
    assert.equal(data['type'], 'error');
    assert.equal(data['error']!['type'], 'api_error');
    assert.equal((data['error']!['gateway'] as { code: string }).code, 'GW_UPSTREAM_TRUNCATED');
    assert.equal(data['request_id'], 'tr_abc');
  });
});

describe('an error', () => {
  const CASES: readonly [number, string][] = [
    [400, 'invalid_request_error'],
    [401, 'authentication_error'],
    [403, 'permission_error'],
    [404, 'not_found_error'],
    [413, 'request_too_large'],
    [422, 'invalid_request_error'],
    [429, 'rate_limit_error'],
    [500, 'api_error'],
    [502, 'api_error'],
    [503, 'overloaded_error'],
    [504, 'timeout_error'],
    [529, 'overloaded_error'],
  ];
  for (const [status, type] of CASES) {
    test(`with status ${status} is of type ${type}`, () => {
      const error = toHttpError(new GatewrightError('GW_INTERNAL', 'x', { fix: 'y' }));
      const body = JSON.parse(messagesError({ ...error, status })) as { error: { type: string } };
      assert.equal(body.error.type, type);
    });
  }
});
