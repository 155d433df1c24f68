/** Clients of Anthropic's Messages, unchanged, over experts of OpenAI's kind and of Anthropic's own. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import Anthropic from '@anthropic-ai/sdk';
import { ChatAnthropic } from '@langchain/anthropic';
import { tool as langchainTool } from '@langchain/core/tools';
import { generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { expertAt, post, startGateway, type TestGateway, until } from './helpers.ts';
import { type AnthropicUpstream, anthropicUpstream, message, says, text, toolUse } from './scripted/anthropic.ts';
import { type ToolExpert, toolExpert, WEATHER, WEATHER_TEXT } from './tool-expert.ts';
import { type Upstream, upstream } from './upstream.ts';

const City = z.object({ city: z.string() });
const Weather = z.object({ city: z.string(), degrees: z.number() });
const QUESTION = 'What is the weather in Paris?';
const KEY = 'sk-ant-canary-0123456789abcdef';

let openaiExpert: ToolExpert;
let claudeExpert: AnthropicUpstream;
let broken: AnthropicUpstream;
let slow: AnthropicUpstream;
let limited: Upstream;
let drip: Upstream;
let gate: TestGateway;
let client: Anthropic;

before(async () => {
  [openaiExpert, claudeExpert, broken, slow, limited, drip] = await Promise.all([
    toolExpert(),
    anthropicUpstream((_, { body }) => says(answerTo(body))),
    anthropicUpstream('errorAfter'),
    anthropicUpstream('slow'),
    upstream('rateLimited'),
    upstream('drip'),
  ]);
  const claude = (id: string, url: string): object => ({
    id,
    provider: { use: 'anthropic', baseUrl: url, model: 'claude-script-1' },
    capabilities: ['tools', 'json', 'vision'],
  });
  gate = await startGateway(
    {
      experts: [
        expertAt('gpt', openaiExpert.url),
        claude('claude', claudeExpert.url),
        claude('broken', broken.url),
        claude('slow', slow.url),
        expertAt('limited', limited.url),
        expertAt('drip', drip.url),
      ],
      modes: {
        auto: { experts: ['gpt'], policy: { use: 'static' }, composition: { use: 'single' } },
        second: { experts: ['limited', 'claude'], policy: { use: 'static' }, composition: { use: 'fallback' } },
      },
      aliases: { 'claude-*-haiku': 'gpt', 'claude-*': 'gw/auto', 'claude-exact': 'claude' },
    },
    { env: { ANTHROPIC_API_KEY: KEY } },
  );
  client = new Anthropic({ baseURL: gate.url, apiKey: 'unused', maxRetries: 0 });
});
after(async () => {
  await gate.close();
  await Promise.all([openaiExpert, claudeExpert, broken, slow, limited, drip].map((server) => server.close()));
});
beforeEach(() => {
  openaiExpert.requests.splice(0);
  claudeExpert.requests.splice(0);
});

/** Calls the offered tools, answers their results, follows a schema. */
function answerTo(body: Record<string, unknown>): Record<string, unknown> {
  const messages = body['messages'] as { content: string | { type: string }[] }[];
  const last = messages.at(-1)!.content;
  if (Array.isArray(last) && last.some(({ type }) => type === 'tool_result')) return message([text(WEATHER_TEXT)]);
  const tools = (body['tools'] ?? []) as { name: string; input_schema: { properties?: object } }[];
  const choice = body['tool_choice'] as { type: string; name?: string } | undefined;
  if (tools.length > 0 && choice?.type !== 'none') {
    const { name, input_schema } = tools.find((offered) => offered.name === choice?.name) ?? tools[0]!;
    const input = Object.keys(input_schema.properties ?? {}).includes('degrees') ? WEATHER : { city: 'Paris' };
    const calls = [toolUse('toolu_1', name, input)];
    if (JSON.stringify(last).includes('both')) calls.push(toolUse('toolu_2', name, { city: 'Rome' }));
    return message(calls);
  }
  const config = body['output_config'] as { format?: unknown } | undefined;
  if (config?.format != null) return message([text(JSON.stringify(WEATHER))]);
  return message([text(WEATHER_TEXT)]);
}

const ASK = { max_tokens: 500, messages: [{ role: 'user' as const, content: QUESTION }] };
const TOOL = {
  name: 'get_weather',
  description: 'The weather of a city.',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] },
};

