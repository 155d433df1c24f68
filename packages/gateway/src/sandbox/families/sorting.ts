/** Sorting numbers or words: "Sort: pear, apple, fig". */
import { between, dial, pick, shuffled, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, tidy } from '../text.ts';
import { WORDS } from '../words.ts';

/** Lists of numbers or words, up or down. The answer is the list joined with commas. */
export const sorting: TaskFamily = {
  name: 'sorting',
  skill: 'text',
  summary: 'Lists of words or numbers, ascending or descending.',
  example: 'Sort: pear, apple, fig',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const count = dial(hard, 3, 14);
    const isNumbers = random.below(2) === 0;
    const items = isNumbers ? drawNumbers() : shuffled(random, drawWords());
    const isDown = hard > 0.3 && random.below(2) === 0;
    const direction = isDown ? 'descending' : 'ascending';
    const list = items.join(', ');
    const prompt = pick(random, [
      `Sort these ${isNumbers ? 'numbers' : 'words'} in ${direction} order: ${list}`,
      `Arrange in ${direction} order: ${list}.`,
      `Please sort the list in ${direction} order: ${list}`,
    ]);
    return { family: 'sorting', skill: 'text', difficulty: hard, prompt, answer: sorted(items, isDown).join(', ') };

    function drawNumbers(): string[] {
      const largest = dial(hard, 20, 1200);
      return Array.from({ length: count }, () => `${between(random, hard > 0.6 ? -largest : 1, largest)}`);
    }
    function drawWords(): readonly string[] {
      // A stretch of the ordered list: the harder, the more its words share their first letters.
      const spread = dial(1 - hard, count, WORDS.length);
      const from = random.below(WORDS.length - spread + 1);
      return shuffled(random, WORDS.slice(from, from + spread)).slice(0, count);
    }
  },
  solve,
};

const MAX_ITEMS = 100;
const KEYWORD =
  /\b(?:sort|arrange|alphabeti[sz]e|alphabetical(?:ly)?|order (?:these|this|the|from)|(?:ascending|descending|increasing|decreasing) order)\b/i;
/** Talk about sorting is no list to sort. */
const TALK = /\b(?:code|function|program|algorithms?|script|explain|implement|why|poem|essay|story)\b/i;
const DOWN =
  /\bdescending\b|\breverse\b|\bdecreasing\b|\b(?:largest|biggest|highest|greatest)(?: one)?s? (?:first|to)|\bhigh to low\b|\bz ?(?:to|-) ?a\b/i;
/** What stands around a list that no colon marks. */
const BEFORE =
  /^.*?\b(?:sort|arrange|order|alphabeti[sz]e|put)\b(?: (?:me|these|this|the|following|all|of|list|words?|numbers?|items?|names?|alphabetically|in|by|size|ascending|descending|increasing|decreasing|alphabetical|reverse|order|from))* ?/i;
const AFTER =
  /(?: (?:alphabetically|ascending|descending|numerically|please|in (?:an? )?(?:ascending|descending|increasing|decreasing|reverse|alphabetical|reverse alphabetical|numerical)(?: order)?|from [a-z]+ to [a-z]+|(?:smallest|largest|biggest|lowest|highest) first))+[ .!?]*$/i;

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt);
  if (!KEYWORD.test(text) || TALK.test(text)) return undefined;
  const colon = text.indexOf(':');
  const body = (colon >= 0 ? text.slice(colon + 1) : text.replace(BEFORE, ''))
    .split(/[.!?;] (?=[A-Z])/)[0]!
    .replace(AFTER, '');
  const items = itemsOf(body);
  if (items === undefined) return undefined;
  const isDown = DOWN.test(text);
  const ordered = sorted(items, isDown);
  const answer = ordered.join(', ');
  const lettersOnly = [...items].sort((a, b) => (a < b ? -1 : 1));
  return {
    answer,
    difficulty: measure(items),
    // Wrong end of the list, numbers sorted as text, wrong start, the wrong way round, lost an item.
    distractors: distractorsOf(
      answer,
      [
        swapped(ordered, ordered.length - 2),
        isNumeric(items) ? lettersOnly : swapped(ordered, 0),
        sorted(items, !isDown),
        ordered.slice(0, -1),
      ].map((other) => other.join(', ')),
      (i) => ordered.slice(0, Math.max(1, ordered.length - i - 1)).join(', '),
    ),
  };
}

/** The items of a list with commas, or of one with spaces alone; undefined when it is no list of short items. */
function itemsOf(body: string): string[] | undefined {
  const plain = body.replace(/[\s.!?;]+$/, '').replace(/[[\]{}"]/g, '');
  const parts = plain.includes(',') ? plain.split(/ ?, ?/) : plain.replace(/ and /gi, ' ').split(' ');
  const items = parts.map((part) => part.replace(/^and /i, '').trim()).filter((part) => part !== '');
  const last = items.at(-1)?.split(/ and /i) ?? [];
  const all = [...items.slice(0, -1), ...last];
  const isList =
    all.length >= 2 &&
    all.length <= MAX_ITEMS &&
    all.every((item) => /^[\p{L}\p{N}.'-]+(?: [\p{L}\p{N}.'-]+){0,2}$/u.test(item));
  return isList && all.every((item) => item.length <= 40) ? all : undefined;
}

function isNumeric(items: readonly string[]): boolean {
  return items.every((item) => /^-?\d{1,15}(?:\.\d{1,10})?$/.test(item));
}

function sorted(items: readonly string[], isDown: boolean): string[] {
  const sign = isDown ? -1 : 1;
  if (isNumeric(items)) return [...items].sort((a, b) => sign * (Number(a) - Number(b)));
  const key = (item: string): string => item.toLowerCase();
  return [...items].sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

function swapped(items: readonly string[], at: number): string[] {
  const out = [...items];
  const i = Math.max(0, at);
  [out[i], out[i + 1]] = [out[i + 1]!, out[i]!];
  return out;
}

/** Many items, and words that share their first letter, make it hard. */
function measure(items: readonly string[]): number {
  const starts = new Set(items.map((item) => item.slice(0, 1).toLowerCase()));
  const crowding = isNumeric(items) ? 0.1 : 1 - starts.size / items.length;
  return unit(((items.length - 2) / 12) * 0.75 + crowding * 0.25);
}
