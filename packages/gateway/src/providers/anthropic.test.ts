import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import {
  ANSWER,
  type AnthropicBehaviour,
  type AnthropicUpstream,
  anthropicUpstream,
  errorBody,
  MESSAGES,
  refuses,
  says,
  sse,
  streams,
} from '../../test/scripted/anthropic.ts';
import { ANYONE } from '../identity/principal.ts';
import { assembler } from '../wire/assemble.ts';
import type { ChatChunk, ChatRequest } from '../wire/chat.ts';
import type { DialectReading } from '../wire/dialect.ts';
import { messages } from '../wire/messages.ts';
import { type AnthropicOptions, anthropic } from './anthropic.ts';
import { anthropicFormat } from './anthropic-answer.ts';
import { ProviderFailure } from './failure.ts';
import type { Provider } from './provider.ts';

const TIMEOUTS = { connectMs: 2_000, firstByteMs: 5_000, idleMs: 5_000, totalMs: 20_000 };
const KEY = 'sk-ant-canary-0123456789';
const ASK: ChatRequest = { model: 'gw/auto', messages: [{ role: 'user', content: 'What is it?' }] };

function connect(url: string, more: Partial<AnthropicOptions> = {}, timeouts = TIMEOUTS): Provider {
  return anthropic({ baseUrl: url, model: 'claude-script-1', ...more })({
    timeouts,
    env: { ANTHROPIC_API_KEY: KEY },
    shared: new Map(),
  });
}

async function withServer<T>(
  behaviour: Parameters<typeof anthropicUpstream>[0],
  use: (server: AnthropicUpstream, provider: Provider) => Promise<T>,
  more: Partial<AnthropicOptions> = {},
): Promise<T> {
  const server = await anthropicUpstream(behaviour);
  const provider = connect(server.url, more);
  try {
    return await use(server, provider);
  } finally {
    await server.close();
    await provider.close();
  }
}

async function ask(provider: Provider, body: ChatRequest, stream: boolean) {
  const chunks: ChatChunk[] = [];
  const running = provider.start(
    { body, stream, traceId: 'tr_1', seed: 1 },
    { onChunk: (_, chunk) => void chunks.push(chunk) },
  );
  const answer = await running.answer;
  return { answer, chunks, notCarried: running.notCarried ?? [] };
}

/** What JSON holds of a value, without the field that the stream helper adds for parsed output. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) => (key === 'parsed_output' ? undefined : inner));
}

/** What is sent upstream for a request. */
async function sent(body: ChatRequest, more: Partial<AnthropicOptions> = {}) {
  return withServer(
    'text',
    async (server, provider) => {
      const { notCarried } = await ask(provider, body, false);
      const { headers, body: got, path } = server.requests[0]!;
      return { body: got, headers, path, notCarried };
    },
    more,
  );
}

describe("the official client understands the script's", () => {
  for (const name of Object.keys(MESSAGES) as (keyof typeof MESSAGES)[]) {
    test(`${name}, whole and streamed alike`, () =>
      withServer(name, async ({ url }) => {
        const client = new Anthropic({ baseURL: url, apiKey: KEY, maxRetries: 0 });
        const params = {
          model: 'claude-script-1',
          max_tokens: 100,
          messages: [{ role: 'user' as const, content: 'Hello' }],
        };
        const whole = await client.messages.create(params);
        const streamed = await client.messages.stream(params).finalMessage();
        assert.deepEqual(plain(whole), MESSAGES[name]);
        assert.deepEqual(plain(streamed), plain(whole));
      }));
  }

  const ERRORS = [
    ['rateLimited', Anthropic.RateLimitError],
    ['unauthorized', Anthropic.AuthenticationError],
    ['invalid', Anthropic.BadRequestError],
    ['missing', Anthropic.NotFoundError],
    ['overloaded', Anthropic.APIError],
  ] as const;
  for (const [name, kind] of ERRORS) {
    test(`${name} as its own error`, () =>
      withServer(name, async ({ url }) => {
        const client = new Anthropic({ baseURL: url, apiKey: KEY, maxRetries: 0 });
        await assert.rejects(
          client.messages.create({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'x' }] }),
          kind,
        );
      }));
  }
});