for (const model of ['gpt', 'claude']) {
  const outputTokens = model === 'gpt' ? 8 : 7;
  const inputTokens = model === 'gpt' ? 16 : 12;

  describe(`@anthropic-ai/sdk over ${model}`, () => {
    test('gets a message, with the gateway headers beside it', async () => {
      const { data, response } = await client.messages.create({ model, ...ASK }).withResponse();
      assert.match(data.id, /^msg_/);
      assert.deepEqual(data.content, [{ type: 'text', text: WEATHER_TEXT, citations: null }]);
      assert.equal(data.stop_reason, 'end_turn');
      assert.deepEqual(
        [data.usage.input_tokens, data.usage.cache_read_input_tokens, data.usage.output_tokens],
        [inputTokens, model === 'gpt' ? 4 : 5, outputTokens],
      );
      assert.equal(response.headers.get('x-gw-expert'), model);
      assert.match(response.headers.get('x-gw-trace')!, /^tr_/);
    });

    test('adds a stream up to the same message', async () => {
      const whole = await client.messages.create({ model, ...ASK });
      const stream = client.messages.stream({ model, ...ASK });
      let said = '';
      stream.on('text', (piece) => {
        said += piece;
      });
      const { id: _, ...final } = await stream.finalMessage();
      const { id: __, ...expected } = whole;
      assert.equal(said, WEATHER_TEXT);
      assert.deepEqual(plain(final), plain(expected));
    });

    test('goes round a loop of tools, streamed, with two calls at a time', async () => {
      const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'The weather of both cities?' }];
      const first = await client.messages.stream({ model, max_tokens: 500, messages, tools: [TOOL] }).finalMessage();
      assert.equal(first.stop_reason, 'tool_use');
      const calls = first.content.filter((block) => block.type === 'tool_use');
      assert.deepEqual(
        calls.map(({ input }) => input),
        [{ city: 'Paris' }, { city: 'Rome' }],
      );
      messages.push(
        { role: 'assistant', content: first.content },
        { role: 'user', content: calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: '21' })) },
      );
      const last = await client.messages.create({ model, max_tokens: 500, messages, tools: [TOOL] });
      assert.deepEqual(
        last.content.map((block) => (block.type === 'text' ? block.text : block.type)),
        [WEATHER_TEXT],
      );
    });

    test('goes round its own loop of tools', async () => {
      const asked: unknown[] = [];
      const runner = client.beta.messages.toolRunner({
        model,
        ...ASK,
        tools: [
          {
            ...TOOL,
            run: (input: unknown) => {
              asked.push(input);
              return '21 degrees';
            },
            parse: (input: unknown) => input,
          } as never,
        ],
      });
      const final = await runner;
      assert.deepEqual(asked, [{ city: 'Paris' }]);
      assert.equal(final.content[0]!.type === 'text' && final.content[0].text, WEATHER_TEXT);
    });

    test('counts tokens', async () => {
      const { data, response } = await client.messages
        .countTokens({ model, messages: ASK.messages, system: 'Be brief.' })
        .withResponse();
      assert.equal(response.headers.get('x-gw-tokens-from'), model === 'gpt' ? 'estimate' : 'provider');
      if (model === 'claude') assert.equal(data.input_tokens, 4321);
      else assert.ok(data.input_tokens > 10 && data.input_tokens < 40);
    });
  });

  describe(`@ai-sdk/anthropic over ${model}`, () => {
    const languageModel = () => createAnthropic({ baseURL: `${gate.url}/v1`, apiKey: 'unused' })(model);

    test('generates and streams text', async () => {
      const whole = await generateText({ model: languageModel(), prompt: QUESTION, maxRetries: 0 });
      assert.equal(whole.text, WEATHER_TEXT);
      assert.equal(whole.finishReason, 'stop');
      assert.equal(whole.usage.outputTokens, outputTokens);
      const stream = streamText({ model: languageModel(), prompt: QUESTION, maxRetries: 0 });
      let said = '';
      for await (const piece of stream.textStream) said += piece;
      assert.equal(said, WEATHER_TEXT);
      assert.equal(await stream.finishReason, 'stop');
      assert.deepEqual(await stream.usage, whole.usage);
    });

    test('generates an object', async () => {
      const { object } = await generateObject({
        model: languageModel(),
        schema: Weather,
        prompt: QUESTION,
        maxRetries: 0,
      });
      assert.deepEqual(object, WEATHER);
    });

    for (const isStream of [false, true]) {
      test(`goes round a loop of tools${isStream ? ', streamed' : ''}`, async () => {
        const options = {
          model: languageModel(),
          prompt: QUESTION,
          maxRetries: 0,
          stopWhen: stepCountIs(3),
          tools: {
            get_weather: tool({ description: 'x', inputSchema: City, execute: ({ city }) => `21 in ${city}` }),
          },
        };
        const result = isStream ? streamText(options) : await generateText(options);
        assert.equal(await result.text, WEATHER_TEXT);
        const steps = await result.steps;
        assert.equal(steps.length, 2);
        assert.deepEqual(
          steps[0]!.toolCalls.map(({ input }) => input),
          [{ city: 'Paris' }],
        );
      });
    }
  });

  describe(`@langchain/anthropic over ${model}`, () => {
    const chat = (more: object = {}) =>
      new ChatAnthropic({ model, apiKey: 'unused', anthropicApiUrl: gate.url, maxRetries: 0, maxTokens: 500, ...more });

    test('gives the object that a schema describes', async () => {
      assert.deepEqual(await chat().withStructuredOutput(Weather).invoke(QUESTION), WEATHER);
    });

    test('calls tools that are bound to it', async () => {
      const weather = langchainTool(({ city }: { city: string }) => `21 in ${city}`, {
        name: 'get_weather',
        description: 'x',
        schema: City,
      });
      const reply = await chat().bindTools([weather]).invoke(QUESTION);
      assert.deepEqual(
        reply.tool_calls!.map(({ name, args }) => [name, args]),
        [['get_weather', { city: 'Paris' }]],
      );
    });

    test('adds up text and usage of a stream', async () => {
      let said = '';
      let tokens = 0;
      for await (const chunk of await chat({ streamUsage: true }).stream(QUESTION)) {
        said += chunk.text;
        tokens +=
          (chunk as unknown as { usage_metadata?: { output_tokens: number } }).usage_metadata?.output_tokens ?? 0;
      }
      assert.equal(said, WEATHER_TEXT);
      // The script begins with one token, as the API does; this client adds start and end.
      assert.equal(tokens, model === 'gpt' ? outputTokens : outputTokens + 1);
    });
  });
}

