import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Assignment, type AssignmentBuilder, assignmentBuilder, expertLoad } from './assignment.ts';

type Row = readonly (readonly [expert: number, weight: number])[];

function fill(builder: AssignmentBuilder, rows: readonly Row[]): Assignment {
  for (const row of rows) {
    for (const [expert, weight] of row) builder.push(expert, weight);
    builder.endRow();
  }
  return builder.seal();
}

function rowsOf({ rows, rowPtr, expert, weight }: Assignment): Row[] {
  return Array.from({ length: rows }, (_, row) => {
    const entries: [number, number][] = [];
    for (let entry = rowPtr[row]!; entry < rowPtr[row + 1]!; entry++) entries.push([expert[entry]!, weight[entry]!]);
    return entries;
  });
}

test('lays rows out one behind the other', () => {
  const assignment = fill(assignmentBuilder({ rows: 4, entries: 4 }), [
    [
      [3, 0.75],
      [1, 0.25],
    ],
    [],
    [[0, 1]],
    [],
  ]);
  assert.equal(assignment.rows, 4);
  assert.deepEqual([...assignment.rowPtr], [0, 2, 2, 3, 3]);
  assert.deepEqual([...assignment.expert], [3, 1, 0]);
  assert.deepEqual([...assignment.weight], [0.75, 0.25, 1]);
  assert.deepEqual([...assignment.dropped], [0, 0, 0]);
});

test('seals nothing at all', () => {
  const { rows, rowPtr, expert, weight, dropped } = assignmentBuilder().seal();
  assert.deepEqual([rows, [...rowPtr], expert.length, weight.length, dropped.length], [0, [0], 0, 0, 0]);
});

test('grows from any room to any size and keeps what it holds', () => {
  const rows = fc.array(fc.array(fc.tuple(fc.nat(63), fc.float({ min: 0, max: 1, noNaN: true })), { maxLength: 5 }), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(rows, fc.nat(5), fc.nat(5), (given, rowRoom, entryRoom) => {
      const assignment = fill(assignmentBuilder({ rows: rowRoom, entries: entryRoom }), given);
      assert.deepEqual(rowsOf(assignment), given);
      assert.equal(assignment.rowPtr.length, given.length + 1);
      assert.equal(assignment.expert.length, given.flat().length);
      assert.equal(assignment.weight.length, given.flat().length);
    }),
    { seed: 20260101, numRuns: 300 },
  );
});

test('starts over after a reset, however much it held', () => {
  const builder = assignmentBuilder();
  fill(
    builder,
    Array.from(
      { length: 50 },
      (_, i): Row => [
        [i, 1],
        [i + 1, 0.5],
      ],
    ),
  );
  builder.reset();
  assert.equal(builder.seal().rows, 0);
  const rows: Row[] = [[], [[7, 0.5]]];
  assert.deepEqual(rowsOf(fill(builder, rows)), rows);
});

test('forgets an open row in a reset', () => {
  const builder = assignmentBuilder();
  builder.push(1, 1);
  builder.reset();
  assert.equal(builder.seal().expert.length, 0);
});

test('goes on after a seal', () => {
  const builder = assignmentBuilder();
  fill(builder, [[[1, 1]]]);
  assert.deepEqual(rowsOf(fill(builder, [[[2, 0.5]]])), [[[1, 1]], [[2, 0.5]]]);
});

test('refuses to seal an open row', () => {
  const builder = assignmentBuilder();
  fill(builder, [[[1, 1]]]);
  builder.push(2, 1);
  builder.push(3, 1);
  assert.throws(() => builder.seal(), { code: 'GW_SHAPE', message: /2 entries in an open row/ });
  builder.endRow();
  assert.equal(builder.seal().rows, 2);
});

test('counts the load of each expert without what was dropped', () => {
  const assignment = fill(assignmentBuilder(), [
    [
      [0, 1],
      [2, 0],
    ],
    [[2, 1]],
    [],
    [
      [2, 0.5],
      [0, 0.5],
    ],
  ]);
  const out = new Float64Array(4).fill(9);
  assert.equal(expertLoad(assignment, out), out);
  assert.deepEqual([...out], [2, 0, 3, 0]);
  assignment.dropped[2] = 1;
  assert.deepEqual([...expertLoad(assignment, out)], [2, 0, 2, 0]);
});
