import assert from 'node:assert/strict';
import { test } from 'node:test';
import { traceIds, traceTimeMs } from './trace-id.ts';

test('ids are distinct, sort by time, and say their time', () => {
  const next = traceIds();
  const times = [1_795_302_562_464, 1_795_302_562_464, 1_795_302_562_465, 1_795_302_600_000];
  const ids = times.map(next);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual([...ids].sort(), ids);
  assert.deepEqual(ids.map(traceTimeMs), times);
});

test('a clock that steps back does not make older ids', () => {
  const next = traceIds();
  const [first, second] = [next(2_000_000_000_000), next(1_000_000_000_000)];
  assert.ok(second > first);
});

test('two processes do not make the same id', () => {
  assert.notEqual(traceIds()(1), traceIds()(1));
});

test('what is no id of a trace has no time', () => {
  for (const text of [
    '',
    'tr_',
    'tr_none',
    'tr_0mwr0siw0',
    `tr_${'0'.repeat(60)}`,
    'TR_0MWR0SIW00000197OJTA',
    'x'.repeat(1_000_000),
  ]) {
    assert.equal(traceTimeMs(text), undefined, text.slice(0, 40));
  }
});
