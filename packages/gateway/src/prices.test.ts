import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveExperts } from '../test/live-experts.ts';
import { callFailed, callStarted, callSucceeded, type LiveExpert } from './experts.ts';
import { priceBook } from './prices.ts';

const RULE = { stepSize: 0.1, cap: 0.5, spendUsdPerHour: undefined };
const done = { latencyMs: 10, completionTokens: 5, costUsd: 0 };
/** Of a closed breaker. */
const PERMIT = { isProbe: false, spell: 0 };

function busy(live: LiveExpert, calls: number): void {
  for (let n = 0; n < calls; n++) callStarted(live, 0);
}

test('without any capacity every price stays at 0', () => {
  const experts = liveExperts([{}, {}]);
  const book = priceBook(experts, RULE, 0);
  busy(experts[0]!, 1_000);
  book.advance(60_000);
  assert.deepEqual([book.priceOf(0, 1), book.priceOf(1, 1)], [0, 0]);
});

test('load above capacity raises the price of that expert alone, up to the cap, and it falls again', () => {
  const experts = liveExperts([{ capacity: { concurrent: 2 } }, { capacity: { concurrent: 2 } }]);
  const book = priceBook(experts, RULE, 0);
  busy(experts[0]!, 6);
  book.advance(1_000);
  const first = book.priceOf(0, 0);
  assert.ok(first > 0);
  assert.equal(book.priceOf(1, 0), 0);
  for (let second = 2; second < 60; second++) book.advance(second * 1_000);
  assert.equal(book.priceOf(0, 0), 0.5);
  for (let n = 0; n < 6; n++) callSucceeded(experts[0]!, PERMIT, done, 0);
  for (let second = 60; second < 120; second++) book.advance(second * 1_000);
  assert.equal(book.priceOf(0, 0), 0);
});

test('a burst that is over before the update still counts', () => {
  const experts = liveExperts([{ capacity: { concurrent: 1 } }]);
  const book = priceBook(experts, RULE, 0);
  busy(experts[0]!, 10);
  for (let n = 0; n < 10; n++) callSucceeded(experts[0]!, PERMIT, done, 0);
  book.advance(1_000);
  assert.ok(book.load[0]! > 0);
});

test('a rate above requestsPerMinute raises the rate price, one lump does not', () => {
  const experts = liveExperts([{ capacity: { requestsPerMinute: 60 } }]);
  const book = priceBook(experts, RULE, 0);
  busy(experts[0]!, 3);
  book.advance(1_000);
  assert.equal(book.rate[0], 0);
  for (let second = 2; second < 120; second++) {
    busy(experts[0]!, 3);
    book.advance(second * 1_000);
  }
  assert.ok(book.rate[0]! > 0);
  assert.equal(book.load[0], 0);
});

test('spending above the limit makes a dear request cost more than a cheap one', () => {
  const experts = liveExperts([{}, {}]);
  const book = priceBook(experts, { ...RULE, spendUsdPerHour: 3.6 }, 0);
  busy(experts[0]!, 2);
  callSucceeded(experts[0]!, PERMIT, { ...done, costUsd: 0.03 }, 0);
  callSucceeded(experts[0]!, PERMIT, { ...done, costUsd: 0.01 }, 0);
  book.advance(1_000);
  assert.ok(book.spend[0]! > 0);
  // The mean call cost 0.02: a request of that price pays the spending price once.
  assert.ok(Math.abs(book.priceOf(0, 0.02) - book.spend[0]!) < 1e-12);
  assert.ok(Math.abs(book.priceOf(0, 0.04) - 2 * book.spend[0]!) < 1e-12);
  assert.equal(book.priceOf(1, 0), 0);
});

test('nothing moves before a second is over, or when the clock steps back', () => {
  const experts = liveExperts([{ capacity: { concurrent: 1 } }]);
  const book = priceBook(experts, RULE, 10_000);
  busy(experts[0]!, 5);
  book.advance(10_999);
  book.advance(5_000);
  assert.equal(book.load[0], 0);
  book.advance(11_000);
  assert.ok(book.load[0]! > 0);
});

test('a long pause is made up for quickly and leaves finite prices', () => {
  const experts = liveExperts([{ capacity: { concurrent: 1, requestsPerMinute: 1 } }]);
  const book = priceBook(experts, { ...RULE, spendUsdPerHour: 1 }, 0);
  busy(experts[0]!, 1);
  callFailed(experts[0]!, PERMIT, { elsewhere: true, code: 'GW_UPSTREAM_STATUS', message: '' } as never, 5, 0);
  const startMs = performance.now();
  book.advance(Number.MAX_SAFE_INTEGER);
  assert.ok(performance.now() - startMs < 100);
  for (const price of [book.load[0]!, book.rate[0]!, book.spend[0]!]) assert.ok(price >= 0 && price <= 0.5);
});

test('a clock that is set back does not stop the prices', () => {
  const experts = liveExperts([{ capacity: { concurrent: 1 } }]);
  const book = priceBook(experts, RULE, 3_600_000);
  busy(experts[0]!, 10);
  book.advance(0);
  book.advance(1_000);
  assert.ok(book.load[0]! > 0);
});
