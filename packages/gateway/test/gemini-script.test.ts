/** The scripted Gemini server is true to the format: Google's own SDK parses what it sends. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';
import { ANSWERS, MODEL, SIGNATURE, TEXT } from './scripted/gemini.ts';
import { type ScriptedServer, scriptedServer } from './scripted/script.ts';

let server: ScriptedServer;
let client: GoogleGenAI;

before(async () => {
  server = await scriptedServer(ANSWERS.text);
  client = new GoogleGenAI({ apiKey: 'test', httpOptions: { baseUrl: server.url } });
});
after(() => server.close());

const ask = () => client.models.generateContent({ model: MODEL, contents: 'What is it?' });

async function streamed(): Promise<{ text: string; calls: unknown[]; finish: unknown; usage: unknown }> {
  const stream = await client.models.generateContentStream({ model: MODEL, contents: 'What is it?' });
  const seen = { text: '', calls: [] as unknown[], finish: undefined as unknown, usage: undefined as unknown };
  for await (const chunk of stream) {
    seen.text += chunk.candidates?.[0]?.content?.parts === undefined ? '' : (chunk.text ?? '');
    seen.calls.push(...(chunk.functionCalls ?? []));
    seen.finish = chunk.candidates?.[0]?.finishReason ?? seen.finish;
    seen.usage = chunk.usageMetadata ?? seen.usage;
  }
  return seen;
}

test('text, whole and streamed, with its usage', async () => {
  server.answer = ANSWERS.text;
  const answer = await ask();
  assert.equal(answer.text, TEXT);
  assert.equal(answer.usageMetadata?.thoughtsTokenCount, 30);
  assert.equal(answer.candidates?.[0]?.finishReason, 'STOP');
  const stream = await streamed();
  assert.equal(stream.text, TEXT);
  assert.equal(stream.finish, 'STOP');
  assert.ok(server.requests.at(-1)!.url.endsWith(`/models/${MODEL}:streamGenerateContent?alt=sse`));
});

test('a stream in small pieces is the same stream', async () => {
  server.answer = ANSWERS.slow;
  assert.equal((await streamed()).text, TEXT);
});

test('calls of functions, with their signature', async () => {
  server.answer = ANSWERS.tools;
  const answer = await ask();
  assert.deepEqual(
    answer.functionCalls?.map(({ name, args }) => [name, args]),
    [
      ['weather', { city: 'Paris', days: 2 }],
      ['weather', { city: 'Rome' }],
    ],
  );
  assert.equal(answer.candidates?.[0]?.content?.parts?.[0]?.thoughtSignature, SIGNATURE);
  assert.equal((await streamed()).calls.length, 2);
});

test('thoughts are apart from the text', async () => {
  server.answer = ANSWERS.thinking;
  const answer = await ask();
  assert.equal(answer.text, TEXT);
  assert.equal(answer.candidates?.[0]?.content?.parts?.[0]?.thought, true);
});

test('log probabilities', async () => {
  server.answer = ANSWERS.logprobs;
  const result = (await ask()).candidates?.[0]?.logprobsResult;
  assert.equal(result?.chosenCandidates?.[0]?.logProbability, -0.1);
  assert.equal(result?.topCandidates?.[0]?.candidates?.[1]?.token, 'No');
});

test('a blocked prompt has a reason and no candidate', async () => {
  server.answer = ANSWERS.blocked;
  const answer = await ask();
  assert.equal(answer.promptFeedback?.blockReason, 'PROHIBITED_CONTENT');
  assert.equal(answer.candidates, undefined);
});

for (const [name, status] of [
  ['quota', 429],
  ['badKey', 400],
  ['badRequest', 400],
  ['notFound', 404],
] as const) {
  test(`${name} is an ApiError with status ${status}`, async () => {
    server.answer = ANSWERS[name];
    await assert.rejects(ask(), (error) => error instanceof ApiError && error.status === status);
  });
}

test('an error in a stream is raised', async () => {
  server.answer = ANSWERS.errorLater;
  await assert.rejects(streamed(), /An internal error/);
});
