import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Histogram, Registry } from 'prom-client';
import { fastCounter, fastHistogram } from './instruments.ts';

test('they are written as the library writes its own', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const counter = { name: 'some_total', help: 'Some.', labelNames: ['expert', 'status'] };
  const histogram = { name: 'some_seconds', help: 'Some.', labelNames: ['mode', 'kind'], buckets: [0.1, 0.5, 1] };
  const fast = {
    counter: fastCounter({ ...counter, registers: [ours] }),
    histogram: fastHistogram({ ...histogram, registers: [ours] }),
  };
  const slow = {
    counter: new Counter({ ...counter, registers: [theirs] }),
    histogram: new Histogram({ ...histogram, registers: [theirs] }),
  };
  assert.equal(await ours.metrics(), await theirs.metrics(), 'nothing yet');
  for (const [by, expert, status] of [
    [1, 'a', 'ok'],
    [2.5, 'a', 'error'],
    [3, 'b', 'ok'],
    [1, 'a', 'ok'],
    [0, 'quoted "\\\n', 'ok'],
  ] as const) {
    fast.counter.add(by, expert, status);
    slow.counter.inc({ expert, status }, by);
  }
  for (const [value, mode, kind] of [
    [0.1, 'x', 'one'],
    [0.11, 'x', 'one'],
    [7, 'x', 'one'],
    [0, 'y', 'one'],
    [1, 'y', ''],
    [-1, 'y', ''],
  ] as const) {
    fast.histogram.observe(value, mode, kind);
    slow.histogram.observe({ mode, kind }, value);
  }
  assert.equal(await ours.metrics(), await theirs.metrics());
});

test('what is no number is not counted, and throws nothing into a request', async () => {
  const registry = new Registry();
  const counter = fastCounter({ name: 'c', help: 'c', labelNames: ['a'], registers: [registry] });
  const histogram = fastHistogram({ name: 'h', help: 'h', labelNames: ['a'], buckets: [1], registers: [registry] });
  counter.add(1, 'x');
  histogram.observe(1, 'x');
  const before = await registry.metrics();
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    counter.add(value, 'x');
    histogram.observe(value, 'x');
  }
  counter.add(-1, 'x');
  assert.equal(await registry.metrics(), before);
});
