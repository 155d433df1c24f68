import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeAnswer } from './answer.ts';
import { draftAnswers } from './draft.ts';
import { type ExpertProfile, errorProbability, sandboxExperts } from './experts.ts';
import { SKILLS, type Skill } from './family.ts';
import { gradeAnswer, makeTasks } from './tasks.ts';

const TASKS = makeTasks({ seed: 2024, count: 600 });
const PLAIN = { isJson: false, maxTokens: 1000, stops: [], topLogprobs: 0 };

interface Row {
  readonly skill: Skill;
  readonly isRight: boolean;
  readonly belief: number;
  readonly meanProbability: number;
}

/** Draws for each task: with one alone, chance would move a skill's share by 0.03 (standard error of 200 tasks). */
const DRAWS = 2;

/** What an expert does on the mixed stream. */
function rowsOf(expert: ExpertProfile): Row[] {
  return Array.from({ length: TASKS.length * DRAWS }, (_, seed) => {
    const task = TASKS[seed % TASKS.length]!;
    const [draft] = draftAnswers(expert, task.prompt, seed, 1);
    const { tokens, text } = writeAnswer(draft!, PLAIN);
    const meanProbability = tokens.reduce((sum, token) => sum + Math.exp(token.logprob), 0) / tokens.length;
    return { skill: task.skill, isRight: gradeAnswer(task, text), belief: draft!.belief, meanProbability };
  });
}

/** Probability that a right answer scores above a wrong one; ties count half. */
function auroc(rows: readonly Row[]): number {
  const right = rows.filter((row) => row.isRight);
  const wrong = rows.filter((row) => !row.isRight);
  let wins = 0;
  for (const a of right) {
    for (const b of wrong)
      wins += a.meanProbability > b.meanProbability ? 1 : a.meanProbability === b.meanProbability ? 0.5 : 0;
  }
  return wins / (right.length * wrong.length);
}

function share(rows: readonly Row[]): number {
  return rows.filter((row) => row.isRight).length / rows.length;
}

for (const expert of sandboxExperts) {
  const rows = rowsOf(expert);

  test(`${expert.id} is as good as it declares, on the mix and at every skill`, () => {
    assert.ok(Math.abs(share(rows) - expert.quality.default) < 0.05, `mix: ${share(rows)}`);
    for (const skill of SKILLS) {
      const measured = share(rows.filter((row) => row.skill === skill));
      assert.ok(Math.abs(measured - expert.quality[skill]) < 0.05, `${skill}: ${measured}`);
    }
  });

  test(`${expert.id} knows something, but not everything, of when it is wrong`, () => {
    const value = auroc(rows);
    assert.ok(value > 0.65 && value < 0.97, `${value}`);
    assert.ok(
      rows.some((row) => !row.isRight && row.belief > 0.7),
      'wrong and sure of it',
    );
    assert.ok(
      rows.some((row) => row.isRight && row.belief < 0.7),
      'right and unsure of it',
    );
  });

  test(`${expert.id} says that it is simulated and has sensible numbers`, () => {
    assert.match(expert.summary, /simulated/i);
    for (const skill of SKILLS) {
      const curve = [0, 0.25, 0.5, 0.75, 1].map((difficulty) => errorProbability(expert, skill, difficulty));
      assert.ok(
        curve.every((chance, i) => chance > 0 && chance < 1 && (i === 0 || chance > curve[i - 1]!)),
        `${skill} ${curve}`,
      );
    }
  });
}

test('experts have names of their own and stand cheapest first', () => {
  assert.equal(new Set(sandboxExperts.map((expert) => expert.id)).size, sandboxExperts.length);
  const prices = sandboxExperts.map((expert) => expert.price.outputUsdPerMTok);
  assert.deepEqual(
    prices,
    [...prices].sort((a, b) => a - b),
  );
});