describe('the client of another format over an expert of this one', () => {
  const weather = {
    type: 'function' as const,
    function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  };

  test('gets calls of tools from a stream, and their answer', async () => {
    const openai = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: 'The weather of both cities?' },
    ];
    const first = await openai.chat.completions
      .stream({ model: 'claude', messages, tools: [weather], seed: 3, stream_options: { include_usage: true } })
      .finalChatCompletion();
    const { tool_calls: calls = [] } = first.choices[0]!.message;
    assert.deepEqual(
      calls.map((call) => call.type === 'function' && call.function.arguments),
      ['{"city":"Paris"}', '{"city":"Rome"}'],
    );
    assert.equal(first.choices[0]!.finish_reason, 'tool_calls');
    assert.deepEqual([first.usage!.prompt_tokens, first.usage!.completion_tokens], [20, 7]);
    messages.push(
      first.choices[0]!.message,
      ...calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: '21' })),
    );
    const { data, response } = await openai.chat.completions
      .create({ model: 'claude', messages, tools: [weather], seed: 3 })
      .withResponse();
    assert.equal(data.choices[0]!.message.content, WEATHER_TEXT);
    assert.equal(response.headers.get('x-gw-not-carried'), 'seed');
    const { body } = claudeExpert.requests[1]!;
    assert.deepEqual((body['messages'] as unknown[]).at(-1), {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_1', content: '21' },
        { type: 'tool_result', tool_use_id: 'toolu_2', content: '21' },
      ],
    });
  });

  test('gets the object that a schema describes', async () => {
    const openai = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const { choices } = await openai.chat.completions.parse({
      model: 'claude',
      messages: [{ role: 'user', content: QUESTION }],
      response_format: zodResponseFormat(Weather, 'weather'),
    });
    assert.deepEqual(choices[0]!.message.parsed, WEATHER);
  });
});

