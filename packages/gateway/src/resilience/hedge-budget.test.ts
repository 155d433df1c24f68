import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hedgeBudget } from './hedge-budget.ts';

const HOUR_MS = 3_600_000;

test('second calls are a share of all calls', () => {
  const budget = hedgeBudget(0.05, undefined, 0);
  let taken = 0;
  while (budget.take(0)) taken++;
  assert.equal(taken, 10, 'so many are saved up');
  for (let call = 0; call < 20; call++) budget.earn();
  assert.deepEqual([budget.take(0), budget.take(0)], [true, false]);
  assert.equal(hedgeBudget(0, undefined, 0).take(0), false);
});

test('when the money of an hour is spent nobody is hedged until it has come back, and it never exceeds an hour’s', () => {
  const budget = hedgeBudget(1, 6, 0);
  budget.spent(6);
  assert.equal(budget.take(0), false);
  assert.equal(budget.take(HOUR_MS / 100), true);
  // Known only when the calls have ended, so the last of them may go over: it is made up for first.
  budget.spent(3);
  assert.equal(budget.take(HOUR_MS / 100), false);
  assert.equal(budget.take(HOUR_MS * 0.4), false);
  assert.equal(budget.take(HOUR_MS * 0.6), true);
  assert.equal(budget.left(HOUR_MS * 100).usd, 6);
});

test('a clock that is set back does not stop the money from coming', () => {
  const budget = hedgeBudget(1, 6, 1_000 * HOUR_MS);
  budget.spent(6);
  assert.equal(budget.take(0), false);
  assert.equal(budget.take(HOUR_MS / 2), true);
});
