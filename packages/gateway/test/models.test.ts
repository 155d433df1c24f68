/** The list of models, as the clients of both formats read it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { expertAt, startGateway, type TestGateway } from './helpers.ts';

let gateway: TestGateway;
let openai: OpenAI;
let anthropic: Anthropic;
before(async () => {
  const url = 'http://127.0.0.1:1/v1';
  gateway = await startGateway({
    experts: [
      expertAt('small', url, { contextTokens: 8_000, residency: ['eu'], privacy: 'internal' }),
      expertAt('large', url, { capabilities: ['tools', 'jsonSchema'] }),
      expertAt('vectors', url, { kind: 'embedding' }),
    ],
    modes: { auto: { policy: { use: 'static' }, composition: { use: 'single' } } },
  });
  openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'unused', maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: gateway.url, apiKey: 'unused', maxRetries: 0 });
});
after(() => gateway.close());

test('the openai client lists modes and experts, with what we know of them', async () => {
  const { data, object } = await openai.models.list();
  assert.equal(object, 'list');
  assert.deepEqual(
    data.map(({ id, object: kind, created, owned_by }) => [id, kind, created, owned_by]),
    [
      ['gw/auto', 'model', 0, 'gatewright'],
      ['small', 'model', 0, 'openai'],
      ['large', 'model', 0, 'openai'],
      ['vectors', 'model', 0, 'openai'],
    ],
  );
  const [mode, small, large, vectors] = data as unknown as Record<string, unknown>[];
  assert.deepEqual([mode!['kind'], small!['kind'], vectors!['kind']], ['mode', 'chat', 'embedding']);
  assert.deepEqual(
    [small!['context_tokens'], small!['price'], small!['residency'], small!['privacy']],
    [8_000, { inputUsdPerMTok: 1, outputUsdPerMTok: 2 }, ['eu'], 'internal'],
  );
  assert.deepEqual([large!['capabilities'], vectors!['capabilities']], [['tools', 'jsonSchema'], undefined]);
});

test('the openai client retrieves one model, also by a name with a slash', async () => {
  assert.equal((await openai.models.retrieve('small')).id, 'small');
  assert.equal((await openai.models.retrieve('gw/auto')).id, 'gw/auto');
  const plain = await fetch(`${gateway.url}/v1/models/gw/auto`);
  assert.equal(((await plain.json()) as { id: string }).id, 'gw/auto');
  await assert.rejects(openai.models.retrieve('smal'), (error: unknown) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.match(error.message, /small/);
    return true;
  });
});

test('the anthropic client lists, pages and retrieves them in its own form', async () => {
  const ids: string[] = [];
  for await (const model of anthropic.models.list({ limit: 2 })) {
    assert.equal(model.type, 'model');
    assert.equal(typeof model.display_name, 'string');
    assert.ok(!Number.isNaN(Date.parse(model.created_at)));
    ids.push(model.id);
  }
  assert.deepEqual(ids, ['gw/auto', 'small', 'large', 'vectors']);
  const first = await anthropic.models.list({ limit: 3 });
  assert.deepEqual([first.has_more, first.first_id, first.last_id], [true, 'gw/auto', 'large']);
  const before = await anthropic.models.list({ limit: 2, before_id: 'vectors' });
  assert.deepEqual([before.data.map(({ id }) => id), before.has_more], [['small', 'large'], true]);
  const one = await anthropic.models.retrieve('small');
  assert.deepEqual([one.id, one.max_input_tokens, one.capabilities], ['small', 8_000, null]);
});

test('vectors are no answers: an expert for them is in no mode and refuses a chat', async () => {
  assert.deepEqual(
    gateway.gateway.runtime.modes.get('gw/auto')!.experts.map(({ expert }) => expert.id),
    ['small', 'large'],
  );
  await assert.rejects(openai.chat.completions.create({ model: 'vectors', messages: [] as never }), { status: 400 });
  await assert.rejects(
    openai.chat.completions.create({ model: 'vectors', messages: [{ role: 'user', content: 'hi' }] }),
    (error: unknown) => error instanceof OpenAI.NotFoundError && /\/v1\/embeddings/.test(error.message),
  );
});
