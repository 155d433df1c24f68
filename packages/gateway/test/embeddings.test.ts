/** `/v1/embeddings`: the clients that people use, the wire format both ways, and who may stand in for whom. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { OpenAIEmbeddings } from '@langchain/openai';
import { embed, embedMany } from 'ai';
import OpenAI from 'openai';
import { expertAt, post, startGateway, type TestGateway, until } from './helpers.ts';

interface Asked {
  readonly model: string;
  readonly input: string | (string | number | number[])[];
  readonly encoding_format?: string;
  readonly dimensions?: number;
}

/** Its numbers are halves, which 32-bit floats hold exactly. */
const vectorOf = (text: unknown, length: number): number[] =>
  Array.from({ length }, (_, at) => (String(text).length + at) / 2);

const base64 = (numbers: readonly number[]): string =>
  Buffer.from(Float32Array.from(numbers).buffer).toString('base64');

const asked: Asked[] = [];
let behaviour: 'good' | 'reversed' | 'floats' | 'base64' | 'short' | 'uneven' | 'fails' | 'rejects' | 'silent' = 'good';
let aborted = 0;

/** A server with OpenAI's format. */
const server: Server = createServer(async (request, response) => {
  let text = '';
  for await (const part of request) text += part;
  const body = JSON.parse(text) as Asked;
  asked.push(body);
  response.on('close', () => {
    if (!response.writableFinished) aborted++;
  });
  if (behaviour === 'silent') return;
  response.setHeader('content-type', 'application/json');
  if (behaviour === 'fails' && body.model === 'm-small') {
    response.writeHead(503).end('{"error":{"message":"overloaded"}}');
    return;
  }
  if (behaviour === 'rejects') {
    response.writeHead(400).end('{"error":{"message":"too long","type":"invalid_request_error","code":"too_long"}}');
    return;
  }
  const inputs = Array.isArray(body.input) && typeof body.input[0] !== 'number' ? body.input : [body.input];
  const length = body.dimensions ?? 4;
  const format = behaviour === 'floats' || behaviour === 'base64' ? behaviour : body.encoding_format;
  const data = inputs.map((input, index) => {
    const vector = vectorOf(input, behaviour === 'uneven' ? length + index : length);
    return { object: 'embedding', index, embedding: format === 'base64' ? base64(vector) : vector };
  });
  if (behaviour === 'reversed') data.reverse();
  if (behaviour === 'short') data.pop();
  response.end(
    JSON.stringify({ object: 'list', data, model: body.model, usage: { prompt_tokens: 1_000, total_tokens: 1_000 } }),
  );
});

let gateway: TestGateway;
let openai: OpenAI;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const settings = { kind: 'embedding', price: { inputUsdPerMTok: 20, outputUsdPerMTok: 0 }, contextTokens: 100 };
  gateway = await startGateway({
    experts: [
      expertAt('chatty', url),
      expertAt('small', url, settings, { model: 'm-small' }),
      expertAt('large', url, settings, { model: 'm-large' }),
      expertAt('other', url, { ...settings, residency: ['eu'] }, { model: 'm-other' }),
      expertAt('other-2', url, settings, { model: 'm-other' }),
      { id: 'hashed', kind: 'embedding', provider: { use: 'sandbox', expert: 'tiny' } },
    ],
    modes: { auto: { policy: { use: 'static' }, composition: { use: 'single' } } },
  });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'unused', maxRetries: 0 });
});
after(async () => {
  await gateway.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const send = (body: object, headers: Record<string, string> = {}): Promise<Response> =>
  post(`${gateway.url}/v1/embeddings`, body, { headers });

test('the openai client gets its vectors, in base64 on the wire as it asks and as floats when it says so', async () => {
  for (const encoding_format of [undefined, 'float', 'base64'] as const) {
    const { data, response } = await openai.embeddings
      .create({ model: 'small', input: ['a', 'bcd'], ...(encoding_format === undefined ? {} : { encoding_format }) })
      .withResponse();
    assert.deepEqual(
      data.data.map(({ index, object }) => [index, object]),
      [
        [0, 'embedding'],
        [1, 'embedding'],
      ],
    );
    const vectors: unknown[] = data.data.map(({ embedding }) => embedding);
    const expected = [vectorOf('a', 4), vectorOf('bcd', 4)];
    assert.deepEqual(vectors, encoding_format === 'base64' ? expected.map(base64) : expected);
    assert.deepEqual(data.usage, { prompt_tokens: 1_000, total_tokens: 1_000 });
    assert.deepEqual([response.headers.get('x-gw-expert'), response.headers.get('x-gw-cost-usd')], ['small', '0.02']);
  }
});

test('ai embeds one and many through both of its OpenAI clients', async () => {
  const clients = [
    createOpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'unused' }).embeddingModel('small'),
    createOpenAICompatible({ name: 'gw', baseURL: `${gateway.url}/v1` }).embeddingModel('small'),
  ];
  for (const model of clients) {
    const many = await embedMany({ model, values: ['a', 'bcd', 'ef'], maxRetries: 0 });
    assert.deepEqual(many.embeddings, [vectorOf('a', 4), vectorOf('bcd', 4), vectorOf('ef', 4)]);
    assert.ok(many.usage.tokens > 0);
    assert.deepEqual((await embed({ model, value: 'xyz', maxRetries: 0 })).embedding, vectorOf('xyz', 4));
  }
});

