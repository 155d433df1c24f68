import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { nowMs } from './clock.ts';
import { quantile } from './histogram.ts';
import { createClient, type Exchange } from './http-client.ts';
import { closedLoop, finishedRequests, openLoop } from './load.ts';
import { createMockUpstream } from './mock-upstream.ts';
import { type Pacer, type Schedule, startPacer } from './pacer.ts';
import type { AnswerKind } from './traffic.ts';

const ok = (firstByteAtMs: number, endAtMs: number): Exchange => ({ failure: undefined, firstByteAtMs, endAtMs });

/** A pacer and a clock that a test moves by hand. */
function fakeTime() {
  let now = 1000;
  let schedule: Schedule | undefined;
  let onDue: (due: number) => void = () => {};
  const pacer: Pacer = {
    pace(newSchedule, callback) {
      schedule = newSchedule;
      onDue = callback;
      return () => {};
    },
  };
  return {
    pacer,
    clock: () => now,
    /** Moves to `ms` after the first arrival and reports what is due by then. */
    async moveTo(ms: number) {
      now = schedule!.startAtMs + ms;
      onDue(Math.min(schedule!.count, Math.floor(ms / schedule!.intervalMs) + 1));
      await Promise.resolve();
    },
  };
}

test('open loop counts latency from when a request was due, so a late generator does not look fast', async () => {
  const time = fakeTime();
  const run = openLoop({
    requests: 4,
    ratePerSecond: 100,
    limitMs: 60_000,
    clock: time.clock,
    pacer: time.pacer,
    send: async () => ok(time.clock() + 1, time.clock() + 2),
  });
  await time.moveTo(0);
  await time.moveTo(35); // The ones due at 10, 20 and 30 are sent 25, 15 and 5 ms late.
  const result = await run;
  assert.equal(result.answered, 4);
  assert.ok(Math.abs(result.latency.maxMs - 27) < 1e-6);
  assert.ok(Math.abs(result.latency.minMs - 2) < 1e-6);
  assert.ok(Math.abs(result.firstByte.maxMs - 26) < 1e-6);
  assert.ok(Math.abs(result.lag.maxMs - 25) < 1e-6);
});

test('open loop keeps sending while earlier requests hang, and ends at its time limit', async () => {
  const time = fakeTime();
  let sent = 0;
  const run = openLoop({
    requests: 10,
    ratePerSecond: 1000,
    limitMs: 40,
    clock: time.clock,
    pacer: time.pacer,
    send: () => {
      sent += 1;
      return new Promise(() => {});
    },
  });
  await time.moveTo(6);
  assert.equal(sent, 7);
  const result = await run;
  assert.deepEqual(result.failures, {
    'not answered within the time limit': 7,
    'not sent within the time limit': 3,
  });
  assert.equal(finishedRequests(result), 10);
  assert.equal(result.latency.count, 7);
});

test('closed loop keeps its number of clients and counts failures by reason', async () => {
  let underWay = 0;
  let most = 0;
  let sent = 0;
  const result = await closedLoop({
    requests: 50,
    connections: 4,
    limitMs: 10_000,
    clock: nowMs,
    send: async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      sent += 1;
      const isBad = sent % 10 === 0;
      await new Promise(setImmediate);
      underWay -= 1;
      return { ...ok(nowMs(), nowMs()), failure: isBad ? 'HTTP 500' : undefined };
    },
  });
  assert.equal(most, 4);
  assert.equal(result.answered, 45);
  assert.deepEqual(result.failures, { 'HTTP 500': 5 });
  assert.equal(result.latency.count, 45);
});

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

test('a stall of the server shows in every request that was due during it', async () => {
  let served = 0;
  const upstream = createMockUpstream();
  const serve = upstream.listeners('request')[0] as (...args: unknown[]) => void;
  let stallEndsAtMs = 0;
  // The tenth request stalls the whole server for 100 ms; at 200 a second about 20 more come due meanwhile.
  const server = createServer((...args) => {
    served += 1;
    if (served === 10) stallEndsAtMs = nowMs() + 100;
    setTimeout(() => serve(...args), Math.max(0, stallEndsAtMs - nowMs()));
  });
  const baseUrl = await listen(server);
  const pacer = await startPacer();
  const client = createClient({ baseUrl, headers: {}, modelName: 'm', kind: 'json', maxConnections: 4 });
  try {
    await client.warm(2);
    const result = await openLoop({
      requests: 60,
      ratePerSecond: 200,
      limitMs: 5000,
      clock: nowMs,
      pacer,
      send: client.send,
    });
    assert.equal(result.answered, 60, JSON.stringify(result.failures));
    assert.ok(result.latency.maxMs >= 95, `slowest ${result.latency.maxMs}`);
    // Without the correction only the 4 on the wire would be slow: 4 of 60 is under 10 %.
    assert.ok(quantile(result.latency, 0.85) > 25, `p85 ${quantile(result.latency, 0.85)}`);
  } finally {
    client.close();
    await pacer.stop();
    server.closeAllConnections();
    server.close();
  }
});

for (const kind of ['json', 'sse'] satisfies AnswerKind[]) {
  test(`${kind}: every answer of the mock upstream is whole, a closed or wrong server is an error`, async () => {
    const upstream = createMockUpstream();
    const baseUrl = await listen(upstream);
    const client = createClient({ baseUrl, headers: { authorization: 'x' }, modelName: 'm', kind, maxConnections: 3 });
    const load = { requests: 30, connections: 6, limitMs: 5000, clock: nowMs, send: client.send };
    const good = await closedLoop(load);
    assert.deepEqual([good.answered, good.failures], [30, {}]);
    assert.ok(good.firstByte.minMs <= good.latency.minMs);
    upstream.closeAllConnections();
    upstream.close();
    const refused = await closedLoop({ ...load, requests: 3 });
    assert.equal(refused.answered, 0);
    assert.equal(finishedRequests(refused), 3);
    client.close();
  });
}

test('an answer with another status and an answer cut short are failures with their reason', async () => {
  let served = 0;
  const server = createServer((request, response) => {
    request.resume();
    served += 1;
    if (served === 1) response.writeHead(503).end('{}');
    else {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"choices":[]}\n\n');
      setImmediate(() => response.destroy());
    }
  });
  const client = createClient({
    baseUrl: await listen(server),
    headers: {},
    modelName: 'm',
    kind: 'sse',
    maxConnections: 1,
  });
  const failures = [(await client.send()).failure, (await client.send()).failure];
  client.close();
  server.close();
  assert.deepEqual(failures, ['HTTP 503', 'connection closed']);
});
