/** What a family of verifiable tasks is. One file per family in `families/`, listed in `families/index.ts`. */
import type { Random } from '@gatewright/kernel';

/** What a task asks of an expert. The sandbox's experts declare one quality for each. */
export type Skill = 'numbers' | 'text' | 'logic';

/** Every skill, in the order of reports. */
export const SKILLS: readonly Skill[] = ['numbers', 'text', 'logic'];

/** A task whose right answer is known. */
export interface Task {
  /** Name of the family that made it. */
  readonly family: string;
  readonly skill: Skill;
  /** Where the generator's dial stood, 0 (easiest) to 1. */
  readonly difficulty: number;
  /** The text as a person would type it. */
  readonly prompt: string;
  readonly answer: string;
}

/** What a solver made of a text. */
export interface Solution {
  readonly answer: string;
  /** Measured from the parsed text, not from the generator's dial: 0 (easiest) to 1. */
  readonly difficulty: number;
  /** Answers that a hasty solver would give, likeliest first. At least two, distinct, none of them right. */
  readonly distractors: readonly string[];
}

/** A family of tasks: makes them with known answers and solves them from their text alone. */
export interface TaskFamily {
  readonly name: string;
  readonly skill: Skill;
  /** One line for people. */
  readonly summary: string;
  /** A text that `solve` solves, as a newcomer would type it. */
  readonly example: string;
  /**
   * Draws a task. Pure: the same stream gives the same task.
   * @param difficulty 0..1; values outside are brought inside
   */
  generate(random: Random, difficulty: number): Task;
  /** Solves a text, or returns undefined when it is not of this family. Never throws; bounded work on any text. */
  solve(prompt: string): Solution | undefined;
}
