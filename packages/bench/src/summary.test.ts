import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Measurement } from './comparison.ts';
import type { LoadPattern } from './generator.ts';
import { createHistogram, record } from './histogram.ts';
import { headlineCpuMs, summarize } from './summary.ts';

const CLOSED: LoadPattern = { loop: 'closed', connections: 4 };
const OPEN: LoadPattern = { loop: 'open', ratePerSecond: 100 };

/** A phase of 100 requests that all took `latencyMs`. */
function phase(target: string, round: number, pattern: LoadPattern, latencyMs: number, cpuMs?: number): Measurement {
  const [latency, firstByte, lag] = [createHistogram(), createHistogram(), createHistogram()];
  for (let i = 0; i < 100; i++) {
    record(latency, latencyMs);
    record(firstByte, latencyMs / 2);
    record(lag, 0.1);
  }
  const result = { answered: 100, failures: {}, durationMs: 1000, latency, firstByte, lag };
  return { target, round, kind: 'json', pattern, result, generatorCpuMs: 500, cpuMs, upstreamCpuMs: 250 };
}

test('cost per request is the median over rounds, ratios are against the reference of the same run', () => {
  const summary = summarize([
    phase('gatewright', 1, CLOSED, 1, 40),
    phase('gatewright', 2, CLOSED, 1, 20),
    phase('gatewright', 3, CLOSED, 1, 30),
    phase('peer', 1, CLOSED, 1, 300),
    phase('direct', 1, CLOSED, 1),
  ]);
  const [ours, peer, direct] = summary.kinds[0]!.cost;
  assert.deepEqual(ours!.cpuMsPerRequest, { median: 0.3, min: 0.2, max: 0.4 });
  assert.equal(headlineCpuMs(summary, 'json'), 0.3);
  assert.equal(ours!.cpuRatio, 1);
  assert.equal(peer!.cpuRatio, 10);
  assert.equal(direct!.cpuMsPerRequest, undefined);
  assert.equal(direct!.throughputRatio, 1);
  assert.equal(peer!.generatorCores, 0.5);
});

test('added latency is the difference to direct in the same round', () => {
  const summary = summarize([
    phase('direct', 1, OPEN, 1),
    phase('gatewright', 1, OPEN, 3),
    phase('peer', 1, OPEN, 9),
    phase('direct', 2, OPEN, 5),
    phase('gatewright', 2, OPEN, 7),
  ]);
  const [direct, ours, peer] = summary.kinds[0]!.latency;
  assert.equal(direct!.addedP50Ms, undefined);
  assert.deepEqual(ours!.addedP50Ms, { median: 2, min: 2, max: 2 });
  assert.deepEqual(ours!.addedFirstByteP50Ms, { median: 1, min: 1, max: 1 });
  assert.equal(peer!.addedP50Ratio, 4);
});

test('failures are counted and listed by reason, and a request that failed still counts as work', () => {
  const bad = phase('gatewright', 1, CLOSED, 1, 40);
  bad.result.failures['HTTP 500'] = 100;
  const summary = summarize([bad, { ...bad, round: 2 }]);
  assert.equal(summary.kinds[0]!.cost[0]!.errors, 200);
  assert.equal(summary.kinds[0]!.cost[0]!.cpuMsPerRequest!.median, 0.2);
  assert.deepEqual(summary.failures, [{ target: 'gatewright', kind: 'json', reason: 'HTTP 500', count: 200 }]);
});

test('without measurements there is nothing to report', () => {
  assert.deepEqual(summarize([]), { kinds: [], failures: [] });
  assert.equal(headlineCpuMs(summarize([]), 'sse'), undefined);
});
