/** Scores with named terms: what a decision is made of, kept so that a trace can show it. */
import { ShapeError } from './errors.ts';

/**
 * A score per expert as a sum of named terms. A term is signed: what speaks for the expert is positive, what speaks
 * against it (cost, latency, price) negative. Owned by whoever built it; read-only afterwards.
 */
export interface ScoreTable {
  /** Names of the terms, in the order of their columns. */
  readonly terms: readonly string[];
  /** `[experts, terms]`, row-major, score units. */
  readonly values: Float64Array;
  /** `[experts]`, the sum of each row; `-Infinity` for a forbidden expert. */
  readonly total: Float64Array;
}

/**
 * Builds a table by asking for each term of each expert.
 *
 * @param experts how many experts
 * @param terms term name -> its value for the expert with that index, score units
 * @throws {ShapeError} if a value is NaN
 */
export function scoreTable(experts: number, terms: Readonly<Record<string, (expert: number) => number>>): ScoreTable {
  const names = Object.keys(terms);
  const values = new Float64Array(experts * names.length);
  const total = new Float64Array(experts);
  names.forEach((name, term) => {
    const compute = terms[name]!;
    for (let expert = 0; expert < experts; expert++) {
      const value = compute(expert);
      if (Number.isNaN(value))
        throw new ShapeError(
          `score term ${name} of expert ${expert}`,
          'a number',
          value,
          'Check the candidate it came from.',
        );
      // + 0 turns -0 into 0: JSON has no -0, and terms must come back from a trace as they went in.
      values[expert * names.length + term] = value + 0;
      total[expert]! += value;
    }
  });
  return { terms: names, values, total };
}

/** The terms of one expert by name, for traces and people. */
export function termsOf(table: ScoreTable, expert: number): Record<string, number> {
  const terms: Record<string, number> = {};
  table.terms.forEach((name, term) => {
    terms[name] = table.values[expert * table.terms.length + term]!;
  });
  return terms;
}
