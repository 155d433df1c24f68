/** Retries, breakers, timeouts and continuations over HTTP: what the client, the trace, the status and the metrics see. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type DecisionTrace, replayCalls, replayDecision } from '@gatewright/kernel';
import {
  chat,
  chatBody,
  eventsOf,
  expertAt,
  metric,
  pause,
  startGateway,
  streamText,
  type TestGateway,
  traceOf,
  until,
  wireError,
} from './helpers.ts';
import { type Behaviour, GOOD_TEXT, type Script, type Upstream, upstream } from './upstream.ts';

interface Bench {
  readonly gate: TestGateway;
  readonly upstreams: readonly Upstream[];
  /** Asks and waits for the trace. */
  ask(body?: object, headers?: Record<string, string>): Promise<Asked>;
  close(): Promise<void>;
}
interface Asked {
  readonly response: Response;
  readonly text: string;
  readonly trace: DecisionTrace;
}

const FAST = { retries: { attempts: 3, baseMs: 4, maxMs: 300 } };
const FIRST = { policy: { use: 'static' }, composition: { use: 'fallback' } };

/** Experts `e0`, `e1`, ... behind the scripts, in that order. */
async function bench(
  scripts: readonly Script[],
  config: object = {},
  expert: object = {},
  provider: object = {},
): Promise<Bench> {
  const upstreams = await Promise.all(scripts.map((script) => upstream(script)));
  const gate = await startGateway({
    timeouts: { connectMs: 400, firstByteMs: 300, firstContentMs: 300, idleMs: 300, totalMs: 8_000 },
    experts: upstreams.map(({ url }, index) => expertAt(`e${index}`, url, expert, provider)),
    modes: { first: FIRST },
    ...config,
  });
  return {
    gate,
    upstreams,
    async ask(body = {}, headers = {}) {
      const response = await chat(gate.url, chatBody('gw/first', body), { headers });
      const text = await response.text();
      return { response, text, trace: await traceOf(gate.gateway.store, response.headers.get('x-gw-trace')) };
    },
    async close() {
      await gate.close();
      for (const one of upstreams) await one.close();
    },
  };
}

/** The first behaviours in turn, then the last for ever. */
const inTurn =
  (...behaviours: Behaviour[]): Script =>
  (number) =>
    behaviours[Math.min(number, behaviours.length - 1)]!;

/** What a trace says is what its replay comes to. */
function assertReplays(trace: DecisionTrace): void {
  assert.deepEqual(replayDecision(trace).differences, []);
  const { verdict, costUsd } = replayCalls(trace);
  assert.equal(verdict.rank, trace.result.rank);
  assert.equal(verdict.reason, trace.result.reason);
  assert.ok(Math.abs(costUsd - trace.result.costUsd) < 1e-12);
}

