/** A conversation stays with its expert where leaving is not worth it, and the trace replays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayDecision } from '@gatewright/kernel';
import { chat, chatBody, expertAt, startGateway, type TestGateway, traceOf } from './helpers.ts';
import { upstream } from './upstream.ts';

const PRICE = { inputUsdPerMTok: 10, outputUsdPerMTok: 10, cachedInputUsdPerMTok: 1 };

async function withGateway(run: (gate: TestGateway, ask: Ask) => Promise<void>): Promise<void> {
  const expert = await upstream('ok');
  const gate = await startGateway({
    experts: [
      expertAt('small', expert.url, { quality: { default: 0.6, code: 0.9 }, price: PRICE }),
      expertAt('large', expert.url, { quality: { default: 0.7, code: 0.7 }, price: PRICE }),
    ],
    skills: { code: { keywords: ['function'] } },
    modes: {
      sticky: {
        policy: {
          use: 'sticky',
          of: { use: 'bestOf', weights: { quality: 1, cost: 0, latency: 0 } },
          margin: 0.15,
          stability: 0.05,
        },
        composition: { use: 'fallback' },
      },
    },
  });
  const ask: Ask = async (text, headers = {}, messages = [{ role: 'user', content: text }]) => {
    const response = await chat(gate.url, { model: 'gw/sticky', messages }, { headers });
    assert.equal(response.status, 200);
    await response.text();
    const trace = await traceOf(gate.gateway.store, response.headers.get('x-gw-trace'));
    assert.deepEqual(replayDecision(trace).differences, []);
    return { expert: trace.result.expert!, session: trace.request.facts!.session, reason: trace.selection.reason };
  };
  try {
    await run(gate, ask);
  } finally {
    await gate.close();
    await expert.close();
  }
}
type Ask = (
  text: string,
  headers?: Record<string, string>,
  messages?: object[],
) => Promise<{ expert: string; session: { expert: string; switchCostUsd: number } | undefined; reason: string }>;

const SESSION = { 'x-gw-session': 'talk-1' };

test('a gain below margin and switch cost does not end a session, a gain above does', async () => {
  await withGateway(async (_, ask) => {
    assert.equal((await ask('a function')).expert, 'small', 'another conversation');
    assert.deepEqual(await ask('hello', SESSION).then(({ expert, session }) => [expert, session]), [
      'large',
      undefined,
    ]);
    // Ten prompt tokens, as the answer counted them, at 9 USD a million less: the gain of 0.2 is above 0.15 + 0.05 x share.
    const second = await ask('a function', SESSION);
    assert.equal(second.session!.expert, 'large');
    assert.ok(second.session!.switchCostUsd > 0);
    assert.equal(second.expert, 'small', second.reason);
    // Back would gain 0.1 only.
    const third = await ask('hello', SESSION);
    assert.deepEqual([third.expert, third.session!.expert], ['small', 'small'], third.reason);
    assert.equal((await ask('hello', { 'x-gw-session': 'talk-2' })).expert, 'large');
  });
});

test('results of tools go to who called them, unless that expert is left alone', async () => {
  await withGateway(async (gate, ask) => {
    await ask('hello', SESSION);
    const loop = [
      { role: 'user', content: 'write a function' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c', content: '4' },
    ];
    const held = await ask('', SESSION, loop);
    assert.equal(held.expert, 'large');
    assert.match(held.reason, /large made the calls/);
    gate.gateway.runtime.experts[1]!.breaker.open(Date.now(), 'failures');
    assert.equal((await ask('', SESSION, loop)).expert, 'small');
  });
});

test('a session survives a reload, and a dry run neither reads nor writes another owner’s', async () => {
  await withGateway(async (gate, ask) => {
    await ask('a function', SESSION);
    gate.gateway.reconfigure(gate.gateway.runtime.config);
    assert.equal((await ask('hello', SESSION)).expert, 'small');
    const dry = gate.gateway.route(chatBody('gw/sticky', {}, 'hello') as never, 1, {
      groups: [],
      flags: {},
      hardFlags: [],
      session: 'talk-1',
    });
    assert.equal(dry.facts.session, undefined);
  });
});
