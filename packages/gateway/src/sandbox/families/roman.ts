/** Roman numerals, both ways: "1994 in roman numerals", "What number is MCMXCIV?" */
import { between, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, tidy } from '../text.ts';

/** Numbers from 1 to 3999 to Roman numerals and back. */
export const roman: TaskFamily = {
  name: 'roman',
  skill: 'text',
  summary: 'Roman numerals, to and from, 1 to 3999.',
  example: '1994 in roman numerals',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    // Each step of the dial multiplies: numerals grow with the logarithm of the number.
    const largest = Math.min(3999, Math.round(12 * 340 ** hard));
    const value = between(random, Math.ceil(largest / 3), largest);
    const numeral = toRoman(value);
    const [prompt, answer] = pick(random, [
      [`Write ${value} in Roman numerals.`, numeral],
      [`Convert ${value} to a Roman numeral.`, numeral],
      [`What number is the Roman numeral ${numeral}?`, `${value}`],
      [`Convert the Roman numeral ${numeral} to a number.`, `${value}`],
    ]) as [string, string];
    return { family: 'roman', skill: 'text', difficulty: hard, prompt, answer };
  },
  solve,
};

const VALUES: readonly (readonly [string, number])[] = [
  ['M', 1000],
  ['CM', 900],
  ['D', 500],
  ['CD', 400],
  ['C', 100],
  ['XC', 90],
  ['L', 50],
  ['XL', 40],
  ['X', 10],
  ['IX', 9],
  ['V', 5],
  ['IV', 4],
  ['I', 1],
];

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt);
  if (/\b(?:binary|octal|hex|hexadecimal|base|caesar)\b/i.test(text)) return undefined;
  const saysRoman = /\broman\b/i.test(text);
  const numbers = text.match(/\d+/g) ?? [];
  if (numbers.length === 1 && saysRoman) return toNumeral(Number(numbers[0]));
  if (numbers.length > 0) return undefined;
  const asksNumber =
    saysRoman ||
    /\bwhat(?:'s| is) [IVXLCDM]{3,15}\b/.test(text) ||
    /\bwhat number\b|\b(?:to|in|into|as) (?:an? )?(?:arabic|decimal|number|digits?|integer)/i.test(text);
  if (!asksNumber) return undefined;
  // Small letters count only beside the word "Roman", as does a single letter, which may be a pronoun.
  const words = (text.match(saysRoman ? /\b[ivxlcdm]+\b/gi : /\b[IVXLCDM]+\b/g) ?? []).filter(
    (word) => fromRoman(word.toUpperCase()) !== undefined,
  );
  const candidates = words.length > 1 || !saysRoman ? words.filter((word) => word.length > 1) : words;
  return candidates.length === 1 ? toNumber(candidates[0]!.toUpperCase()) : undefined;
}

function toNumeral(value: number): Solution | undefined {
  if (!(value >= 1 && value <= 3999)) return undefined;
  const answer = toRoman(value);
  // Never subtracted; off by one; dropped a letter.
  const candidates = [additive(value), toRoman(value + 1), answer.slice(0, -1), toRoman(Math.max(1, value - 1))];
  return {
    answer,
    difficulty: measure(answer),
    distractors: distractorsOf(answer, candidates, (i) => toRoman(value + i)),
  };
}

function toNumber(numeral: string): Solution | undefined {
  const value = fromRoman(numeral);
  if (value === undefined) return undefined;
  const summed = [...numeral].reduce((sum, letter) => sum + worth(letter), 0);
  const candidates = [summed, value + 1, value - 10, value + 10].filter((other) => other > 0).map(String);
  return {
    answer: `${value}`,
    difficulty: measure(numeral),
    distractors: distractorsOf(`${value}`, candidates, (i) => `${value + i}`),
  };
}

function toRoman(value: number): string {
  let rest = value;
  let numeral = '';
  for (const [letters, amount] of VALUES) {
    while (rest >= amount) {
      numeral += letters;
      rest -= amount;
    }
  }
  return numeral;
}

/** The numeral that never puts a smaller letter first: 4 is IIII. */
function additive(value: number): string {
  let rest = value;
  let numeral = '';
  for (const [letter, amount] of VALUES.filter(([letters]) => letters.length === 1)) {
    numeral += letter.repeat(Math.floor(rest / amount));
    rest %= amount;
  }
  return numeral;
}

/** The value of a well-formed numeral; undefined for any other text. */
function fromRoman(numeral: string): number | undefined {
  if (numeral.length === 0 || numeral.length > 15) return undefined;
  let value = 0;
  for (let i = 0; i < numeral.length; i++) {
    const here = worth(numeral[i]!);
    value += here < worth(numeral[i + 1] ?? '') ? -here : here;
  }
  return value >= 1 && value <= 3999 && toRoman(value) === numeral ? value : undefined;
}

function worth(letter: string): number {
  return VALUES.find(([letters]) => letters === letter)?.[1] ?? 0;
}

/** Long numerals and subtractions make it hard. */
function measure(numeral: string): number {
  const subtractions = numeral.match(/C[MD]|X[CL]|I[XV]/g)?.length ?? 0;
  return unit((numeral.length - 1) / 12 + subtractions * 0.12);
}
