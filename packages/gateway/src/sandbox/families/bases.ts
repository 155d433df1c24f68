/** Base conversion: "Convert 45 to binary." */
import { between, dial, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, tidy } from '../text.ts';

/** Whole numbers between bases 2 and 36; answers in small letters without a prefix. */
export const bases: TaskFamily = {
  name: 'bases',
  skill: 'numbers',
  summary: 'Whole numbers between binary, octal, decimal, hexadecimal and any other base.',
  example: 'Convert 45 to binary',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    // From 16 up: a lone hexadecimal a would read as an article.
    const value = BigInt(between(random, 2 ** dial(hard, 4, 19), 2 ** dial(hard, 5, 21)));
    const other = pick(random, hard < 0.4 ? [2, 16] : [2, 8, 16, 3, 5, 7, 12]);
    const [from, to] = pick(
      random,
      hard < 0.7
        ? [
            [10, other],
            [other, 10],
          ]
        : [
            [10, other],
            [other, 10],
            [16, 2],
            [8, 16],
            [2, 8],
          ],
    ) as [number, number];
    const digits = value.toString(from);
    const prompt = pick(random, [
      `Convert ${digits} from ${nameOf(from)} to ${nameOf(to)}.`,
      `Write the ${nameOf(from)} number ${digits} in ${nameOf(to)}.`,
      `What is ${digits} (${nameOf(from)}) in ${nameOf(to)}?`,
    ]);
    return { family: 'bases', skill: 'numbers', difficulty: hard, prompt, answer: value.toString(to) };
  },
  solve,
};

const NAMES: Readonly<Record<string, number>> = {
  binary: 2,
  octal: 8,
  decimal: 10,
  denary: 10,
  hex: 16,
  hexadecimal: 16,
};
const PREFIXES: Readonly<Record<string, number>> = { '0b': 2, '0o': 8, '0x': 16 };
const BASE = /(?:binary|octal|decimal|denary|hexadecimal|hex|base[ -]?\d{1,2})/.source;
/** Enough for 128 bits in binary, and bounds the work. */
const MAX_DIGITS = 130;

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt).toLowerCase();
  if (text.includes('roman') || /\d{4}-\d{2}/.test(text)) return undefined;
  const targets = [...text.matchAll(new RegExp(`\\b(?:to|into|in|as) (?:its |an? |the )?(${BASE})\\b`, 'g'))];
  const target = targets.at(-1);
  if (target === undefined) return undefined;
  let rest = `${text.slice(0, target.index)} ${text.slice(target.index + target[0].length)}`;
  const source = new RegExp(`\\b${BASE}\\b`).exec(rest)?.[0];
  rest = rest.replace(new RegExp(`\\b${BASE}\\b`, 'g'), ' ');
  const to = baseNamed(target[1]!);
  const number = numberIn(rest, source === undefined ? undefined : baseNamed(source));
  if (to < 2 || to > 36 || number === undefined || number.base === to) return undefined;
  const { value, base } = number;
  const answer = value.toString(to);
  const flipped = answer.length > 1 ? `${answer.slice(0, -2)}${answer.at(-1)}${answer.at(-2)}` : '';
  return {
    answer,
    difficulty: unit(
      bitsOf(value) / 26 + (base === 10 || to === 10 ? 0 : 0.05) + (to % 2 === 1 || base % 2 === 1 ? 0.15 : 0),
    ),
    // Off by one, two digits swapped, lost the first digit, answered in the neighbouring base.
    distractors: distractorsOf(
      answer,
      [(value + 1n).toString(to), flipped, answer.slice(1).replace(/^0+/, ''), value.toString(to === 16 ? 8 : 16)],
      (i) => (value + BigInt(i + 1)).toString(to),
    ),
  };
}

interface BasedNumber {
  readonly value: bigint;
  readonly base: number;
}

/** The one number in the text; a prefix such as `0x` beats the base named elsewhere, and nothing said means decimal. */
function numberIn(text: string, named: number | undefined): BasedNumber | undefined {
  const words = text.match(/[a-z0-9]+/g) ?? [];
  const read = (word: string): BasedNumber | undefined => {
    const prefixed = PREFIXES[word.slice(0, 2)];
    if (prefixed !== undefined && (named === undefined || named === prefixed)) return parse(word.slice(2), prefixed);
    return parse(word, named ?? 10);
  };
  const withDigits = words.filter((word) => /\d/.test(word));
  if (withDigits.length > 1) return undefined;
  if (withDigits[0] !== undefined) return read(withDigits[0]);
  // "the hexadecimal number ff": letters only, so take words that no sentence has, or that "number" points at.
  if (named === undefined || named <= 10) return undefined;
  const pointed = /\bnumber ([a-z]+)\b/.exec(text)?.[1];
  const candidates =
    pointed === undefined ? words.filter((word) => /^[a-f]{1,16}$/.test(word) && word !== 'a') : [pointed];
  return candidates.length === 1 ? parse(candidates[0]!, named) : undefined;
}

function parse(digits: string, base: number): BasedNumber | undefined {
  if (digits.length === 0 || digits.length > MAX_DIGITS || base < 2 || base > 36) return undefined;
  let value = 0n;
  for (const digit of digits) {
    const worth = Number.parseInt(digit, base);
    if (Number.isNaN(worth)) return undefined;
    value = value * BigInt(base) + BigInt(worth);
  }
  return { value, base };
}

function baseNamed(name: string): number {
  return NAMES[name] ?? Number(name.replace(/\D/g, ''));
}

function nameOf(base: number): string {
  return Object.keys(NAMES).find((name) => NAMES[name] === base && name !== 'hex') ?? `base ${base}`;
}

function bitsOf(value: bigint): number {
  return value.toString(2).length;
}
