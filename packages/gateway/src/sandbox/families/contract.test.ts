import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@gatewright/kernel';
import { gradeAnswer } from '../tasks.ts';
import { families, solveTask } from './index.ts';

const SEEDS = 200;
const DIFFICULTIES = [0.1, 0.5, 0.9];

for (const family of families) {
  test(`${family.name}: solves every task it makes, the same seed makes the same task`, () => {
    for (const difficulty of DIFFICULTIES) {
      for (let seed = 0; seed < SEEDS; seed++) {
        const task = family.generate(seededRandom(seed), difficulty);
        assert.deepEqual(family.generate(seededRandom(seed), difficulty), task);
        const solution = family.solve(task.prompt);
        assert.equal(solution?.answer, task.answer, task.prompt);
        assert.ok(solution.difficulty >= 0 && solution.difficulty <= 1, task.prompt);
        assert.equal(solveTask(task.prompt)?.solution.answer, task.answer, task.prompt);
        assert.ok(solution.distractors.length >= 2, `${task.prompt} ${solution.distractors}`);
        assert.ok(gradeAnswer(task, `Answer: ${task.answer}`), task.prompt);
        for (const wrong of solution.distractors)
          assert.ok(!gradeAnswer(task, `Answer: ${wrong}`), `${task.prompt} -> ${wrong}`);
      }
    }
  });

  test(`${family.name}: no other family solves its tasks differently`, () => {
    for (const difficulty of DIFFICULTIES) {
      for (let seed = 0; seed < SEEDS; seed++) {
        const task = family.generate(seededRandom(seed), difficulty);
        for (const other of families) {
          const answer = other.solve(task.prompt)?.answer;
          assert.ok(answer === undefined || answer === task.answer, `${other.name} says ${answer}: ${task.prompt}`);
        }
      }
    }
  });

  test(`${family.name}: the dial is felt in the measured difficulty`, () => {
    const mean = (difficulty: number): number => {
      let sum = 0;
      for (let seed = 0; seed < SEEDS; seed++) {
        sum += family.solve(family.generate(seededRandom(seed), difficulty).prompt)!.difficulty;
      }
      return sum / SEEDS;
    };
    const [low, middle, high] = [mean(0.1), mean(0.5), mean(0.9)];
    assert.ok(low < middle && middle < high && high - low > 0.3, `${low} ${middle} ${high}`);
  });

  test(`${family.name}: its example is solved by it alone`, () => {
    const solved = solveTask(family.example);
    assert.equal(solved?.family.name, family.name);
  });

  test(`${family.name}: garbage neither throws nor is solved without end`, () => {
    const random = seededRandom(7);
    const pieces = [
      'convert ',
      '12',
      ' ',
      '(',
      ')',
      '*',
      '-',
      'true',
      ' and ',
      'XIV',
      '%',
      '"',
      "'",
      ':',
      ',',
      ' of ',
      'km',
      ' to ',
      'sort',
      '\n',
      '\u{1f600}',
      '\ud800',
      '9'.repeat(50),
      'base 1',
      '0x',
      'says',
      'a',
      '2024-13-45',
      'shift ',
    ];
    for (let i = 0; i < 300; i++) {
      const text = Array.from({ length: random.below(40) }, () => pieces[random.below(pieces.length)]).join('');
      const solution = family.solve(text);
      assert.ok(
        solution === undefined || (solution.distractors.length >= 2 && !solution.distractors.includes(solution.answer)),
        text,
      );
    }
    const hostile = [
      '1 '.repeat(2000),
      '('.repeat(4000),
      '-'.repeat(4000),
      'not '.repeat(1000),
      '2^'.repeat(2000),
      'a'.repeat(100_000),
    ];
    for (const text of [...hostile, ...hostile.map((piece) => `sort next 5% of ${piece}`.slice(0, 4000))]) {
      const startedAtMs = performance.now();
      family.solve(text);
      assert.ok(performance.now() - startedAtMs < 200, text.slice(0, 40));
    }
  });
}
