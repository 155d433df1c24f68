import assert from 'node:assert/strict';
import { test } from 'node:test';
import { families } from './families/index.ts';
import type { Task } from './family.ts';
import { gradeAnswer, makeTasks } from './tasks.ts';

const task = (answer: string): Task => ({ family: 'any', skill: 'numbers', difficulty: 0, prompt: '', answer });

test('the same seed makes the same stream, and a longer one begins with the shorter', () => {
  const long = makeTasks({ seed: 4, count: 60 });
  assert.deepEqual(makeTasks({ seed: 4, count: 60 }), long);
  assert.deepEqual(makeTasks({ seed: 4, count: 20 }), long.slice(0, 20));
  assert.notDeepEqual(makeTasks({ seed: 5, count: 20 }), long.slice(0, 20));
});

test('a mixed stream has every family and skill and both ends of the dial', () => {
  const tasks = makeTasks({ seed: 1, count: 600 });
  assert.equal(new Set(tasks.map(({ family }) => family)).size, families.length);
  assert.deepEqual([...new Set(tasks.map(({ skill }) => skill))].sort(), ['logic', 'numbers', 'text']);
  assert.ok(Math.min(...tasks.map(({ difficulty }) => difficulty)) < 0.05);
  assert.ok(Math.max(...tasks.map(({ difficulty }) => difficulty)) > 0.95);
});

test('families and difficulty narrow the stream', () => {
  const tasks = makeTasks({ seed: 1, count: 30, families: ['roman'], difficulty: 0.5 });
  assert.ok(tasks.every(({ family, difficulty }) => family === 'roman' && difficulty === 0.5));
});

test('options out of range and unknown families are refused', () => {
  assert.throws(() => makeTasks({ seed: 1, count: -1 }), { code: 'GW_OPTION' });
  assert.throws(() => makeTasks({ seed: 1, count: 1, difficulty: 2 }), { code: 'GW_OPTION' });
  assert.throws(() => makeTasks({ seed: 1, count: 1, families: [] }), { code: 'GW_OPTION' });
  assert.throws(() => makeTasks({ seed: 1, count: 1, families: ['romann'] }), {
    code: 'GW_UNKNOWN_NAME',
    fix: /Did you mean "roman"/,
  });
});

const RIGHT: readonly (readonly [answer: string, response: string])[] = [
  ['395', 'The product is 391. Answer: 395'],
  ['395', '**Answer:** 395.'],
  ['395', 'Answer: **395**'],
  ['395', '395'],
  ['395', 'So 17 * 23 + 4 = 395'],
  ['395', 'It comes to 395.0 in all.'],
  ['1234567', 'Answer: 1,234,567'],
  ['3.5', 'Answer: 3.50'],
  ['68', 'Answer: $68.00'],
  ['3.1069', 'Answer: 3.1069 miles'],
  ['36', 'Answer: 36%'],
  ['-4', 'Answer: -4'],
  ['0', 'Answer: -0'],
  ['ff', 'Answer: 0xFF'],
  ['101', 'Answer: 0b101'],
  ['395', '{"answer": "395"}'],
  ['395', '```json\n{"answer": 395}\n```'],
  ['true', '{"answer": true}'],
  ['MCMXCIV', 'answer: mcmxciv'],
  ['apple, fig, pear', 'Answer: apple,fig , pear'],
  ['Thursday', 'The day is Thursday.'],
  ['2024-03-26', 'Answer: 2024-03-26'],
  ['yawetag', 'Answer: "yawetag"\nIs there anything else?'],
  ['5', 'Answer: 4\nNo, wait. Answer: 5'],
];
for (const [answer, response] of RIGHT) {
  test(`${JSON.stringify(response)} is right for ${answer}`, () =>
    assert.equal(gradeAnswer(task(answer), response), true));
}

const WRONG: readonly (readonly [answer: string, response: string])[] = [
  ['395', 'Answer: 3950'],
  ['395', 'Answer: -395'],
  ['395', 'Answer: 385, though 395 crossed my mind'],
  ['395', ''],
  ['395', 'I do not know.'],
  ['3.5', 'Answer: 35'],
  ['apple, fig', 'Answer: fig, apple'],
  ['1e5', 'Answer: 100000'],
  ['true', '{"answer": false}'],
  ['395', '{"answer": null}'],
  ['2024-03-26', 'Answer: 2024-03-27'],
];
for (const [answer, response] of WRONG) {
  test(`${JSON.stringify(response)} is wrong for ${answer}`, () =>
    assert.equal(gradeAnswer(task(answer), response), false));
}

test('grading an endless text takes no time', () => {
  const startedAtMs = performance.now();
  for (const text of ['!'.repeat(1e6), ' '.repeat(1e6), '1'.repeat(1e6), `{${'['.repeat(1e6)}`])
    gradeAnswer(task('395'), text);
  assert.ok(performance.now() - startedAtMs < 2000);
});