test('langchain embeds queries and documents', async () => {
  const client = new OpenAIEmbeddings({
    model: 'small',
    apiKey: 'unused',
    maxRetries: 0,
    configuration: { baseURL: `${gateway.url}/v1` },
  });
  assert.deepEqual(await client.embedQuery('abc'), vectorOf('abc', 4));
  assert.deepEqual(await client.embedDocuments(['a', 'bc']), [vectorOf('a', 4), vectorOf('bc', 4)]);
});

const INPUTS: readonly [string, unknown, number][] = [
  ['a text', 'abc', 1],
  ['texts', ['a', 'b'], 2],
  ['tokens', [1, 2, 3], 1],
  ['lists of tokens', [[1, 2], [3]], 2],
];
for (const [name, input, count] of INPUTS)
  test(`every form of input reaches the expert as it is: ${name}`, async () => {
    const response = await send({ model: 'small', input, dimensions: 3, user: 'u' });
    assert.equal(response.status, 200);
    const { data } = (await response.json()) as { data: { embedding: number[] }[] };
    assert.deepEqual(
      data.map(({ embedding }) => embedding.length),
      Array.from({ length: count }, () => 3),
    );
    assert.deepEqual(asked.at(-1), { model: 'm-small', input, dimensions: 3, user: 'u' });
  });

const REFUSED: readonly [string, object, string | null][] = [
  ['no input', {}, 'input'],
  ['an empty text', { input: '' }, 'input'],
  ['an empty list', { input: [] }, 'input'],
  ['an empty text among others', { input: ['a', ''] }, 'input[1]'],
  ['a mixed list', { input: ['a', 1] }, 'input[1]'],
  ['no tokens', { input: [1, -2] }, 'input[1]'],
  ['an empty list of tokens', { input: [[1], []] }, 'input[1]'],
  ['too many', { input: Array.from({ length: 2_049 }, () => 'a') }, 'input'],
  ['an unknown encoding', { input: 'a', encoding_format: 'int8' }, 'encoding_format'],
  ['half a dimension', { input: 'a', dimensions: 1.5 }, 'dimensions'],
  ['no name', { input: 'a', model: 7 }, 'model'],
];
for (const [name, body, param] of REFUSED)
  test(`a wrong request is refused with its place, and asks nobody: ${name}`, async () => {
    const before = asked.length;
    const response = await send({ model: 'small', ...body });
    const { error } = (await response.json()) as { error: { param: string; code: string } };
    assert.deepEqual([response.status, error.code, error.param, asked.length], [400, 'GW_REQUEST_TYPE', param, before]);
  });

test('a chat model and an unknown one are told from one for vectors', async () => {
  for (const [model, text] of [
    ['chatty', /gives answers, not vectors/],
    ['gw/auto', /gives answers, not vectors/],
    ['smal', /small/],
  ] as const) {
    const response = await send({ model, input: 'a' });
    assert.equal(response.status, 404);
    assert.match(await response.text(), text);
  }
});

test('vectors come in the order of the inputs and the encoding that was asked for, whatever the server does', async () => {
  const input = ['a', 'bcd', 'ef'];
  const floats = input.map((text) => vectorOf(text, 4));
  for (const [how, format, expected] of [
    ['reversed', 'float', floats],
    ['floats', 'base64', floats.map(base64)],
    ['base64', 'float', floats],
  ] as const) {
    behaviour = how;
    const response = await send({ model: 'small', input, encoding_format: format });
    behaviour = 'good';
    const { data } = (await response.json()) as { data: { index: number; embedding: unknown }[] };
    assert.deepEqual(
      data.map(({ index }) => index),
      [0, 1, 2],
      how,
    );
    assert.deepEqual(
      data.map(({ embedding }) => embedding),
      expected,
      how,
    );
  }
});

