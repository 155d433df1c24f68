/** A drive over scripted providers: what is reserved and settled, in what order, whatever becomes of the calls. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DecisionTrace, replayCalls, TRACE_VERSION } from '@gatewright/kernel';
import fc from 'fast-check';
import { runtimeOf } from '../test/live-experts.ts';
import { type CallAccount, type DriveResult, drive } from './drive.ts';
import { type Decision, decide } from './pipeline.ts';
import { ProviderFailure } from './providers/failure.ts';
import type { Provider } from './providers/provider.ts';
import type { ChatChunk, ChatRequest } from './wire/chat.ts';

/** What one call does: fails at once, says something and then fails, or answers. `hang` waits to be cancelled. */
type Act = 'fail' | 'cut' | 'answer' | 'hang' | 'refuse';

const chunk = (delta: Record<string, unknown>, finish: string | null = null): ChatChunk => ({
  id: 'c',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
});

function scripted(acts: Act[]): Provider {
  return {
    start(_, sink) {
      const { promise: answer, resolve, reject } = Promise.withResolvers<{ usage: undefined }>();
      const act = acts.shift() ?? 'answer';
      const say = (one: ChatChunk): void => void sink.onChunk(JSON.stringify(one), one);
      const failure = (code: string, elsewhere = true): ProviderFailure =>
        new ProviderFailure(code, '', { fix: '', elsewhere });
      queueMicrotask(() => {
        if (act === 'fail') reject(failure('GW_UPSTREAM_RESET'));
        if (act === 'refuse') reject(failure('GW_UPSTREAM_REJECTED', false));
        if (act === 'cut' || act === 'answer') say(chunk({ role: 'assistant', content: 'words ' }));
        if (act === 'cut') reject(failure('GW_UPSTREAM_TRUNCATED'));
        if (act !== 'answer') return;
        say(chunk({}, 'stop'));
        resolve({ usage: undefined });
      });
      return { answer, cancel: () => reject(failure('GW_CANCELLED', false)) };
    },
    prefill: (request, text) => ({
      ...request,
      messages: [...request.messages, { role: 'assistant', content: text }],
    }),
    close: async () => {},
  };
}

/** Runs one request over experts that act so, and says what its account was told, `+e0` reserved, `-e0 ok` settled. */
async function run(
  acts: Act[][],
  composition: object,
  refuse: readonly number[] = [],
  cancelAfterMs?: number,
): Promise<{ result: DriveResult; booked: string[]; settled: number; reserved: number; decision: Decision }> {
  const runtime = runtimeOf(
    acts.map(() => ({ price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 } })),
    {
      modes: { first: { policy: { use: 'static' }, composition } },
      retries: { attempts: 3, baseMs: 1, maxMs: 2 },
      breaker: { failuresInARow: 100 },
      resilience: { continueAttempts: 2 },
    },
  );
  for (const [index, live] of runtime.experts.entries())
    (live as { provider: Provider }).provider = scripted([...acts[index]!]);
  const request: ChatRequest = { model: 'gw/first', messages: [{ role: 'user', content: 'x' }], stream: true };
  const booked: string[] = [];
  let reserved = 0;
  let settled = 0;
  let refused = 0;
  const account: CallAccount = {
    reserve({ expert: { id } }, _body, _promptTokens, kind = 'call') {
      if (refuse.includes(reserved++)) {
        refused++;
        booked.push(`refused ${id}`);
        return new ProviderFailure('GW_UPSTREAM_REJECTED', 'no money', { fix: '', elsewhere: false });
      }
      booked.push(kind === 'call' ? `+${id}` : `+${id} ${kind}`);
      let isSettled = false;
      return {
        settle({ status }) {
          assert.equal(isSettled, false, 'settled once');
          isSettled = true;
          settled++;
          booked.push(`-${id} ${status}`);
        },
      };
    },
  };
  const decision = decide(runtime, request, 1, 0);
  const running = drive({
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
  });
  const cancelling = cancelAfterMs === undefined ? undefined : setTimeout(running.cancel, cancelAfterMs);
  const result = await running.done;
  clearTimeout(cancelling);
  for (const { inFlight, expert } of runtime.experts) assert.equal(inFlight, 0, expert.id);
  return { result, booked, settled, reserved: reserved - refused, decision };
}

