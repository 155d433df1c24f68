/** Money and rates over HTTP: nothing is overdrawn, refusals say why, usage and traces agree. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { openBook } from '../src/money/book.ts';
import { chat, chatBody, expertAt, pool, startGateway, type TestGateway, wireError } from './helpers.ts';
import { type Script, type Upstream, upstream } from './upstream.ts';

const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing) await close();
});

async function started(
  budgets: object,
  more: object = {},
  script: Script = 'ok',
): Promise<{ gateway: TestGateway; expert: Upstream }> {
  const expert = await upstream(script);
  const gateway = await startGateway({ ...pool(expertAt('one', expert.url)), budgets, ...more });
  closing.push(() => gateway.close(), expert.close);
  return { gateway, expert };
}

/** Cost of every answer of the scripted expert: 10 prompt tokens at $1, 5 completion tokens at $2 a million. */
const COST_USD = 20 / 1_000_000;
/** What a call of `chatBody` with max_tokens 5 is reserved for: 9 x 1.5 prompt tokens, 5 completion tokens. */
const RESERVED_USD = (14 * 1 + 5 * 2) / 1_000_000;

test('64 clients at once never overdraw a budget, and spend nearly all of it', async () => {
  const budgetUsd = 100.5 * COST_USD;
  const { gateway, expert } = await started({ global: { budgets: [{ usd: budgetUsd, window: 'total' }] } });
  const statuses = new Map<number, number>();
  let mostUsd = 0;
  await Promise.all(
    Array.from({ length: 64 }, async (_, client) => {
      for (let n = 0; n < 4; n++) {
        const stream = (client + n) % 2 === 0;
        const response = await chat(gateway.url, chatBody('gw/alone', { stream, max_tokens: 5 }));
        await response.text();
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        const [state] = gateway.gateway.ledger.limitsOf(anyone(), undefined);
        mostUsd = Math.max(mostUsd, state!.spent + state!.reserved);
      }
    }),
  );
  const served = statuses.get(200)!;
  assert.equal(served + statuses.get(402)!, 256);
  assert.equal(expert.requests.length, served, 'a refused call is not made');
  assert.ok(served * COST_USD <= budgetUsd && mostUsd <= budgetUsd, `${served} served, ${mostUsd}`);
  assert.ok((served + 1) * COST_USD + RESERVED_USD > budgetUsd, `only ${served} served`);
  assert.equal(gateway.gateway.ledger.stats.open, 0);
  const [row] = gateway.gateway.ledger.entries.usage({ fromMs: 0, toMs: Infinity, groupBy: [], filter: {} });
  assert.equal(row!.calls, served);
  assert.ok(Math.abs(row!.costUsd - served * COST_USD) < 1e-12);
});

test('a request that no budget covers is refused with 402 and everything that helps', async () => {
  const { gateway } = await started({
    global: { budgets: [{ usd: 1, window: 'month' }] },
    keys: { default: { budgets: [{ usd: 0.00003, window: 'day' }] } },
  });
  assert.equal((await chat(gateway.url, chatBody('gw/alone', { max_tokens: 5 }))).status, 200);
  const response = await chat(gateway.url, chatBody('gw/alone', { max_tokens: 5 }));
  assert.equal(response.status, 402);
  const error = wireError(await response.json())!;
  assert.equal(error.code, 'GW_BUDGET');
  const midnight = new Date(Math.ceil(Date.now() / 86_400_000) * 86_400_000).toISOString();
  assert.deepEqual(error.gateway['limit'], {
    account: 'key',
    name: 'anyone',
    what: 'usd',
    window: 'day',
    limit: 0.00003,
    spent: COST_USD,
    reserved: 0,
    asked: RESERVED_USD,
    free_at: midnight,
  });
  assert.match(error.message, /budget of the key "anyone" does not cover this: \$0\.00003\d* for this day \(UTC\)/);
  assert.ok(error.message.includes(`comes back at ${midnight}`));
});

