/** Percentages and ratios: "A coat costs $80 and is discounted by 15%. What is the final price?" */
import { between, dial, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { add, divide, type Fraction, formatFraction, fraction, multiply, parseDecimal, subtract } from '../fraction.ts';
import { distractorsOf, tidy } from '../text.ts';

/** Shares of a number, chains of rises and discounts, and splits in a ratio. Rounded to 4 decimals. */
export const percentages: TaskFamily = {
  name: 'percentages',
  skill: 'numbers',
  summary: 'Percentages, rises and discounts one after another, splits in a ratio.',
  example: 'A coat costs $80 and is discounted by 15%. What is the final price?',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const shape =
      hard < 0.3 ? 'share' : hard < 0.5 ? pick(random, ['ratio', 'share']) : pick(random, ['ratio', 'chain', 'chain']);
    const { prompt, value } =
      shape === 'share'
        ? drawShare(
            between(random, 1, dial(hard, 10, 40)) * (hard < 0.15 ? 10 : 1),
            between(random, 1, dial(hard, 20, 90)) * 10,
          )
        : shape === 'ratio'
          ? drawRatio(
              Array.from({ length: dial(hard, 1, 4) + 1 }, () => between(random, 1, 9)),
              between(random, 2, dial(hard, 10, 60)),
              pick(random, ['largest', 'smallest']),
            )
          : drawChain(
              between(random, 2, 40) * 10,
              Array.from({ length: dial(hard, 0, 4) }, () => between(random, 1, 8) * 5 * pick(random, [1, -1])),
              pick(random, ['coat', 'lamp', 'bicycle', 'ticket']),
            );
    return {
      family: 'percentages',
      skill: 'numbers',
      difficulty: hard,
      prompt,
      answer: formatFraction(value, DECIMALS),
    };
  },
  solve,
};

const DECIMALS = 4;
const HUNDRED = fraction(100);
const NUMBER = /(?:\d{1,30}(?:,\d{3}){0,6}(?:\.\d{1,12})?|\.\d{1,12})/.source;
const PERCENT = /(?: ?%| percent\b| per cent\b)/.source;

interface Drawn {
  readonly prompt: string;
  readonly value: Fraction;
}

function drawShare(percent: number, whole: number): Drawn {
  return { prompt: `What is ${percent}% of ${whole}?`, value: fraction(percent * whole, 100) };
}

function drawRatio(parts: readonly number[], size: number, which: string): Drawn {
  const total = parts.reduce((sum, part) => sum + part, 0) * size;
  const part = which === 'largest' ? Math.max(...parts) : Math.min(...parts);
  return {
    prompt: `Split ${total} in the ratio ${parts.join(':')}. What is the ${which} share?`,
    value: fraction(part * size),
  };
}

function drawChain(price: number, steps: readonly number[], thing: string): Drawn {
  const clauses = steps.map(
    (step, i) => `${i === 0 ? 'is' : 'then'} ${step < 0 ? 'discounted' : 'raised'} by ${Math.abs(step)}%`,
  );
  const value = steps.reduce((sum, step) => multiply(sum, fraction(100 + step, 100)), fraction(price));
  return { prompt: `A ${thing} costs $${price} and ${clauses.join(', ')}. What is the final price?`, value };
}

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt);
  return solveRatio(text) ?? solveShare(text) ?? solveWhatPercent(text) ?? solveChain(text);
}

function solveRatio(text: string): Solution | undefined {
  const ratio = /\bratio(?: of)? (\d{1,6}(?: ?: ?\d{1,6}){1,9})/i.exec(text);
  const total = new RegExp(`(${NUMBER})`).exec(text.replace(ratio?.[0] ?? '', ' '));
  const which = /\b(largest|bigger|biggest|larger|greatest|smallest|smaller|least)\b/i.exec(text)?.[1]?.toLowerCase();
  const whole = total && parseDecimal(total[1]!);
  if (ratio === null || which === undefined || !whole) return undefined;
  const parts = ratio[1]!.split(':').map((part) => Number(part));
  const sum = parts.reduce((before, part) => before + part, 0);
  if (sum === 0) return undefined;
  const share = (part: number): Fraction => multiply(whole, fraction(part, sum));
  const sorted = [...parts].sort((a, b) => (/^(?:sm|le)/.test(which) ? a - b : b - a));
  return finish(
    share(sorted[0]!),
    // Took the wrong part, forgot to divide by all parts, split evenly.
    [
      share(sorted[1]!),
      share(sorted.at(-1)!),
      multiply(whole, fraction(sorted[0]!, sum + 1)),
      multiply(whole, fraction(1, parts.length)),
    ],
    0.2 + parts.length * 0.15,
  );
}

