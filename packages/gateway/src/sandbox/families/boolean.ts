/** Boolean logic: "Evaluate (true and not false) or false." */
import type { Random } from '@gatewright/kernel';
import { dial, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, tidy } from '../text.ts';

/** Expressions over true and false with not, and, xor, or (binding in this order), and parentheses. */
export const boolean: TaskFamily = {
  name: 'boolean',
  skill: 'logic',
  summary: 'Logical expressions over true and false.',
  example: 'Evaluate (true and not false) or false',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const tokens = draw(random, dial(hard, 1, 12), hard);
    const text = tokens.join(' ').replaceAll('( ', '(').replaceAll(' )', ')');
    const prompt = pick(random, [
      `Evaluate: ${text}`,
      `What is the value of ${text}?`,
      `Is this true or false: ${text}`,
    ]);
    return { family: 'boolean', skill: 'logic', difficulty: hard, prompt, answer: `${evaluate(tokens, BINDS)}` };
  },
  solve,
};

const MAX_TOKENS = 300;
const BINDS: Readonly<Record<string, number>> = { or: 1, xor: 2, and: 3 };
const LEFT_TO_RIGHT: Readonly<Record<string, number>> = { or: 1, xor: 1, and: 1 };
const SYMBOLS: Readonly<Record<string, string>> = { '&&': 'and', '||': 'or', '!': 'not', '^': 'xor' };
const ASKING = new Set(
  "evaluate what what's is the value of result compute calculate please this logic logical boolean expression tell me simplify can could you hi hello equals equal give find solve work out thanks thank".split(
    ' ',
  ),
);
const KNOWN = new Set(['true', 'false', 'and', 'or', 'xor', 'not', '(', ')']);

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt).toLowerCase();
  // "Is this true or false:" asks; it is not the expression.
  const asked = text.replace(/\bis (?:this|that|it) true or false\b|^true or false ?[:?-](?= ?.)/, ' : ');
  const tokens = (asked.match(/&&|\|\||!(?![=!])|[\^()]|[a-z']+|[:.?]|\d+|[<>=]+/g) ?? []).map(
    (token) => SYMBOLS[token] ?? token,
  );
  const runs = runsOf(tokens).filter(
    (run) => run.some(isConstant) && run.some((token) => token !== '(' && token !== ')' && !isConstant(token)),
  );
  const [run] = runs;
  if (runs.length !== 1 || run === undefined || run.length > MAX_TOKENS) return undefined;
  // A bare "true or false" amid other words is a manner of speaking.
  if (
    run.join(' ') === 'true or false' &&
    asked === text &&
    !/\b(?:evaluate|what is|value)\b|^true or false\W*$/.test(text)
  )
    return undefined;
  // So is "true and false" in a sentence about something else.
  if (run.length === 3 && tokens.some((token) => /^[a-z']/.test(token) && !KNOWN.has(token) && !ASKING.has(token)))
    return undefined;
  const value = evaluate(run, BINDS);
  if (value === undefined) return undefined;
  const operators = run.filter((token) => !isConstant(token) && token !== '(' && token !== ')').length;
  const hasty = evaluate(run, LEFT_TO_RIGHT) === value ? 0 : 0.1;
  return {
    answer: `${value}`,
    difficulty: unit((operators - 1) / 16 + hasty + (run.includes('(') ? 0.05 : 0) + (run.includes('xor') ? 0.05 : 0)),
    distractors: distractorsOf(`${value}`, [`${!value}`, 'undefined'], (i) => `unknown ${i}`),
  };
}

/** Stretches of consecutive logical words, with connectives at their ends taken off. */
function runsOf(tokens: readonly string[]): string[][] {
  const runs: string[][] = [[]];
  for (const token of tokens) {
    if (KNOWN.has(token)) runs.at(-1)!.push(token);
    else runs.push([]);
  }
  for (const run of runs) {
    while (run.length > 0 && BINDS[run[0]!] !== undefined) run.shift();
    while (run.length > 0 && (BINDS[run.at(-1)!] !== undefined || run.at(-1) === 'not')) run.pop();
  }
  return runs;
}

function isConstant(token: string): boolean {
  return token === 'true' || token === 'false';
}

/** Precedence climbing; undefined when the tokens are no expression. */
function evaluate(tokens: readonly string[], binds: Readonly<Record<string, number>>): boolean | undefined {
  let at = 0;
  const operand = (): boolean | undefined => {
    const token = tokens[at++];
    if (token === 'not') {
      const inner = operand();
      return inner === undefined ? undefined : !inner;
    }
    if (token === '(') {
      const inner = climb(1);
      return tokens[at++] === ')' ? inner : undefined;
    }
    return token === 'true' ? true : token === 'false' ? false : undefined;
  };
  const climb = (lowest: number): boolean | undefined => {
    let left = operand();
    while (left !== undefined && at < tokens.length) {
      const operator = tokens[at]!;
      const strength = binds[operator];
      if (strength === undefined || strength < lowest) break;
      at++;
      const right = climb(strength + 1);
      if (right === undefined) return undefined;
      left = operator === 'and' ? left && right : operator === 'or' ? left || right : left !== right;
    }
    return left;
  };
  const value = climb(1);
  return at === tokens.length ? value : undefined;
}

/** An expression of about `operators` operators. */
function draw(random: Random, operators: number, hard: number): string[] {
  if (operators <= 0) return [pick(random, ['true', 'false'])];
  if (operators > 1 && random.below(4) === 0) {
    const inner = draw(random, operators - 1, hard);
    return inner.length === 1 ? ['not', ...inner] : ['not', '(', ...inner, ')'];
  }
  const left = random.below(operators);
  const wrap = (tokens: string[]): string[] =>
    tokens.length > 2 && random.below(2) === 0 ? ['(', ...tokens, ')'] : tokens;
  const operator = pick(random, hard > 0.5 ? ['and', 'or', 'xor'] : ['and', 'or']);
  return [...wrap(draw(random, left, hard)), operator, ...wrap(draw(random, operators - 1 - left, hard))];
}
