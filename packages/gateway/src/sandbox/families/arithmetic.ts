/** Arithmetic with several operators and parentheses: "What is 17 * (23 + 4) - 6?" */
import type { Random } from '@gatewright/kernel';
import { between, dial, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { add, divide, type Fraction, formatFraction, fraction, multiply, parseDecimal, subtract } from '../fraction.ts';
import { distractorsOf, tidy } from '../text.ts';

/** Sums over `+ - * / ^` and parentheses, read with the usual precedence and computed exactly. */
export const arithmetic: TaskFamily = {
  name: 'arithmetic',
  skill: 'numbers',
  summary: 'Sums with several operators and parentheses.',
  example: 'What is 17 * 23 + 4?',
  generate(random, difficulty) {
    const operators = dial(difficulty, 1, 6);
    const tree = drawTree(random, operators, dial(difficulty, 9, 60));
    const text = render(tree, 0);
    const prompt = pick(random, [`What is ${text}?`, `Calculate ${text}.`, `Please work out ${text}`, `${text} = ?`]);
    return { family: 'arithmetic', skill: 'numbers', difficulty: unit(difficulty), prompt, answer: `${totalOf(tree)}` };
  },
  solve,
};

/** Decimals of an answer that is not whole. */
const DECIMALS = 6;
/** Longest expression, in tokens, and largest number, in bits: bounds the work on hostile input. */
const MAX_TOKENS = 200;
const MAX_BITS = 1500n;

function solve(prompt: string): Solution | undefined {
  const tokens = expressionOf(tidy(prompt));
  if (tokens === undefined) return undefined;
  const value = evaluate(tokens, PRECEDENCE);
  if (value === undefined) return undefined;
  const answer = formatFraction(value, DECIMALS);
  const show = (other: Fraction | undefined): string => (other === undefined ? '' : formatFraction(other, DECIMALS));
  const flat = tokens.filter((token) => token !== '(' && token !== ')');
  const nudged = (by: number): string => show(add(value, fraction(by)));
  return {
    answer,
    difficulty: measure(tokens),
    // Forgot precedence, forgot the parentheses, lost a carry, off by one.
    distractors: distractorsOf(
      answer,
      [
        show(evaluate(tokens, NO_PRECEDENCE)),
        show(evaluate(flat, PRECEDENCE)),
        nudged(answer.length > 1 ? -10 : 2),
        nudged(1),
        nudged(-1),
      ],
      (i) => nudged(100 * i),
    ),
  };
}

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bplus\b/gi, '+'],
  [/\bminus\b/gi, '-'],
  [/\b(?:multiplied by|times)\b/gi, '*'],
  [/\bdivided by\b/gi, '/'],
  [/\b(?:to the power of)\b/gi, '^'],
  [/ squared\b/gi, '^2'],
  [/ cubed\b/gi, '^3'],
  [/\*\*/g, '^'],
  // A letter x counts as "times" between numbers only.
  [/(?<=[\d)]) ?[xX] ?(?=[\d(])/g, '*'],
  [/(?<=\d),(?=\d{3}(?!\d))/g, ''],
];

/** Words that only ask for a result. */
const ASKING = new Set(
  "what what's whats is how much calculate compute evaluate solve work out please the result value of equals equal can could you tell me hi hello thanks thank".split(
    ' ',
  ),
);

