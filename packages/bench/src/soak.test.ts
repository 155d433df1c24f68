import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soakSlope } from './soak.ts';

const points = (rssMB: (requests: number) => number) =>
  Array.from({ length: 21 }, (_, i) => ({ requests: i * 10_000, rssMB: rssMB(i * 10_000) }));

test('only the second half counts: growth that ends is not a leak', () => {
  assert.equal(soakSlope(points((n) => Math.min(n, 100_000) / 1000)), 0);
});

test('a leak of 1 KB a request is a slope of 100 MB per 100,000', () => {
  assert.ok(Math.abs(soakSlope(points((n) => 80 + n * 0.001))! - 100) < 1e-6);
});

test('too few points say nothing', () => {
  assert.equal(soakSlope([]), undefined);
  assert.equal(
    soakSlope([
      { requests: 0, rssMB: 1 },
      { requests: 10_000, rssMB: 2 },
    ]),
    undefined,
  );
});
