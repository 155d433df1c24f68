/** The clients that people use, unchanged, against the gateway: what they accept is the wire format. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';
import { startSandbox } from './sandbox-gateway.ts';

let sandbox: Awaited<ReturnType<typeof startSandbox>>;
let openai: OpenAI;
before(async () => {
  sandbox = await startSandbox();
  openai = new OpenAI({ baseURL: `${sandbox.url}/v1`, apiKey: 'unused', maxRetries: 0 });
});
after(() => sandbox.close());

const QUESTION = [{ role: 'user' as const, content: 'What is 17 * (23 + 4) - 5?' }];

test('the openai client gets a whole answer with the gateway headers beside it', async () => {
  const { data, response } = await openai.chat.completions
    .create({ model: 'gw/strong', messages: QUESTION })
    .withResponse();
  assert.equal(data.object, 'chat.completion');
  assert.match(data.choices[0]!.message.content!, /Answer: 454/);
  assert.equal(data.choices[0]!.finish_reason, 'stop');
  assert.equal(data.usage!.total_tokens, data.usage!.prompt_tokens + data.usage!.completion_tokens);
  assert.match(response.headers.get('x-gw-trace')!, /^tr_[a-z0-9]+$/);
  assert.equal(response.headers.get('x-gw-expert'), 'sage');
  assert.equal(response.headers.get('x-gw-mode'), 'gw/strong');
  assert.ok(Number(response.headers.get('x-gw-cost-usd')) > 0);
});

test('the openai client gets a stream that adds up to the same answer', async () => {
  const whole = await openai.chat.completions.create({ model: 'sage', messages: QUESTION, seed: 5 });
  const stream = await openai.chat.completions.create({
    model: 'sage',
    messages: QUESTION,
    seed: 5,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  let finishReason: string | null = null;
  let totalTokens = 0;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    finishReason = chunk.choices[0]?.finish_reason ?? finishReason;
    totalTokens = chunk.usage?.total_tokens ?? totalTokens;
  }
  assert.equal(text, whole.choices[0]!.message.content);
  assert.equal(finishReason, 'stop');
  assert.equal(totalTokens, whole.usage!.total_tokens);
});

test('usage and logprobs are not in the stream unless they are asked for', async () => {
  const stream = await openai.chat.completions.create({ model: 'gw/cascade', messages: QUESTION, stream: true });
  for await (const chunk of stream) {
    assert.equal(chunk.usage ?? null, null);
    for (const choice of chunk.choices) assert.equal(choice.logprobs ?? null, null);
  }
  const asked = await openai.chat.completions.create({
    model: 'gw/cascade',
    messages: QUESTION,
    logprobs: true,
    top_logprobs: 2,
  });
  assert.ok(asked.choices[0]!.logprobs!.content!.length > 0);
});

test('the openai client lists modes and experts as models', async () => {
  const ids: string[] = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  assert.ok(ids.includes('gw/auto') && ids.includes('tiny'));
});

test('the openai client sees its own error classes', async () => {
  await assert.rejects(openai.chat.completions.create({ model: 'gw/auot', messages: QUESTION }), (error: unknown) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, 'GW_UNKNOWN_MODEL');
    assert.match(error.message, /Did you mean "gw\/auto"/);
    return true;
  });
  await assert.rejects(openai.chat.completions.create({ model: 'gw/auto', messages: [] }), OpenAI.BadRequestError);
});

test('the ai sdk generates and streams text', async () => {
  const provider = createOpenAICompatible({ name: 'gatewright', baseURL: `${sandbox.url}/v1`, includeUsage: true });
  const { text, usage, finishReason } = await generateText({
    model: provider('gw/strong'),
    prompt: QUESTION[0]!.content,
  });
  assert.match(text, /Answer: 454/);
  assert.equal(finishReason, 'stop');
  assert.ok(usage.totalTokens! > 0);

  const stream = streamText({ model: provider('gw/strong'), prompt: QUESTION[0]!.content });
  let streamed = '';
  for await (const part of stream.textStream) streamed += part;
  assert.match(streamed, /Answer: 454/);
  assert.equal(await stream.finishReason, 'stop');
});

test('several choices come back from an expert that samples', async () => {
  const { choices } = await openai.chat.completions.create({ model: 'chorus', messages: QUESTION, n: 3 });
  assert.deepEqual(
    choices.map(({ index }) => index),
    [0, 1, 2],
  );
});
