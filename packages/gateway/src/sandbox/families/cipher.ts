/** Caesar shifts: "Encode hello with a Caesar shift of 3." */
import { between, dial, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, quoted, tidy } from '../text.ts';
import { WORDS } from '../words.ts';

/** Shifting every letter of a word along the alphabet, and back. */
export const cipher: TaskFamily = {
  name: 'cipher',
  skill: 'text',
  summary: 'Caesar shifts of a word or a quoted phrase, to encode or to decode.',
  example: 'Encode hello with a Caesar shift of 3',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const by = between(random, 1, dial(hard, 3, 24));
    const text = Array.from({ length: dial(hard, 1, 3) }, () => pick(random, WORDS)).join(' ');
    const isDecoding = hard > 0.3 && random.below(2) === 0;
    const prompt = isDecoding
      ? pick(random, [
          `Decode "${shift(text, by)}", which was encoded with a Caesar shift of ${by}.`,
          `Undo the Caesar shift of ${by}: "${shift(text, by)}"`,
        ])
      : pick(random, [
          `Encode "${text}" with a Caesar shift of ${by}.`,
          `Apply a Caesar cipher with shift ${by} to "${text}".`,
        ]);
    return { family: 'cipher', skill: 'text', difficulty: hard, prompt, answer: isDecoding ? text : shift(text, by) };
  },
  solve,
};

/** Words of the instruction; in a text without quotation marks, the one word left over is the message. */
const INSTRUCTION = new Set(
  'a an and apply backward backwards by caesar cipher code decipher decode decrypt encipher encode encoded encrypt encrypted each every for forward following in it letter letters left me message of one please positions places right rot shift shifted shifting text the this to undo up use using was what which is with word'.split(
    ' ',
  ),
);

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt);
  const rotation = /\brot-?(\d{1,2})\b/i.exec(text)?.[1];
  const isShift = /\bcaesar\b/i.test(text) || /\bshift(?:ed|ing)? (?:each|every|all|the) letters?\b/i.test(text);
  if (rotation === undefined && !isShift) return undefined;
  const message = quoted(text) ?? leftOver(text);
  const size =
    rotation ??
    /\b(?:shift|by|of|key|offset)(?: of| is| by|=)? ?(\d{1,3})\b/i.exec(
      message === undefined ? text : text.replace(message, ' '),
    )?.[1];
  if (message === undefined || size === undefined || !/[a-z]/i.test(message)) return undefined;
  const isBack = /\b(?:decode|decrypt|decipher|undo|backwards?|left)\b/i.test(text.replace(message, ' '));
  const by = isBack ? -Number(size) : Number(size);
  const answer = shift(message, by);
  const distance = Math.min(Math.abs(by) % 26, 26 - (Math.abs(by) % 26));
  return {
    answer,
    difficulty: unit(0.05 + message.length / 32 + distance / 40 + (isBack ? 0.05 : 0)),
    // One too far, the wrong direction, one too short, a slip in the last letter.
    distractors: distractorsOf(
      answer,
      [
        shift(message, by + 1),
        shift(message, -by),
        shift(message, by - 1),
        answer.slice(0, -1) + shift(answer.slice(-1), 1),
      ],
      (i) => shift(message, by + i + 1),
    ),
  };
}

function leftOver(text: string): string | undefined {
  const words = (text.match(/[a-z]+(?:-?\d+)?/gi) ?? []).filter(
    (word) => !INSTRUCTION.has(word.toLowerCase()) && !/\d/.test(word),
  );
  return words.length === 1 ? words[0] : undefined;
}

/** Every letter `by` places along the alphabet, round the end; everything else stays. */
function shift(text: string, by: number): string {
  const turn = (code: number, first: number): string =>
    String.fromCharCode(((((code - first + by) % 26) + 26) % 26) + first);
  return text
    .replace(/[a-z]/g, (letter) => turn(letter.charCodeAt(0), 97))
    .replace(/[A-Z]/g, (letter) => turn(letter.charCodeAt(0), 65));
}
