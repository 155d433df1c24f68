import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CallRecord } from '@gatewright/kernel';
import { timingHeaders, waitedMs } from './overhead.ts';

const call = (startedMs: number, latencyMs: number): CallRecord => ({ startedMs, latencyMs }) as CallRecord;

test('waiting is the time in which any call was under way', () => {
  const table: [string, CallRecord[], number][] = [
    ['none', [], 0],
    ['one', [call(0, 50)], 50],
    ['one after another, with a gap', [call(0, 10), call(15, 10)], 20],
    ['a race', [call(0, 100), call(30, 20)], 100],
    ['overlapping, in another order', [call(40, 60), call(0, 50)], 100],
  ];
  for (const [name, calls, expected] of table) assert.equal(waitedMs(calls, undefined), expected, name);
});

test('waiting for the call of somebody else is waiting too', () => {
  const record = { kind: 'exact', joined: true, ageMs: 0, source: 'tr_1', savedUsd: 0 } as const;
  assert.equal(waitedMs([], { ...record, waitedMs: 70 }), 70);
  assert.equal(waitedMs([], { ...record, joined: false }), 0);
});

test('headers are decimal and never negative', () => {
  assert.deepEqual(timingHeaders(-0.01, 12), [
    'x-gw-overhead-ms',
    '0.000',
    'server-timing',
    'gateway;dur=0.000, experts;dur=12.000',
  ]);
  assert.deepEqual(timingHeaders(0.25), ['x-gw-overhead-ms', '0.250', 'server-timing', 'gateway;dur=0.250']);
});
