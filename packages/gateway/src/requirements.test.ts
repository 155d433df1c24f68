import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveExperts } from '../test/live-experts.ts';
import { type Requirements, requireKnown, requirementsOf, unmetRequirement, withoutRouting } from './requirements.ts';

const READS: readonly [string, Record<string, string>, Record<string, unknown>, Requirements | undefined][] = [
  ['nothing', {}, {}, undefined],
  ['regions', { 'x-gw-residency': 'eu, ch' }, {}, { residency: ['eu', 'ch'] }],
  ['privacy', { 'x-gw-privacy': 'confidential' }, {}, { privacy: 'confidential' }],
  [
    'who may and may not',
    { 'x-gw-only': 'a,provider:b', 'x-gw-deny': 'c' },
    {},
    { only: ['a', 'provider:b'], deny: ['c'] },
  ],
  ['a cost', { 'x-gw-max-cost-usd': '0.01' }, {}, { maxCostUsd: 0.01 }],
  ['one call', { 'x-gw-no-fallback': '1' }, {}, { noFallback: true }],
  ['not one call', { 'x-gw-no-fallback': '0' }, {}, undefined],
  [
    'providers in the body, beside the header',
    { 'x-gw-deny': 'e' },
    {
      provider: {
        only: ['openai'],
        ignore: ['gemini'],
        allow_fallbacks: false,
        max_price: { prompt: 1, completion: '2' },
      },
    },
    {
      deny: ['e', 'provider:gemini'],
      onlyProviders: ['provider:openai'],
      noFallback: true,
      maxPrice: { prompt: 1, completion: 2 },
    },
  ],
  ['models in the body', {}, { models: ['a', 'b'] }, { models: ['a', 'b'] }],
  ['null for nothing', {}, { provider: null, models: null }, undefined],
];

for (const [name, headers, body, expected] of READS)
  test(`demands are read from headers and body: ${name}`, () => {
    assert.deepEqual(requirementsOf(headers, body), expected);
  });

const REFUSED: readonly [Record<string, string>, Record<string, unknown>, string][] = [
  [{ 'x-gw-residency': 'EU!' }, {}, 'x-gw-residency'],
  [{ 'x-gw-residency': '' }, {}, 'x-gw-residency'],
  [{ 'x-gw-privacy': 'secret' }, {}, 'x-gw-privacy'],
  [{ 'x-gw-only': ',' }, {}, 'x-gw-only'],
  [{ 'x-gw-deny': Array.from({ length: 65 }, () => 'a').join() }, {}, 'x-gw-deny'],
  [{ 'x-gw-max-cost-usd': 'free' }, {}, 'x-gw-max-cost-usd'],
  [{ 'x-gw-max-cost-usd': '-1' }, {}, 'x-gw-max-cost-usd'],
  [{ 'x-gw-max-cost-usd': '1e9' }, {}, 'x-gw-max-cost-usd'],
  [{ 'x-gw-no-fallback': 'yes' }, {}, 'x-gw-no-fallback'],
  [{}, { provider: 'openai' }, 'provider'],
  [{}, { provider: { zdr: true } }, 'provider.zdr'],
  [{}, { provider: { only: 'openai' } }, 'provider.only'],
  [{}, { provider: { max_price: { image: 1 } } }, 'provider.max_price.image'],
  [{}, { provider: { allow_fallbacks: 'no' } }, 'provider.allow_fallbacks'],
  [{}, { models: [7] }, 'models'],
];

for (const [headers, body, path] of REFUSED)
  test(`a demand that cannot be kept is refused and never left out: ${JSON.stringify(headers)} ${JSON.stringify(body).slice(0, 60)}`, () => {
    assert.throws(() => requirementsOf(headers, body), { code: 'GW_REQUEST_TYPE', path });
  });

const [eu, both, nowhere] = liveExperts([
  { residency: ['eu'], privacy: 'confidential', price: { inputUsdPerMTok: 1, outputUsdPerMTok: 4 } },
  { residency: ['eu', 'us'], privacy: 'internal' },
  {},
]).map(({ expert }) => expert);

const UNMET: readonly [string, Requirements, (string | undefined)[]][] = [
  ['every region of the expert must be allowed', { residency: ['eu'] }, [undefined, 'residency', 'residency']],
  ['more regions let more in', { residency: ['us', 'eu'] }, [undefined, undefined, 'residency']],
  ['anybody may see what is public', { privacy: 'public' }, [undefined, undefined, undefined]],
  ['privacy is ordered', { privacy: 'internal' }, [undefined, undefined, 'privacy']],
  ['the most private goes to few', { privacy: 'confidential' }, [undefined, 'privacy', 'privacy']],
  ['only', { only: ['e0'] }, [undefined, 'only', 'only']],
  ['only, twice', { only: ['e0'], onlyProviders: ['provider:nobody'] }, ['only', 'only', 'only']],
  ['deny', { deny: ['e0', 'e2'] }, ['deny', undefined, 'deny']],
  ['deny by provider', { deny: [`provider:${eu!.provider.use}`] }, ['deny', 'deny', 'deny']],
  ['deny wins over only', { only: ['e0'], deny: ['e0'] }, ['deny', 'only', 'only']],
  ['price', { maxPrice: { completion: 3 } }, ['maxPrice', undefined, undefined]],
  ['cost', { maxCostUsd: 0.4 }, ['maxCost', 'maxCost', 'maxCost']],
  ['cost that is just met', { maxCostUsd: 0.5 }, [undefined, undefined, undefined]],
];

for (const [name, required, constraints] of UNMET)
  test(`an expert that does not meet a demand is removed by the name of it: ${name}`, () => {
    const removals = [eu!, both!, nowhere!].map((expert) => unmetRequirement(expert, required, undefined, () => 0.5));
    assert.deepEqual(
      removals.map((removal) => removal?.constraint),
      constraints,
    );
    for (const removal of removals) if (removal !== undefined) assert.ok(removal.detail.length > 10);
  });

test('a mode denies too, and before the request is asked', () => {
  const removal = unmetRequirement(eu!, { deny: ['e0'] }, ['e0'], () => 0);
  assert.match(removal!.detail, /the mode denies e0/);
});

test('a name that stands for nobody is refused with the nearest that does', () => {
  const experts = [eu!, both!, nowhere!];
  requireKnown({ only: ['e1'], deny: [`provider:${eu!.provider.use}`] }, experts);
  for (const required of [{ deny: ['e9'] }, { only: ['provider:nobody'] }])
    assert.throws(() => requireKnown(required, experts), { code: 'GW_REQUEST_TYPE', message: /Known|no expert/i });
});

test('the fields for the gateway do not go to an expert, and other requests are not copied', () => {
  const request = { model: 'm', messages: [], extra: 1 };
  assert.equal(withoutRouting(request), request);
  assert.deepEqual(withoutRouting({ ...request, provider: {}, models: [] }), request);
});
