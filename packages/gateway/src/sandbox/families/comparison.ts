/** Comparison puzzles: "Ann is taller than Bob. Bob is taller than Cara. Who is the tallest?" */
import { between, dial, pick, shuffled, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, tidy } from '../text.ts';
import { NAMES } from '../words.ts';

/** Who comes first, last or second in an order that shuffled clues give. */
export const comparison: TaskFamily = {
  name: 'comparison',
  skill: 'logic',
  summary: 'Who is the tallest, oldest, fastest, from clues in any order.',
  example: 'Ann is taller than Bob. Cara is shorter than Bob. Who is the tallest?',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const people = shuffled(random, NAMES).slice(0, dial(hard, 3, 10));
    const [more, less, most, least] = pick(random, SCALES);
    const clues = people.slice(1).map((lower, i) => {
      const isTurned = random.next() < 0.1 + hard * 0.4;
      return isTurned ? `${lower} is ${less} than ${people[i]}.` : `${people[i]} is ${more} than ${lower}.`;
    });
    // A clue between people further apart adds nothing but reading.
    for (let i = 0; i < dial(hard, 0, 3) && people.length > 3; i++) {
      const high = between(random, 0, people.length - 3);
      clues.push(`${people[high]} is ${more} than ${people[high + 2]}.`);
    }
    const [question, answer] = pick(random, [
      [`Who is the ${most}?`, people[0]!],
      [`Who is the ${least}?`, people.at(-1)!],
      ...(hard > 0.4 ? [[`Who is the second ${most}?`, people[1]!]] : []),
    ]) as [string, string];
    const prompt = `${shuffled(random, clues).join(' ')} ${question}`;
    return { family: 'comparison', skill: 'logic', difficulty: hard, prompt, answer };
  },
  solve,
};

type Scale = readonly [more: string, less: string, most: string, least: string];

const SCALES: readonly Scale[] = [
  ['taller', 'shorter', 'tallest', 'shortest'],
  ['older', 'younger', 'oldest', 'youngest'],
  ['faster', 'slower', 'fastest', 'slowest'],
  ['heavier', 'lighter', 'heaviest', 'lightest'],
  ['richer', 'poorer', 'richest', 'poorest'],
  ['stronger', 'weaker', 'strongest', 'weakest'],
  ['bigger', 'smaller', 'biggest', 'smallest'],
];
const MAX_CLUES = 200;

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt).toLowerCase();
  const question =
    /\b(?:who|which(?: one| person)?|what) (?:is|was|comes)(?: the)? (second |2nd )?([a-z]{2,10}est)\b/.exec(text);
  const scale = SCALES.find((candidate) => candidate.slice(2).includes(question?.[2] ?? ''));
  if (question === null || scale === undefined) return undefined;
  const [more, less, most] = scale;
  const clues = [
    ...text.matchAll(
      new RegExp(`\\b([a-z]+) (?:is|was) (?:much |a bit |even )?(${more}|${less}) than ([a-z]+)\\b`, 'g'),
    ),
  ];
  if (clues.length === 0 || clues.length > MAX_CLUES) return undefined;
  const above = new Map<string, Set<string>>();
  for (const [, left, word, right] of clues) {
    const isDown = (word === more) === (question[2] === most);
    const [upper, lower] = isDown ? [left!, right!] : [right!, left!];
    above.set(upper, above.get(upper) ?? new Set());
    above.set(lower, (above.get(lower) ?? new Set()).add(upper));
  }
  const first = onlyTop(above, undefined);
  const second = first === undefined ? undefined : onlyTop(above, first);
  const winner = question[1] === undefined ? first : second;
  if (winner === undefined || hasCycle(above)) return undefined;
  const show = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1);
  const others = [question[1] === undefined ? second : first, ...above.keys()].filter(
    (name) => name !== undefined && name !== winner,
  );
  const turned = clues.filter(([, , word]) => word === less).length;
  return {
    answer: show(winner),
    difficulty: unit((above.size - 2) / 10 + turned * 0.03 + (question[1] === undefined ? 0 : 0.1)),
    // The neighbour in the order first, then whoever was named.
    distractors: distractorsOf(
      show(winner),
      others.map((name) => show(name!)),
      (i) => ['nobody', 'it cannot be known'][i - 1] ?? `person ${i}`,
    ),
  };
}

/** The one person with nobody above, `removed` aside; undefined when there are several: the clues leave it open. */
function onlyTop(above: ReadonlyMap<string, ReadonlySet<string>>, removed: string | undefined): string | undefined {
  const tops = [...above].filter(
    ([name, uppers]) => name !== removed && [...uppers].every((upper) => upper === removed),
  );
  return tops.length === 1 ? tops[0]![0] : undefined;
}

/** Takes away the people at the top, level by level; a cycle leaves some that never get there. */
function hasCycle(above: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const left = new Map([...above].map(([name, uppers]) => [name, new Set(uppers)]));
  while (left.size > 0) {
    const tops = [...left].filter(([, uppers]) => uppers.size === 0).map(([name]) => name);
    if (tops.length === 0) return true;
    for (const name of tops) left.delete(name);
    for (const uppers of left.values()) for (const name of tops) uppers.delete(name);
  }
  return false;
}
