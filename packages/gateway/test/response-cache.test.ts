/** The exact response cache over HTTP: what is a hit, for whom, in which form, and who pays. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { chat, chatBody, expertAt, pool, startGateway, type TestGateway, until } from './helpers.ts';
import { type Upstream, upstream } from './upstream.ts';

interface Bench {
  readonly gate: TestGateway;
  readonly expert: Upstream;
  close(): Promise<void>;
}

async function bench(
  options: {
    script?: Parameters<typeof upstream>[0];
    exact?: object;
    env?: Record<string, string>;
    more?: object;
  } = {},
): Promise<Bench> {
  const expert = await upstream(options.script ?? 'ok');
  const gate = await startGateway(
    {
      ...pool(expertAt('a', expert.url)),
      // None of these tests is about a slow expert: a busy machine must not make one.
      timeouts: { firstByteMs: 20_000, firstContentMs: 20_000, idleMs: 20_000 },
      cache: { exact: options.exact ?? {} },
      ...options.more,
    },
    { env: options.env ?? {} },
  );
  return {
    gate,
    expert,
    async close() {
      await gate.close();
      await expert.close();
    },
  };
}

const ask = (more: object = {}, text?: string): Record<string, unknown> =>
  chatBody('gw/first', { temperature: 0, ...more }, text);

const cacheOf = (response: Response): string | null => response.headers.get('x-gw-cache');

// biome-ignore lint/suspicious/noExplicitAny: the seam where an answer is parsed
const parsed = async (response: Response): Promise<any> => response.json();

/** Text of a streamed answer, with whether it was whole and showed usage. */
async function streamed(response: Response): Promise<{ text: string; isDone: boolean; hasUsage: boolean }> {
  const events = (await response.text()).split('\n\n').filter((event) => event.startsWith('data: '));
  let text = '';
  let hasUsage = false;
  for (const event of events.slice(0, -1)) {
    const chunk = JSON.parse(event.slice(6));
    text += chunk.choices[0]?.delta.content ?? '';
    hasUsage ||= chunk.usage != null;
  }
  return { text, isDone: events.at(-1) === 'data: [DONE]', hasUsage };
}

