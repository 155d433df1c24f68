import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcPrice } from '@pydantic/genai-prices';
import fc from 'fast-check';
import { genaiPrices } from './catalog/index.ts';
import { countsOf, type Price, priceUsd, type TokenCounts } from './cost.ts';

const PLAIN: Price = { inputUsdPerMTok: 10, outputUsdPerMTok: 20 };
const FULL: Price = {
  ...PLAIN,
  cachedInputUsdPerMTok: 1,
  cacheWriteUsdPerMTok: 12,
  cacheWrite1hUsdPerMTok: 16,
  reasoningUsdPerMTok: 30,
  audioInputUsdPerMTok: 40,
  audioOutputUsdPerMTok: 80,
  requestUsd: 0.5,
  above: [
    { promptTokens: 500, inputUsdPerMTok: 15 },
    { promptTokens: 200, inputUsdPerMTok: 12, outputUsdPerMTok: 25 },
  ],
};

const CASES: readonly [string, Price, TokenCounts, number][] = [
  ['nothing', PLAIN, { promptTokens: 0, completionTokens: 0 }, 0],
  ['prompt and answer', PLAIN, { promptTokens: 100, completionTokens: 10 }, 1_200],
  [
    'cached reads without a price of their own',
    PLAIN,
    { promptTokens: 100, completionTokens: 0, cachedTokens: 40 },
    1_000,
  ],
  ['thoughts without a price of their own', PLAIN, { promptTokens: 0, completionTokens: 10, reasoningTokens: 9 }, 200],
  ['the request itself', FULL, { promptTokens: 0, completionTokens: 0 }, 500_000],
  ['cached reads', FULL, { promptTokens: 100, completionTokens: 0, cachedTokens: 40 }, 500_640],
  ['cache writes', FULL, { promptTokens: 100, completionTokens: 0, cacheWriteTokens: 50 }, 501_100],
  [
    'cache writes for an hour among them',
    FULL,
    { promptTokens: 100, completionTokens: 0, cacheWriteTokens: 50, cacheWrite1hTokens: 20 },
    501_180,
  ],
  ['thoughts', FULL, { promptTokens: 0, completionTokens: 10, reasoningTokens: 4 }, 500_240],
  ['sound that is heard', FULL, { promptTokens: 100, completionTokens: 0, audioInputTokens: 10 }, 501_300],
  ['sound that is spoken', FULL, { promptTokens: 0, completionTokens: 10, audioOutputTokens: 10 }, 500_800],
  ['just at the first step', FULL, { promptTokens: 200, completionTokens: 10 }, 502_200],
  ['a token above the first step', FULL, { promptTokens: 201, completionTokens: 10 }, 502_662],
  ['above the second step, which names no output', FULL, { promptTokens: 501, completionTokens: 10 }, 507_715],
  ['more cached than there is', PLAIN, { promptTokens: 100, completionTokens: 0, cachedTokens: 400 }, 1_000],
  [
    'more cached and written than there is',
    FULL,
    { promptTokens: 100, completionTokens: 0, cachedTokens: 90, cacheWriteTokens: 90 },
    500_210,
  ],
  ['more thoughts than answer', FULL, { promptTokens: 0, completionTokens: 10, reasoningTokens: 99 }, 500_300],
];

for (const [name, price, tokens, microUsd] of CASES)
  test(`a call costs every kind of token at its price: ${name}`, () => {
    assert.equal(Math.round(priceUsd({ price }, tokens) * 1e9), microUsd * 1e3);
  });

test('the counts of a usage are read from its details, and what is no count is 0', () => {
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: {
      cached_tokens: 60,
      cache_creation_tokens: 20,
      cache_creation_1h_tokens: 5,
      audio_tokens: 3,
    },
    completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 7 },
  };
  const counts = {
    promptTokens: 100,
    completionTokens: 50,
    cachedTokens: 60,
    cacheWriteTokens: 20,
    cacheWrite1hTokens: 5,
    audioInputTokens: 3,
    reasoningTokens: 30,
    audioOutputTokens: 7,
  };
  assert.deepEqual(countsOf(usage), counts);
  const none = { ...counts };
  for (const key of Object.keys(none) as (keyof typeof none)[]) none[key] = 0;
  for (const bad of [null, 'many', -1, Number.NaN, 1e300, {}]) {
    const broken = { prompt_tokens: bad, completion_tokens: bad, total_tokens: 0 } as unknown as typeof usage;
    assert.deepEqual(countsOf(broken), none, String(bad));
    assert.deepEqual(
      countsOf({
        ...broken,
        prompt_tokens_details: null,
        completion_tokens_details: { reasoning_tokens: bad },
      } as never),
      none,
    );
  }
});

test('every known model costs what the package that knows it says, for any mix of tokens', () => {
  const atMs = Date.UTC(2026, 10, 22);
  const catalog = genaiPrices(atMs);
  // Without prices that change over the day, for which ours is the dearest hour.
  const known = [
    ['openai', 'gpt-4o-mini'],
    ['openai', 'gpt-5'],
    ['openai', 'o3'],
    ['anthropic', 'claude-sonnet-4-5-20250929'],
    ['anthropic', 'claude-opus-4-5'],
    ['google', 'gemini-2.5-pro'],
    ['google', 'gemini-2.5-flash'],
    ['mistral', 'mistral-large-latest'],
  ] as const;
  const count = fc.integer({ min: 0, max: 400_000 });
  fc.assert(
    fc.property(
      fc.constantFrom(...known),
      count,
      count,
      count,
      count,
      ([provider, model], fresh, cached, written, out) => {
        const price = catalog.find({ id: provider }, model)?.price;
        assert.ok(price !== undefined, model);
        // A model without a price for writes has none to charge for.
        const writes = price.cacheWriteUsdPerMTok === undefined ? 0 : written;
        const promptTokens = fresh + cached + writes;
        const said = calcPrice(
          {
            input_tokens: promptTokens,
            output_tokens: out,
            cache_read_tokens: cached,
            ...(writes === 0 ? {} : { cache_write_tokens: writes }),
          },
          model,
          { providerId: provider, timestamp: new Date(atMs) },
        );
        const ours = priceUsd(
          { price },
          { promptTokens, completionTokens: out, cachedTokens: cached, cacheWriteTokens: writes },
        );
        assert.ok(
          Math.abs(ours - said!.total_price) < 1e-9,
          `${model}: ${ours}, the package says ${said!.total_price}`,
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('a call never costs less than nothing, nor less for more of any kind of token', () => {
  const count = fc.integer({ min: 0, max: 1_000 });
  const rate = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(
      count,
      count,
      count,
      count,
      rate,
      rate,
      (promptTokens, completionTokens, cachedTokens, more, input, output) => {
        const expert = {
          price: { inputUsdPerMTok: input, outputUsdPerMTok: output, cachedInputUsdPerMTok: input / 10 },
        };
        const tokens = { promptTokens, completionTokens, cachedTokens };
        const costUsd = priceUsd(expert, tokens);
        assert.ok(costUsd >= 0);
        assert.ok(priceUsd(expert, { ...tokens, completionTokens: completionTokens + more }) >= costUsd);
        assert.ok(priceUsd(expert, { ...tokens, promptTokens: promptTokens + more }) >= costUsd - 1e-15);
      },
    ),
  );
});
