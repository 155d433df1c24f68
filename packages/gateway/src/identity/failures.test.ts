import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureCounter } from './failures.ts';

test('twenty failures are free, then each pause is twice the one before, a minute at most', () => {
  let nowMs = 0;
  const failures = failureCounter(() => nowMs);
  for (let i = 0; i < 19; i++) failures.failed('a');
  assert.equal(failures.waitMs('a'), 0);
  const pauses: number[] = [];
  for (let i = 0; i < 9; i++) {
    failures.failed('a');
    pauses.push(failures.waitMs('a'));
    nowMs += failures.waitMs('a');
  }
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  assert.equal(failures.waitMs('b'), 0);
});

test('what comes during a pause does not lengthen it', () => {
  let nowMs = 0;
  const failures = failureCounter(() => nowMs);
  for (let i = 0; i < 500; i++) failures.failed('a');
  assert.equal(failures.waitMs('a'), 1_000);
  nowMs = 1_000;
  assert.equal(failures.waitMs('a'), 0);
});

test('whoever was quiet for a quarter of an hour begins anew', () => {
  let nowMs = 0;
  const failures = failureCounter(() => nowMs);
  for (let i = 0; i < 20; i++) failures.failed('a');
  nowMs = 900_001;
  failures.failed('a');
  assert.equal(failures.waitMs('a'), 0);
});

test('the addresses of one IPv6 network are one, others are not', () => {
  const failures = failureCounter(() => 0);
  for (let i = 0; i < 20; i++) failures.failed(`2001:db8:1:2::${i.toString(16)}`);
  assert.equal(failures.waitMs('2001:db8:1:2:9:9:9:9'), 1_000);
  assert.equal(failures.waitMs('2001:db8:1:3::1'), 0);
  for (let i = 0; i < 20; i++) failures.failed(`::ffff:10.0.0.${i}`);
  assert.equal(failures.waitMs('::ffff:10.0.0.1'), 0);
});

test('of more addresses than are kept the quietest is forgotten', () => {
  const failures = failureCounter(() => 0);
  for (let i = 0; i < 20; i++) failures.failed('first');
  for (let i = 0; i < 4_095; i++) failures.failed(`10.0.${i >> 8}.${i & 255}`);
  assert.equal(failures.waitMs('first'), 1_000);
  failures.failed('10.1.0.0');
  assert.equal(failures.waitMs('first'), 0);
});
