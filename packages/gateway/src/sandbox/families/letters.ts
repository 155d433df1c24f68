/** Work on the letters of a word: reverse, count, pick, measure, capitals. "Reverse the word gateway." */
import { between, dial, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, quoted, tidy } from '../text.ts';
import { WORDS } from '../words.ts';

/** Reversing, counting a letter, the n-th letter, the length and capitals of a word or a quoted phrase. */
export const letters: TaskFamily = {
  name: 'letters',
  skill: 'text',
  summary: 'Reverse a word, count its letters, pick one, write it in capitals.',
  example: 'Reverse the word gateway',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const text = Array.from({ length: dial(hard, 1, 4) }, () => pick(random, WORDS)).join(' ');
    const letter = pick(random, [...text.replaceAll(' ', '')]);
    const position = between(random, 1, text.replaceAll(' ', '').length);
    const [prompt, answer] = pick(random, [
      [`Reverse the ${text.includes(' ') ? 'text' : 'word'} "${text}".`, reversed(text)],
      [`How many times does the letter ${letter} appear in "${text}"?`, `${countOf(text, letter)}`],
      [`What is the ${ordinal(position)} letter of "${text}"?`, letterAt(text, position)],
      [`Write "${text}" in uppercase.`, text.toUpperCase()],
      [`How many letters are in "${text}"?`, `${lettersOf(text).length}`],
    ]) as [string, string];
    return { family: 'letters', skill: 'text', difficulty: hard, prompt, answer };
  },
  solve,
};

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt);
  if (/\bcaesar\b|\brot-?\d|\bsort|\barrange\b|\balphabetical|\bshift/i.test(text)) return undefined;
  return solveCount(text) ?? solveNth(text) ?? solveLength(text) ?? solveReverse(text) ?? solveUppercase(text);
}

/** What fills the place of the word: "the word gateway", "gateway", "the letters of gateway". */
const LEAD = /(?:the )?(?:(?:letters|word|words|string|text|phrase|name|spelling) (?:of |in )?)?(?:the )?(?:word )?/
  .source;
const WORD = /([\p{L}'-]{2,40})/u.source;

/** The quoted phrase, or the one word at the place that the pattern names. */
function subject(text: string, pattern: string): string | undefined {
  const match = new RegExp(pattern.replace('WORD', `${LEAD}(?:${WORD}|["'])`), 'iu').exec(text);
  return match === null ? undefined : (quoted(text) ?? match[1]);
}

function solveCount(text: string): Solution | undefined {
  const letter =
    /\bletter ["']?([a-z])["']?(?: |$)/i.exec(text)?.[1] ??
    /\bdoes ["']?([a-z])["']? (?:appear|occur)/i.exec(text)?.[1] ??
    /\bhow many ["']?([a-z])(?:["']?'?s|["'])? (?:are |is |there |letters? )*in\b/i.exec(text)?.[1];
  if (letter === undefined || !/\bhow (?:many|often)\b|\bcount\b|\bnumber of\b/i.test(text)) return undefined;
  const plain = text.replace(/["']([a-z])["'](?!\w)/i, '$1');
  const word = subject(plain, '\\b(?:in|of) WORD');
  if (word === undefined) return undefined;
  const count = countOf(word, letter);
  return finish(
    `${count}`,
    [`${count + 1}`, `${Math.max(0, count - 1)}`],
    (i) => `${count + i + 1}`,
    0.1 + lettersOf(word).length / 32,
  );
}

function solveNth(text: string): Solution | undefined {
  const match = /\b(?:(\d{1,3})(?:st|nd|rd|th)|(first|second|third|fourth|fifth|sixth|seventh|last)) letter\b/i.exec(
    text,
  );
  const word = match === null ? undefined : subject(text, '\\b(?:of|in) WORD');
  if (match === null || word === undefined) return undefined;
  const size = lettersOf(word).length;
  const named =
    ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh'].indexOf(match[2]?.toLowerCase() ?? '') + 1;
  const position = match[1] !== undefined ? Number(match[1]) : named || size;
  if (position < 1 || position > size) return undefined;
  const near = [1, -1, 2, -2].map((by) => letterAt(word, position + by));
  const alphabet = 'etaoinshrdlu';
  return finish(letterAt(word, position), near, (i) => alphabet[i % alphabet.length]!, position / 28 + size / 60);
}

function solveLength(text: string): Solution | undefined {
  const isAsked = /\bhow many (?:letters|characters)\b|\blength of\b|\bhow long is\b/i.test(text);
  const word = isAsked ? subject(text, '\\b(?:in|of|does|long is) WORD') : undefined;
  if (word === undefined) return undefined;
  const size = lettersOf(word).length;
  return finish(`${size}`, [`${size + 1}`, `${size - 1}`], (i) => `${size + i + 1}`, size / 32);
}

function solveReverse(text: string): Solution | undefined {
  if (/\b(?:list|order|numbers?|percent|how many)\b/i.test(text)) return undefined;
  const word =
    subject(text, '\\b(?:reverse|reversing) WORD') ??
    subject(text, '\\b(?:write|spell|is|say) WORD["\']? (?:backwards?|in reverse|reversed)');
  if (word === undefined) return undefined;
  const answer = reversed(word);
  const middle = Math.floor(answer.length / 2);
  // Swapped two letters, lost one, forgot the last step.
  const candidates = [
    swappedAt(answer, middle - 1),
    answer.slice(0, middle) + answer.slice(middle + 1),
    swappedAt(answer, 0),
    word,
  ];
  return finish(answer, candidates, (i) => `${answer}${'x'.repeat(i)}`, word.length / 30);
}

function solveUppercase(text: string): Solution | undefined {
  if (!/\b(?:upper ?-?case|capitals|capital letters|all caps)\b/i.test(text)) return undefined;
  const word =
    subject(text, '\\b(?:uppercase|capitalize) WORD') ??
    subject(text, '\\b(?:write|convert|put|make|turn|is|change) WORD') ??
    subject(text, '^WORD["\']? (?:in|to|into) (?:all )?(?:upper|cap)');
  if (word === undefined) return undefined;
  const answer = word.toUpperCase();
  const middle = Math.floor(answer.length / 2);
  const candidates = [
    answer.slice(0, middle) + answer.slice(middle + 1),
    swappedAt(answer, middle - 1),
    answer.slice(0, -1),
  ];
  return finish(answer, candidates, (i) => `${answer}${'X'.repeat(i)}`, word.length / 45);
}

function finish(
  answer: string,
  candidates: readonly string[],
  spare: (i: number) => string,
  difficulty: number,
): Solution {
  return { answer, difficulty: unit(difficulty), distractors: distractorsOf(answer, candidates, spare) };
}

/** Whole characters, so that an accent or an emoji is never cut in two. */
function reversed(text: string): string {
  return [...text].reverse().join('');
}

function lettersOf(text: string): string[] {
  return [...text].filter((character) => /[\p{L}\p{N}]/u.test(character));
}

function letterAt(text: string, position: number): string {
  return lettersOf(text)[position - 1] ?? '';
}

function countOf(text: string, letter: string): number {
  return [...text.toLowerCase()].filter((character) => character === letter.toLowerCase()).length;
}

function swappedAt(text: string, at: number): string {
  const i = Math.max(0, at);
  return text.slice(0, i) + (text[i + 1] ?? '') + (text[i] ?? '') + text.slice(i + 2);
}

function ordinal(position: number): string {
  const tail = position % 100 >= 11 && position % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][position % 10] ?? 'th');
  return `${position}${tail}`;
}
