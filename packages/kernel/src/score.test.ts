import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scoreTable, termsOf } from './score.ts';

test('adds up the terms of each expert', () => {
  const table = scoreTable(3, { quality: (e) => [0.5, 0.75, 1][e]!, cost: (e) => -0.25 * e });
  assert.deepEqual(table.terms, ['quality', 'cost']);
  assert.deepEqual([...table.values], [0.5, 0, 0.75, -0.25, 1, -0.5]);
  assert.deepEqual([...table.total], [0.5, 0.5, 0.5]);
  assert.deepEqual(termsOf(table, 2), { quality: 1, cost: -0.5 });
});

test('lets one term forbid an expert', () => {
  const table = scoreTable(2, { mask: (e) => (e === 1 ? -Infinity : 0), quality: () => 1 });
  assert.deepEqual([...table.total], [1, -Infinity]);
});

test('holds no negative zero, which JSON would lose', () => {
  const table = scoreTable(1, { cost: () => -0 });
  assert.ok(Object.is(table.values[0], 0) && Object.is(table.total[0], 0));
});

test('does without experts and without terms', () => {
  assert.equal(scoreTable(0, { quality: () => 1 }).values.length, 0);
  const empty = scoreTable(2, {});
  assert.deepEqual([[...empty.total], termsOf(empty, 1)], [[0, 0], {}]);
});

test('refuses NaN and says which term of which expert', () => {
  assert.throws(() => scoreTable(3, { quality: (e) => (e === 2 ? Number.NaN : 0) }), {
    code: 'GW_SHAPE',
    path: 'score term quality of expert 2',
  });
});