test('an expert that the budget does not cover is passed over for a cheaper one, and a free one is always covered', async () => {
  const expert = await upstream('ok');
  closing.push(expert.close);
  const gateway = await startGateway({
    ...pool(
      expertAt('dear', expert.url, { price: { inputUsdPerMTok: 100, outputUsdPerMTok: 100 } }),
      expertAt('free', expert.url, { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 } }),
    ),
    budgets: { global: { budgets: [{ usd: 0.001, window: 'hour' }] } },
  });
  closing.push(() => gateway.close());
  const response = await chat(gateway.url, chatBody('gw/first', { max_tokens: 500 }));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-gw-expert'), 'free');
  const stored = await gateway.gateway.store.find(response.headers.get('x-gw-trace')!);
  assert.deepEqual(
    stored!.trace.removed.map(({ expert, constraint }) => [expert, constraint]),
    [['dear', 'budget']],
  );
  assert.deepEqual(
    stored!.trace.calls.map(({ expert, status }) => [expert, status]),
    [['free', 'ok']],
  );
});

test('an expert that is affordable is asked though the mode tries only the first two of its ranking', async () => {
  const [dear, cheap] = [await upstream('ok'), await upstream('ok')];
  const price = (usd: number) => ({ price: { inputUsdPerMTok: usd, outputUsdPerMTok: usd } });
  const gateway = await startGateway({
    experts: [
      expertAt('a', dear.url, price(900)),
      expertAt('b', dear.url, price(800)),
      expertAt('c', cheap.url, price(1)),
    ],
    modes: { first: { policy: { use: 'static' }, composition: { use: 'fallback', attempts: 2 } } },
    budgets: { global: { budgets: [{ usd: 0.001, window: 'total' }] } },
  });
  closing.push(() => gateway.close(), dear.close, cheap.close);
  const response = await chat(gateway.url, chatBody('gw/first', { max_tokens: 5 }));
  assert.equal(response.status, 200, await response.text());
  assert.equal(response.headers.get('x-gw-expert'), 'c');
  assert.equal(dear.requests.length, 0);
  const trace = (await gateway.gateway.store.find(response.headers.get('x-gw-trace')!))!.trace;
  assert.deepEqual(
    trace.removed.map(({ expert, constraint }) => [expert, constraint]),
    [
      ['a', 'budget'],
      ['b', 'budget'],
    ],
  );
  assert.match(trace.removed[0]!.detail, /up to \$0\.0\d+, the budget has \$0\.001 left/);
});

test('what an answer costs beyond its reservation is booked, and closes the account', async () => {
  const { gateway } = await started({ global: { budgets: [{ usd: 0.00002, window: 'day' }] } });
  // Usage says 5 tokens whatever max_tokens was: the reservation of one falls short.
  assert.equal((await chat(gateway.url, chatBody('gw/alone', { max_tokens: 1 }))).status, 200);
  const [state] = gateway.gateway.ledger.limitsOf(anyone(), undefined);
  assert.ok(Math.abs(state!.spent - COST_USD) < 1e-15);
  assert.equal((await chat(gateway.url, chatBody('gw/alone', { max_tokens: 1 }))).status, 402);
});

test('a mode that may cost no more in one request asks only those whom that covers', async () => {
  const expert = await upstream((number) => (number % 2 === 0 ? 'status500' : 'ok'));
  closing.push(expert.close);
  const config = pool(
    expertAt('dear', expert.url, { price: { inputUsdPerMTok: 10, outputUsdPerMTok: 10 }, retries: { attempts: 1 } }),
    expertAt('cheap', expert.url),
  );
  (config['modes'] as Record<string, object>)['first'] = {
    policy: { use: 'static' },
    composition: { use: 'fallback' },
    maxCostUsd: 0.0001,
  };
  const gateway = await startGateway(config);
  closing.push(() => gateway.close());
  const response = await chat(gateway.url, chatBody('gw/first', { max_tokens: 5 }));
  await response.text();
  const stored = await gateway.gateway.store.find(response.headers.get('x-gw-trace')!);
  assert.deepEqual(
    stored!.trace.removed.map(({ expert, constraint }) => [expert, constraint]),
    [['dear', 'budget']],
  );
  // Where it covers nobody, nobody is removed: the refusal says what lacks.
  const dearer = await chat(gateway.url, chatBody('gw/first', { max_tokens: 5_000 }));
  const refused = wireError(await dearer.json());
  assert.equal(refused?.code, 'GW_BUDGET');
  assert.match(refused?.message ?? '', /budget of one request of gw\/first/);
});

