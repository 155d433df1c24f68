/** Calendar arithmetic: weekdays, days between two dates, a date some days on. Proleptic Gregorian, years 1 to 9999. */
import { between, dial, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, tidy } from '../text.ts';

/** Weekday of a date, days between two dates, the date that is n days before or after another. */
export const dates: TaskFamily = {
  name: 'dates',
  skill: 'numbers',
  summary: 'Weekdays, days between dates, dates some days on.',
  example: 'What day of the week was 20 July 1969?',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const start = dayNumber(2024, 1, 1) + between(random, -dial(hard, 0, 40000), dial(hard, 360, 3000));
    const span = between(random, dial(hard, 3, 60), dial(hard, 20, 900));
    const write = (day: number): string => pick(random, [isoOf(day), longOf(day)]);
    const [prompt, answer] = pick(random, [
      [`What day of the week is ${write(start)}?`, weekdayOf(start)],
      [`How many days are there from ${write(start)} to ${write(start + span)}?`, `${span}`],
      [`What date is ${span} days after ${write(start)}? Answer as YYYY-MM-DD.`, isoOf(start + span)],
      [`What date is ${span} days before ${write(start)}? Answer as YYYY-MM-DD.`, isoOf(start - span)],
    ]) as [string, string];
    return { family: 'dates', skill: 'numbers', difficulty: hard, prompt, answer };
  },
  solve,
};

const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const MONTH = /(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?/.source;
const DATE = new RegExp(
  `\\b(\\d{4})-(\\d{1,2})-(\\d{1,2})\\b|\\b(\\d{1,2})(?:st|nd|rd|th)?(?: of)? ${MONTH},? (\\d{4})\\b|\\b${MONTH} (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})\\b`,
  'gi',
);
/** Further than this is no everyday question, and would leave the years 1 to 9999. */
const MAX_STEP_DAYS = 400_000;

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt);
  const found = [...text.matchAll(DATE)].slice(0, 3).map(readDate);
  const [first, second] = found;
  if (first === undefined || found.includes(undefined)) return undefined;
  const rest = text.replace(DATE, ' ');
  if (found.length === 2 && second !== undefined && /\bdays?\b/i.test(rest)) return solveBetween(first, second);
  if (found.length !== 1) return undefined;
  const step = /(\d{1,6}) (day|week)s?\b/i.exec(rest);
  if (step !== null) {
    const days = Number(step[1]) * (step[2]!.toLowerCase() === 'week' ? 7 : 1);
    const isBack = /\b(?:before|earlier|prior|subtract|minus|ago)\b/i.test(rest);
    const isForward = /\b(?:after|later|from|add|plus|past|following)\b/i.test(rest);
    return days <= MAX_STEP_DAYS && (isBack || isForward) ? solveStep(first, isBack ? -days : days) : undefined;
  }
  return /\b(?:weekday|what day|which day|day of the week|day was|day is)\b/i.test(rest)
    ? solveWeekday(first)
    : undefined;
}

function solveWeekday(day: number): Solution {
  const answer = weekdayOf(day);
  const years = Math.abs(day - dayNumber(2024, 1, 1)) / 365.25;
  // Missed a leap day, one too many, slipped a day more.
  const candidates = [weekdayOf(day - 1), weekdayOf(day + 1), weekdayOf(day - 2)];
  return {
    answer,
    difficulty: unit(0.15 + years / 120),
    distractors: distractorsOf(answer, candidates, (i) => weekdayOf(day + i)),
  };
}

function solveBetween(first: number, second: number): Solution {
  const days = Math.abs(second - first);
  const thirties = Math.round((days * 30) / 30.44);
  const candidates = [days + 1, days - 1, thirties, days + 10].filter((other) => other >= 0).map(String);
  return {
    answer: `${days}`,
    difficulty: spanDifficulty(days),
    distractors: distractorsOf(`${days}`, candidates, (i) => `${days + i}`),
  };
}

function solveStep(first: number, days: number): Solution | undefined {
  const target = first + days;
  if (target < dayNumber(1, 1, 1) || target > dayNumber(9999, 12, 20)) return undefined;
  const answer = isoOf(target);
  // Counted the first day too, missed a leap day, took every month for 30 days, went the other way.
  const candidates = [
    isoOf(target - 1),
    isoOf(target + 1),
    isoOf(target + Math.round(days / 61)),
    isoOf(Math.max(1, first - days)),
  ];
  return {
    answer,
    difficulty: spanDifficulty(Math.abs(days)),
    distractors: distractorsOf(answer, candidates, (i) => isoOf(target + i + 1)),
  };
}

/** A week is easy, two years and more as hard as it gets. */
function spanDifficulty(days: number): number {
  return unit(Math.log1p(days / 6) / Math.log1p(700 / 6));
}

function readDate(match: RegExpMatchArray): number | undefined {
  const month = match[5] ?? match[7];
  const year = Number(match[1] ?? match[6] ?? match[9]);
  const monthNumber =
    month === undefined
      ? Number(match[2])
      : MONTHS.findIndex((name) => name.toLowerCase().startsWith(month.toLowerCase())) + 1;
  const day = Number(match[3] ?? match[4] ?? match[8]);
  const isReal = year >= 1 && monthNumber >= 1 && monthNumber <= 12 && day >= 1 && day <= daysIn(year, monthNumber);
  return isReal ? dayNumber(year, monthNumber, day) : undefined;
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function daysIn(year: number, month: number): number {
  return month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Days since 1 January of year 1, which is day 0 and a Monday. */
function dayNumber(year: number, month: number, day: number): number {
  const before = year - 1;
  let days = before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  for (let i = 1; i < month; i++) days += daysIn(year, i);
  return days + day - 1;
}

function weekdayOf(day: number): string {
  return WEEKDAYS[((day % 7) + 7) % 7]!;
}

function partsOf(day: number): readonly [year: number, month: number, day: number] {
  let year = Math.max(1, Math.floor(day / 365.2425));
  while (dayNumber(year + 1, 1, 1) <= day) year++;
  let month = 1;
  while (month < 12 && dayNumber(year, month + 1, 1) <= day) month++;
  return [year, month, day - dayNumber(year, month, 1) + 1];
}

function isoOf(day: number): string {
  const [year, month, date] = partsOf(day);
  return `${`${year}`.padStart(4, '0')}-${`${month}`.padStart(2, '0')}-${`${date}`.padStart(2, '0')}`;
}

function longOf(day: number): string {
  const [year, month, date] = partsOf(day);
  return `${date} ${MONTHS[month - 1]} ${year}`;
}
