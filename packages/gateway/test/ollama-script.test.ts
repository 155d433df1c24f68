/** The scripted Ollama server is true to the format: Ollama's own SDK parses what it sends. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Ollama } from 'ollama';
import { ANSWERS, MODEL, TEXT } from './scripted/ollama.ts';
import { type ScriptedServer, scriptedServer } from './scripted/script.ts';

let server: ScriptedServer;
let client: Ollama;

before(async () => {
  server = await scriptedServer(ANSWERS.text);
  client = new Ollama({ host: server.url });
});
after(() => server.close());

const messages = [{ role: 'user', content: 'What is it?' }];
const ask = () => client.chat({ model: MODEL, messages });

async function streamed(): Promise<{ text: string; thinking: string; calls: number; reason: string | undefined }> {
  const seen = { text: '', thinking: '', calls: 0, reason: undefined as string | undefined };
  for await (const part of await client.chat({ model: MODEL, messages, stream: true })) {
    seen.text += part.message.content;
    seen.thinking += part.message.thinking ?? '';
    seen.calls += part.message.tool_calls?.length ?? 0;
    if (part.done) seen.reason = part.done_reason;
  }
  return seen;
}

test('text, whole and streamed, with its counts', async () => {
  server.answer = ANSWERS.text;
  const answer = await ask();
  assert.equal(answer.message.content, TEXT);
  assert.equal(answer.done_reason, 'stop');
  assert.deepEqual([answer.prompt_eval_count, answer.eval_count], [26, 9]);
  assert.deepEqual(await streamed(), { text: TEXT, thinking: '', calls: 0, reason: 'stop' });
  assert.equal(server.requests.at(-1)!.url, '/api/chat');
});

test('a stream in small pieces whose last line has no end is the same stream', async () => {
  server.answer = ANSWERS.slow;
  assert.equal((await streamed()).text, TEXT);
});

test('thoughts are apart from the text', async () => {
  server.answer = ANSWERS.thinking;
  assert.equal((await ask()).message.thinking, 'Let me see.');
  assert.equal((await streamed()).thinking, 'Let me see.');
});

test('calls of tools have objects for arguments', async () => {
  server.answer = ANSWERS.tools;
  assert.deepEqual((await ask()).message.tool_calls?.[0]?.function.arguments, { city: 'Paris', days: 2 });
  assert.equal((await streamed()).calls, 2);
});

test('log probabilities', async () => {
  server.answer = ANSWERS.logprobs;
  assert.equal((await ask()).logprobs?.[0]?.top_logprobs?.[1]?.token, 'No');
});

test('an unknown model is an error with its text', async () => {
  server.answer = ANSWERS.noModel;
  await assert.rejects(ask(), { message: `model '${MODEL}' not found`, status_code: 404 });
});

test('an error in a stream is raised', async () => {
  server.answer = ANSWERS.errorLater;
  await assert.rejects(streamed(), /an error was encountered/);
});