describe('rates', () => {
  const rates: readonly [string, object, RegExp][] = [
    ['requests', { requestsPerMinute: 3 }, /limit of 3 requests a minute of the key "anyone"/],
    ['tokens', { tokensPerMinute: 60 }, /limit of 60 tokens a minute of the key "anyone"/],
  ];
  for (const [what, limits, said] of rates) {
    test(`${what} beyond a minute's share get 429, Retry-After and the headers that OpenAI's clients know`, async () => {
      const { gateway } = await started({ keys: { default: limits } });
      const remaining: number[] = [];
      let refused: Response | undefined;
      for (let n = 0; n < 5 && refused === undefined; n++) {
        const response = await chat(gateway.url, chatBody('gw/alone', { max_tokens: 5, stream: n === 1 }));
        const limit = Object.values(limits)[0];
        assert.equal(response.headers.get(`x-ratelimit-limit-${what}`), String(limit));
        assert.match(response.headers.get(`x-ratelimit-reset-${what}`)!, /^(?:1m\d+s|\d+s)$/);
        remaining.push(Number(response.headers.get(`x-ratelimit-remaining-${what}`)));
        if (response.status === 429) refused = response;
        else {
          assert.equal(response.status, 200);
          await response.text();
        }
      }
      assert.ok(
        remaining.every((left, n) => n === 0 || left < remaining[n - 1]! || left === 0 || n === remaining.length - 1),
      );
      const error = wireError(await refused!.json())!;
      assert.equal(error.code, 'GW_RATE_LIMIT');
      assert.equal(error.type, 'rate_limit_error');
      assert.match(error.message, said);
      const seconds = Number(refused!.headers.get('retry-after'));
      assert.ok(seconds >= 1 && seconds <= 61, `${seconds}`);
    });
  }

  test('requests under way beyond the limit get 429, and their places are free again however they end', async () => {
    const { gateway } = await started({ keys: { default: { concurrent: 2 } } }, {}, (number) =>
      number < 2 ? 'silent' : 'ok',
    );
    const leave = new AbortController();
    const waiting = [0, 1].map(() =>
      chat(gateway.url, chatBody('gw/alone', { max_tokens: 5 }), { signal: leave.signal }).catch(() => undefined),
    );
    const places = (): number => gateway.gateway.ledger.limitsOf(anyone(), undefined)[0]!.remaining;
    await eventually(() => places() === 0);
    const refused = await chat(gateway.url, chatBody('gw/alone', { max_tokens: 5 }));
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.match(wireError(await refused.json())!.message, /2 requests of the key "anyone" are under way/);
    leave.abort();
    await Promise.all(waiting);
    await eventually(() => places() === 2);
    assert.equal((await chat(gateway.url, chatBody('gw/alone', { max_tokens: 5 }))).status, 200);
  });
});

