/** Hard constraints on the way: whoever they take out is asked by nobody, not first, not as a fallback, not as a hedge. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chat, chatBody, expertAt, startGateway, type TestGateway, traceOf } from './helpers.ts';
import { type Upstream, upstream } from './upstream.ts';

/** Every expert that may answer fails, so that every composition goes as far as it can. */
const COMPOSITIONS: Readonly<Record<string, object>> = {
  single: { use: 'single' },
  fallback: { use: 'fallback', attempts: 9 },
  cascade: { use: 'cascade', minConfidence: 0.8, attempts: 9 },
  prefix: { use: 'cascade', minConfidence: 0.8, prefixTokens: 2, attempts: 9 },
  hedge: { use: 'hedge', afterMs: 1, width: 4 },
};

const DEMANDS: readonly [
  name: string,
  constraint: string,
  allowed: object,
  other: object,
  headers: Record<string, string>,
  body: object,
][] = [
  [
    'tools',
    'capability',
    { capabilities: ['tools'] },
    { capabilities: ['json'] },
    {},
    { tools: [{ type: 'function' }] },
  ],
  [
    'a JSON schema',
    'capability',
    { capabilities: ['jsonSchema'] },
    { capabilities: ['json'] },
    {},
    { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: {} } } },
  ],
  [
    'a picture',
    'capability',
    { capabilities: ['vision'] },
    { capabilities: [] },
    {},
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }] },
  ],
  ['the context window', 'context', { contextTokens: 10_000 }, { contextTokens: 5 }, {}, {}],
  ['a region', 'residency', { residency: ['eu'] }, { residency: ['eu', 'us'] }, { 'x-gw-residency': 'eu' }, {}],
  ['privacy', 'privacy', { privacy: 'confidential' }, { privacy: 'internal' }, { 'x-gw-privacy': 'confidential' }, {}],
  ['a flag', 'flag', { grants: ['private'] }, {}, { 'x-gw-flags': 'private=hard' }, {}],
  ['only', 'only', {}, {}, { 'x-gw-only': 'right-1,right-2' }, {}],
  ['deny', 'deny', {}, {}, { 'x-gw-deny': 'wrong-1,wrong-2' }, {}],
  ['only in the body', 'only', {}, {}, {}, { models: ['right-1', 'right-2'] }],
  [
    'a cost',
    'maxCost',
    {},
    { price: { inputUsdPerMTok: 1e6, outputUsdPerMTok: 1e6 } },
    { 'x-gw-max-cost-usd': '0.01' },
    { max_tokens: 10 },
  ],
  [
    'a price',
    'maxPrice',
    {},
    { price: { inputUsdPerMTok: 9, outputUsdPerMTok: 2 } },
    {},
    { provider: { max_price: { prompt: 5 } } },
  ],
];

describe('a constraint holds through every composition', () => {
  let failing: Upstream;
  let forbidden: Upstream;
  before(async () => {
    failing = await upstream('status503');
    forbidden = await upstream('ok');
  });
  after(() => Promise.all([failing.close(), forbidden.close()]));

  for (const [name, constraint, allowed, other, headers, body] of DEMANDS) {
    test(`${name}: whoever lacks it is never asked, though all others fail`, async () => {
      const gateway = await startGateway({
        retries: { attempts: 1 },
        experts: [
          expertAt('wrong-1', forbidden.url, other),
          expertAt('right-1', failing.url, allowed),
          expertAt('wrong-2', forbidden.url, other),
          expertAt('right-2', failing.url, allowed),
        ],
        modes: Object.fromEntries(
          Object.entries(COMPOSITIONS).map(([mode, composition]) => [mode, { policy: { use: 'static' }, composition }]),
        ),
      });
      try {
        for (const mode of Object.keys(COMPOSITIONS)) {
          for (const stream of [false, true]) {
            const response = await chat(gateway.url, chatBody(`gw/${mode}`, { stream, ...body }), { headers });
            await response.text();
            const trace = await traceOf(gateway.gateway.store, response.headers.get('x-gw-trace'));
            assert.equal(forbidden.requests.length, 0, `${mode} ${stream}`);
            assert.deepEqual(
              trace.removed
                .map((removal) => `${removal.expert} ${removal.constraint}`)
                .filter((text) => text.startsWith('wrong')),
              [`wrong-1 ${constraint}`, `wrong-2 ${constraint}`],
            );
            assert.ok(trace.calls.every(({ expert }) => expert.startsWith('right')));
            assert.ok(trace.calls.length >= 1);
            if (mode === 'fallback' && !trace.removed.some(({ expert }) => expert.startsWith('right')))
              assert.equal(trace.calls.length, 2);
          }
        }
        // What was meant for the gateway did not go on.
        for (const { body: sent } of failing.requests) assert.ok(!('provider' in sent) && !('models' in sent));
      } finally {
        await gateway.close();
      }
    });
  }
});

