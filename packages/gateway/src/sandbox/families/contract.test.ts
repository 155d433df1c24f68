/** What every family promises, run over all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@gatewright/kernel';
import type { Solution, Task } from '../family.ts';
import { gradeAnswer } from '../tasks.ts';
import { families, solveTask } from './index.ts';

const SEEDS = 200;
const DIFFICULTIES = [0.1, 0.5, 0.9];
/** Generous, since machines are busy: what it catches is work that grows with the square of the text or worse. */
const HOSTILE_LIMIT_MS = 2000;

for (const family of families) {
  const tasks: readonly Task[] = DIFFICULTIES.flatMap((difficulty) =>
    Array.from({ length: SEEDS }, (_, seed) => family.generate(seededRandom(seed), difficulty)),
  );
  const solutions: readonly (Solution | undefined)[] = tasks.map((task) => family.solve(task.prompt));

  test(`${family.name}: the same seed makes the same task`, () => {
    for (const [i, task] of tasks.entries()) {
      assert.deepEqual(family.generate(seededRandom(i % SEEDS), task.difficulty), task);
      assert.equal(task.family, family.name);
      assert.equal(task.skill, family.skill);
    }
    assert.ok(new Set(tasks.map(({ prompt }) => prompt)).size > SEEDS, 'tasks differ');
  });

  test(`${family.name}: solves every task it makes, with wrong answers that grade as wrong`, () => {
    for (const [i, task] of tasks.entries()) {
      const solution = solutions[i];
      assert.equal(solution?.answer, task.answer, task.prompt);
      assert.ok(solution.difficulty >= 0 && solution.difficulty <= 1, task.prompt);
      assert.ok(solution.distractors.length >= 2, task.prompt);
      assert.ok(gradeAnswer(task, `Answer: ${task.answer}`), task.prompt);
      for (const wrong of solution.distractors)
        assert.ok(!gradeAnswer(task, `Answer: ${wrong}`), `${task.prompt} ${wrong}`);
    }
  });

  test(`${family.name}: its tasks are solved rightly by the first family that solves them, differently by none`, () => {
    for (const task of tasks) {
      assert.equal(solveTask(task.prompt)?.solution.answer, task.answer, task.prompt);
      for (const other of families) {
        const answer = other === family ? task.answer : other.solve(task.prompt)?.answer;
        assert.ok(answer === undefined || answer === task.answer, `${other.name} says ${answer}: ${task.prompt}`);
      }
    }
  });

  test(`${family.name}: the dial is felt in the measured difficulty`, () => {
    const [low, middle, high] = DIFFICULTIES.map((_, d) => {
      const measured = solutions.slice(d * SEEDS, (d + 1) * SEEDS);
      return measured.reduce((sum, solution) => sum + solution!.difficulty, 0) / SEEDS;
    });
    assert.ok(low! < middle! && middle! < high! && high! - low! > 0.3, `${low} ${middle} ${high}`);
  });

  test(`${family.name}: a dial out of range is brought inside`, () => {
    for (const [wild, tame] of [
      [-1, 0],
      [2, 1],
      [Number.NaN, 0],
    ] as const) {
      assert.deepEqual(family.generate(seededRandom(1), wild), family.generate(seededRandom(1), tame));
    }
  });

  test(`${family.name}: its example is solved by it first`, () => {
    assert.equal(solveTask(family.example)?.family.name, family.name);
  });

  test(`${family.name}: garbage neither throws nor takes long`, () => {
    const random = seededRandom(7);
    const words =
      'convert 12 ( ) * - true and XIV % " \' : , of km to sort next base 0x says a 2024-13-45 shift letter ? 2:3 reverse';
    const pieces = [...words.split(' '), ' ', '\n', '\u{1f600}', '\ud800', '9'.repeat(50)];
    for (let i = 0; i < 300; i++) {
      const text = Array.from({ length: random.below(40) }, () => pieces[random.below(pieces.length)]).join(
        i % 2 ? ' ' : '',
      );
      const solution = family.solve(text);
      if (solution === undefined) continue;
      assert.ok(solution.distractors.length >= 2 && !solution.distractors.includes(solution.answer), text);
    }
    const repeated = ['1 ', '(', '-', 'not ', '2^', 'a', '1,', 'a, ', '"', 'base 2 ', '2:', '5% '].map((piece) =>
      piece.repeat(4000),
    );
    const startedAtMs = performance.now();
    for (const piece of repeated) {
      for (const start of ['', 'sort ', 'next ', 'what is ', 'how many letters in '])
        family.solve((start + piece).slice(0, 4000));
      family.solve(piece.repeat(25));
    }
    assert.ok(performance.now() - startedAtMs < HOSTILE_LIMIT_MS);
  });
}
