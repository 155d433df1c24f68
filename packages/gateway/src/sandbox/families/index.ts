/** All families of tasks. The order matters: a text belongs to the first family that solves it, specific ones first. */
import type { Solution, TaskFamily } from '../family.ts';
import { arithmetic } from './arithmetic.ts';
import { bases } from './bases.ts';
import { boolean } from './boolean.ts';
import { cipher } from './cipher.ts';
import { comparison } from './comparison.ts';
import { dates } from './dates.ts';
import { knights } from './knights.ts';
import { letters } from './letters.ts';
import { percentages } from './percentages.ts';
import { roman } from './roman.ts';
import { sequences } from './sequences.ts';
import { sorting } from './sorting.ts';
import { units } from './units.ts';

/** One line per family; delete a line and its import, and the family is gone. */
export const families: readonly TaskFamily[] = [
  knights,
  comparison,
  cipher,
  roman,
  bases,
  dates,
  units,
  percentages,
  sequences,
  sorting,
  letters,
  boolean,
  arithmetic,
];

/** A solution and the family that found it. */
export interface SolvedTask {
  readonly family: TaskFamily;
  readonly solution: Solution;
}

/** Solves a text with the first family that can; undefined when none can. Never throws. */
export function solveTask(prompt: string): SolvedTask | undefined {
  for (const family of families) {
    const solution = family.solve(prompt);
    if (solution !== undefined) return { family, solution };
  }
  return undefined;
}