describe('retries', { concurrency: 4 }, () => {
  const again: Behaviour[] = ['status503', 'status529', 'reset', 'silent', 'brokenJson', 'rateLimitedShortly'];
  for (const fault of again) {
    test(`${fault}: made again where nobody else is left, and the trace holds every attempt`, async () => {
      const { ask, upstreams, gate, close } = await bench([inTurn(fault, 'ok')], FAST);
      try {
        const { response, trace } = await ask();
        assert.equal(response.status, 200);
        assert.equal(upstreams[0]!.requests.length, 2);
        assert.equal(trace.calls.length, 1);
        const [call] = trace.calls;
        assert.deepEqual([call!.status, call!.error, call!.attempts!.length], ['ok', undefined, 1]);
        const [first] = call!.attempts!;
        assert.match(first!.error.code, /^GW_UPSTREAM_/);
        assert.ok(first!.waitMs >= 0 && first!.waitMs <= 300, `${first!.waitMs}`);
        assert.ok(call!.latencyMs >= first!.latencyMs + first!.waitMs - 2);
        assert.equal(gate.gateway.runtime.experts[0]!.inFlight, 0);
        assert.equal(await metric(gate.gateway, 'gatewright_retries_total{expert="e0"}'), 1);
        assert.equal(await metric(gate.gateway, 'gatewright_calls_total{expert="e0",status="error"}'), 1);
        assertReplays(trace);
      } finally {
        await close();
      }
    });
  }

  const never: Behaviour[] = [
    'status400',
    'status413',
    'status422',
    'unauthorized',
    'status404',
    'redirect',
    'rateLimited',
  ];
  for (const fault of never) {
    test(`${fault}: never made again`, async () => {
      const { ask, upstreams, close } = await bench([fault], FAST);
      try {
        const { response, trace } = await ask();
        assert.notEqual(response.status, 200);
        assert.equal(upstreams[0]!.requests.length, 1);
        assert.equal(trace.calls[0]!.attempts, undefined);
      } finally {
        await close();
      }
    });
  }

  test('somebody else is asked before anybody is asked again', async () => {
    const { ask, upstreams, close } = await bench(['status503', inTurn('status503', 'ok')], FAST);
    try {
      const { response, trace } = await ask();
      assert.equal(response.headers.get('x-gw-expert'), 'e1');
      assert.deepEqual(
        upstreams.map(({ requests }) => requests.length),
        [1, 2],
      );
      assert.deepEqual(
        trace.calls.map(({ status, attempts }) => [status, attempts?.length]),
        [
          ['error', undefined],
          ['ok', 1],
        ],
      );
      assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('no more than the attempts, and the last failure is what the client hears', async () => {
    const { ask, upstreams, close } = await bench([inTurn('status503', 'reset', 'status500', 'ok')], {
      ...FAST,
      breaker: { failuresInARow: 9 },
    });
    try {
      const { response, text, trace } = await ask();
      assert.equal(upstreams[0]!.requests.length, 3);
      assert.equal(response.status, 502);
      assert.equal(wireError(JSON.parse(text))!.gateway['upstream_status'], 500);
      assert.deepEqual(
        trace.calls[0]!.attempts!.map(({ error }) => error.code),
        ['GW_UPSTREAM_STATUS', 'GW_UPSTREAM_RESET'],
      );
      assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('a connection that was closed between two requests is tried again at once, before anybody else, and counts against nobody', async () => {
    for (const stream of [false, true]) {
      const { ask, gate, upstreams, close } = await bench(['closeReused', 'ok'], { retries: { attempts: 1 } });
      try {
        await ask({ stream });
        const { trace } = await ask({ stream });
        assert.deepEqual([trace.result.expert, trace.calls.length], ['e0', 1]);
        assert.deepEqual(
          trace.calls[0]!.attempts!.map(({ error, waitMs }) => [error.code, waitMs]),
          [['GW_UPSTREAM_RESET', 0]],
        );
        assert.equal(upstreams[1]!.requests.length, 0);
        assert.equal(gate.gateway.runtime.experts[0]!.lastFailure, undefined);
        assertReplays(trace);
      } finally {
        await close();
      }
    }
  });

  test('the budget of retries keeps a dead pool from being hammered', async () => {
    const { ask, upstreams, close } = await bench(['status503'], {
      retries: { attempts: 2, baseMs: 1, maxMs: 5 },
      breaker: { failuresInARow: 1000, minimumCalls: 1000 },
      resilience: { retryShare: 0.1 },
    });
    try {
      for (let n = 0; n < 60; n++) await ask();
      // Ten that the budget holds at first, and a tenth of the calls.
      assert.ok(upstreams[0]!.requests.length <= 60 + 10 + 6, `${upstreams[0]!.requests.length}`);
      assert.ok(upstreams[0]!.requests.length > 60);
    } finally {
      await close();
    }
  });

  test('a client that goes away while a retry is waited for ends it at once', async () => {
    const { gate, upstreams, close } = await bench([inTurn('rateLimitedIn1s', 'ok')], {
      retries: { attempts: 2, baseMs: 1, maxMs: 5_000 },
    });
    try {
      const abort = new AbortController();
      const asked = chat(gate.url, chatBody('gw/first'), { signal: abort.signal }).catch(() => undefined);
      await until(() => gate.gateway.runtime.experts[0]!.failed === 1, 'the first attempt failed');
      abort.abort();
      await asked;
      const trace = await traceOf(gate.gateway.store);
      assert.equal(trace.result.status, 'cancelled');
      assert.deepEqual([trace.calls[0]!.status, trace.calls[0]!.attempts!.length], ['cancelled', 1]);
      assert.equal(upstreams[0]!.requests.length, 1);
    } finally {
      await close();
    }
  });
});

describe('breakers', { concurrency: 4 }, () => {
  const breakerOf = async (gate: TestGateway, index = 0) => {
    const status = (await (await fetch(`${gate.url}/v1/status`)).json()) as {
      experts: { state: string; breaker: { state: string; reason: string | null; untilMs: number | null } }[];
    };
    return status.experts[index]!;
  };

  test('streams that are cut count as failures: a route that truncates again and again is left alone', async () => {
    const { ask, gate, upstreams, close } = await bench(['cutAfterContent', 'ok'], { breaker: { openMs: 60_000 } });
    try {
      for (let n = 0; n < 3; n++) assert.equal((await ask({ stream: true })).trace.calls[0]!.expert, 'e0');
      const { trace } = await ask({ stream: true });
      assert.equal(trace.calls[0]!.expert, 'e1');
      assert.deepEqual(
        trace.removed.map(({ expert, constraint }) => [expert, constraint]),
        [['e0', 'breaker']],
      );
      assert.equal(upstreams[0]!.requests.length, 3);
      const { state, breaker } = await breakerOf(gate);
      assert.deepEqual([state, breaker.state, breaker.reason], ['open', 'open', 'failures']);
      assert.ok(breaker.untilMs! > Date.now());
      assert.equal(await metric(gate.gateway, 'gatewright_breaker_state{expert="e0",state="open"}'), 1);
      assert.equal(await metric(gate.gateway, 'gatewright_breaker_state{expert="e1",state="closed"}'), 1);
    } finally {
      await close();
    }
  });

  test('half open it is asked by one request at a time, and an answer closes it', async () => {
    const { gate, upstreams, ask, close } = await bench([inTurn('status500', 'slow'), 'ok'], {
      breaker: { failuresInARow: 1, openMs: 1 },
    });
    try {
      await ask();
      await until(() => gate.gateway.runtime.experts[0]!.breaker.admits(Date.now()), 'half open');
      const traces = (await Promise.all(Array.from({ length: 6 }, () => ask({ stream: true })))).map(
        ({ trace }) => trace,
      );
      assert.equal(upstreams[0]!.requests.length, 2, 'one failure and one probe');
      assert.equal(
        traces.filter(({ removed }) => removed.some(({ detail }) => detail.startsWith('half open'))).length,
        5,
      );
      assert.equal((await breakerOf(gate)).state, 'up');
      for (const trace of traces) assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('an expert that opens while a request is on its way to it is passed over', async () => {
    // Both are admitted; the first fails late, and by then the second has opened.
    const { gate, ask, close } = await bench(['stallMidJson', 'ok', 'ok']);
    try {
      const asked = ask();
      await until(() => gate.gateway.runtime.experts[0]!.inFlight === 1, 'the first is asked');
      gate.gateway.runtime.experts[1]!.breaker.open(Date.now() + 60_000, 'failures');
      const { trace } = await asked;
      assert.equal(trace.result.expert, 'e2');
      assert.equal(trace.calls[1]!.error!.code, 'GW_BREAKER_OPEN');
      assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('when all are open they are asked all the same', async () => {
    const { gate, ask, close } = await bench(['status500', 'ok']);
    try {
      for (const { breaker } of gate.gateway.runtime.experts) breaker.open(Date.now(), 'failures');
      assert.equal((await fetch(`${gate.url}/readyz`)).status, 503);
      const { response, trace } = await ask();
      assert.deepEqual([response.status, trace.calls.length], [200, 2]);
      assert.equal((await breakerOf(gate, 1)).state, 'up', 'an answer closes it');
      assertReplays(trace);
    } finally {
      await close();
    }
  });
});

describe('timeouts', { concurrency: 4 }, () => {
  test('a client that reads slowly is not taken for an expert that says nothing', async () => {
    const { gate, close } = await bench(['longStream'], { timeouts: { idleMs: 60, firstContentMs: 2_000 } });
    try {
      const response = await chat(gate.url, chatBody('gw/first', { stream: true }));
      const reader = response.body!.getReader();
      await reader.read();
      await pause(400);
      let text = '';
      for (let part = await reader.read(); !part.done; part = await reader.read())
        text = (text + Buffer.from(part.value).toString('latin1')).slice(-200);
      assert.match(text, /\[DONE\]/);
    } finally {
      await close();
    }
  });

  test('the time that a client gives bounds the whole request, retries and other experts among it', async () => {
    const { ask, close } = await bench(['silent', 'silent'], {
      timeouts: { firstByteMs: 60_000 },
      ...FAST,
    });
    try {
      const { response, text, trace } = await ask({}, { 'x-gw-timeout-ms': '80' });
      assert.equal(response.status, 504);
      assert.equal(wireError(JSON.parse(text))!.gateway.code, 'GW_REQUEST_DEADLINE');
      assert.deepEqual([trace.result.status, trace.result.errorCode], ['error', 'GW_REQUEST_DEADLINE']);
      assert.deepEqual(
        trace.calls.map(({ status }) => status),
        ['cancelled'],
      );
    } finally {
      await close();
    }
  });

  test('after content the end of that time is a typed error event', async () => {
    const { ask, upstreams, close } = await bench(['drip']);
    try {
      const { response, text } = await ask({ stream: true }, { 'x-gw-timeout-ms': '120' });
      assert.equal(response.status, 200);
      assert.ok(!text.includes('[DONE]'));
      assert.equal(wireError(eventsOf(text).at(-1))!.gateway.code, 'GW_REQUEST_DEADLINE');
      await until(() => upstreams[0]!.aborted === 1, 'the upstream is let go');
    } finally {
      await close();
    }
  });

  test('a time that cannot be read is refused', async () => {
    const { gate, close } = await bench(['ok']);
    try {
      for (const value of ['0', '-1', '1.5', 'soon', '3600001', '1e3', '']) {
        const response = await chat(gate.url, chatBody('gw/first'), { headers: { 'x-gw-timeout-ms': value } });
        assert.equal(response.status, 400, value);
        assert.equal(wireError(await response.json())!.gateway.code, 'GW_REQUEST_TYPE');
      }
    } finally {
      await close();
    }
  });
});

describe('a stream that breaks off after content', { concurrency: 4 }, () => {
  /** Experts whose server promises to continue an assistant's message. */
  const benchOf = (scripts: readonly Script[], config: object = {}): Promise<Bench> =>
    bench(scripts, config, {}, { prefill: 'assistant' });
  const cuts: Behaviour[] = [
    'cutAfterContent',
    'resetAfterContent',
    'doneWithoutFinish',
    'errorMiddle',
    'stallAfterContent',
    'heartbeatsAfterContent',
    'brokenEventLater',
  ];

  for (const fault of cuts) {
    test(`${fault}: the same expert goes on after the text, and the client sees one answer`, async () => {
      const { ask, upstreams, gate, close } = await benchOf([inTurn(fault, 'continuation'), 'ok']);
      try {
        const { text, trace } = await ask({ stream: true, stream_options: { include_usage: true } });
        const events = eventsOf(text) as { id: string; model: string; usage?: { total_tokens: number } | null }[];
        assert.equal(streamText(events), GOOD_TEXT);
        assert.equal(events.at(-1), '[DONE]');
        assert.equal(new Set(events.slice(0, -1).map(({ id, model }) => `${id} ${model}`)).size, 1);
        assert.equal(text.match(/"role":"assistant"/g)!.length, 1, 'one role');
        assert.equal(text.match(/"finish_reason":"stop"/g)!.length, 1, 'one end');
        assert.deepEqual((upstreams[0]!.requests[1]!.body['messages'] as unknown[]).at(-1), {
          role: 'assistant',
          content: 'It is ',
        });
        assert.equal(upstreams[1]!.requests.length, 0);
        const [cut, rest] = trace.calls;
        assert.deepEqual(
          [trace.calls.length, cut!.status, rest!.status, rest!.continues, rest!.rank],
          [2, 'error', 'ok', 0, 0],
        );
        assert.equal(trace.result.status, 'ok');
        assert.equal(trace.result.costUsd, cut!.costUsd + rest!.costUsd);
        assert.ok(cut!.costUsd > 0, 'what came before the cut is paid for');
        assert.equal(
          events.at(-2)!.usage!.total_tokens,
          cut!.promptTokens + cut!.completionTokens + 15,
          'usage of both',
        );
        assert.equal(await metric(gate.gateway, 'gatewright_continuations_total{expert="e0",status="ok"}'), 1);
        assertReplays(trace);
      } finally {
        await close();
      }
    });
  }

  test('another expert goes on where the first is left alone', async () => {
    const { ask, close } = await benchOf(['cutAfterContent', 'continuation'], { breaker: { failuresInARow: 1 } });
    try {
      const { text, trace } = await ask({ stream: true });
      assert.equal(streamText(eventsOf(text)), GOOD_TEXT);
      assert.deepEqual(
        trace.calls.map(({ expert, rank }) => [expert, rank]),
        [
          ['e0', 0],
          ['e1', 0],
        ],
      );
      assert.equal(trace.result.expert, 'e0');
      assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('a continuation that breaks too ends in the error, after as many as are allowed', async () => {
    for (const [continueAttempts, calls] of [
      [0, 1],
      [1, 2],
      [3, 4],
    ] as const) {
      const { ask, close } = await benchOf(['cutAfterContent'], {
        resilience: { continueAttempts },
        breaker: { failuresInARow: 99 },
      });
      try {
        const { text, trace } = await ask({ stream: true });
        assert.ok(!text.includes('[DONE]'));
        assert.equal(wireError(eventsOf(text).at(-1))!.gateway.code, 'GW_UPSTREAM_TRUNCATED');
        assert.equal(trace.calls.length, calls);
        assert.equal(trace.result.errorCode, 'GW_UPSTREAM_TRUNCATED');
        assertReplays(trace);
      } finally {
        await close();
      }
    }
  });

  const whole: [string, Behaviour, object][] = [
    ['a call of a tool', 'cutToolCall', {}],
    ['a JSON document', 'cutAfterContent', { response_format: { type: 'json_object' } }],
    ['several choices', 'cutAfterContent', { n: 2 }],
  ];
  for (const [what, fault, more] of whole) {
    test(`${what} is never continued`, async () => {
      const { ask, upstreams, close } = await benchOf([inTurn(fault, 'continuation')]);
      try {
        const { text, trace } = await ask({ stream: true, ...more });
        assert.equal(wireError(eventsOf(text).at(-1))!.gateway.code, 'GW_UPSTREAM_TRUNCATED');
        assert.equal(upstreams[0]!.requests.length, 1);
        assert.equal(trace.calls.length, 1);
      } finally {
        await close();
      }
    });
  }

  test('nobody goes on whose server does not promise to', async () => {
    const { ask, upstreams, close } = await bench([inTurn('cutAfterContent', 'continuation'), 'ok']);
    try {
      const { text } = await ask({ stream: true });
      assert.equal(wireError(eventsOf(text).at(-1))!.gateway.code, 'GW_UPSTREAM_TRUNCATED');
      assert.deepEqual(
        upstreams.map(({ requests }) => requests.length),
        [1, 0],
      );
    } finally {
      await close();
    }
  });

  test('a client that goes away during the continuation ends it at once', async () => {
    const { gate, upstreams, close } = await benchOf([inTurn('cutAfterContent', 'drip')]);
    try {
      const abort = new AbortController();
      const response = await chat(gate.url, chatBody('gw/first', { stream: true }), { signal: abort.signal });
      const reader = response.body!.getReader();
      let text = '';
      while (!text.includes('drop')) text += Buffer.from((await reader.read()).value!).toString('utf8');
      abort.abort();
      await until(() => upstreams[0]!.aborted === 1, 'the upstream is let go');
      const trace = await traceOf(gate.gateway.store);
      assert.equal(trace.result.status, 'cancelled');
      assert.deepEqual(
        trace.calls.map(({ status }) => status),
        ['error', 'cancelled'],
      );
    } finally {
      await close();
    }
  });
});

describe('hedges', { concurrency: 4 }, () => {
  const HEDGED = { modes: { first: { policy: { use: 'static' }, composition: { use: 'hedge', afterMs: 5 } } } };

  test('a second call is made within the budget, its loser is cancelled and paid for, and the trace says so', async () => {
    const { ask, upstreams, gate, close } = await bench(['drip', 'ok'], {
      modes: { first: { policy: { use: 'static', order: ['e0', 'e1'] }, composition: { use: 'hedge', afterMs: 1 } } },
      timeouts: { firstContentMs: 5_000 },
    });
    try {
      // The first content decides: the expert that drips loses only if it is late.
      const { trace } = await ask();
      assert.equal(trace.result.expert, 'e1');
      assert.deepEqual(trace.hedges, { started: 1, refused: 0 });
      assert.deepEqual(
        trace.calls.map(({ status }) => status),
        ['cancelled', 'ok'],
      );
      assert.ok(trace.calls[0]!.costUsd > 0, 'the loser is paid for');
      assert.equal(trace.result.costUsd, trace.calls[0]!.costUsd + trace.calls[1]!.costUsd);
      await until(() => upstreams[0]!.aborted === 1, 'the loser is let go');
      assert.equal(await metric(gate.gateway, 'gatewright_hedges_total{mode="gw/first",outcome="started"}'), 1);
      assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('with the budget used up it is a fallback: the second is asked when the first has failed', async () => {
    const { ask, gate, close } = await bench(['slow', 'ok'], { ...HEDGED, resilience: { hedgeShare: 0 } });
    try {
      const { trace } = await ask({ stream: true });
      assert.equal(trace.result.expert, 'e0');
      assert.deepEqual([trace.hedges, trace.calls.length], [{ started: 0, refused: 1 }, 1]);
      assert.equal(await metric(gate.gateway, 'gatewright_hedges_total{mode="gw/first",outcome="refused"}'), 1);
      assertReplays(trace);
    } finally {
      await close();
    }
    const failing = await bench(['stallBeforeContent', 'ok'], { ...HEDGED, resilience: { hedgeShare: 0 } });
    try {
      const { trace } = await failing.ask({ stream: true });
      assert.equal(trace.result.expert, 'e1');
      assert.ok(trace.calls[1]!.startedMs >= trace.calls[0]!.latencyMs - 1);
      assertReplays(trace);
    } finally {
      await failing.close();
    }
  });

  test('a second call that says the request is wrong ends the race, and that is what the client hears', async () => {
    const { ask, close } = await bench(['silent', 'status400'], { ...HEDGED, timeouts: { firstByteMs: 9_000 } });
    try {
      const { response, trace } = await ask();
      assert.equal(response.status, 400);
      assert.deepEqual(
        trace.calls.map(({ status }) => status),
        ['cancelled', 'error'],
      );
      assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('the wait before a second call is learned where none is given', async () => {
    const { ask, gate, close } = await bench(['stallBeforeContent', 'ok'], {
      modes: { first: { policy: { use: 'static' }, composition: { use: 'hedge' } } },
      timeouts: { firstContentMs: 5_000, idleMs: 5_000 },
    });
    try {
      const [first] = gate.gateway.runtime.experts;
      for (let ms = 1; ms <= 20; ms++) first!.contentTimes.add(ms);
      const { trace } = await ask({ stream: true });
      assert.equal(trace.result.expert, 'e1');
      // The nineteenth of twenty.
      assert.ok(trace.calls[1]!.startedMs >= 18 && trace.calls[1]!.startedMs < 1_500, `${trace.calls[1]!.startedMs}`);
      assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('a client that goes away ends both calls at once', async () => {
    const { gate, upstreams, close } = await bench(['silent', 'silent'], {
      ...HEDGED,
      timeouts: { firstByteMs: 9_000 },
    });
    try {
      const abort = new AbortController();
      const asked = chat(gate.url, chatBody('gw/first', { stream: true }), { signal: abort.signal }).catch(() => {});
      await until(() => upstreams.every(({ requests }) => requests.length === 1), 'both are asked');
      abort.abort();
      await asked;
      await until(() => upstreams.every(({ aborted }) => aborted === 1), 'both are let go');
    } finally {
      await close();
    }
  });
});

describe('a prefix with a time', { concurrency: 4 }, () => {
  const CASCADE = (prefixMs: number) => ({
    modes: {
      first: {
        policy: { use: 'static' },
        composition: { use: 'cascade', minConfidence: 0.8, prefixTokens: 1_000, prefixMs },
      },
    },
    timeouts: { firstContentMs: 5_000, idleMs: 5_000 },
  });

  test('what has come by then is judged: without a confidence the next expert is asked', async () => {
    for (const fault of ['stallBeforeContent', 'stallAfterContent', 'drip'] as const) {
      const { ask, upstreams, close } = await bench([fault, 'ok'], CASCADE(60));
      try {
        const { text, trace } = await ask({ stream: true });
        assert.equal(streamText(eventsOf(text)), GOOD_TEXT);
        const [first] = trace.calls;
        assert.deepEqual([first!.status, first!.released, trace.result.expert], ['cancelled', false, 'e1']);
        assert.ok(first!.prefixTokens! < 1_000);
        assert.deepEqual(
          trace.gates.map(({ signal, passed }) => [signal, passed]),
          [['prefix-confidence', false]],
        );
        await until(() => upstreams[0]!.aborted === 1, 'what was dropped is let go');
        assertReplays(trace);
      } finally {
        await close();
      }
    }
  });

  test('an answer that ends before is judged whole', async () => {
    const { ask, close } = await bench(['ok', 'ok'], CASCADE(60_000));
    try {
      const { trace } = await ask({ stream: true });
      assert.equal(trace.calls[0]!.prefixTokens, undefined);
      assert.equal(trace.gates[0]!.signal, 'confidence');
      assertReplays(trace);
    } finally {
      await close();
    }
  });

  test('a client that goes away while a prefix is held back ends the call at once', async () => {
    const { gate, upstreams, close } = await bench(['drip', 'ok'], CASCADE(60_000));
    try {
      const abort = new AbortController();
      const asked = chat(gate.url, chatBody('gw/first', { stream: true }), { signal: abort.signal }).catch(() => {});
      await until(() => upstreams[0]!.bytesSent > 1_000, 'a prefix has come');
      abort.abort();
      await asked;
      await until(() => upstreams[0]!.aborted === 1, 'the call is let go');
      assert.equal(upstreams[1]!.requests.length, 0);
    } finally {
      await close();
    }
  });
});

test('a request that is under way when the configuration changes falls over to the experts that it was decided with', async () => {
  const { gate, upstreams, ask, close } = await bench(['heartbeats', 'ok']);
  try {
    const asked = ask({ stream: true });
    await until(() => upstreams[0]!.requests.length === 1, 'the first expert is asked');
    const { config } = gate.gateway.runtime;
    gate.gateway.reconfigure({
      ...config,
      experts: config.experts.map((expert) => ({ ...expert, timeouts: { ...expert.timeouts, totalMs: 7_000 } })),
    });
    const { response, trace } = await asked;
    assert.equal(response.status, 200);
    assert.equal(trace.result.expert, 'e1');
  } finally {
    await close();
  }
});
