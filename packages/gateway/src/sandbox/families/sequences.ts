/** Number sequences: "What comes next: 2, 4, 8, 16, ?" */
import type { Random } from '@gatewright/kernel';
import { between, dial, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, tidy } from '../text.ts';

/** The next number of a sequence, by the simplest of a few rules that explains all its terms. */
export const sequences: TaskFamily = {
  name: 'sequences',
  skill: 'logic',
  summary: 'The next number of a sequence.',
  example: 'What comes next: 2, 4, 8, 16, ?',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    let terms = drawTerms(random, hard);
    // A drawn sequence may happen to follow a simpler rule too; then it has two right answers and is drawn again.
    for (let i = 0; i < 20 && ruleOf(terms.slice(0, -1))?.next !== terms.at(-1); i++) terms = drawTerms(random, hard);
    const shown = terms.slice(0, -1).join(', ');
    const prompt = pick(random, [
      `What is the next number in the sequence ${shown}, ...?`,
      `What comes next: ${shown}, ?`,
      `Continue the sequence with one number: ${shown}`,
    ]);
    const answer = `${ruleOf(terms.slice(0, -1))?.next ?? terms.at(-1)}`;
    return { family: 'sequences', skill: 'logic', difficulty: hard, prompt, answer };
  },
  solve,
};

const MAX_TERMS = 40;

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt);
  if (!/\b(?:next|sequence|series|continue|pattern|progression)\b/i.test(text) || /\d{4}-\d{2}|%|\bsort/i.test(text))
    return undefined;
  const list = /-?\d{1,30}(?:(?:, ?(?:and )?| )-?\d{1,30}){2,60}/.exec(text)?.[0];
  const terms = list?.match(/-?\d+/g)?.map((term) => BigInt(term));
  if (terms === undefined || terms.length > MAX_TERMS) return undefined;
  const rule = ruleOf(terms);
  if (rule === undefined) return undefined;
  const { next } = rule;
  const [last, before] = [terms.at(-1)!, terms.at(-2)!];
  const answer = `${next}`;
  return {
    answer,
    difficulty: unit(rule.difficulty + Math.min(0.2, answer.length * 0.025)),
    // Repeated the last step, took the first step, off by one.
    distractors: distractorsOf(
      answer,
      [last + last - before, last + terms[1]! - terms[0]!, next + 1n, next - 1n, next + 10n].map(String),
      (i) => `${next + BigInt(i + 1)}`,
    ),
  };
}

interface Rule {
  readonly next: bigint;
  readonly difficulty: number;
}

/** The simplest rule that explains every term, simplest first. */
function ruleOf(terms: readonly bigint[]): Rule | undefined {
  const rules: readonly (readonly [difficulty: number, next: bigint | undefined])[] = [
    [0.05, byDifferences(terms, 1)],
    [0.2, geometric(terms)],
    [0.4, fibonacci(terms)],
    [0.5, terms.length >= 4 ? byDifferences(terms, 2) : undefined],
    [0.65, affine(terms)],
    [0.7, interleaved(terms)],
    [0.8, terms.length >= 5 ? byDifferences(terms, 3) : undefined],
  ];
  const found = rules.find(([, next]) => next !== undefined);
  return found?.[1] === undefined ? undefined : { difficulty: found[0], next: found[1] };
}

/** Differences of the given order are all the same: order 1 is an arithmetic sequence, 2 a quadratic one. */
function byDifferences(terms: readonly bigint[], order: number): bigint | undefined {
  let row = terms;
  let next = 0n;
  for (let i = 0; i < order; i++) {
    next += row.at(-1)!;
    row = row.slice(1).map((term, j) => term - row[j]!);
  }
  return row.length >= 2 && row.every((term) => term === row[0]) ? next + row[0]! : undefined;
}

function geometric(terms: readonly bigint[]): bigint | undefined {
  const [first, second] = [terms[0]!, terms[1]!];
  if (first === 0n || terms.some((term, i) => i > 0 && term * first !== terms[i - 1]! * second)) return undefined;
  const next = terms.at(-1)! * second;
  return next % first === 0n ? next / first : undefined;
}

/** Each term is the sum of the two before it. */
function fibonacci(terms: readonly bigint[]): bigint | undefined {
  const isSum = terms.length >= 4 && terms.every((term, i) => i < 2 || term === terms[i - 1]! + terms[i - 2]!);
  return isSum ? terms.at(-1)! + terms.at(-2)! : undefined;
}

/** Each term is `factor` times the one before it plus a constant. */
function affine(terms: readonly bigint[]): bigint | undefined {
  const steps = terms.slice(1).map((term, i) => term - terms[i]!);
  if (terms.length < 4 || steps[0] === 0n || steps[1]! % steps[0]! !== 0n) return undefined;
  const factor = steps[1]! / steps[0]!;
  const isAffine = steps.every((step, i) => i === 0 || step === steps[i - 1]! * factor);
  return isAffine ? terms.at(-1)! + steps.at(-1)! * factor : undefined;
}

/** Two arithmetic sequences that take turns. */
function interleaved(terms: readonly bigint[]): bigint | undefined {
  if (terms.length < 6) return undefined;
  const [even, odd] = [terms.filter((_, i) => i % 2 === 0), terms.filter((_, i) => i % 2 === 1)];
  const isBoth = byDifferences(even, 1) !== undefined && byDifferences(odd, 1) !== undefined;
  return isBoth ? byDifferences(terms.length % 2 === 0 ? even : odd, 1) : undefined;
}

/** Seven or eight terms, the last of them the answer; the rule follows the dial. */
function drawTerms(random: Random, hard: number): bigint[] {
  const size = dial(hard, 4, 9);
  const start = between(random, 1, dial(hard, 9, 40));
  const step = between(random, 2, dial(hard, 6, 15)) * (hard > 0.5 && random.below(3) === 0 ? -1 : 1);
  const kinds = ['arithmetic', 'geometric', 'fibonacci', 'quadratic', 'affine', 'interleaved', 'cubic'];
  const kind = kinds[Math.min(kinds.length - 1, Math.floor(hard * 6) + random.below(2))];
  const second = between(random, 1, 9);
  const terms: number[] = [];
  for (let i = 0; i < Math.max(size, kind === 'interleaved' ? 8 : kind === 'cubic' ? 7 : 5); i++) {
    const [last, before] = [terms[i - 1] ?? start, terms[i - 2] ?? start];
    if (kind === 'arithmetic') terms.push(start + step * i);
    else if (kind === 'geometric') terms.push(start * (2 + (second % 3)) ** i);
    else if (kind === 'fibonacci') terms.push(i === 0 ? start : i === 1 ? start + second : last + before);
    else if (kind === 'quadratic') terms.push(start + step * i + second * i * i);
    else if (kind === 'affine') terms.push(i === 0 ? start : last * (2 + (second % 2)) + step);
    else if (kind === 'interleaved')
      terms.push(i % 2 === 0 ? start + (step * i) / 2 : second * 3 + (second * (i - 1)) / 2);
    else terms.push(start + step * i + (1 + (second % 3)) * i ** 3);
  }
  return terms.map((term) => BigInt(term));
}
