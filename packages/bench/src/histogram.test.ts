import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHistogram, mergeInto, quantile, record } from './histogram.ts';

test('quantiles are within one percent of the exact ones, from microseconds to minutes', () => {
  for (const scale of [0.1, 1, 50, 10_000]) {
    const histogram = createHistogram();
    for (let i = 1; i <= 1000; i++) record(histogram, (i / 1000) * scale);
    for (const q of [0.01, 0.5, 0.9, 0.99, 1]) {
      const exact = q * scale;
      const relativeError = Math.abs(quantile(histogram, q) - exact) / exact;
      assert.ok(relativeError < 0.01, `scale ${scale}, q ${q}: off by ${relativeError}`);
    }
  }
});

test('the extremes are exact and out-of-range values are kept, not lost', () => {
  const histogram = createHistogram();
  for (const ms of [0, 7.77, 1e9]) record(histogram, ms);
  assert.equal(histogram.count, 3);
  assert.equal(histogram.maxMs, 1e9);
  assert.equal(histogram.minMs, 0);
});

test('merging gives the same as recording everything in one place', () => {
  const [one, two, both] = [createHistogram(), createHistogram(), createHistogram()];
  for (let i = 0; i < 200; i++) {
    record(i % 3 === 0 ? one : two, i * 0.37);
    record(both, i * 0.37);
  }
  mergeInto(one, two);
  assert.deepEqual(one, both);
});

test('an empty histogram has no quantile', () => {
  assert.ok(Number.isNaN(quantile(createHistogram(), 0.5)));
});
