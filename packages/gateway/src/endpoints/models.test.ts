import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, test } from 'node:test';
import { checkConfig } from '../config/config.ts';
import { ANYONE } from '../identity/principal.ts';
import { createRuntime } from '../pipeline.ts';
import type { EndpointContext } from './endpoint.ts';
import { models } from './models.ts';

const config = checkConfig({
  version: 1,
  experts: ['a', 'b'].map((id) => ({
    id,
    provider: { use: 'openai', baseUrl: 'https://api.openai.com/v1', model: 'gpt-4o-mini' },
  })),
});
const gateway = { runtime: createRuntime(config, {}, 0) };
const routes = models({ gateway } as unknown as EndpointContext);

async function get(path: string, allowed: readonly string[] | undefined, params = {}): Promise<unknown> {
  let text = '';
  const response = {
    writeHead() {},
    end(body: string) {
      text = body;
    },
  } as unknown as ServerResponse;
  await routes[path]!.methods['GET']!({
    request: { headers: {} } as IncomingMessage,
    response,
    url: new URL('http://gateway'),
    params,
    principal: { ...ANYONE, models: allowed },
  });
  return JSON.parse(text);
}

const idsFor = async (allowed: readonly string[] | undefined): Promise<string[]> =>
  ((await get('/v1/models', allowed)) as { data: { id: string }[] }).data.map(({ id }) => id);

after(() => Promise.all(gateway.runtime.experts.map(({ provider }) => provider.close())));

test('whoever asks sees the names that their key may ask for, and no others', async () => {
  assert.deepEqual(await idsFor(undefined), ['gw/auto', 'gw/cascade', 'a', 'b']);
  assert.deepEqual(await idsFor(['gw/*', 'b']), ['gw/auto', 'gw/cascade', 'b']);
  assert.deepEqual(await idsFor([]), []);
});

test('a model that a key may not ask for is unknown to it, also in the list of known ones', async () => {
  await assert.rejects(get('/v1/models/:id', ['b'], { id: 'a' }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'GW_UNKNOWN_MODEL');
    assert.doesNotMatch(error.message, /gw\/auto/);
    return true;
  });
});

test('what an expert has from the catalogue is told with the version of its source', async () => {
  const model = (await get('/v1/models/:id', undefined, { id: 'a' })) as Record<string, Record<string, unknown>>;
  assert.equal(model['context_tokens'] as unknown, 128_000);
  assert.equal(model['price']!['inputUsdPerMTok'], 0.15);
  assert.match(String(model['catalog']!['from']), /^@pydantic\/genai-prices@/);
  assert.deepEqual(model['catalog']!['fields'], ['price', 'contextTokens']);
});