describe('an answer', () => {
  const CASES: Record<keyof typeof MESSAGES, { finish: string; message: object }> = {
    text: { finish: 'stop', message: { content: ANSWER } },
    tool: {
      finish: 'tool_calls',
      message: {
        content: 'Let me look.',
        tool_calls: [{ id: 'toolu_01', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } }],
      },
    },
    parallelTools: {
      finish: 'tool_calls',
      message: {
        content: null,
        tool_calls: [
          { id: 'toolu_01', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } },
          {
            id: 'toolu_02',
            type: 'function',
            function: { name: 'weather', arguments: '{"city":"Z\u00fcrich","days":[1,2]}' },
          },
          { id: 'toolu_03', type: 'function', function: { name: 'now', arguments: '{}' } },
        ],
      },
    },
    thinking: {
      finish: 'stop',
      message: {
        content: ANSWER,
        reasoning_content: 'Six times seven.',
        reasoning_details: [
          { type: 'reasoning.text', text: 'Six times seven.', signature: 'c2lnbmVk' },
          { type: 'reasoning.encrypted', data: 'Y2lwaGVy' },
        ],
      },
    },
    interleaved: {
      finish: 'tool_calls',
      message: {
        content: null,
        reasoning_content: 'First.Second.',
        reasoning_details: [
          { type: 'reasoning.text', text: 'First.', signature: 'czE=' },
          { type: 'reasoning.text', text: 'Second.', signature: 'czI=' },
        ],
        tool_calls: [
          { id: 'toolu_01', type: 'function', function: { name: 'now', arguments: '{}' } },
          { id: 'toolu_02', type: 'function', function: { name: 'now', arguments: '{"zone":"CET"}' } },
        ],
      },
    },
    stopSequence: { finish: 'stop', message: { content: 'one, two' } },
    tooLong: { finish: 'length', message: { content: 'one, two' } },
    paused: { finish: 'stop', message: { content: 'wait' } },
    refusal: { finish: 'content_filter', message: { content: '', refusal: 'I will not help with that.' } },
    search: { finish: 'stop', message: { content: 'X is a letter.' } },
  };
  for (const name of Object.keys(CASES) as (keyof typeof MESSAGES)[]) {
    test(`of ${name} is the same whole and streamed`, () =>
      withServer(name, async (_, provider) => {
        const { answer } = await ask(provider, ASK, false);
        const { body, data } = answer.completion!;
        assert.deepEqual(JSON.parse(data).choices[0].message, { role: 'assistant', ...CASES[name].message });
        assert.equal(body.choices[0]!.finish_reason, CASES[name].finish);
        assert.equal(body.choices[0]!['native_finish_reason'], MESSAGES[name]['stop_reason']);
        assert.deepEqual(body.usage, {
          prompt_tokens: 20,
          completion_tokens: 7,
          total_tokens: 27,
          prompt_tokens_details: { cached_tokens: 5, cache_creation_tokens: 3 },
        });
        const streamed = await ask(provider, ASK, true);
        const parts = assembler();
        for (const chunk of streamed.chunks) parts.add(chunk);
        const whole = parts.completion()!;
        const plain = JSON.parse(JSON.stringify(whole.choices[0])) as Record<string, unknown>;
        // A delta cannot say null: no text at all is an empty one.
        assert.deepEqual(without(plain['message']), without(JSON.parse(data).choices[0].message));
        assert.equal(plain['finish_reason'], CASES[name].finish);
        assert.deepEqual(streamed.answer.usage, body.usage);
        assert.deepEqual(whole.usage, body.usage);
      }));
  }
});

/** Without what only one of both ways of telling has: the index of a piece, and null for no text. */
function without(value: unknown): unknown {
  const { content, ...rest } = value as Record<string, unknown>;
  return JSON.parse(JSON.stringify({ ...rest, content: content ?? '' }), (key, inner: unknown) =>
    key === 'index' ? undefined : inner,
  );
}