describe('errors', () => {
  test('arrive as the classes of the official client', async () => {
    const cases = [
      [{ model: 'nobody', ...ASK }, Anthropic.NotFoundError, 'not_found_error'],
      [{ model: 'gpt', ...ASK, messages: [] }, Anthropic.BadRequestError, 'invalid_request_error'],
      [{ model: 'limited', ...ASK }, Anthropic.RateLimitError, 'rate_limit_error'],
    ] as const;
    for (const [body, kind, type] of cases) {
      await assert.rejects(client.messages.create(body as never), (error: unknown) => {
        assert.ok(error instanceof kind, String(error));
        assert.equal(error.type, type);
        const inner = (error.error as { error: { gateway: { code: string } } }).error;
        assert.match(inner.gateway.code, /^GW_/);
        return true;
      });
    }
  });

  test('of the gateway itself have the same form', async () => {
    const cases = [
      ['{"model":', {}, 400, 'invalid_request_error', 'GW_REQUEST_JSON'],
      ['{}', { 'content-type': 'text/plain' }, 415, 'invalid_request_error', 'GW_REQUEST_MEDIA'],
      [{ model: 'gpt', ...ASK, max_tokens: null }, {}, 400, 'invalid_request_error', 'GW_REQUEST_TYPE'],
    ] as const;
    for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
      for (const [body, headers, status, type, code] of cases) {
        if (path.endsWith('count_tokens') && code === 'GW_REQUEST_TYPE') continue;
        const response = await post(gate.url + path, body, { headers });
        assert.equal(response.status, status);
        const sent = (await response.json()) as { type: string; error: { type: string; gateway: { code: string } } };
        assert.deepEqual([sent.type, sent.error.type, sent.error.gateway.code], ['error', type, code]);
      }
    }
  });

  test('of a wrong key are the class of the official client, and the right key is taken from its header', async () => {
    const own = await startGateway(
      { experts: [expertAt('gpt', openaiExpert.url)] },
      { env: { GATEWRIGHT_API_KEY: 'gw-right-key' } },
    );
    try {
      const ask = (apiKey: string): Promise<Anthropic.Message> =>
        new Anthropic({ baseURL: own.url, apiKey, maxRetries: 0 }).messages.create({ model: 'gpt', ...ASK });
      await assert.rejects(ask('gw-wrong-key'), (error: unknown) => {
        assert.ok(error instanceof Anthropic.AuthenticationError);
        assert.equal(error.type, 'authentication_error');
        return true;
      });
      assert.equal((await ask('gw-right-key')).stop_reason, 'end_turn');
    } finally {
      await own.close();
    }
  });

  test('before any content let the next expert stream', async () => {
    const own = await anthropicUpstream('errorFirst');
    const pair = await startGateway(
      {
        experts: [
          { id: 'first', provider: { use: 'anthropic', baseUrl: own.url, model: 'm' } },
          expertAt('gpt', openaiExpert.url),
        ],
        modes: { both: { policy: { use: 'static' }, composition: { use: 'fallback' } } },
      },
      { env: { ANTHROPIC_API_KEY: KEY } },
    );
    try {
      const anthropic = new Anthropic({ baseURL: pair.url, apiKey: 'unused', maxRetries: 0 });
      const final = await anthropic.messages.stream({ model: 'gw/both', ...ASK }).finalMessage();
      assert.equal(final.model, 'tool-model');
      assert.deepEqual(plain(final.content), [{ type: 'text', text: WEATHER_TEXT, citations: null }]);
      assert.ok(own.requests.length > 0);
    } finally {
      await pair.close();
      await own.close();
    }
  });

  test('of counting leave an estimate', async () => {
    const own = await anthropicUpstream('failed');
    const alone = await startGateway(
      { experts: [{ id: 'one', provider: { use: 'anthropic', baseUrl: own.url, model: 'm' } }] },
      { env: { ANTHROPIC_API_KEY: KEY } },
    );
    try {
      const response = await post(`${alone.url}/v1/messages/count_tokens`, { model: 'one', messages: ASK.messages });
      assert.equal(response.headers.get('x-gw-tokens-from'), 'estimate');
      assert.ok(((await response.json()) as { input_tokens: number }).input_tokens > 0);
      assert.equal(own.requests[0]!.path, '/v1/messages/count_tokens');
    } finally {
      await alone.close();
      await own.close();
    }
  });

  test('carry the time to wait', async () => {
    await assert.rejects(client.messages.create({ model: 'limited', ...ASK }), (error: unknown) => {
      assert.ok(error instanceof Anthropic.RateLimitError);
      assert.equal(error.headers!.get('retry-after'), '7');
      return true;
    });
  });

  test('in the middle of a stream end it, after what had come', async () => {
    const stream = client.messages.stream({ model: 'broken', ...ASK });
    let said = '';
    stream.on('text', (piece) => {
      said += piece;
    });
    await assert.rejects(stream.finalMessage(), (error: unknown) => {
      assert.ok(error instanceof Anthropic.APIError);
      assert.equal(error.type, 'api_error');
      return true;
    });
    assert.equal(said, 'It is ');
  });

  test('of one expert leave the turn to another', async () => {
    const { data, response } = await client.messages.create({ model: 'gw/second', ...ASK }).withResponse();
    assert.equal(response.headers.get('x-gw-expert'), 'claude');
    assert.equal(data.stop_reason, 'end_turn');
  });
});

