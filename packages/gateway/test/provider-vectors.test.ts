/** Vectors of Gemini and Ollama: what is sent, what comes back, and that their own SDKs parse what the script says. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import { Ollama } from 'ollama';
import { gemini } from '../src/providers/gemini.ts';
import { ollama } from '../src/providers/ollama.ts';
import type { ConnectProvider, EmbeddingAnswer } from '../src/providers/provider.ts';
import type { EmbeddingRequest } from '../src/wire/embeddings.ts';
import { BAD_KEY } from './scripted/gemini.ts';
import { type ScriptedServer, scriptedServer } from './scripted/script.ts';

const GOOGLE = { embeddings: [{ values: [0.5, -1] }, { values: [1, 0.25] }] };
const LOCAL = {
  model: 'm',
  embeddings: [
    [0.5, -1],
    [1, 0.25],
  ],
  total_duration: 14_143_917,
  load_duration: 1_019_500,
  prompt_eval_count: 8,
};

let server: ScriptedServer;
before(async () => {
  server = await scriptedServer(() => {});
});
after(() => server.close());

async function embed(connect: ConnectProvider, body: Partial<EmbeddingRequest>): Promise<EmbeddingAnswer> {
  const timeouts = { connectMs: 1_000, firstByteMs: 1_000, idleMs: 1_000, totalMs: 5_000 };
  const provider = connect({ timeouts, env: { GEMINI_API_KEY: 'key-0123456789' }, shared: new Map() });
  try {
    return await provider.embed!({ body: { model: 'gw', input: ['a', 'b'], ...body }, traceId: 'tr_1' }).answer;
  } finally {
    await provider.close();
  }
}

const data = [
  { object: 'embedding', index: 0, embedding: [0.5, -1] },
  { object: 'embedding', index: 1, embedding: [1, 0.25] },
];

test('the SDKs read the scripted answers', async () => {
  server.answer = (_, reply) => reply.json(GOOGLE);
  const google = new GoogleGenAI({ apiKey: 'x', httpOptions: { baseUrl: server.url } });
  const answer = await google.models.embedContent({ model: 'gemini-embedding-001', contents: ['a', 'b'] });
  assert.deepEqual(answer.embeddings?.[0]?.values, [0.5, -1]);
  server.answer = (_, reply) => reply.json(LOCAL);
  const local = await new Ollama({ host: server.url }).embed({ model: 'm', input: ['a', 'b'] });
  assert.deepEqual(local.embeddings[1], [1, 0.25]);
});

test('of Gemini', async () => {
  server.answer = (_, reply) => reply.json(GOOGLE);
  const connect = gemini({ baseUrl: server.url, model: 'gemini-embedding-001' });
  const { body } = await embed(connect, { dimensions: 2 });
  assert.deepEqual(body, { object: 'list', data, model: 'gemini-embedding-001' });
  assert.equal(server.requests.at(-1)!.url, '/v1beta/models/gemini-embedding-001:batchEmbedContents');
  assert.deepEqual(
    server.requests.at(-1)!.body['requests'],
    ['a', 'b'].map((text) => ({
      model: 'models/gemini-embedding-001',
      content: { parts: [{ text }] },
      outputDimensionality: 2,
    })),
  );
});

test('of Ollama, also in base64', async () => {
  server.answer = (_, reply) => reply.json(LOCAL);
  const connect = ollama({ baseUrl: server.url, model: 'm', keepAlive: '1m', contextTokens: 512 });
  const { body } = await embed(connect, {});
  assert.deepEqual(body, { object: 'list', data, model: 'm', usage: { prompt_tokens: 8, total_tokens: 8 } });
  assert.equal(server.requests.at(-1)!.url, '/api/embed');
  assert.deepEqual(server.requests.at(-1)!.body, {
    model: 'm',
    input: ['a', 'b'],
    keep_alive: '1m',
    options: { num_ctx: 512 },
  });
  const coded = (await embed(connect, { encoding_format: 'base64' })).body.data[0]!.embedding;
  assert.equal(coded, Buffer.from(new Float32Array([0.5, -1]).buffer).toString('base64'));
});

test('failures are typed: tokens for texts, a wrong key, a vector too few, another length', async () => {
  const google = gemini({ baseUrl: server.url, model: 'm' });
  await assert.rejects(embed(google, { input: [1, 2] }), { code: 'GW_UPSTREAM_REJECTED', elsewhere: true });
  server.answer = (_, reply) => reply.json(BAD_KEY, 400);
  await assert.rejects(embed(google, {}), { code: 'GW_UPSTREAM_AUTH' });
  server.answer = (_, reply) => reply.json({ embeddings: [{ values: [1] }] });
  await assert.rejects(embed(google, {}), { code: 'GW_UPSTREAM_MALFORMED' });
  server.answer = (_, reply) => reply.json(LOCAL);
  await assert.rejects(embed(ollama({ baseUrl: server.url, model: 'm' }), { dimensions: 3 }), {
    code: 'GW_UPSTREAM_MALFORMED',
  });
});
