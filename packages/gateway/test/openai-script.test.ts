/** The scripted OpenAI server is true to the format: OpenAI's own SDK parses what it sends. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI, { BadRequestError, RateLimitError } from 'openai';
import { ANSWERS, TEXT, USAGE } from './scripted/openai.ts';
import { type ScriptedServer, scriptedServer } from './scripted/script.ts';

let server: ScriptedServer;
let client: OpenAI;
before(async () => {
  server = await scriptedServer(ANSWERS.text);
  client = new OpenAI({ apiKey: 'test', baseURL: `${server.url}/v1`, maxRetries: 0 });
});
after(() => server.close());

const request = { model: 'gpt-5-mini', messages: [{ role: 'user' as const, content: 'What is it?' }] };
const ask = () => client.chat.completions.create(request);
const streamed = () =>
  client.chat.completions.stream({ ...request, stream_options: { include_usage: true } }).finalChatCompletion();

test('text, whole and streamed, with its usage', async () => {
  server.answer = ANSWERS.text;
  for (const answer of [await ask(), await streamed()]) {
    assert.equal(answer.choices[0]!.message.content, TEXT);
    assert.equal(answer.choices[0]!.finish_reason, 'stop');
    assert.deepEqual(answer.usage, USAGE);
  }
});

test('calls made at once', async () => {
  server.answer = ANSWERS.tools;
  for (const answer of [await ask(), await streamed()]) {
    assert.deepEqual(
      answer.choices[0]!.message.tool_calls?.map((call) => [
        call.id,
        call.type === 'function' && call.function.arguments,
      ]),
      [
        ['call_a', '{"city":"Paris"}'],
        ['call_b', '{"city":"Rome"}'],
      ],
    );
    assert.equal(answer.choices[0]!.finish_reason, 'tool_calls');
  }
});

test('a refusal is no content', async () => {
  server.answer = ANSWERS.refusal;
  for (const answer of [await ask(), await streamed()])
    assert.equal(answer.choices[0]!.message.refusal, 'I cannot help with that.');
});

test('errors are of their classes', async () => {
  server.answer = ANSWERS.rateLimited;
  await assert.rejects(ask(), RateLimitError);
  server.answer = ANSWERS.badRequest;
  await assert.rejects(ask(), (error) => error instanceof BadRequestError && error.param === 'max_tokens');
  server.answer = ANSWERS.errorLater;
  await assert.rejects(streamed(), /The server had an error/);
});