describe('a failure', () => {
  const CASES: readonly [AnthropicBehaviour, boolean, string, boolean][] = [
    ['rateLimited', false, 'GW_UPSTREAM_RATE_LIMIT', true],
    ['overloaded', false, 'GW_UPSTREAM_STATUS', true],
    ['overloaded', true, 'GW_UPSTREAM_STATUS', true],
    ['unauthorized', false, 'GW_UPSTREAM_AUTH', true],
    ['invalid', false, 'GW_UPSTREAM_REJECTED', false],
    ['tooLarge', true, 'GW_UPSTREAM_REJECTED', false],
    ['missing', false, 'GW_UPSTREAM_STATUS', true],
    ['failed', true, 'GW_UPSTREAM_STATUS', true],
    ['errorFirst', true, 'GW_UPSTREAM_ERROR_EVENT', true],
    ['invalidFirst', true, 'GW_UPSTREAM_ERROR_EVENT', false],
    ['errorAfter', true, 'GW_UPSTREAM_ERROR_EVENT', true],
    ['cut', true, 'GW_UPSTREAM_TRUNCATED', true],
    ['endsEarly', true, 'GW_UPSTREAM_TRUNCATED', true],
    ['malformed', true, 'GW_UPSTREAM_MALFORMED', true],
    ['malformedJson', false, 'GW_UPSTREAM_MALFORMED', true],
  ];
  for (const [name, stream, code, elsewhere] of CASES) {
    test(`${name}${stream ? ' in a stream' : ''} is ${code}, ${elsewhere ? 'another may answer' : 'nobody else is asked'}`, () =>
      withServer(name, async (_, provider) => {
        await assert.rejects(ask(provider, ASK, stream), (error: unknown) => {
          assert.ok(error instanceof ProviderFailure);
          assert.equal(error.code, code);
          assert.equal(error.elsewhere, elsewhere);
          if (name === 'rateLimited') assert.equal(error.retryAfterMs, 7_000);
          if (name === 'overloaded') assert.equal(error.status, 529);
          assert.ok(!JSON.stringify({ ...error, message: error.message }).includes(KEY));
          return true;
        });
      }));
  }

  for (const stream of [false, true]) {
    test(`that repeats the key is told without it${stream ? ', in a stream too' : ''}`, () =>
      withServer(
        () => {
          const words = `invalid x-api-key: ${KEY}`;
          return stream
            ? streams([sse(errorBody('authentication_error', words) as { type: string })])
            : refuses(401, 'authentication_error', words);
        },
        async (_, provider) => {
          await assert.rejects(ask(provider, ASK, stream), (error: unknown) => {
            assert.ok(error instanceof ProviderFailure);
            assert.match(String(error.upstream!['message']), /^invalid x-api-key: /);
            assert.ok(!JSON.stringify([error, error.message, error.upstream]).includes(KEY));
            return true;
          });
        },
      ));
  }

  test('of events that mean nothing is a failure of the expert, never a crash', () => {
    const fields = fc.record(
      {
        type: fc.constantFrom(
          'message_start',
          'content_block_start',
          'content_block_delta',
          'content_block_stop',
          'message_delta',
          'message_stop',
          'error',
          'novel',
        ),
        index: fc.oneof(fc.nat({ max: 2 }), fc.jsonValue()),
        message: fc.oneof(fc.constant({ id: 'm', model: 'm' }), fc.jsonValue()),
        content_block: fc.oneof(
          fc.record({ type: fc.constantFrom('text', 'thinking', 'tool_use', 'novel'), text: fc.jsonValue() }),
          fc.jsonValue(),
        ),
        delta: fc.oneof(
          fc.record({
            type: fc.constantFrom('text_delta', 'input_json_delta', 'thinking_delta', 'signature_delta', 'novel'),
            text: fc.jsonValue(),
            partial_json: fc.jsonValue(),
            stop_reason: fc.constantFrom('end_turn', 'novel', 1),
          }),
          fc.jsonValue(),
        ),
        usage: fc.jsonValue(),
        error: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const event = fc.oneof({ weight: 8, arbitrary: fields.map((value) => JSON.stringify(value)) }, fc.string());
    fc.assert(
      fc.property(fc.array(event, { maxLength: 8 }), (events) => {
        const settings = { secrets: [], answerTool: undefined, createdS: 1 };
        const dialect = messages().read(
          { model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'x' }] },
          { principal: ANYONE },
        ) as DialectReading;
        const told = dialect.stream({ traceId: 'tr_1', createdS: 1, expert: 'one' });
        try {
          const translator = anthropicFormat(settings).stream((chunk) => void told.chunk(JSON.stringify(chunk), chunk));
          for (const data of events) translator.event(data, undefined);
          translator.end();
          told.end();
        } catch (error) {
          assert.ok(error instanceof ProviderFailure, String((error as Error).stack));
        }
      }),
      { numRuns: 5_000, seed: 4 },
    );
  });

  test('a call that is cancelled closes its connection', () =>
    withServer('slow', async (server, provider) => {
      let seen!: () => void;
      const content = new Promise<void>((resolve) => (seen = resolve));
      const running = provider.start(
        { body: ASK, stream: true, traceId: 'tr_1', seed: 1 },
        { onChunk: (_, chunk) => void (chunk.choices[0]?.delta.content === 'It is ' && seen()) },
      );
      await content;
      running.cancel();
      await assert.rejects(running.answer, { code: 'GW_CANCELLED' });
      while (!server.requests[0]!.wasAborted) await new Promise((resolve) => setImmediate(resolve));
    }));
});