test('an answer with too few vectors, or of different lengths, is no answer', async () => {
  for (const how of ['short', 'uneven'] as const) {
    behaviour = how;
    const response = await send({ model: 'large', input: ['a', 'b'] });
    behaviour = 'good';
    assert.equal(response.status, 502, how);
    assert.match(await response.text(), /GW_UPSTREAM_MALFORMED/);
  }
});

test('only an expert with the same model stands in for one that fails', async () => {
  behaviour = 'fails';
  const alone = await send({ model: 'small', input: 'a' });
  assert.equal(alone.status, 502);
  assert.match(await alone.text(), /GW_UPSTREAM_STATUS/);
  assert.ok(!asked.slice(-1).some(({ model }) => model !== 'm-small'));
  behaviour = 'good';
  // By the name of the model all experts that have it are meant; a demand leaves those that meet it.
  const first = await send({ model: 'm-other', input: 'a' });
  assert.equal(first.headers.get('x-gw-expert'), 'other');
  await first.text();
  const second = await send({ model: 'other', input: 'a' }, { 'x-gw-deny': 'other' });
  assert.equal(second.headers.get('x-gw-expert'), 'other-2');
  await second.text();
  const nobody = await send({ model: 'small', input: 'a' }, { 'x-gw-residency': 'eu' });
  assert.equal(nobody.status, 400);
  assert.match(await nobody.text(), /GW_NO_CANDIDATE.*residency/);
});

test('a request that is at fault is not repeated elsewhere', async () => {
  behaviour = 'rejects';
  const before = asked.length;
  const response = await send({ model: 'm-other', input: 'a' });
  behaviour = 'good';
  assert.equal(response.status, 400);
  assert.match(await response.text(), /too long/);
  assert.equal(asked.length, before + 1);
});

test('an input that does not fit into the window is refused before anybody is asked', async () => {
  const before = asked.length;
  const fits = await send({ model: 'small', input: ['a '.repeat(150), 'b '.repeat(150)] });
  assert.equal(fits.status, 200);
  await fits.text();
  const response = await send({ model: 'small', input: ['a', 'b '.repeat(500)] });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /GW_NO_CANDIDATE.*context/);
  assert.equal(asked.length, before + 1);
});

test('a client that goes away ends the call', async () => {
  behaviour = 'silent';
  const controller = new AbortController();
  const [before, count] = [aborted, asked.length];
  const asking = post(`${gateway.url}/v1/embeddings`, { model: 'large', input: 'a' }, { signal: controller.signal });
  await until(() => asked.length > count, 'the call');
  controller.abort();
  await assert.rejects(asking);
  await until(() => aborted > before, 'its end');
  behaviour = 'good';
  await until(() => gateway.gateway.runtime.experts.every(({ inFlight }) => inFlight === 0), 'nothing under way');
});

test('the sandbox has vectors without a key: the same for the same text, near for words in common', async () => {
  const { data, usage } = await openai.embeddings.create({
    model: 'hashed',
    input: ['the cat sat on the mat', 'a cat sat on a mat', 'quarterly revenue grew', 'the cat sat on the mat'],
    dimensions: 512,
  });
  const [cat, near, far, again] = data.map(({ embedding }) => embedding);
  const dot = (a: number[], b: number[]): number => a.reduce((sum, x, at) => sum + x * b[at]!, 0);
  assert.deepEqual(cat, again);
  assert.equal(cat!.length, 512);
  assert.ok(Math.abs(dot(cat!, cat!) - 1) < 1e-5);
  assert.ok(dot(cat!, near!) > dot(cat!, far!) + 0.2);
  assert.ok(usage.prompt_tokens > 0);
});

test('calls for vectors are booked on whoever asks, and an account that is used up gets none', async () => {
  const { ledger } = gateway.gateway;
  const before = ledger.stats.spentUsd.get('') ?? 0;
  const response = await send({ model: 'large', input: 'a' });
  await response.text();
  assert.ok(Math.abs((ledger.stats.spentUsd.get('') ?? 0) - before - 0.02) < 1e-9);
  assert.equal(ledger.stats.open, 0);
  const count = asked.length;
  const refused = await send({ model: 'large', input: 'abc' }, { 'x-gw-max-cost-usd': '0.00000001' });
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /maxCost/);
  assert.deepEqual([asked.length, ledger.stats.open], [count, 0]);
});

test('calls for vectors are counted with their tokens and their cost', async () => {
  const text = await gateway.gateway.metrics.text();
  assert.match(text, /gatewright_calls_total\{expert="small",status="ok"\} \d+/);
  assert.match(text, /gatewright_tokens_total\{expert="small",kind="embedding"\} \d+/);
});