/** Whether the text says nothing besides asking for a result. */
function onlyAsks(text: string): boolean {
  return (text.toLowerCase().match(/[a-z']+/g) ?? []).every((word) => ASKING.has(word));
}

/** The one expression that a text holds, in tokens; undefined when there is none, or two. */
function expressionOf(text: string): string[] | undefined {
  // Percentages, dates and other bases have families of their own and would be misread here.
  if (/%|\d{4}-\d{2}-\d{2}|\b0[xbo][\da-f]|\b(?:binary|octal|hex|hexadecimal|base|percent|ratio)\b/i.test(text))
    return undefined;
  // Times of day, scores, telephone numbers: a bare "3-2" is a sum only when nothing else is being said.
  if (/\d:\d/.test(text) || (/\d[-/]\d/.test(text) && !/[+*^()]/.test(text) && !onlyAsks(text))) return undefined;
  const plain = WORDS.reduce((before, [pattern, operator]) => before.replace(pattern, operator), text);
  const found: string[][] = [];
  for (const [run] of plain.matchAll(/[\d.+\-*/^() ]+/g)) {
    const tokens = run.match(/\d+(?:\.\d+)?|\.\d+|[+\-*/^()]/g) ?? [];
    while (tokens.length > 0 && /^[+*/^)]$/.test(tokens[0]!)) tokens.shift();
    while (tokens.length > 0 && /^[-+*/^(]$/.test(tokens.at(-1)!)) tokens.pop();
    if (tokens.some((token, i) => i > 0 && /^[-+*/^]$/.test(token) && /^[\d.)]/.test(tokens[i - 1]!)))
      found.push(tokens);
  }
  const [tokens] = found;
  return found.length === 1 && tokens !== undefined && tokens.length <= MAX_TOKENS ? tokens : undefined;
}

type Precedence = Readonly<Record<string, number>>;
const PRECEDENCE: Precedence = { '+': 1, '-': 1, '*': 2, '/': 2, '^': 3 };
const NO_PRECEDENCE: Precedence = { '+': 1, '-': 1, '*': 1, '/': 1, '^': 1 };

/** Precedence climbing. Undefined for anything malformed, a division by zero or a number out of bounds. */
function evaluate(tokens: readonly string[], precedence: Precedence): Fraction | undefined {
  let at = 0;
  const operand = (): Fraction | undefined => {
    const token = tokens[at++];
    if (token === undefined) return undefined;
    if (token === '-') {
      // A sign binds weaker than a power: -2^2 is -4.
      const inner = climb(precedence['^']!);
      return inner && subtract(fraction(0), inner);
    }
    if (token === '(') {
      const inner = climb(1);
      return tokens[at++] === ')' ? inner : undefined;
    }
    return parseDecimal(token);
  };
  const climb = (lowest: number): Fraction | undefined => {
    let left = operand();
    while (left !== undefined && at < tokens.length) {
      // "2(3 + 4)" multiplies.
      const operator = tokens[at] === '(' ? '*' : tokens[at]!;
      const binds = precedence[operator];
      if (binds === undefined || binds < lowest) break;
      if (tokens[at] !== '(') at++;
      const right = climb(operator === '^' ? binds : binds + 1);
      left = right && apply(left, operator, right);
    }
    return left;
  };
  const value = climb(1);
  return at === tokens.length ? value : undefined;
}

function apply(left: Fraction, operator: string, right: Fraction): Fraction | undefined {
  const result =
    operator === '+'
      ? add(left, right)
      : operator === '-'
        ? subtract(left, right)
        : operator === '*'
          ? multiply(left, right)
          : operator === '/'
            ? divide(left, right)
            : power(left, right);
  if (result === undefined) return undefined;
  const limit = 1n << MAX_BITS;
  return result.top < limit && result.top > -limit && result.bottom < limit ? result : undefined;
}

function power(base: Fraction, exponent: Fraction): Fraction | undefined {
  if (exponent.bottom !== 1n || exponent.top < 0n || exponent.top > 64n) return undefined;
  return fraction(base.top ** exponent.top, base.bottom ** exponent.top);
}

/** Six operators with numbers of two digits are as hard as it gets. */
function measure(tokens: readonly string[]): number {
  const numbers = tokens.filter((token) => /^[\d.]/.test(token));
  const digits = numbers.reduce((sum, number) => sum + number.length, 0) / numbers.length;
  return unit(((numbers.length - 2) / 5) * 0.75 + Math.min(digits - 1, 2) * 0.2 + (tokens.includes('(') ? 0.05 : 0));
}

type Tree = number | { readonly operator: string; readonly left: Tree; readonly right: Tree };

/** A tree of `operators` operators. Divisions come out even: their operands are plain numbers. */
function drawTree(random: Random, operators: number, largest: number): Tree {
  if (operators === 0) return between(random, 2, largest);
  const operator = pick(random, operators === 1 ? ['+', '-', '*', '/'] : ['+', '-', '*', '+', '-']);
  if (operator === '/') {
    const divisor = between(random, 2, 12);
    return { operator, left: divisor * between(random, 2, Math.max(3, Math.floor(largest / 4))), right: divisor };
  }
  const leftOperators = random.below(operators);
  return {
    operator,
    left: drawTree(random, leftOperators, largest),
    right: drawTree(random, operators - 1 - leftOperators, largest),
  };
}

/** The tree as text, with no parentheses but those it needs. */
function render(tree: Tree, lowest: number): string {
  if (typeof tree === 'number') return `${tree}`;
  const binds = PRECEDENCE[tree.operator]!;
  const text = `${render(tree.left, binds)} ${tree.operator} ${render(tree.right, binds + 1)}`;
  return binds < lowest ? `(${text})` : text;
}

function totalOf(tree: Tree): bigint {
  if (typeof tree === 'number') return BigInt(tree);
  const [left, right] = [totalOf(tree.left), totalOf(tree.right)];
  if (tree.operator === '+') return left + right;
  if (tree.operator === '-') return left - right;
  return tree.operator === '*' ? left * right : left / right;
}
