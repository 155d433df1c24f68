/** One way to write a family's table of cases; for tests only. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskFamily } from '../family.ts';

/**
 * Registers a test for each text: those with an answer are solved so, the others are none of the family's business.
 * Every right answer must come with two distractors or more.
 */
export function testCases(
  family: TaskFamily,
  solved: Readonly<Record<string, string>>,
  foreign: readonly string[],
): void {
  for (const [prompt, answer] of Object.entries(solved)) {
    test(`${family.name}: ${JSON.stringify(prompt)} is ${answer}`, () => {
      const solution = family.solve(prompt);
      assert.equal(solution?.answer, answer);
      assert.ok(new Set(solution.distractors).size >= 2 && !solution.distractors.includes(answer));
    });
  }
  for (const prompt of foreign) {
    test(`${family.name}: ${JSON.stringify(prompt.slice(0, 60))} is not of this family`, () => {
      assert.equal(family.solve(prompt), undefined);
    });
  }
}
