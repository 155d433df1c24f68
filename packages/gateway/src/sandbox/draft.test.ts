import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Draft, draftAnswers } from './draft.ts';
import { sandboxExperts } from './experts.ts';
import { solveTask } from './families/index.ts';
import { makeTasks } from './tasks.ts';

const draft = (id: string, prompt: string, seed = 0, count = 1): Draft[] =>
  draftAnswers(sandboxExperts.find((expert) => expert.id === id)!, prompt, seed, count);

test('the same prompt, expert, seed and index give the same draft, whatever the number of choices', () => {
  for (const task of makeTasks({ seed: 1, count: 50 })) {
    assert.deepEqual(draft('tiny', task.prompt, 3), draft('tiny', task.prompt, 3));
    assert.deepEqual(draft('tiny', task.prompt, 3, 4)[0], draft('tiny', task.prompt, 3)[0]);
  }
});

test('another seed may give another answer', () => {
  const [task] = makeTasks({ seed: 5, count: 1, difficulty: 0.6 });
  const answers = new Set(Array.from({ length: 40 }, (_, seed) => draft('tiny', task!.prompt, seed)[0]!.answer));
  assert.ok(answers.size > 1);
});

test('every wrong answer is one of the distractors, and beliefs share out to one', () => {
  for (const [i, task] of makeTasks({ seed: 2, count: 200 }).entries()) {
    const { solution } = solveTask(task.prompt)!;
    for (const expert of sandboxExperts) {
      const [only] = draftAnswers(expert, task.prompt, i, 1);
      assert.ok(only!.answer === solution.answer || solution.distractors.includes(only!.answer!));
      const mass = only!.alternatives.reduce((sum, alternative) => sum + alternative.mass, only!.belief);
      assert.ok(Math.abs(mass - 1) < 1e-9);
    }
  }
});

test('the samples of the chorus disagree more where it is less sure', () => {
  const distinct = (difficulty: number): number => {
    const tasks = makeTasks({ seed: 8, count: 150, difficulty });
    return (
      tasks.reduce(
        (sum, task, i) => sum + new Set(draft('chorus', task.prompt, i, 5).map(({ answer }) => answer)).size,
        0,
      ) / 150
    );
  };
  const [easy, hard] = [distinct(0.05), distinct(0.95)];
  assert.ok(hard > easy + 0.4, `${easy} ${hard}`);
});

test('the belief of the chorus follows its votes', () => {
  for (const [i, task] of makeTasks({ seed: 9, count: 50, difficulty: 0.9 }).entries()) {
    const drafts = draft('chorus', task.prompt, i, 5);
    for (const one of drafts) {
      const votes = drafts.filter(({ answer }) => answer === one.answer).length;
      assert.ok(Math.abs(one.belief - (votes + 0.5) / 6) <= 0.021);
    }
  }
});

test('a text that is no task is answered honestly and without belief', () => {
  const [only] = draft('sage', 'Write me a poem about the sea.');
  assert.equal(only!.answer, undefined);
  assert.match(
    only!.lead,
    /simulated expert .* can only solve .*Try "What is 17 \* 23 \+ 4\?" or "Sort: pear, apple, fig"/,
  );
  assert.ok(only!.belief <= 0.3);
});
