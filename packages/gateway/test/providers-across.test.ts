/** What holds across formats: an Anthropic client over Gemini, and a stream of vLLM that is cut and goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { chat, chatBody, eventsOf, startGateway, streamText } from './helpers.ts';
import * as Gemini from './scripted/gemini.ts';
import * as OpenAi from './scripted/openai.ts';
import { scriptedServer } from './scripted/script.ts';

const single = (expert: string) => ({
  experts: [expert],
  policy: { use: 'static' },
  composition: { use: 'fallback' },
});

test('a client of Messages calls tools of Gemini, and its next turn passes the check of signatures', async () => {
  const google = await scriptedServer(Gemini.ANSWERS.tools);
  const gate = await startGateway(
    {
      experts: [{ id: 'g', provider: { use: 'gemini', baseUrl: google.url, model: Gemini.MODEL } }],
      modes: { g: single('g') },
    },
    { env: { GEMINI_API_KEY: 'key-0123456789abcdef' } },
  );
  try {
    const client = new Anthropic({ apiKey: 'x', baseURL: gate.url, maxRetries: 0 });
    const request = {
      model: 'gw/g',
      max_tokens: 100,
      tools: [{ name: 'weather', input_schema: { type: 'object' as const } }],
    };
    const question = { role: 'user' as const, content: 'What is the weather?' };
    const answer = await client.messages.create({ ...request, messages: [question] });
    const calls = answer.content.filter((block) => block.type === 'tool_use');
    assert.deepEqual(
      calls.map(({ input }) => input),
      [{ city: 'Paris', days: 2 }, { city: 'Rome' }],
    );
    assert.deepEqual([answer.usage.input_tokens, answer.usage.cache_read_input_tokens], [20, 100]);
    await client.messages.create({
      ...request,
      messages: [
        question,
        { role: 'assistant', content: answer.content },
        { role: 'user', content: calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: '20' })) },
      ],
    });
    const contents = google.requests.at(-1)!.body['contents'] as { parts: Record<string, unknown>[] }[];
    // The format has no place for a signature beside a call: it comes back in a block of sealed thoughts.
    assert.deepEqual(
      contents[1]!.parts.map(({ thoughtSignature }) => thoughtSignature),
      [Gemini.SIGNATURE, undefined],
    );
    assert.deepEqual(
      contents[2]!.parts.map(({ functionResponse }) => (functionResponse as { id: string }).id),
      calls.map(({ id }) => id),
    );
  } finally {
    await gate.close();
    await google.close();
  }
});

for (const keeper of ['the client', 'the gateway'])
  test(`a client of Responses calls tools of Gemini, and its next turn is signed: ${keeper} keeps the thoughts`, async () => {
    const google = await scriptedServer((request, reply) =>
      (google.requests.length === 1 ? Gemini.ANSWERS.tools : Gemini.ANSWERS.text)(request, reply),
    );
    const gate = await startGateway(
      {
        experts: [{ id: 'g', provider: { use: 'gemini', baseUrl: google.url, model: Gemini.MODEL } }],
        modes: { g: single('g') },
      },
      { env: { GEMINI_API_KEY: 'key-0123456789abcdef' } },
    );
    try {
      const client = new OpenAI({ apiKey: 'x', baseURL: `${gate.url}/v1`, maxRetries: 0 });
      const isClient = keeper === 'the client';
      const request = {
        model: 'gw/g',
        tools: [{ type: 'function' as const, name: 'weather', parameters: { type: 'object' }, strict: false }],
        store: !isClient,
        ...(isClient ? { include: ['reasoning.encrypted_content' as const] } : {}),
      };
      const question = { role: 'user' as const, content: 'What is the weather?' };
      const answer = await client.responses.create({ ...request, input: [question] });
      const results = answer.output.flatMap((item) =>
        item.type === 'function_call'
          ? [{ type: 'function_call_output' as const, call_id: item.call_id, output: '20' }]
          : [],
      );
      await client.responses.create(
        isClient
          ? { ...request, input: [question, ...answer.output, ...results] as OpenAI.Responses.ResponseInput }
          : { ...request, previous_response_id: answer.id, input: results },
      );
      const contents = google.requests.at(-1)!.body['contents'] as { parts: Record<string, unknown>[] }[];
      assert.deepEqual(
        contents[1]!.parts.map(({ thoughtSignature }) => thoughtSignature),
        [Gemini.SIGNATURE, undefined],
      );
    } finally {
      await gate.close();
      await google.close();
    }
  });

test('a stream of vLLM that is cut goes on where it broke off', async () => {
  const rest = OpenAi.both({}, [
    OpenAi.chunk({ role: 'assistant', content: 'forty-two.' }),
    OpenAi.chunk({}, 'stop'),
    OpenAi.USAGE_CHUNK,
  ]);
  const server = await scriptedServer((request, reply) =>
    (server.requests.length === 1 ? OpenAi.ANSWERS.cut : rest)(request, reply),
  );
  const gate = await startGateway({
    experts: [{ id: 'v', provider: { use: 'openai', baseUrl: `${server.url}/v1`, model: 'm', prefill: 'vllm' } }],
    modes: { v: single('v') },
  });
  try {
    const response = await chat(gate.url, chatBody('gw/v', { stream: true }));
    const events = eventsOf(await response.text());
    assert.equal(streamText(events), 'It is forty-two.');
    assert.equal(events.at(-1), '[DONE]');
    const { messages, continue_final_message: continues, add_generation_prompt: begins } = server.requests[1]!.body;
    assert.deepEqual((messages as unknown[]).at(-1), { role: 'assistant', content: 'It is ' });
    assert.deepEqual([continues, begins], [true, false]);
  } finally {
    await gate.close();
    await server.close();
  }
});