test('every attempt, continuation and second call is reserved before it is made and settled by itself', async () => {
  const single = { use: 'single' };
  const cases: [string, Act[][], object, string[], string][] = [
    ['an answer', [['answer']], single, ['+e0', '-e0 ok'], 'ok'],
    ['a retry', [['fail', 'answer']], single, ['+e0', '-e0 error', '+e0 retry', '-e0 ok'], 'ok'],
    [
      'no more retries',
      [['fail', 'fail', 'fail', 'answer']],
      single,
      ['+e0', '-e0 error', '+e0 retry', '-e0 error', '+e0 retry', '-e0 error'],
      'error',
    ],
    ['a refusal', [['refuse', 'answer']], single, ['+e0', '-e0 error'], 'error'],
    [
      'the next expert',
      [['fail'], ['fail', 'answer']],
      { use: 'fallback' },
      ['+e0', '-e0 error', '+e1', '-e1 error', '+e1 retry', '-e1 ok'],
      'ok',
    ],
    ['a continuation', [['cut', 'answer']], single, ['+e0', '-e0 error', '+e0 retry', '-e0 ok'], 'ok'],
    [
      'a continuation of a continuation',
      [['cut', 'cut', 'answer']],
      single,
      ['+e0', '-e0 error', '+e0 retry', '-e0 error', '+e0 retry', '-e0 ok'],
      'ok',
    ],
    [
      'a race',
      [['hang'], ['answer']],
      { use: 'hedge', afterMs: 0 },
      ['+e0', '+e1 hedge', '-e1 ok', '-e0 cancelled'],
      'ok',
    ],
    [
      'a race that everybody lost',
      [['fail'], ['fail', 'answer']],
      { use: 'hedge', afterMs: 5_000 },
      ['+e0', '-e0 error', '+e1', '-e1 error', '+e1 retry', '-e1 ok'],
      'ok',
    ],
  ];
  for (const [name, acts, composition, expected, status] of cases) {
    const { result, booked, settled } = await run(acts, composition);
    assert.deepEqual(booked.toSorted(), expected.toSorted(), name);
    assert.equal(booked[0], '+e0', name);
    assert.equal(settled, expected.length / 2, name);
    assert.equal(result.status, status, name);
    const sum = result.calls.reduce((total, { costUsd }) => total + costUsd, 0);
    assert.equal(result.costUsd, sum, name);
  }
});

test('where no money is left for another attempt or a continuation, what failed before it stands', async () => {
  const again = await run([['fail', 'answer']], { use: 'single' }, [1]);
  assert.deepEqual(again.booked, ['+e0', '-e0 error', 'refused e0']);
  assert.deepEqual([again.result.failure!.code, again.result.calls.length], ['GW_UPSTREAM_RESET', 1]);
  assert.equal(again.result.calls[0]!.attempts, undefined, 'an attempt that was never made is none');

  const cut = await run([['cut', 'answer']], { use: 'single' }, [1, 2, 3]);
  assert.equal(cut.result.status, 'error');
  assert.equal(cut.result.failure!.code, 'GW_UPSTREAM_TRUNCATED');
});

test('whatever the experts do: what was reserved is settled, nothing is left under way, and the trace replays', async () => {
  const act = fc.constantFrom<Act>('fail', 'cut', 'answer', 'refuse', 'hang');
  const composition = fc.constantFrom<object>(
    { use: 'single' },
    { use: 'fallback' },
    { use: 'cascade', minConfidence: 0.5 },
    { use: 'cascade', minConfidence: 0.5, prefixTokens: 1 },
    { use: 'cascade', minConfidence: 0.5, prefixTokens: 9, prefixMs: 2 },
    { use: 'hedge', afterMs: 0 },
    { use: 'hedge', width: 3 },
  );
  const experts = fc.array(fc.array(act, { maxLength: 4 }), { minLength: 1, maxLength: 3 });
  const refused = fc.array(fc.nat(6), { maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(experts, composition, refused, async (acts, use, refuse) => {
      const { result, settled, reserved, decision } = await run(acts, use, refuse, 25);
      assert.equal(settled, reserved);
      assert.equal(
        result.costUsd,
        result.calls.reduce((sum, { costUsd }) => sum + costUsd, 0),
      );
      for (const [index, { continues, rank }] of result.calls.entries()) {
        if (continues === undefined) continue;
        assert.ok(continues < index);
        assert.equal(result.calls[continues]!.rank, rank);
        assert.equal(result.calls[continues]!.status, 'error');
      }
      if (result.status === 'cancelled') return;
      assert.equal(result.failure === undefined, result.status === 'ok');
      const { verdict, costUsd } = replayCalls({
        version: TRACE_VERSION,
        id: 't',
        candidates: decision.candidates,
        selection: decision.selection,
        composition: decision.mode.compositionSpec,
        calls: result.calls,
      } as unknown as DecisionTrace);
      assert.deepEqual([verdict.rank, verdict.reason], [result.verdict!.rank, result.verdict!.reason]);
      assert.deepEqual(verdict.gates, result.verdict!.gates);
      assert.ok(Math.abs(costUsd - result.costUsd) < 1e-12);
    }),
    { numRuns: 400, seed: 20261122 },
  );
});
