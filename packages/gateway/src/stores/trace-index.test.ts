import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBefore, type Place, traceIndex } from './trace-index.ts';

const place = (segment: number, offset: number): Place => ({ segment, offset, length: 10 });

test('a trace is found with its bodies and its feedback', () => {
  const index = traceIndex(4);
  index.add('a', place(1, 100), { segment: 1, offset: 90, length: 10 });
  index.add('b', place(1, 200), undefined);
  index.addFeedback('a', place(1, 300));
  assert.deepEqual(index.find('a'), {
    trace: place(1, 100),
    bodies: { segment: 1, offset: 90, length: 10 },
    feedback: [place(1, 300)],
  });
  assert.deepEqual(index.find('b'), { trace: place(1, 200), bodies: undefined, feedback: [] });
  assert.equal(index.find('c'), undefined);
});

test('the oldest make room, the newest come first', () => {
  const index = traceIndex(3);
  for (let i = 0; i < 8; i++) index.add(`t${i}`, place(1, i * 10), undefined);
  assert.deepEqual(
    index.newest(10, undefined).map(({ offset }) => offset),
    [70, 60, 50],
  );
  assert.equal(index.find('t4'), undefined);
  assert.deepEqual(index.find('t5')?.trace, place(1, 50));
});

test('a page ends before a place, and is no longer than its limit', () => {
  const index = traceIndex(10);
  for (let i = 0; i < 6; i++) index.add(`t${i}`, place(1 + Math.floor(i / 3), (i % 3) * 10), undefined);
  assert.deepEqual(index.newest(2, place(2, 10)), [place(2, 0), place(1, 20)]);
});

test('what stands in a deleted segment is forgotten', () => {
  const index = traceIndex(10);
  for (let i = 0; i < 6; i++) index.add(`t${i}`, place(1 + Math.floor(i / 2), 0), undefined);
  index.forget(2);
  assert.equal(index.find('t3'), undefined);
  assert.equal(index.newest(10, undefined).length, 2);
  index.add('new', place(4, 0), undefined);
  assert.equal(index.newest(10, undefined).length, 3);
});

test('places are ordered by segment, then by offset', () => {
  assert.ok(isBefore(place(1, 99), place(2, 0)) && isBefore(place(2, 0), place(2, 1)));
  assert.ok(!isBefore(place(2, 1), place(2, 1)) && !isBefore(place(2, 0), place(1, 99)));
  assert.ok(isBefore(place(9, 9), undefined));
});

test('an index of its full size finds each of its traces', () => {
  const index = traceIndex(5_000);
  for (let i = 0; i < 12_000; i++) index.add(`tr_${i.toString(36)}`, place(1, i), undefined);
  for (let i = 7_000; i < 12_000; i += 37) assert.equal(index.find(`tr_${i.toString(36)}`)?.trace.offset, i);
});
