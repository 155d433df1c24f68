/** A mode whose estimator reads vectors: fetched before the decision, done without where the endpoint fails. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { checkConfig } from '../src/config/config.ts';
import { chat, chatBody, post, startGateway, traceOf } from './helpers.ts';

const sandboxExpert = (id: string) => ({
  id,
  provider: { use: 'sandbox', expert: id, realtime: false },
  price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 },
});
const configFor = (port: number) => ({
  seed: 1,
  embeddings: { baseUrl: `http://127.0.0.1:${port}/v1`, model: 'any', timeoutMs: 2_000 },
  estimators: {
    learned: { use: 'embedding', of: { use: 'logistic', sharedPenalty: 0.1, differencePenalty: 0.1 }, dims: 2 },
  },
  experts: [sandboxExpert('tiny'), sandboxExpert('sage')],
  modes: {
    auto: {
      estimator: 'learned',
      policy: { use: 'bestOf', weights: { cost: 0, latency: 0 } },
      composition: { use: 'single' },
    },
  },
});

/** Texts about cats point one way, all others another. */
async function endpoint(): Promise<{ server: Server; port: number; asked: string[]; fails: boolean }> {
  const state = { asked: [] as string[], fails: false };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      const { input } = JSON.parse(body) as { input: string };
      state.asked.push(input);
      if (state.fails) response.writeHead(500).end();
      else response.end(JSON.stringify({ data: [{ embedding: input.includes('cat') ? [1, 0] : [0, 1] }] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, { server, port: (server.address() as AddressInfo).port });
}

test('what was learned of one kind of text by its vector routes texts of other words', async () => {
  const vectors = await endpoint();
  const gateway = await startGateway(configFor(vectors.port));
  try {
    const teach = async (text: string, liked: string) => {
      for (const model of ['tiny', 'sage']) {
        const reply = await chat(gateway.url, chatBody(model, {}, text));
        const trace = reply.headers.get('x-gw-trace')!;
        const features = gateway.gateway.runtime.featuresOf(text, {
          promptTokens: 3,
          embedding: Float32Array.from(text.includes('cat') ? [1, 0] : [0, 1]),
        });
        assert.ok(trace !== '');
        gateway.gateway.runtime.learning.learn({ features, expert: model, score: model === liked ? 1 : 0 });
      }
    };
    for (let i = 0; i < 12; i++) {
      await teach(`a cat number ${i}`, 'tiny');
      await teach(`a dog number ${i}`, 'sage');
    }
    const decide = async (text: string) => {
      const reply = await chat(gateway.url, chatBody('gw/auto', {}, text));
      assert.equal(reply.status, 200);
      return (await traceOf(gateway.gateway.store, reply.headers.get('x-gw-trace'))).result.expert;
    };
    assert.equal(await decide('my cat purrs'), 'tiny');
    assert.equal(await decide('birds sing'), 'sage');
    vectors.fails = true;
    assert.ok(['tiny', 'sage'].includes((await decide('without a vector'))!), 'a failing endpoint costs no answer');
    assert.equal(await decide('my cat purrs'), 'tiny', 'the cache still has this one');
    const route = await post(`${gateway.url}/v1/route`, chatBody('gw/auto', {}, 'my cat purrs'));
    assert.equal(((await route.json()) as { expert: string }).expert, 'tiny');
    assert.match(await (await fetch(`${gateway.url}/metrics`)).text(), /gatewright_embeddings\{outcome="failed"\} 1/);
    const before = vectors.asked.length;
    for (const headers of [{ 'x-gw-residency': 'eu' }, { 'x-gw-privacy': 'internal' }, { 'x-gw-flags': 'size=hard' }])
      for (const path of ['chat/completions', 'route'])
        await (await post(`${gateway.url}/v1/${path}`, chatBody('gw/auto', {}, 'stays here'), { headers })).text();
    assert.equal(vectors.asked.length, before, 'what must stay in a place is not sent to a server that is nowhere');
    await chat(gateway.url, chatBody('tiny', {}, 'nobody estimates this'));
    assert.equal(vectors.asked.length, before, 'a mode without an estimator fetches nothing');
  } finally {
    await gateway.close();
    vectors.server.close();
    vectors.server.closeAllConnections();
  }
});

test('an estimator of vectors without an endpoint is refused', () => {
  const { embeddings: _, ...without } = configFor(1);
  assert.throws(() => checkConfig({ version: 1, ...without }), { code: 'GW_CONFIG', message: /embeddings/ });
});