function solveShare(text: string): Solution | undefined {
  const match = new RegExp(`(${NUMBER})${PERCENT} of \\$?(${NUMBER})`, 'i').exec(text);
  const percent = match && parseDecimal(match[1]!);
  const whole = match && parseDecimal(match[2]!);
  if (!percent || !whole || countPercents(text) !== 1 || DOWN.test(text) || UP.test(text)) return undefined;
  const value = divide(multiply(percent, whole), HUNDRED)!;
  const digits = match[1]!.length + match[2]!.length;
  return finish(
    value,
    [multiply(value, fraction(10)), subtract(whole, value), multiply(value, fraction(1, 10))],
    digits * 0.06 - 0.1,
  );
}

function solveWhatPercent(text: string): Solution | undefined {
  const first = new RegExp(`what percent(?:age)? of \\$?(${NUMBER}) is \\$?(${NUMBER})`, 'i').exec(text);
  const second = new RegExp(`(${NUMBER}) is what percent(?:age)? of \\$?(${NUMBER})`, 'i').exec(text);
  const part = parseDecimal(first?.[2] ?? second?.[1] ?? '');
  const whole = parseDecimal(first?.[1] ?? second?.[2] ?? '');
  const value = part && whole && divide(multiply(part, HUNDRED), whole);
  if (!value) return undefined;
  return finish(
    value,
    [divide(multiply(whole, HUNDRED), part) ?? HUNDRED, subtract(HUNDRED, value), multiply(value, fraction(1, 10))],
    0.35,
  );
}

const DOWN = /\b(?:discount|reduc|decreas|drop|fall|cut|lower|less|off\b|loses?\b|fell\b)/i;
const UP = /\b(?:increas|rais|rise|rose|grow|grew|tax|tip|markup|gain|more|adds?\b|added|up by)/i;

/** A starting number and one percentage per clause, each up or down. */
function solveChain(text: string): Solution | undefined {
  const steps: Fraction[] = [];
  const plain = text.replace(new RegExp(`(${NUMBER})${PERCENT}`, 'gi'), '');
  const starts = plain.match(new RegExp(NUMBER, 'g')) ?? [];
  const start = starts.length === 1 ? parseDecimal(starts[0]!) : undefined;
  if (start === undefined || countPercents(text) > 12) return undefined;
  for (const clause of text.split(/[,;] |\. |\bthen\b|\band\b/i)) {
    const percents = [...clause.matchAll(new RegExp(`(${NUMBER})${PERCENT}`, 'gi'))];
    if (percents.length === 0) continue;
    const percent = parseDecimal(percents[0]![1]!);
    if (percents.length > 1 || percent === undefined || DOWN.test(clause) === UP.test(clause)) return undefined;
    steps.push(DOWN.test(clause) ? subtract(fraction(0), percent) : percent);
  }
  if (steps.length === 0) return undefined;
  const grown = (by: readonly Fraction[]): Fraction =>
    by.reduce((sum, step) => divide(multiply(sum, add(HUNDRED, step)), HUNDRED)!, start);
  const summed = steps.reduce((sum, step) => add(sum, step));
  return finish(
    grown(steps),
    // Added the percentages up, forgot the last step, took the wrong direction.
    [grown([summed]), grown(steps.slice(0, -1)), grown(steps.map((step) => subtract(fraction(0), step)))],
    0.15 + steps.length * 0.2,
  );
}

function countPercents(text: string): number {
  return text.match(new RegExp(`${NUMBER}${PERCENT}`, 'gi'))?.length ?? 0;
}

function finish(value: Fraction, wrong: readonly Fraction[], difficulty: number): Solution {
  const answer = formatFraction(value, DECIMALS);
  const candidates = wrong.map((other) => formatFraction(other, DECIMALS));
  const spare = (i: number): string => formatFraction(add(value, fraction(i)), DECIMALS);
  return { answer, difficulty: unit(difficulty), distractors: distractorsOf(answer, candidates, spare) };
}
