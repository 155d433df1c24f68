/** Calls that go wrong in ways that no provider should: nothing hangs, nothing stays reserved, nobody is blamed for another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimeOf } from '../../test/live-experts.ts';
import { type CallAccount, type DriveOptions, type DriveResult, drive, type ExtraCalls } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import { decide } from '../pipeline.ts';
import { ProviderFailure } from '../providers/failure.ts';
import type { AnswerSink, Provider, ProviderAnswer, RunningCall } from '../providers/provider.ts';
import type { ChatChunk, ChatRequest } from '../wire/chat.ts';

const chunk = (delta: Record<string, unknown>, finish: string | null = null): ChatChunk => ({
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const say = (sink: AnswerSink, one: ChatChunk): void | Promise<void> => sink.onChunk(JSON.stringify(one), one);
const failure = (code: string, more: object = {}): ProviderFailure =>
  new ProviderFailure(code, code, { fix: '', elsewhere: code !== 'GW_CANCELLED', ...more });
const answers = (sink: AnswerSink): Promise<ProviderAnswer> =>
  Promise.resolve().then(() => {
    void say(sink, chunk({ role: 'assistant', content: 'hello' }));
    void say(sink, chunk({}, 'stop'));
    return { usage: undefined };
  });
/** Says nothing until it is cancelled. */
const hangs = (): RunningCall => {
  const { promise: answer, reject } = Promise.withResolvers<ProviderAnswer>();
  return { answer, cancel: () => reject(failure('GW_CANCELLED')) };
};

type Start = (sink: AnswerSink, call: number) => RunningCall;

interface Run {
  readonly result: DriveResult;
  readonly booked: string[];
  readonly experts: readonly LiveExpert[];
  readonly extras: ExtraCalls;
}

async function run(
  starts: readonly Start[],
  composition: object,
  {
    config = {},
    prepare,
    options = {},
    settle,
  }: {
    config?: object;
    prepare?: (experts: readonly LiveExpert[]) => void;
    options?: Partial<DriveOptions>;
    settle?: () => void;
  } = {},
): Promise<Run> {
  const runtime = runtimeOf(
    starts.map(() => ({ price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 } })),
    {
      modes: { first: { policy: { use: 'static' }, composition } },
      retries: { attempts: 2, baseMs: 1, maxMs: 2 },
      breaker: { failuresInARow: 1 },
      ...config,
    },
  );
  for (const [index, live] of runtime.experts.entries()) {
    let calls = 0;
    const provider: Provider = { start: (_, sink) => starts[index]!(sink, calls++), close: async () => {} };
    (live as { provider: Provider }).provider = provider;
  }
  const request: ChatRequest = { model: 'gw/first', messages: [{ role: 'user', content: 'x' }], stream: true };
  const decision = decide(runtime, request, 1, 0);
  prepare?.(runtime.experts);
  const booked: string[] = [];
  const account: CallAccount = {
    reserve: ({ expert: { id } }, _body, _tokens, kind = 'call') => {
      booked.push(`+${id} ${kind}`);
      return {
        settle({ status, costUsd }) {
          assert.ok(costUsd >= 0, `${costUsd}`);
          booked.push(`-${id} ${status}`);
          settle?.();
        },
      };
    },
  };
  const result = await drive({
    decision,
    bodyFor: () => request,
    hide: { usage: true, logprobs: false },
    stream: true,
    traceId: 't',
    account,
    extras: runtime.extras,
    delivery: { begin() {}, chunk() {} },
    keepText: false,
    now: performance.now.bind(performance),
    wallNow: () => 0,
    ...options,
  }).done;
  for (const { inFlight, expert } of runtime.experts) assert.equal(inFlight, 0, expert.id);
  return { result, booked, experts: runtime.experts, extras: runtime.extras };
}

test('a provider that throws where it should have failed is a failed call: settled, counted, and somebody else is asked', async () => {
  const { result, booked, experts } = await run(
    [
      () => {
        throw new TypeError('no such thing');
      },
      (sink) => ({ answer: answers(sink), cancel() {} }),
    ],
    { use: 'fallback' },
  );
  assert.equal(result.status, 'ok');
  assert.deepEqual(booked, ['+e0 call', '-e0 error', '+e1 call', '-e1 ok']);
  assert.equal(experts[0]!.failed, 1);
});

