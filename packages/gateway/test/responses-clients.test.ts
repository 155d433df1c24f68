/** Clients of other makers that speak the Responses API by themselves: the AI SDK's default, and agents. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { Agent, tool as agentTool, OpenAIProvider, Runner, setTracingDisabled } from '@openai/agents';
import { generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { type AnsweringExpert, type AnyFields, answeringExpert, type Said, USAGE } from './answering-expert.ts';
import { expertAt, pool, startGateway, type TestGateway } from './helpers.ts';

let expert: AnsweringExpert | undefined;
let gateway: TestGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  await expert?.close();
});

async function start(answer: (number: number, body: AnyFields) => Said): Promise<string> {
  expert = await answeringExpert(answer);
  const capabilities = ['tools', 'json', 'vision', 'logprobs', 'samples'];
  gateway = await startGateway(pool(expertAt('one', expert.url, { capabilities })));
  return `${gateway.url}/v1`;
}

function modelAt(baseURL: string): ReturnType<ReturnType<typeof createOpenAI>> {
  return createOpenAI({ baseURL, apiKey: 'unused' })('one');
}

/** First a call of the tool, then a text that repeats what the tool said. */
function callThenText(number: number, body: AnyFields): Said {
  if (number === 0)
    return {
      message: {
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } }],
      },
      finish: 'tool_calls',
    };
  const last = (body['messages'] as { role: string; content: string }[]).at(-1)!;
  return { message: { content: `It says ${last.content}.` } };
}

const weather = tool({
  description: 'The weather of a city.',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `cold in ${city}`,
});

test('the ai sdk runs a tool loop to its end', async () => {
  const baseURL = await start(callThenText);
  const { text, steps, totalUsage } = await generateText({
    model: modelAt(baseURL),
    prompt: 'Weather of Oslo?',
    tools: { weather },
    stopWhen: stepCountIs(3),
  });
  assert.equal(text, 'It says cold in Oslo.');
  assert.deepEqual(
    steps.map(({ finishReason }) => finishReason),
    ['tool-calls', 'stop'],
  );
  assert.equal(totalUsage.totalTokens, 2 * USAGE.total_tokens);
  assert.deepEqual(
    expert!.asked[1]!['messages'].map(({ role }: { role: string }) => role),
    ['user', 'assistant', 'tool'],
  );
});

test('the ai sdk streams a tool loop to its end', async () => {
  const baseURL = await start(callThenText);
  const result = streamText({
    model: modelAt(baseURL),
    prompt: 'Weather of Oslo?',
    tools: { weather },
    stopWhen: stepCountIs(3),
  });
  let text = '';
  for await (const piece of result.textStream) text += piece;
  assert.equal(text, 'It says cold in Oslo.');
  assert.equal(await result.finishReason, 'stop');
});

test('the ai sdk generates an object by a schema', async () => {
  const baseURL = await start(() => ({ message: { content: '{"city":"Oslo"}' } }));
  const { object } = await generateObject({
    model: modelAt(baseURL),
    schema: z.object({ city: z.string() }),
    prompt: 'Which city?',
  });
  assert.deepEqual(object, { city: 'Oslo' });
  assert.equal(expert!.asked[0]!['response_format'].type, 'json_schema');
});

test('the ai sdk reports a stream that broke', async () => {
  const baseURL = await start(() => ({ message: { content: 'It is forty-two.' }, breaks: true }));
  const errors: unknown[] = [];
  const result = streamText({
    model: modelAt(baseURL),
    prompt: 'Hi',
    maxRetries: 0,
    onError: ({ error }) => void errors.push(error),
  });
  let text = '';
  for await (const piece of result.textStream) text += piece;
  assert.equal(text, 'It is forty-two.');
  assert.equal(errors.length, 1);
  assert.equal(await result.finishReason, 'error');
});

for (const stream of [false, true]) {
  test(`an agent runs a tool loop to its end${stream ? ' as a stream' : ''}`, async () => {
    const baseURL = await start(callThenText);
    setTracingDisabled(true);
    const agent = new Agent({
      name: 'Weather',
      instructions: 'Be brief.',
      model: 'one',
      tools: [
        agentTool({
          name: 'weather',
          description: 'The weather of a city.',
          parameters: z.object({ city: z.string() }),
          execute: async ({ city }) => `cold in ${city}`,
        }),
      ],
    });
    const runner = new Runner({
      modelProvider: new OpenAIProvider({ apiKey: 'unused', baseURL, useResponses: true }),
      tracingDisabled: true,
    });
    let output: unknown;
    if (stream) {
      const run = await runner.run(agent, 'Weather of Oslo?', { stream: true });
      await run.completed;
      output = run.finalOutput;
    } else output = (await runner.run(agent, 'Weather of Oslo?')).finalOutput;
    assert.equal(output, 'It says cold in Oslo.');
    assert.deepEqual(
      expert!.asked[1]!['messages'].map(({ role }: { role: string }) => role),
      ['system', 'user', 'assistant', 'tool'],
    );
  });
}

test('langchain calls a tool over responses, whole and as a stream', async () => {
  const baseURL = await start(callThenText);
  const chat = new ChatOpenAI({
    model: 'one',
    apiKey: 'unused',
    useResponsesApi: true,
    maxRetries: 0,
    configuration: { baseURL },
  });
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
  const bound = chat.bindTools([{ type: 'function', function: { name: 'weather', parameters: schema } }]);
  const question = new HumanMessage('Weather of Oslo?');
  const asked = await bound.invoke([question]);
  assert.deepEqual(asked.tool_calls?.[0]?.args, { city: 'Oslo' });
  const result = new ToolMessage({ tool_call_id: asked.tool_calls![0]!.id!, content: 'cold' });
  let text = '';
  let totalTokens = 0;
  for await (const chunk of await bound.stream([question, asked, result])) {
    text += chunk.text;
    totalTokens +=
      (chunk as unknown as { usage_metadata?: { total_tokens: number } }).usage_metadata?.total_tokens ?? 0;
  }
  assert.equal(text, 'It says cold.');
  assert.equal(totalTokens, USAGE.total_tokens);
});