test('users and projects have accounts of their own; names of users are kept nowhere', async () => {
  const book = openBook();
  const expert = await upstream('ok');
  closing.push(expert.close);
  const gateway = await startGateway(
    {
      ...pool(expertAt('one', expert.url)),
      budgets: { users: { default: { requestsPerMinute: 1 }, 'ada@example.org': { requestsPerMinute: 2 } } },
    },
    { book },
  );
  closing.push(() => gateway.close());
  const ask = async (user: string): Promise<Response> => {
    const response = await chat(gateway.url, chatBody('gw/alone', { user }));
    await response.clone().text();
    return response;
  };
  assert.deepEqual(
    [
      (await ask('bob@example.org')).status,
      (await ask('bob@example.org')).status,
      (await ask('cy@example.org')).status,
    ],
    [200, 429, 200],
  );
  const first = await ask('ada@example.org');
  assert.deepEqual(
    [first.status, (await ask('ada@example.org')).status, (await ask('ada@example.org')).status],
    [200, 200, 429],
  );
  const { account } = (await gateway.gateway.store.find(first.headers.get('x-gw-trace')!))!.trace;
  const rows = book.usage({ fromMs: 0, toMs: Infinity, groupBy: ['user'], filter: {} });
  assert.equal(rows.length, 3);
  assert.equal(rows.find(({ group }) => group.user === account!.user)!.requests, 2);
  assert.ok(!JSON.stringify([rows, account]).includes('example.org'));
});

test('a call that a budget of the user refuses names nobody in the trace', async () => {
  const { gateway } = await started({ users: { default: { budgets: [{ usd: 0, window: 'day' }] } } });
  const response = await chat(gateway.url, chatBody('gw/alone', { user: 'ada@example.org' }));
  assert.equal(response.status, 402);
  const error = wireError(await response.json())!;
  assert.match(error.message, /budget of this user/);
  assert.equal((error.gateway['limit'] as { name: string }).name, 'ada@example.org', 'who asks is told');
  const stored = await gateway.gateway.store.find(response.headers.get('x-gw-trace')!);
  assert.equal(stored!.trace.calls[0]!.error!.code, 'GW_BUDGET');
  assert.ok(!JSON.stringify(stored).includes('example.org'));
});

test('metrics count refusals, spending by project and open reservations', async () => {
  const { gateway } = await started({ global: { budgets: [{ usd: 1.5 * COST_USD, window: 'day' }] } });
  for (let n = 0; n < 2; n++) await (await chat(gateway.url, chatBody('gw/alone', { max_tokens: 5 }))).text();
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  assert.match(text, /^gatewright_budget_refused_total\{account="gateway",limit="day"\} 1$/m);
  assert.match(text, /^gatewright_spent_usd_total\{project=""\} 0\.00002$/m);
  assert.match(text, /^gatewright_reservations_open 0$/m);
});

test('usage agrees with the traces, by every grouping; CSV says the same', async () => {
  const { gateway } = await started({}, {}, (number) => (number === 0 ? 'status500' : 'ok'));
  let costUsd = 0;
  for (let n = 0; n < 5; n++) {
    const response = await chat(gateway.url, chatBody('gw/first', { stream: n % 2 === 0 }));
    await response.text();
    const stored = await gateway.gateway.store.find(response.headers.get('x-gw-trace')!);
    costUsd += stored!.trace.result.costUsd;
    assert.deepEqual(stored!.trace.account, { key: 'open' });
  }
  const usage = async (query: string): Promise<{ data: Record<string, unknown>[] }> =>
    (await (await fetch(`${gateway.url}/v1/usage?${query}`)).json()) as never;
  const [all] = (await usage('')).data;
  assert.equal(all!['requests'], 5);
  assert.ok(Math.abs((all!['cost_usd'] as number) - costUsd) < 1e-15);
  for (const by of ['key', 'user', 'project', 'expert', 'model', 'mode', 'dialect', 'kind', 'status', 'day', 'hour']) {
    const { data } = await usage(`group_by=${by}`);
    assert.equal(
      data.reduce((sum, row) => sum + (row['calls'] as number), 0),
      all!['calls'],
      by,
    );
  }
  const csv = await (await fetch(`${gateway.url}/v1/usage?group_by=expert,status&format=csv`)).text();
  assert.match(csv, /^expert,status,requests,calls,prompt_tokens,.*\r\none,/);
  for (const bad of [
    'group_by=secret',
    'from=yesterday',
    'from=2026-02-01&to=2026-01-01',
    'colour=red',
    'group_by=day,day',
  ]) {
    const response = await fetch(`${gateway.url}/v1/usage?${bad}`);
    assert.equal(response.status, 400, bad);
    assert.equal(wireError(await response.json())!.code, 'GW_REQUEST_TYPE');
  }
});

