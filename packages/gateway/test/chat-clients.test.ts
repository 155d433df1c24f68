/** Clients that people use, unchanged, over Chat Completions: objects by schema, loops of tools, streams, errors, aborts. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { Agent, tool as agentTool, OpenAIChatCompletionsModel, run, setTracingDisabled } from '@openai/agents';
import { generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { expertAt, startGateway, type TestGateway, until } from './helpers.ts';
import { type ToolExpert, toolExpert, WEATHER, WEATHER_TEXT } from './tool-expert.ts';
import { type Upstream, upstream } from './upstream.ts';

const Weather = z.object({ city: z.string(), degrees: z.number() });
const City = z.object({ city: z.string() });
const QUESTION = 'What is the weather in Paris?';

let expert: ToolExpert;
let slow: Upstream;
let limited: Upstream;
let gate: TestGateway;
let openai: OpenAI;
let baseURL: string;
before(async () => {
  [expert, slow, limited] = await Promise.all([toolExpert(), upstream('drip'), upstream('rateLimited')]);
  gate = await startGateway({
    experts: [expertAt('weather', expert.url), expertAt('slow', slow.url), expertAt('limited', limited.url)],
    modes: { auto: { experts: ['weather'], policy: { use: 'static' }, composition: { use: 'fallback' } } },
  });
  baseURL = `${gate.url}/v1`;
  openai = new OpenAI({ baseURL, apiKey: 'unused', maxRetries: 0 });
});
after(async () => {
  await gate.close();
  await Promise.all([expert.close(), slow.close(), limited.close()]);
});
beforeEach(() => void expert.requests.splice(0));

const messages = [{ role: 'user' as const, content: QUESTION }];
const weatherFunction = zodFunction({ name: 'get_weather', parameters: City });

test('openai: parse gives the object that the schema describes', async () => {
  const completion = await openai.chat.completions.parse({
    model: 'gw/auto',
    messages,
    response_format: zodResponseFormat(Weather, 'weather'),
  });
  assert.deepEqual(completion.choices[0]!.message.parsed, WEATHER);
  assert.equal(expert.requests[0]!['response_format'].json_schema.strict, true);
});

test('openai: the stream helper adds up content, usage and the final completion', async () => {
  const stream = openai.chat.completions.stream({
    model: 'gw/auto',
    messages,
    stream_options: { include_usage: true },
  });
  let text = '';
  stream.on('content', (delta) => {
    text += delta;
  });
  assert.equal(await stream.finalContent(), WEATHER_TEXT);
  assert.equal(text, WEATHER_TEXT);
  const usage = await stream.totalUsage();
  assert.deepEqual([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens], [20, 8, 28]);
  assert.equal((await stream.finalChatCompletion()).choices[0]!.finish_reason, 'stop');
});

test('openai: parallel calls of tools are accumulated from a stream', async () => {
  const stream = openai.chat.completions.stream({
    model: 'gw/auto',
    messages: [{ role: 'user', content: 'The weather of both cities?' }],
    tools: [weatherFunction],
  });
  const completion = await stream.finalChatCompletion();
  const calls = completion.choices[0]!.message.tool_calls!;
  assert.deepEqual(
    calls.map((call) => (call.type === 'function' ? call.function.parsed_arguments : undefined)),
    [{ city: 'Paris' }, { city: 'Rome' }],
  );
  assert.equal(completion.choices[0]!.finish_reason, 'tool_calls');
});

test('openai: runTools goes round the loop of tools', async () => {
  const runner = openai.chat.completions.runTools({
    model: 'gw/auto',
    messages,
    tools: [
      {
        type: 'function',
        function: {
          name: 'get_weather',
          description: 'The weather of a city.',
          parameters: z.toJSONSchema(City) as Record<string, unknown>,
          parse: (text: string) => City.parse(JSON.parse(text)),
          function: ({ city }: { city: string }) => `21 degrees in ${city}`,
        },
      },
    ],
  });
  assert.equal(await runner.finalContent(), WEATHER_TEXT);
  assert.equal(expert.requests.length, 2);
  assert.equal(expert.requests[1]!['messages'].at(-1).content, '21 degrees in Paris');
});

test('openai: fields that the gateway does not know of reach the expert as they are', async () => {
  const more = {
    seed: 7,
    stop: ['END'],
    n: 1,
    logit_bias: { '50256': -100 },
    metadata: { team: 'a' },
    parallel_tool_calls: false,
    reasoning_effort: 'low' as const,
    verbosity: 'low' as const,
    tools: [weatherFunction],
    tool_choice: 'none' as const,
  };
  await openai.chat.completions.create({
    model: 'gw/auto',
    messages: [
      { role: 'developer', content: 'Be short.' },
      { role: 'user', content: [{ type: 'text', text: QUESTION }] },
    ],
    ...more,
  });
  const { model, messages: sent, ...rest } = expert.requests[0]!;
  assert.equal(model, 'weather-model');
  assert.deepEqual(rest, JSON.parse(JSON.stringify({ ...more, stream: false })));
  assert.deepEqual(
    sent.map((message: { role: string }) => message.role),
    ['developer', 'user'],
  );
});

test('openai: errors arrive as its own classes, with the time to wait', async () => {
  await assert.rejects(openai.chat.completions.create({ model: 'limited', messages }), (error: unknown) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.headers.get('retry-after'), '7');
    return true;
  });
  await assert.rejects(openai.chat.completions.create({ model: 'gw/none', messages }), OpenAI.NotFoundError);
  await assert.rejects(
    openai.chat.completions.create({ model: 'gw/auto', messages: 'no list' as never }),
    OpenAI.BadRequestError,
  );
});

test('openai: an abort reaches the expert', async () => {
  const leaving = new AbortController();
  const before = slow.aborted;
  await assert.rejects(async () => {
    const stream = await openai.chat.completions.create(
      { model: 'slow', messages, stream: true },
      { signal: leaving.signal },
    );
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) leaving.abort();
    throw new OpenAI.APIUserAbortError();
  }, OpenAI.APIUserAbortError);
  await until(async () => (slow.aborted > before ? true : undefined), 'the abort of the upstream call');
});

const makers = {
  '@ai-sdk/openai (chat)': () => createOpenAI({ baseURL, apiKey: 'unused' }).chat('gw/auto'),
  '@ai-sdk/openai-compatible': () =>
    createOpenAICompatible({
      name: 'gatewright',
      baseURL,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })('gw/auto'),
};

for (const [name, make] of Object.entries(makers)) {
  test(`ai with ${name}: an object by schema`, async () => {
    const { object, usage } = await generateObject({ model: make(), schema: Weather, prompt: QUESTION });
    assert.deepEqual(object, WEATHER);
    assert.equal(usage.inputTokens, 20);
  });

  test(`ai with ${name}: a loop of tools, whole and as a stream`, async () => {
    const asked: string[] = [];
    const tools = {
      get_weather: tool({
        description: 'The weather of a city.',
        inputSchema: City,
        execute: async ({ city }) => {
          asked.push(city);
          return { degrees: 21 };
        },
      }),
    };
    const whole = await generateText({ model: make(), tools, stopWhen: stepCountIs(3), prompt: QUESTION });
    assert.equal(whole.text, WEATHER_TEXT);
    assert.equal(whole.steps.length, 2);
    const stream = streamText({ model: make(), tools, stopWhen: stepCountIs(3), prompt: QUESTION });
    assert.equal(await stream.text, WEATHER_TEXT);
    assert.equal(await stream.finishReason, 'stop');
    // Of both steps.
    assert.equal((await stream.usage).outputTokens, 16);
    assert.deepEqual(asked, ['Paris', 'Paris']);
  });
}

const chain = (): ChatOpenAI =>
  new ChatOpenAI({ model: 'gw/auto', apiKey: 'unused', configuration: { baseURL }, maxRetries: 0 });

test('langchain: structured output, by schema and by function', async () => {
  for (const method of ['jsonSchema', 'functionCalling'] as const) {
    const answer = await chain().withStructuredOutput(Weather, { name: 'weather', method }).invoke(QUESTION);
    assert.deepEqual(answer, WEATHER);
  }
});

test('langchain: bound tools come back as calls', async () => {
  const { tool_calls: calls } = await chain()
    .bindTools([{ name: 'get_weather', description: 'The weather of a city.', schema: City }])
    .invoke(QUESTION);
  assert.deepEqual(
    calls!.map(({ name, args }) => [name, args]),
    [['get_weather', { city: 'Paris' }]],
  );
});

test('langchain: a stream ends with its usage', async () => {
  let text = '';
  let tokens: unknown;
  for await (const chunk of await chain().stream(QUESTION)) {
    text += chunk.text;
    tokens = chunk.usage_metadata ?? tokens;
  }
  assert.equal(text, WEATHER_TEXT);
  const { input_tokens: prompt, output_tokens: completion } = tokens as Record<string, number>;
  assert.deepEqual([prompt, completion], [20, 8]);
});

test('@openai/agents: an agent goes round the loop of tools over Chat Completions', async () => {
  setTracingDisabled(true);
  const agent = new Agent({
    name: 'weather',
    instructions: 'Answer with the weather.',
    model: new OpenAIChatCompletionsModel(openai as never, 'gw/auto'),
    tools: [
      agentTool({
        name: 'get_weather',
        description: 'The weather of a city.',
        parameters: City,
        execute: async ({ city }) => `21 degrees in ${city}`,
      }),
    ],
  });
  const { finalOutput } = await run(agent, QUESTION);
  assert.equal(finalOutput, WEATHER_TEXT);
  assert.equal(expert.requests.length, 2);
});