describe('an answer that is cut', () => {
  test('goes on where it broke off, where the expert can', async () => {
    const expert = await anthropicUpstream((number) => (number === 0 ? 'cut' : says(message([text(' forty-two.')]))));
    const own = await startGateway(
      {
        experts: [
          {
            id: 'claude',
            provider: { use: 'anthropic', baseUrl: expert.url, model: 'claude-script-1', prefill: true },
          },
        ],
      },
      { env: { ANTHROPIC_API_KEY: KEY } },
    );
    try {
      const anthropic = new Anthropic({ baseURL: own.url, apiKey: 'unused', maxRetries: 0 });
      const stream = anthropic.messages.stream({
        model: 'claude',
        ...ASK,
        thinking: { type: 'enabled', budget_tokens: 1_024 },
      });
      const final = await stream.finalMessage();
      assert.equal(
        final.content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
        'It is forty-two.',
      );
      assert.equal(final.stop_reason, 'end_turn');
      const { body } = expert.requests[1]!;
      assert.deepEqual((body['messages'] as unknown[]).at(-1), { role: 'assistant', content: 'It is' });
      assert.equal(body['thinking'], undefined);
    } finally {
      await own.close();
      await expert.close();
    }
  });
});

describe('an abort', () => {
  test('reaches the expert of the format', async () => {
    const stream = client.messages.stream({ model: 'slow', ...ASK });
    stream.on('error', () => {});
    stream.on('abort', () => {});
    await new Promise<void>((resolve) => stream.once('text', () => resolve()));
    stream.abort();
    await until(() => slow.requests.at(-1)!.wasAborted, 'the end of the upstream call');
  });

  test('reaches an expert that speaks Chat Completions', async () => {
    const abort = new AbortController();
    const stream = await client.messages.create({ model: 'drip', ...ASK, stream: true }, { signal: abort.signal });
    for await (const event of stream) if (event.type === 'content_block_delta') abort.abort();
    await until(() => drip.aborted === 1, 'the end of the upstream call');
  });
});

describe('what is carried', () => {
  const RICH = {
    max_tokens: 2_000,
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Hello', cache_control: { type: 'ephemeral' } }] },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' },
          { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} },
          { type: 'text', text: 'Hi' },
        ],
      },
      { role: 'user', content: QUESTION },
    ],
    tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: 2 }],
    tool_choice: { type: 'none' },
    top_k: 5,
    thinking: { type: 'enabled', budget_tokens: 1_024, display: 'omitted' },
    metadata: { user_id: 'ada' },
  };
  const send = (model: string): Promise<Response> =>
    post(`${gate.url}/v1/messages`, { model, ...RICH }, { headers: { 'anthropic-beta': 'context-1m, x-2' } });

  test('all of it reaches an expert of the format, betas included', async () => {
    const response = await send('claude');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-gw-not-carried'), null);
    const { body, headers } = claudeExpert.requests[0]!;
    assert.deepEqual(body, { ...RICH, model: 'claude-script-1', stream: false });
    assert.equal(headers['anthropic-beta'], 'context-1m,x-2');
    assert.equal(headers['x-api-key'], KEY);
  });

  test('what another expert loses is named', async () => {
    const response = await send('gpt');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-gw-not-carried'), 'messages[1].content[1], tools[0], thinking.display, top_k');
  });
});

describe('aliases', () => {
  const CASES: readonly [string, string][] = [
    ['claude-sonnet-5', 'gw/auto'],
    ['claude-5-haiku', 'pinned'],
    ['claude-exact', 'pinned'],
  ];
  for (const [model, mode] of CASES) {
    test(`${model} is answered by ${mode}`, async () => {
      const { response } = await client.messages.create({ model, ...ASK }).withResponse();
      assert.equal(response.headers.get('x-gw-mode'), mode);
    });
  }

  test('that are written out are listed as models, patterns are not', async () => {
    const listed = (await (await fetch(`${gate.url}/v1/models`)).json()) as {
      data: { id: string; alias_of?: string }[];
    };
    const ids = listed.data.filter(({ alias_of }) => alias_of !== undefined);
    assert.deepEqual(
      ids.map(({ id, alias_of }) => [id, alias_of]),
      [['claude-exact', 'claude']],
    );
  });
});

/** What JSON holds of a value, without the field that the stream helper adds, and what only a whole answer counts. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) => (key === 'parsed_output' ? undefined : inner));
}