test('a key sees its own usage alone, whatever it asks for', async () => {
  const expert = await upstream('ok');
  closing.push(expert.close);
  const gateway = await startGateway(pool(expertAt('one', expert.url)), {
    env: { GATEWRIGHT_API_KEY: 'first-key-0123456789abcdef,second-key-0123456789abcdef' },
  });
  closing.push(() => gateway.close());
  const as = (key: string): RequestInit => ({ headers: { authorization: `Bearer ${key}` } });
  const [one, two] = ['first-key-0123456789abcdef', 'second-key-0123456789abcdef'] as const;
  for (const key of [one, two, two]) await (await chat(gateway.url, chatBody('gw/alone'), as(key))).text();
  const rows = async (key: string, query: string): Promise<Record<string, unknown>[]> =>
    ((await (await fetch(`${gateway.url}/v1/usage?group_by=key&${query}`, as(key))).json()) as never)['data'];
  const [own] = await rows(two, '');
  assert.equal(own!['requests'], 2);
  const [foreign] = await rows(one, '');
  assert.equal(foreign!['requests'], 1);
  assert.deepEqual(await rows(one, `key_id=${own!['key']}`), []);
  assert.deepEqual(await rows(one, `key_id=${own!['key']},${foreign!['key']}`), [foreign]);
  assert.ok(!String(own!['key']).includes('second'));
});

test('limits and what is left of them are told', async () => {
  const { gateway } = await started({
    global: { budgets: [{ usd: 1, window: 'total' }] },
    keys: { default: { requestsPerMinute: 10, budgets: [{ usd: 0.5, window: 'month' }] } },
  });
  await (await chat(gateway.url, chatBody('gw/alone'))).text();
  const { data } = (await (await fetch(`${gateway.url}/v1/usage/limits`)).json()) as {
    data: Record<string, unknown>[];
  };
  assert.deepEqual(
    data.map(({ account, what, window, limit, remaining }) => [account, what, window, limit, remaining]),
    [
      ['key', 'requests', 'minute', 10, 9],
      ['key', 'usd', 'month', 0.5, 0.5 - COST_USD],
      ['gateway', 'usd', 'total', 1, 1 - COST_USD],
    ],
  );
});

test('limits that change with the configuration hold at once, and what was spent stays spent', async () => {
  const { gateway } = await started({ global: { budgets: [{ usd: 1, window: 'day' }] } });
  await (await chat(gateway.url, chatBody('gw/alone', { max_tokens: 5 }))).text();
  const { config } = gateway.gateway.runtime;
  const change = (budgets: object | undefined): void => gateway.gateway.reconfigure({ ...config, budgets } as never);
  const ask = async (): Promise<number> => (await chat(gateway.url, chatBody('gw/alone', { max_tokens: 5 }))).status;
  change({ global: { budgets: [{ usd: 1.5 * COST_USD, window: 'day' }] } });
  assert.equal(await ask(), 402);
  change(undefined);
  assert.equal(await ask(), 200);
  change({ global: { budgets: [{ usd: 3.9 * COST_USD, window: 'day' }] } });
  assert.equal(await ask(), 200, 'two were spent, one of them without a limit; one more is covered');
  assert.equal(await ask(), 402);
});

function anyone() {
  return {
    keyId: 'open',
    name: 'anyone',
    keyDigest: '',
    project: undefined,
    user: undefined,
    roles: ['use'],
    models: undefined,
    scopes: undefined,
    limits: {},
  } as const;
}

/** Waits until a condition of this process holds. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
