import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Measurement } from './comparison.ts';
import { type GatewayReport, renderGatewayReport } from './gateway-report.ts';
import { createHistogram, record } from './histogram.ts';
import { summarize } from './summary.ts';
import type { AnswerKind } from './traffic.ts';

function phase(target: string, kind: AnswerKind, cpuMs: number | undefined, failures = {}): Measurement {
  const latency = createHistogram();
  record(latency, 2);
  return {
    ...{ target, round: 1, kind, pattern: { loop: 'closed', connections: 4 } },
    result: { answered: 100, failures, durationMs: 1000, latency, firstByte: latency, lag: createHistogram() },
    ...{ cpuMs, upstreamCpuMs: 950, generatorCpuMs: 10 },
  };
}

function report(measurements: readonly Measurement[], more: Partial<GatewayReport> = {}): string {
  return renderGatewayReport({
    date: '2026-01-02T03:04:05.000Z',
    machine: { cpu: 'Test CPU', cores: 2, memoryGB: 8, platform: 'linux x64', node: 'v24.0.0' },
    loadAverage: { start: [1, 2, 3], end: [4, 5, 6] },
    settings: 'one phase',
    isInterrupted: false,
    targets: [{ name: 'gatewright', about: 'as it is' }],
    problems: [],
    summary: summarize(measurements),
    memory: [],
    soak: undefined,
    ...more,
  });
}

const row = (text: string, pattern: RegExp) => text.split('\n').find((line) => pattern.test(line)) ?? '';

test('an aim holds, does not hold, or was not measured, and never anything else', () => {
  const text = report([phase('gatewright', 'json', 39), phase('gatewright', 'sse', 41)]);
  assert.match(row(text, /CPU per JSON request/), /0\.390 ms +holds$/);
  assert.match(row(text, /CPU per 20-chunk stream/), /0\.410 ms +DOES NOT HOLD$/);
  assert.match(row(text, /RSS flat/), /not measured/);
  assert.match(row(report([]), /CPU per JSON request/), /not measured$/);
});

test('figures that could not be had are dashes', () => {
  const text = report([phase('direct', 'json', undefined)]);
  assert.match(row(text, /^ {2}direct +4/), /^ {2}direct +4 +- +- +100 \(100\.\.100\) +- +0$/);
});

test('a bottleneck outside the target, failures, problems and an interruption are said aloud', () => {
  const text = report([phase('gatewright', 'json', 10, { 'HTTP 500': 3 })], {
    isInterrupted: true,
    problems: [{ target: 'portkey', problem: 'gone' }],
  });
  assert.match(text, /INTERRUPTED/);
  assert.match(text, /upstream 0\.95 cores busy/);
  assert.match(text, /gatewright: json: HTTP 500 \(3\)/);
  assert.match(text, /portkey: gone/);
});

test('a soak shows its readings and is judged by the slope of its second half', () => {
  const points = Array.from({ length: 21 }, (_, i) => ({ requests: i * 10_000, rssMB: 100 + i * 2 }));
  const text = report([], { soak: { points, errors: 0, seconds: 90, isComplete: true } });
  assert.match(text, /200000 JSON requests through gatewright in 90 s, 0 errors/);
  assert.match(row(text, /RSS flat/), /20\.00 MB +DOES NOT HOLD$/);
  const short = report([], { soak: { points: points.slice(0, 7), errors: 0, seconds: 30, isComplete: true } });
  assert.match(row(short, /RSS flat/), /not judged below 100000/);
});
