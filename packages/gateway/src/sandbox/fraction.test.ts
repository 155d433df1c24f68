import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add, divide, formatFraction, fraction, multiply, parseDecimal, subtract } from './fraction.ts';

test('decimals are read exactly, other texts not at all', () => {
  assert.deepEqual(parseDecimal('-0.50'), { top: -1n, bottom: 2n });
  assert.deepEqual(parseDecimal('1,250.75'), { top: 5003n, bottom: 4n });
  assert.deepEqual(parseDecimal('.5'), { top: 1n, bottom: 2n });
  for (const text of ['', '-', '.', '1.', '1,2', '1e5', 'x', '1'.repeat(61)])
    assert.equal(parseDecimal(text), undefined, text);
});

test('a tenth and a fifth are three tenths, exactly', () => {
  assert.deepEqual(add(parseDecimal('0.1')!, parseDecimal('0.2')!), fraction(3, 10));
  assert.deepEqual(subtract(fraction(1, 2), fraction(1, 3)), fraction(1, 6));
  assert.deepEqual(multiply(fraction(2, 3), fraction(3, -4)), fraction(-1, 2));
  assert.deepEqual(divide(fraction(1), fraction(4)), fraction(1, 4));
  assert.equal(divide(fraction(1), fraction(0)), undefined);
});

test('rounding goes half away from zero and leaves no trailing zeros and no negative zero', () => {
  assert.equal(formatFraction(fraction(1, 3), 4), '0.3333');
  assert.equal(formatFraction(fraction(-5, 1000), 2), '-0.01');
  assert.equal(formatFraction(fraction(-1, 1000), 2), '0');
  assert.equal(formatFraction(fraction(25, 10), 3), '2.5');
  assert.equal(formatFraction(fraction(25, 10), 0), '3');
});
