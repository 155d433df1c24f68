import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from '../config/config.ts';
import { expertWarnings } from '../config/expert-warnings.ts';
import { genaiPrices, knownOf } from './index.ts';

const NOV_2026 = Date.UTC(2026, 10, 22);
const openai = (model: string, baseUrl = 'https://api.openai.com/v1'): object => ({ use: 'openai', baseUrl, model });
const expertOf = (settings: object) =>
  checkConfig({ version: 1, experts: [{ id: 'e', ...settings }] }, undefined, NOV_2026).experts[0]!;

test('an expert that says neither price nor context window gets both from the catalogue, and says so', () => {
  const { price, contextTokens, catalog } = expertOf({ provider: openai('gpt-4o-mini') });
  assert.deepEqual(price, { inputUsdPerMTok: 0.15, outputUsdPerMTok: 0.6, cachedInputUsdPerMTok: 0.075 });
  assert.equal(contextTokens, 128_000);
  assert.equal(catalog?.model, 'openai/gpt-4o-mini');
  assert.deepEqual(catalog?.fields, ['price', 'contextTokens']);
  assert.match(catalog!.from, /^@pydantic\/genai-prices@\d+\.\d+\.\d+$/);
});

test('what the configuration declares wins, each setting by itself', () => {
  const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 2 };
  const priced = expertOf({ provider: openai('gpt-4o-mini'), price });
  assert.deepEqual([priced.price, priced.contextTokens, priced.catalog?.fields], [price, 128_000, ['contextTokens']]);
  const sized = expertOf({ provider: openai('gpt-4o-mini'), contextTokens: 1_000 });
  assert.deepEqual([sized.price.inputUsdPerMTok, sized.contextTokens, sized.catalog?.fields], [0.15, 1_000, ['price']]);
  const both = expertOf({ provider: openai('gpt-4o-mini'), price, contextTokens: 1_000 });
  assert.deepEqual([both.price, both.contextTokens, both.catalog], [price, 1_000, undefined]);
});

test('prices of long prompts and of caches come along', () => {
  const price = genaiPrices(NOV_2026).find({ id: 'anthropic' }, 'claude-sonnet-4-5-20250929')?.price;
  assert.deepEqual(price, {
    inputUsdPerMTok: 3,
    outputUsdPerMTok: 15,
    cachedInputUsdPerMTok: 0.3,
    cacheWriteUsdPerMTok: 3.75,
    cacheWrite1hUsdPerMTok: 6,
    above: [
      {
        promptTokens: 200_000,
        inputUsdPerMTok: 6,
        outputUsdPerMTok: 22.5,
        cachedInputUsdPerMTok: 0.6,
        cacheWriteUsdPerMTok: 7.5,
        cacheWrite1hUsdPerMTok: 12,
      },
    ],
  });
});

test('a price that holds from a day on holds from that day, and one that changes over the day counts at its dearest', () => {
  const at = (day: number): unknown =>
    genaiPrices(day).find({ id: 'deepseek' }, 'deepseek-v4-flash')?.price?.inputUsdPerMTok;
  assert.equal(at(NOV_2026), 0.44);
  assert.equal(genaiPrices(NOV_2026).find({ id: 'deepseek' }, 'deepseek-chat')?.price?.outputUsdPerMTok, 1.1);
});

const STRANGERS: readonly [string, object][] = [
  ['a server of one\u2019s own, whatever its model is called', openai('gpt-4o-mini', 'http://127.0.0.1:8000/v1')],
  ['a server at an unknown address', openai('gpt-4o-mini', 'https://models.example.com/v1')],
  ['an unknown model', openai('gpt-0-imaginary')],
];

for (const [name, provider] of STRANGERS)
  test(`nothing is taken from the catalogue for ${name}, and the check says that its cost counts as 0`, () => {
    const expert = expertOf({ provider });
    assert.deepEqual(
      [expert.price, expert.contextTokens, expert.catalog],
      [{ inputUsdPerMTok: 0, outputUsdPerMTok: 0 }, undefined, undefined],
    );
    assert.match(expertWarnings({ experts: [expert] }).join(), /e has no price.*counts as 0/);
  });

test('a price of 0 that somebody declared is no reason to warn', () => {
  const expert = expertOf({
    provider: openai('mine', 'http://127.0.0.1:8000/v1'),
    price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 },
  });
  assert.deepEqual(expertWarnings({ experts: [expert] }), []);
});

test('catalog names whose prices hold behind an address of one\u2019s own, or that nobody\u2019s do', () => {
  const provider = openai('deployment-7', 'https://models.example.com/v1');
  assert.equal(expertOf({ provider, catalog: 'openai/gpt-4o-mini' }).catalog?.model, 'openai/gpt-4o-mini');
  assert.equal(expertOf({ provider: openai('gpt-4o-mini'), catalog: false }).catalog, undefined);
});

test('a model that charges for nothing it writes is told from one that answers', () => {
  const settings = { provider: openai('text-embedding-3-small') };
  assert.match(expertWarnings({ experts: [expertOf(settings)] }).join(), /set kind: embedding/);
  assert.deepEqual(expertWarnings({ experts: [expertOf({ ...settings, kind: 'embedding' })] }), []);
});

test('the catalogue is not opened where there is nothing to look up', () => {
  const never = (): never => assert.fail('opened');
  assert.equal(
    knownOf({ provider: openai('m', 'http://localhost:1/v1') as Record<string, unknown> }, never),
    undefined,
  );
  assert.equal(knownOf({ provider: { use: 'sandbox', expert: 'tiny' } }, never), undefined);
  assert.equal(knownOf({ provider: openai('gpt-4o') as Record<string, unknown>, catalog: false }, never), undefined);
});

test('the providers with an address of their own are known without one', () => {
  const catalog = genaiPrices(NOV_2026);
  const provider = { use: 'anthropic', model: 'claude-opus-4-5' };
  assert.equal(knownOf({ provider }, () => catalog)?.provider, 'anthropic');
  assert.equal(knownOf({ provider: { use: 'gemini', model: 'gemini-2.5-flash' } }, () => catalog)?.provider, 'google');
});

test('every model of the package has a price that can be read, or none', () => {
  const catalog = genaiPrices(NOV_2026);
  for (const [id, model] of [
    ['openai', 'whisper-1'],
    ['openai', 'gpt-4o-audio-preview'],
    ['google', 'gemini-2.5-flash'],
  ] as const) {
    const entry = catalog.find({ id }, model);
    assert.ok(entry !== undefined, model);
    if (model === 'whisper-1') assert.equal(entry.price, undefined);
    else assert.ok(entry.price!.inputUsdPerMTok > 0);
  }
});