describe('the exact response cache', () => {
  test('answers the same request again without a call, for nothing, and the trace says so', async () => {
    const { gate, expert, close } = await bench();
    try {
      const first = await chat(gate.url, ask());
      assert.equal(cacheOf(first), 'miss');
      const body = await first.json();
      const second = await chat(gate.url, { ...ask(), user: 'someone', metadata: { a: 'b' } });
      assert.equal(cacheOf(second), 'hit');
      assert.equal(second.headers.get('age'), '0');
      assert.equal(second.headers.get('x-gw-cost-usd'), '0');
      assert.equal(second.headers.get('x-gw-expert'), 'a');
      assert.deepEqual(await second.json(), body);
      assert.equal(expert.requests.length, 1);
      const { trace } = (await gate.gateway.store.find(second.headers.get('x-gw-trace')!))!;
      assert.equal(trace.cache?.kind, 'exact');
      assert.equal(trace.cache.source, first.headers.get('x-gw-trace'));
      assert.equal(trace.cache.savedUsd, Number(first.headers.get('x-gw-cost-usd')));
      assert.ok(trace.cache.savedUsd > 0);
      assert.deepEqual(trace.calls, []);
      assert.equal(trace.result.costUsd, 0);
      assert.equal(trace.result.expert, 'a');
      const metrics = await gate.gateway.metrics.text();
      assert.match(metrics, /gatewright_cache_requests_total\{kind="exact",outcome="hit"\} 1/);
      assert.match(metrics, /gatewright_cache_saved_usd_total 0\.0/);
    } finally {
      await close();
    }
  });

  test('serves a whole answer as a stream and a stream as a whole answer', async () => {
    const { gate, expert, close } = await bench();
    try {
      const client = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: 'none', maxRetries: 0 });
      for (const firstStreams of [true, false]) {
        const text = `Does it stream first? ${firstStreams}`;
        const before = expert.requests.length;
        const forms = [firstStreams, !firstStreams, firstStreams];
        const answers: string[] = [];
        for (const stream of forms) {
          const body = ask({ stream }, text);
          if (stream) {
            const response = await chat(gate.url, body);
            const { text: said, isDone, hasUsage } = await streamed(response);
            assert.ok(isDone);
            assert.equal(hasUsage, false, 'nobody asked for usage');
            answers.push(said);
          } else {
            const completion = await client.chat.completions.create(body as never);
            assert.equal(
              completion.usage?.total_tokens,
              completion.usage!.prompt_tokens + completion.usage!.completion_tokens,
            );
            answers.push(completion.choices[0]!.message.content!);
          }
        }
        assert.equal(expert.requests.length, before + 1);
        assert.equal(new Set(answers).size, 1);
        assert.ok(answers[0]!.length > 0);
      }
      const withUsage = await streamed(
        await chat(
          gate.url,
          ask({ stream: true, stream_options: { include_usage: true } }, 'Does it stream first? true'),
        ),
      );
      assert.ok(withUsage.hasUsage);
    } finally {
      await close();
    }
  });

  test('tells requests apart by whatever may change the answer', async () => {
    const { gate, expert, close } = await bench();
    try {
      await (await chat(gate.url, ask())).json();
      const others: [object, Record<string, string>?][] = [
        [ask({}, 'What is the answer ?')],
        [ask({ max_tokens: 5 })],
        [ask({ seed: 1 })],
        [ask({ n: 2 })],
        [ask({ top_p: 0.5 })],
        [ask({ stop: ['x'] })],
        [ask({ response_format: { type: 'json_object' } })],
        [ask({ tools: [{ type: 'function', function: { name: 'f' } }] })],
        [ask({ unheard_of: true })],
        [{ ...ask(), model: 'gw/alone' }],
        [ask(), { 'x-gw-seed': '5' }],
        [ask(), { 'x-gw-groups': 'g' }],
      ];
      for (const [body, headers] of others) {
        const response = await chat(gate.url, body, { headers: headers ?? {} });
        await response.text();
        assert.notEqual(cacheOf(response), 'hit', JSON.stringify([body, headers]));
      }
      assert.equal(expert.requests.length, 1 + others.length);
    } finally {
      await close();
    }
  });

  test('takes only deterministic requests unless told otherwise, and nothing in a mode without a cache', async () => {
    const { gate, expert, close } = await bench();
    try {
      for (const body of [chatBody('gw/first'), chatBody('gw/first', { temperature: 0.7 })]) {
        for (let i = 0; i < 2; i++) {
          const response = await chat(gate.url, body);
          assert.equal(cacheOf(response), 'off');
          await response.text();
        }
      }
      assert.equal(expert.requests.length, 4);
    } finally {
      await close();
    }
    const any = await bench({ exact: { onlyDeterministic: false } });
    try {
      for (const expected of ['miss', 'hit']) {
        const response = await chat(any.gate.url, chatBody('gw/first'));
        assert.equal(cacheOf(response), expected);
        await response.text();
      }
    } finally {
      await any.close();
    }
    const off = await bench({
      more: { modes: { first: { policy: { use: 'static' }, composition: { use: 'single' }, cache: false } } },
    });
    try {
      for (let i = 0; i < 2; i++) {
        const response = await chat(off.gate.url, ask());
        assert.equal(cacheOf(response), null);
        await response.text();
      }
      assert.equal(off.expert.requests.length, 2);
    } finally {
      await off.close();
    }
  });

  test('never gives an answer to another key, unless the scope is the gateway', async () => {
    const env = { GATEWRIGHT_API_KEY: 'key-one-11111,key-two-22222' };
    for (const [scope, expected] of [
      ['key', 'miss'],
      ['project', 'miss'],
      ['gateway', 'hit'],
    ] as const) {
      const { gate, close } = await bench({ exact: { scope }, env });
      try {
        const as = async (key: string): Promise<string | null> => {
          const response = await chat(gate.url, ask(), { headers: { authorization: `Bearer ${key}` } });
          assert.equal(response.status, 200);
          await response.text();
          return cacheOf(response);
        };
        assert.equal(await as('key-one-11111'), 'miss');
        assert.equal(await as('key-two-22222'), expected, scope);
        assert.equal(await as('key-one-11111'), 'hit');
      } finally {
        await close();
      }
    }
  });

  test('obeys what a request says of caches', async () => {
    const { gate, expert, close } = await bench();
    try {
      const send = async (headers: Record<string, string>, text?: string): Promise<Response> => {
        const response = await chat(gate.url, ask({}, text), { headers });
        await response.clone().text();
        return response;
      };
      const only = await send({ 'x-gw-cache': 'only' });
      assert.equal(only.status, 504);
      assert.equal((await parsed(only)).error.gateway.code, 'GW_CACHE_MISS');
      assert.equal(expert.requests.length, 0);
      await send({ 'cache-control': 'no-store' });
      assert.equal(cacheOf(await send({})), 'miss', 'what was not to be stored is not there');
      assert.equal(cacheOf(await send({ 'cache-control': 'no-cache' })), 'miss');
      assert.equal(cacheOf(await send({ 'x-gw-cache': 'off' })), 'off');
      assert.equal(cacheOf(await send({ 'cache-control': 'max-age=3600' })), 'hit');
      assert.equal(cacheOf(await send({ 'cache-control': 'only-if-cached' })), 'hit');
      assert.equal(cacheOf(await send({ 'x-gw-cache': 'only' })), 'hit');
    } finally {
      await close();
    }
  });

  test('keeps no answer that is cut, refused or broken', async () => {
    for (const script of ['status500', 'cutAfterContent', 'errorMiddle'] as const) {
      const { gate, expert, close } = await bench({ script });
      try {
        for (let i = 0; i < 2; i++) {
          const response = await chat(gate.url, ask({ stream: true }));
          await response.text().catch(() => {});
          assert.notEqual(cacheOf(response), 'hit', script);
        }
        assert.ok(expert.requests.length >= 2, script);
      } finally {
        await close();
      }
    }
  });

  test('an answer that a constraint of the request forbids is not given', async () => {
    const { gate, expert, close } = await bench();
    try {
      await (await chat(gate.url, ask())).text();
      const response = await chat(gate.url, ask(), { headers: { 'x-gw-flags': 'privacy=hard' } });
      assert.equal(response.status, 400);
      assert.equal((await parsed(response)).error.gateway.code, 'GW_NO_CANDIDATE');
      assert.equal(expert.requests.length, 1);
    } finally {
      await close();
    }
  });
});

