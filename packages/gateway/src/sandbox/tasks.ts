/** Streams of tasks with known answers, and grading what an expert said. */
import { hashText, OptionError, seededRandom, UnknownNameError } from '@gatewright/kernel';
import { pick } from './draw.ts';
import { families } from './families/index.ts';
import type { Task } from './family.ts';
import { comparable } from './text.ts';

/** What `makeTasks` takes. */
export interface MakeTasksOptions {
  /** Decides every task; whole number. */
  readonly seed: number;
  /** How many tasks, 0 to 1 000 000. */
  readonly count: number;
  /** Names of the families to draw from, equally often; all of them when left out. */
  readonly families?: readonly string[];
  /** The same dial for all tasks, 0..1; uniform over 0..1 when left out. */
  readonly difficulty?: number;
}

/**
 * A mixed stream of tasks, the same for the same options. Task i depends on the seed and i alone, so a longer stream
 * begins with the shorter one.
 *
 * @throws OptionError when `count` or `difficulty` is out of range or `families` is empty
 * @throws UnknownNameError for a family that does not exist
 */
export function makeTasks(options: MakeTasksOptions): Task[] {
  const { seed, count, difficulty } = options;
  if (!Number.isInteger(count) || count < 0 || count > 1_000_000) {
    throw new OptionError(
      'count',
      'a whole number from 0 to 1000000',
      count,
      'Ask for fewer tasks, or in several calls.',
    );
  }
  if (difficulty !== undefined && !(difficulty >= 0 && difficulty <= 1)) {
    throw new OptionError('difficulty', 'a number from 0 to 1', difficulty, 'Leave it out for a mixed stream.');
  }
  const chosen = options.families?.map(familyNamed) ?? families;
  if (chosen.length === 0)
    throw new OptionError('families', 'at least one name', options.families, 'Leave it out for all families.');
  return Array.from({ length: count }, (_, i) => {
    const random = seededRandom(hashText(`task ${i}`, seed));
    const family = pick(random, chosen);
    return family.generate(random, difficulty ?? random.next());
  });
}

/**
 * Whether an expert's text gives the task's answer.
 *
 * Reads the text after the last "Answer:", else the JSON field `answer`, else what is left of a bare answer, else (for
 * numbers) the last number. Case, spacing, quotes, a closing full stop, thousands separators and trailing zeros do not
 * count; nor do a number's unit or the prefixes 0x, 0b and 0o.
 */
export function gradeAnswer(task: Task, responseText: string): boolean {
  // The answer stands at the end; the cap bounds the work on an endless text.
  const text = responseText.slice(-4000);
  const wanted = comparable(task.answer);
  const said = finalAnswer(text);
  if (said !== undefined) return isSame(wanted, said);
  if (isSame(wanted, text)) return true;
  const lastLine = text.trim().split('\n').at(-1) ?? '';
  const lastNumber = /^-?[\d.]+$/.test(wanted) ? lastLine.match(/-?\d[\d,]*(?:\.\d+)?/g)?.at(-1) : undefined;
  return lastNumber !== undefined ? isSame(wanted, lastNumber) : comparable(lastLine).endsWith(` is ${wanted}`);
}

function familyNamed(name: string): (typeof families)[number] {
  const family = families.find((candidate) => candidate.name === name);
  if (family !== undefined) return family;
  const known = families.map((candidate) => candidate.name);
  throw new UnknownNameError('task family', name, known, { path: 'families' });
}

/** What the text itself marks as its answer. */
function finalAnswer(text: string): string | undefined {
  const json = jsonAnswer(text);
  if (json !== undefined) return json;
  const at = text.toLowerCase().lastIndexOf('answer:');
  // Marked with stars or not; the answer is the rest of that line.
  return at < 0
    ? undefined
    : text
        .slice(at + 'answer:'.length)
        .replace(/^[\s*]+/, '')
        .split('\n')[0];
}

function jsonAnswer(text: string): string | undefined {
  const trimmed = text
    .trim()
    .replace(/^```(?:json)?/, '')
    .replace(/```$/, '')
    .trim();
  if (!trimmed.startsWith('{')) return undefined;
  try {
    const parsed: unknown = JSON.parse(trimmed);
    const answer = typeof parsed === 'object' && parsed !== null && 'answer' in parsed ? parsed.answer : undefined;
    return typeof answer === 'string' || typeof answer === 'number' || typeof answer === 'boolean'
      ? `${answer}`
      : undefined;
  } catch {
    // Text that only looks like JSON is graded as text.
    return undefined;
  }
}

function isSame(wanted: string, said: string): boolean {
  const given = comparable(said);
  if (given === wanted) return true;
  if (given.replace(/^0[xbo](?=.)/, '') === wanted) return true;
  const [left, right] = [numberOf(wanted), numberOf(given)];
  return left !== undefined && left === right;
}

/** A number in one spelling, with any unit after it taken off: "1,250.50 km" is "1250.5". */
function numberOf(text: string): string | undefined {
  const match = /^\+?(-?)(\d+|\d{1,3}(?:,\d{3})+)?(?:\.(\d+))?(?: ?%| [a-z].*)?$/.exec(text);
  if (match === null || (match[2] === undefined && match[3] === undefined)) return undefined;
  const whole = (match[2] ?? '0').replaceAll(',', '').replace(/^0+(?=\d)/, '');
  const places = (match[3] ?? '').replace(/0+$/, '');
  const isZero = whole === '0' && places === '';
  return `${isZero ? '' : match[1]}${whole}${places === '' ? '' : `.${places}`}`;
}