test('where booking itself fails, the request ends with an error and not never', async () => {
  const { result } = await run(
    [(sink) => ({ answer: answers(sink), cancel() {} })],
    { use: 'single' },
    {
      settle: () => {
        throw new Error('no room');
      },
    },
  );
  assert.equal(result.status, 'error');
});

test('a cost that is no number is not booked as one', async () => {
  for (const costUsd of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    const { result } = await run(
      [(sink) => ({ answer: answers(sink).then((answer) => ({ ...answer, costUsd })), cancel() {} })],
      { use: 'single' },
    );
    assert.ok(result.costUsd > 0 && result.costUsd < 1, `${costUsd} became ${result.costUsd}`);
  }
});

test('a failure that says what it has used is booked with that', async () => {
  const usage = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 };
  const { result } = await run(
    [() => ({ answer: Promise.reject(failure('GW_UPSTREAM_BLOCKED', { usage })), cancel() {} })],
    { use: 'single' },
  );
  assert.deepEqual(
    result.calls.map(({ promptTokens, completionTokens, tokensFrom }) => [promptTokens, completionTokens, tokensFrom]),
    [[1_000, 500, 'provider']],
  );
  assert.ok(Math.abs(result.costUsd - 0.0015) < 1e-12, `${result.costUsd}`);
});

test('a connection that had been closed is replaced even where the expert is asked as a last resort', async () => {
  const stale: Start = (sink, call) => ({
    answer: call === 0 ? Promise.reject(failure('GW_UPSTREAM_RESET', { isStaleConnection: true })) : answers(sink),
    cancel() {},
  });
  const { result } = await run([stale], { use: 'single' }, { prepare: ([live]) => live!.breaker.open(0, 'failures') });
  assert.equal(result.status, 'ok', result.failure?.message);
});

test('a prefix is judged in its time also where the connection had to be replaced', async () => {
  const stale: Start = (_, call) =>
    call === 0
      ? { answer: Promise.reject(failure('GW_UPSTREAM_RESET', { isStaleConnection: true })), cancel() {} }
      : hangs();
  const { result } = await run([stale, (sink) => ({ answer: answers(sink), cancel() {} })], {
    use: 'cascade',
    minConfidence: 0.5,
    prefixTokens: 5,
    prefixMs: 20,
  });
  assert.equal(result.status, 'ok');
  assert.deepEqual(
    result.calls.map(({ status }) => status),
    ['cancelled', 'ok'],
  );
});

test('a client that reads slowly is no failure of the expert, and does not make it look slow', async () => {
  let clock = 0;
  const drips =
    (end: (sink: AnswerSink) => ProviderAnswer): Start =>
    (sink) => ({
      answer: (async () => {
        await say(sink, chunk({ role: 'assistant', content: 'hello' }));
        await say(sink, chunk({ content: ' you' }));
        return end(sink);
      })(),
      cancel() {},
    });
  const options = {
    now: () => clock,
    delivery: {
      begin() {},
      chunk: () =>
        Promise.resolve().then(() => {
          clock += 400_000;
        }),
    },
  };
  const cut = await run(
    [
      drips(() => {
        throw failure('GW_UPSTREAM_TIMEOUT', { isOutOfTime: true });
      }),
    ],
    { use: 'single' },
    { options },
  );
  assert.equal(cut.result.status, 'error');
  assert.equal(cut.experts[0]!.breaker.status(0).state, 'closed');
  const waiting: Start = (sink) => ({
    answer: (async () => {
      void say(sink, chunk({ role: 'assistant', content: 'hello' }));
      clock += 800_000;
      throw failure('GW_UPSTREAM_TIMEOUT', { isOutOfTime: true });
    })(),
    cancel() {},
  });
  const held = await run([waiting], { use: 'single' }, { options });
  assert.equal(held.experts[0]!.breaker.status(0).state, 'closed');
  const whole = await run([drips(() => ({ usage: undefined }))], { use: 'single' }, { options });
  assert.equal(whole.result.status, 'ok');
  assert.equal(whole.experts[0]!.latencyMs, 0);
});

test('an expert that is out of time by its own doing is left alone', async () => {
  const { experts } = await run(
    [() => ({ answer: Promise.reject(failure('GW_UPSTREAM_TIMEOUT', { isOutOfTime: true })), cancel() {} })],
    { use: 'single' },
  );
  assert.equal(experts[0]!.breaker.status(0).state, 'open');
});