describe('identical requests at the same time', () => {
  test('share one call, in both forms', async () => {
    const { gate, expert, close } = await bench({ script: 'slow' });
    try {
      const stream = chat(gate.url, ask({ stream: true }));
      await until(() => expert.requests.length === 1, 'the first call');
      const others = [chat(gate.url, ask({ stream: true })), chat(gate.url, ask()), chat(gate.url, ask())];
      const first = await streamed(await stream);
      const second = await streamed(await others[0]!);
      const texts = [first.text, second.text];
      for (const other of others.slice(1)) texts.push((await parsed(await other)).choices[0].message.content);
      assert.equal(new Set(texts).size, 1);
      assert.equal(expert.requests.length, 1);
      assert.match(
        await gate.gateway.metrics.text(),
        /gatewright_cache_requests_total\{kind="exact",outcome="joined"\} 3/,
      );
    } finally {
      await close();
    }
  });

  test('go on by themselves when the call they wait for fails', async () => {
    const { gate, expert, close } = await bench({ script: (index) => (index === 0 ? 'cutAfterContent' : 'ok') });
    try {
      const first = chat(gate.url, ask({ stream: true }));
      await until(() => expert.requests.length === 1, 'the first call');
      const second = await chat(gate.url, ask({ stream: true }));
      await (await first).text().catch(() => {});
      assert.ok((await streamed(second)).isDone);
      assert.equal(expert.requests.length, 2);
    } finally {
      await close();
    }
  });

  test('wait no longer for the call of another than their own client gives them', async () => {
    const { gate, expert, close } = await bench({ script: 'drip' });
    const leader = new AbortController();
    try {
      const led = chat(gate.url, ask({ stream: true }), { signal: leader.signal });
      await until(() => expert.requests.length === 1, 'the first call');
      const follower = await chat(gate.url, ask(), { headers: { 'x-gw-timeout-ms': '60' } });
      assert.equal((await parsed(follower)).error.code, 'GW_REQUEST_DEADLINE');
      assert.equal(gate.gateway.caches.underWay().calls, 1, 'the other one goes on');
      assert.equal(expert.aborted, 0);
      await led;
    } finally {
      leader.abort();
      await close();
    }
  });

  test('outlive the client whose call they wait for, and the call ends when all have gone', async () => {
    const { gate, expert, close } = await bench({ script: 'slow' });
    try {
      const leader = new AbortController();
      const led = chat(gate.url, ask({ stream: true }), { signal: leader.signal });
      await until(() => expert.requests.length === 1, 'the first call');
      const follower = chat(gate.url, ask());
      await led;
      await until(() => gate.gateway.caches.underWay().followers === 1, 'a follower');
      leader.abort();
      const answer = await parsed(await follower);
      assert.ok(answer.choices[0].message.content.length > 0);
      assert.equal(expert.requests.length, 1);
      assert.equal(expert.aborted, 0);
      assert.equal(gate.gateway.caches.underWay().calls, 0);
    } finally {
      await close();
    }
    const alone = await bench({ script: 'drip' });
    try {
      const [one, two] = [new AbortController(), new AbortController()];
      const led = chat(alone.gate.url, ask({ stream: true }), { signal: one.signal });
      await until(() => alone.expert.requests.length === 1, 'the first call');
      const follower = chat(alone.gate.url, ask({ stream: true }), { signal: two.signal }).catch(() => {});
      await led;
      await until(() => alone.gate.gateway.caches.underWay().followers === 1, 'a follower');
      one.abort();
      two.abort();
      await follower;
      await until(() => alone.expert.aborted === 1, 'the end of the call');
      assert.equal(alone.expert.requests.length, 1);
    } finally {
      await alone.close();
    }
  });
});
