import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimeOf } from '../test/live-experts.ts';
import { priceUsd } from './cost.ts';
import { decide } from './pipeline.ts';
import type { ChatRequest } from './wire/chat.ts';

const REQUEST: ChatRequest = { model: 'gw/auto', messages: [{ role: 'user', content: 'x'.repeat(400) }] };
const MODES = {
  modes: {
    auto: { policy: { use: 'bestOf' }, composition: { use: 'fallback' } },
    dice: { policy: { use: 'random' }, composition: { use: 'fallback' } },
  },
};
const SOME = {
  modes: { some: { experts: ['e1'], policy: { use: 'static' }, composition: { use: 'single' } } },
};

test('a candidate shows what the policy knows of an expert', () => {
  const runtime = runtimeOf([{ quality: 0.7, latencyMs: 300, outputTokens: 50, capacity: { concurrent: 4 } }], MODES);
  runtime.experts[0]!.inFlight = 2;
  const { candidates, promptTokens, ranked, removed } = decide(runtime, REQUEST, 1, 0);
  assert.equal(promptTokens, 104);
  assert.deepEqual(candidates, [
    { expert: 'e0', quality: 0.7, costUsd: (104 + 50 * 2) / 1_000_000, latencyMs: 300, load: 0.5, price: 0 },
  ]);
  assert.deepEqual([ranked[0], removed.length], [runtime.experts[0], 0]);
});

test('cost is estimated from the usual length, at most what the request allows, for every choice', () => {
  const runtime = runtimeOf([{ outputTokens: 1_000 }, {}], MODES);
  const costs = (more: object): number[] =>
    decide(runtime, { ...REQUEST, ...more }, 1, 0).candidates.map(({ costUsd }) => Math.round(costUsd * 1e6));
  assert.deepEqual(costs({}), [104 + 2_000, 104 + 512]);
  assert.deepEqual(costs({ max_tokens: 10 }), [124, 124]);
  assert.deepEqual(costs({ max_completion_tokens: 10, max_tokens: 900 }), [124, 124]);
  assert.deepEqual(costs({ max_tokens: 10, n: 3 }), [164, 164]);
  runtime.experts[1]!.outputTokens = 100;
  assert.deepEqual(costs({}), [2_104, 304], 'what was learned takes the place of the assumption');
});

test('quality is that of the skill, or the default one', () => {
  const runtime = runtimeOf([{ quality: { default: 0.4, code: 0.9 } }, { quality: 0.5 }], {
    ...MODES,
    skills: { code: { keywords: ['function'] } },
  });
  const qualities = (content: string): number[] =>
    decide(runtime, { ...REQUEST, messages: [{ role: 'user', content }] }, 1, 0).candidates.map(
      ({ quality }) => quality,
    );
  assert.deepEqual(qualities('hello'), [0.4, 0.5]);
  assert.deepEqual(qualities('a function'), [0.9, 0.5]);
});

test('the same seed decides alike, other seeds differently', () => {
  const runtime = runtimeOf([{}, {}, {}, {}], MODES);
  const order = (seed: number): string =>
    decide(runtime, { ...REQUEST, model: 'gw/dice' }, seed, 0)
      .ranked.map(({ expert }) => expert.id)
      .join();
  assert.equal(order(7), order(7));
  assert.ok(new Set(Array.from({ length: 20 }, (_, seed) => order(seed))).size > 3);
});

test('a mode asks its own experts only, and the id of an expert asks that one alone', () => {
  const runtime = runtimeOf([{}, {}, {}], SOME);
  const some = decide(runtime, { ...REQUEST, model: 'gw/some' }, 1, 0);
  assert.deepEqual([some.mode.name, some.ranked.map(({ expert }) => expert.id)], ['gw/some', ['e1']]);
  const pinned = decide(runtime, { ...REQUEST, model: 'e2' }, 1, 0);
  assert.deepEqual([pinned.mode.name, pinned.ranked.map(({ expert }) => expert.id)], ['pinned', ['e2']]);
  assert.equal(pinned.mode.composition.maxCalls(1), 1);
});

test('a model that is neither, and a request that nobody can answer, are typed errors', () => {
  const runtime = runtimeOf([{ contextTokens: 10 }], MODES);
  assert.throws(() => decide(runtime, { ...REQUEST, model: 'auto' }, 1, 0), {
    code: 'GW_UNKNOWN_MODEL',
    path: 'model',
  });
  assert.throws(() => decide(runtime, REQUEST, 1, 0), { code: 'GW_NO_CANDIDATE', message: /e0 \(context\)/ });
});

test('cached tokens have their own price, and are never more than the prompt', () => {
  const [expert] = runtimeOf([
    { price: { inputUsdPerMTok: 10, outputUsdPerMTok: 20, cachedInputUsdPerMTok: 1 } },
  ]).experts;
  const price = (promptTokens: number, cachedTokens: number, completionTokens: number): number =>
    Math.round(priceUsd(expert!.expert, { promptTokens, cachedTokens, completionTokens }) * 1e6);
  assert.equal(price(100, 0, 10), 1_200);
  assert.equal(price(100, 40, 10), 840);
  assert.equal(price(100, 400, 10), 300);
  assert.equal(price(0, 0, 0), 0);
});