test('second calls earn no second calls', async () => {
  const { result, extras } = await run(
    [hangs, (sink) => ({ answer: answers(sink), cancel() {} })],
    { use: 'hedge', afterMs: 1 },
    { config: { resilience: { hedgeShare: 0.5 } } },
  );
  assert.equal(result.hedges?.started, 1);
  assert.equal(extras.hedges.left(0).calls, 9);
});

test('an answer that is held back in more pieces than memory should hold ends the call', async () => {
  let isCancelled = false;
  const endless: Start = (sink) => {
    const { promise: answer, reject } = Promise.withResolvers<ProviderAnswer>();
    const one = chunk({ content: 'x'.repeat(1_000_000) });
    const data = JSON.stringify(one);
    queueMicrotask(() => {
      for (let n = 0; n < 10_000 && !isCancelled; n++) void sink.onChunk(data, one);
      reject(failure(isCancelled ? 'GW_CANCELLED' : 'GW_UPSTREAM_TRUNCATED'));
    });
    return {
      answer,
      cancel() {
        isCancelled = true;
      },
    };
  };
  const { result } = await run([endless, (sink) => ({ answer: answers(sink), cancel() {} })], {
    use: 'cascade',
    minConfidence: 0.5,
  });
  assert.equal(result.status, 'ok');
  assert.deepEqual(
    result.calls.map(({ status, error }) => `${status} ${error?.code ?? ''}`),
    ['error GW_UPSTREAM_TOO_LARGE', 'ok '],
  );
});

test('a deadline of the client counts against nobody, and a probe that it ends lets another one begin', async () => {
  const { result, experts } = await run(
    [hangs],
    { use: 'single' },
    { options: { deadlineMs: 5, wallNow: () => 1_000_000 }, prepare: ([live]) => live!.breaker.open(0, 'failures') },
  );
  assert.equal(result.failure?.code, 'GW_REQUEST_DEADLINE');
  assert.equal(experts[0]!.failed, 0);
  assert.equal(experts[0]!.breaker.status(1_000_000).probes, 0);
  assert.ok(experts[0]!.breaker.admits(1_000_000));
});

test('a text that broke off is continued by nobody whom the composition may not ask, as often as the mode says', async () => {
  const cut: Start = (sink) => ({
    answer: Promise.resolve().then(() => {
      void say(sink, chunk({ role: 'assistant', content: 'hel' }));
      throw failure('GW_UPSTREAM_TRUNCATED');
    }),
    cancel() {},
  });
  const prepare = (experts: readonly LiveExpert[]): void => {
    for (const { provider } of experts) provider.prefill = (request) => request;
  };
  const mode = (more: object) => ({
    resilience: { continueAttempts: 1 },
    modes: { first: { policy: { use: 'static' }, ...more } },
  });
  for (const [more, calls] of [
    // The breaker of the first one opens with its failure.
    [{ composition: { use: 'single' } }, ['+e0 call', '-e0 error']],
    [{ composition: { use: 'fallback' } }, ['+e0 call', '-e0 error', '+e1 retry', '-e1 error']],
    [{ composition: { use: 'fallback' }, continueAttempts: 0 }, ['+e0 call', '-e0 error']],
    [
      { composition: { use: 'fallback' }, continueAttempts: 2 },
      ['+e0 call', '-e0 error', '+e1 retry', '-e1 error', '+e2 retry', '-e2 error'],
    ],
  ] as const) {
    const { booked } = await run([cut, cut, cut], { use: 'single' }, { config: mode(more), prepare });
    assert.deepEqual(booked, calls, JSON.stringify(more));
  }
});

test('an expert that cannot continue a text after all does not take the request with it', async () => {
  const { result } = await run(
    [
      (sink) => ({
        answer: Promise.resolve().then(() => {
          void say(sink, chunk({ role: 'assistant', content: 'hel' }));
          throw failure('GW_UPSTREAM_TRUNCATED');
        }),
        cancel() {},
      }),
    ],
    { use: 'single' },
    {
      config: { resilience: { continueAttempts: 1 }, breaker: { failuresInARow: 9 } },
      prepare: ([live]) => {
        live!.provider.prefill = () => {
          throw new TypeError('no such thing');
        };
      },
    },
  );
  assert.equal(result.status, 'error');
});