describe('a request', () => {
  test('goes out with key, version and betas, bounded by maxTokens', async () => {
    const { headers, path, body } = await sent(ASK, { beta: ['one-2025-01-01'], maxTokens: 77 });
    assert.equal(path, '/v1/messages');
    assert.equal(headers['x-api-key'], KEY);
    assert.equal(headers['anthropic-version'], '2023-06-01');
    assert.equal(headers['anthropic-beta'], 'one-2025-01-01');
    assert.deepEqual(body, {
      model: 'claude-script-1',
      max_tokens: 77,
      messages: [{ role: 'user', content: 'What is it?' }],
      stream: false,
    });
  });

  const PNG = 'iVBORw0KGgo=';
  const CASES: readonly {
    name: string;
    ask: object;
    body: object;
    lost?: string[];
    options?: Partial<AnthropicOptions>;
  }[] = [
    {
      name: 'instructions, wherever they stand, become the system prompt',
      ask: {
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Hello' },
          { role: 'developer', content: 'Be kind.' },
        ],
      },
      body: {
        system: [
          { type: 'text', text: 'Be brief.' },
          { type: 'text', text: 'Be kind.' },
        ],
        messages: [{ role: 'user', content: 'Hello' }],
      },
    },
    {
      name: 'calls and results become blocks, neighbours one turn',
      ask: {
        messages: [
          { role: 'user', content: 'Weather?' },
          {
            role: 'assistant',
            content: null,
            tool_calls: [
              { id: 'a', type: 'function', function: { name: 'weather', arguments: '{"city":"Bern"}' } },
              { id: 'b', type: 'function', function: { name: 'now', arguments: '' } },
            ],
          },
          { role: 'tool', tool_call_id: 'a', content: 'sun' },
          { role: 'tool', tool_call_id: 'b', content: 'failed', is_error: true },
          { role: 'user', content: 'And?' },
          { role: 'assistant', content: 'It is' },
        ],
        tools: [
          {
            type: 'function',
            function: { name: 'weather', parameters: { type: 'object', properties: {} }, strict: true },
          },
          { type: 'function', function: { name: 'now', description: 'The time.' } },
        ],
        tool_choice: 'required',
        parallel_tool_calls: false,
      },
      body: {
        messages: [
          { role: 'user', content: 'Weather?' },
          {
            role: 'assistant',
            content: [
              { type: 'tool_use', id: 'a', name: 'weather', input: { city: 'Bern' } },
              { type: 'tool_use', id: 'b', name: 'now', input: {} },
            ],
          },
          {
            role: 'user',
            content: [
              { type: 'tool_result', tool_use_id: 'a', content: 'sun' },
              { type: 'tool_result', tool_use_id: 'b', content: 'failed', is_error: true },
              { type: 'text', text: 'And?' },
            ],
          },
          { role: 'assistant', content: 'It is' },
        ],
        tools: [
          { name: 'weather', input_schema: { type: 'object', properties: {} }, strict: true },
          { name: 'now', description: 'The time.', input_schema: { type: 'object', properties: {} } },
        ],
        tool_choice: { type: 'any', disable_parallel_tool_use: true },
      },
    },
    {
      name: 'images and files become blocks, what is neither is told',
      ask: {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'Look' },
              { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
              { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
              { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERg==' } },
              { type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } },
            ],
          },
        ],
      },
      body: {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'Look' },
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
              { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
              {
                type: 'document',
                source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERg==' },
                title: 'a.pdf',
              },
            ],
          },
        ],
      },
      lost: ['messages[0].content[4]'],
    },
    {
      name: 'thoughts go back to whoever signed them',
      ask: {
        messages: [
          { role: 'user', content: 'Hello' },
          {
            role: 'assistant',
            content: 'Hi',
            reasoning_content: 'Greet.',
            reasoning_details: [
              { type: 'reasoning.text', text: 'Greet.', signature: 'c2ln' },
              { type: 'reasoning.encrypted', data: 'eA==' },
              { type: 'reasoning.text', text: 'Nobody signed this.' },
            ],
          },
          { role: 'user', content: 'Again' },
        ],
      },
      body: {
        messages: [
          { role: 'user', content: 'Hello' },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Greet.', signature: 'c2ln' },
              { type: 'redacted_thinking', data: 'eA==' },
              { type: 'text', text: 'Hi' },
            ],
          },
          { role: 'user', content: 'Again' },
        ],
      },
      lost: ['messages[1].reasoning_details[2]'],
    },
    {
      name: 'an effort lets a model think as it likes',
      ask: { reasoning_effort: 'high', temperature: 0.3, top_p: 1 },
      body: { thinking: { type: 'adaptive' }, output_config: { effort: 'high' } },
      lost: ['temperature'],
    },
    {
      name: 'an effort is a number of tokens where a model wants one, and leaves half for the answer',
      ask: { reasoning_effort: 'high', max_completion_tokens: 10_000 },
      body: { max_tokens: 10_000, thinking: { type: 'enabled', budget_tokens: 5_000 } },
      options: { thinking: 'budget' },
    },
    {
      name: 'no effort at all switches thoughts off',
      ask: { reasoning_effort: 'none' },
      body: { thinking: { type: 'disabled' } },
    },
    {
      name: 'a schema is kept by the API',
      ask: { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } } },
      body: { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
    },
    {
      name: 'what the format cannot say is told, what changes nothing is not',
      ask: {
        stop: 'END',
        user: 'ada',
        top_k: 5,
        temperature: 1.5,
        service_tier: 'default',
        seed: 1,
        n: 1,
        logprobs: true,
        logit_bias: { 1: 2 },
        presence_penalty: 0,
        frequency_penalty: 0.5,
        response_format: { type: 'json_object' },
        metadata: {},
      },
      body: {
        stop_sequences: ['END'],
        metadata: { user_id: 'ada' },
        top_k: 5,
        temperature: 1,
        service_tier: 'standard_only',
      },
      lost: ['temperature', 'response_format', 'seed', 'logprobs', 'logit_bias', 'frequency_penalty'],
    },
    {
      name: 'with cache, tools, system and conversation end in a mark',
      ask: {
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Hello' },
        ],
        tools: [{ type: 'function', function: { name: 'now' } }],
      },
      body: {
        system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello', cache_control: { type: 'ephemeral' } }] }],
        tools: [
          {
            name: 'now',
            input_schema: { type: 'object', properties: {} },
            cache_control: { type: 'ephemeral' },
          },
        ],
      },
      options: { cache: true },
    },
  ];
  for (const { name, ask: more, body, lost = [], options } of CASES) {
    test(name, async () => {
      const got = await sent({ ...ASK, ...more }, options);
      assert.deepEqual(got.body, {
        model: 'claude-script-1',
        max_tokens: 8_192,
        messages: [{ role: 'user', content: 'What is it?' }],
        stream: false,
        ...body,
      });
      assert.deepEqual(got.notCarried, lost);
    });
  }

  for (const stream of [false, true]) {
    test(`a schema through a forced tool comes back as text${stream ? ', streamed' : ''}`, async () => {
      const schema = { type: 'object', properties: { city: { type: 'string' } } };
      const body = { ...ASK, response_format: { type: 'json_schema', json_schema: { name: 'a', schema } } };
      await withServer(
        (_, exchange) => {
          const [tool] = exchange.body['tools'] as { name: string; input_schema: object }[];
          assert.deepEqual(tool!.input_schema, schema);
          assert.deepEqual(exchange.body['tool_choice'], { type: 'tool', name: tool!.name });
          const said = { type: 'tool_use', id: 'toolu_1', name: tool!.name, input: { city: 'Bern' } };
          return says({ ...MESSAGES.tool, content: [said] });
        },
        async (_, provider) => {
          const { answer, chunks } = await ask(provider, body, stream);
          const parts = assembler();
          for (const chunk of chunks) parts.add(chunk);
          const completion = stream ? parts.completion()! : answer.completion!.body;
          assert.equal(completion.choices[0]!.message.content, '{"city":"Bern"}');
          assert.equal(completion.choices[0]!.finish_reason, 'stop');
          assert.equal(completion.choices[0]!.message['tool_calls'], undefined);
        },
        { structuredOutput: 'tool' },
      );
    });
  }

  test('tokens are counted by the server, without the fields that a count refuses', () =>
    withServer('text', async (server, provider) => {
      assert.equal(await provider.countTokens!({ ...ASK, temperature: 0.5, stop: ['x'], user: 'ada' }), 4321);
      const { path, body } = server.requests[0]!;
      assert.equal(path, '/v1/messages/count_tokens');
      assert.deepEqual(body, { model: 'claude-script-1', messages: [{ role: 'user', content: 'What is it?' }] });
    }));

  test('wrong options are refused by name', () => {
    for (const [name, value] of [
      ['version', 1],
      ['beta', ['a b']],
      ['maxTokens', 0],
      ['cache', 'yes'],
      ['thinking', 'much'],
      ['structuredOutput', 'maybe'],
      ['prefill', 1],
      ['apiKey', 'sk-secret'],
    ] as const)
      assert.throws(
        () => anthropic({ model: 'm', [name]: value } as unknown as AnthropicOptions),
        (error: Error) => error.message.includes(name) && !error.message.includes('sk-secret'),
      );
  });
});
