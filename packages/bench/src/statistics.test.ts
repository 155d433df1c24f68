import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leastSquaresSlope, spread } from './statistics.ts';

test('the spread of the rounds is median, minimum and maximum', () => {
  assert.deepEqual(spread([3, 1, 2]), { median: 2, min: 1, max: 3 });
  assert.deepEqual(spread([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 });
  assert.deepEqual(spread([Number.NaN, 5]), { median: 5, min: 5, max: 5 });
  assert.equal(spread([]), undefined);
});

test('the least-squares slope is exact on a line and averages noise around it', () => {
  assert.equal(leastSquaresSlope([0, 1, 2, 3].map((x) => ({ x, y: 5 + 2 * x }))), 2);
  assert.equal(
    leastSquaresSlope([
      { x: 0, y: 1 },
      { x: 1, y: -1 },
      { x: 2, y: -1 },
      { x: 3, y: 1 },
    ]),
    0,
  );
  assert.ok(Number.isNaN(leastSquaresSlope([{ x: 1, y: 1 }])));
});