describe('demands of a client', () => {
  let good: Upstream;
  let failing: Upstream;
  let gateway: TestGateway;
  before(async () => {
    good = await upstream('ok');
    failing = await upstream('status503');
    gateway = await startGateway({
      retries: { attempts: 1 },
      experts: [
        expertAt('bad', failing.url, { residency: ['us'] }),
        expertAt('good', good.url, { residency: ['eu'] }),
        expertAt('spare', good.url, {}),
      ],
      modes: {
        first: { policy: { use: 'static' }, composition: { use: 'fallback' } },
        careful: { policy: { use: 'static' }, composition: { use: 'fallback' }, deny: ['bad'] },
      },
    });
  });
  after(async () => {
    await gateway.close();
    await Promise.all([good.close(), failing.close()]);
  });

  test('no fallback: one call is made, and its failure is the answer', async () => {
    for (const [headers, body] of [
      [{ 'x-gw-no-fallback': '1' }, {}],
      [{}, { provider: { allow_fallbacks: false } }],
    ] as const) {
      const response = await chat(gateway.url, chatBody('gw/first', body), { headers });
      await response.text();
      assert.equal(response.status, 502);
      const trace = await traceOf(gateway.gateway.store, response.headers.get('x-gw-trace'));
      assert.deepEqual([trace.composition, trace.calls.length], [{ use: 'single' }, 1]);
    }
    const response = await chat(gateway.url, chatBody('gw/first'));
    assert.deepEqual([response.status, response.headers.get('x-gw-expert')], [200, 'good']);
    await response.text();
  });

  test('a list of models behind an expert is tried in its order', async () => {
    const response = await chat(gateway.url, chatBody('bad', { models: ['spare', 'good'] }));
    assert.deepEqual([response.status, response.headers.get('x-gw-expert')], [200, 'spare']);
    await response.text();
    for (const models of [['gw/first'], ['nobody']]) {
      const refused = await chat(gateway.url, chatBody('bad', { models }));
      assert.equal(refused.status, 404);
      assert.match(await refused.text(), /GW_UNKNOWN_MODEL/);
    }
  });

  test('a demand that nobody meets names every expert with its reason, in the answer and in a dry run', async () => {
    for (const path of ['/v1/chat/completions', '/v1/route']) {
      const response = await fetch(gateway.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-gw-residency': 'ch' },
        body: JSON.stringify(chatBody('gw/first')),
      });
      assert.equal(response.status, 400);
      const { error } = (await response.json()) as { error: { gateway: { code: string; removed: object[] } } };
      assert.equal(error.gateway.code, 'GW_NO_CANDIDATE');
      assert.deepEqual(
        error.gateway.removed.map((removal) => Object.values(removal).slice(0, 2)),
        [
          ['bad', 'residency'],
          ['good', 'residency'],
          ['spare', 'residency'],
        ],
      );
    }
  });

  test('a dry run shows what the mode itself denies', async () => {
    const response = await fetch(`${gateway.url}/v1/route`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatBody('gw/careful')),
    });
    const { removed } = (await response.json()) as { removed: object[] };
    assert.deepEqual(removed, [{ expert: 'bad', constraint: 'deny', detail: 'the mode denies bad' }]);
  });

  test('a demand that cannot be read, and a name that stands for nobody, are refused', async () => {
    const cases: readonly [Record<string, string>, object, string][] = [
      [{ 'x-gw-deny': 'baad' }, {}, 'x-gw-deny'],
      [{ 'x-gw-only': 'provider:gemini' }, {}, 'x-gw-only'],
      [{ 'x-gw-privacy': 'very' }, {}, 'x-gw-privacy'],
      [{}, { provider: { data_collection: 'deny' } }, 'provider.data_collection'],
    ];
    for (const [headers, body, param] of cases) {
      const response = await chat(gateway.url, chatBody('gw/first', body), { headers });
      const { error } = (await response.json()) as { error: { param: string; code: string } };
      assert.deepEqual([response.status, error.param, error.code], [400, param, 'GW_REQUEST_TYPE']);
    }
  });
});
