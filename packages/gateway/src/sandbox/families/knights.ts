/** Knights and knaves: knights always tell the truth, knaves always lie, and the statements decide who is which. */
import type { Random } from '@gatewright/kernel';
import { dial, pick, shuffled, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { distractorsOf, tidy } from '../text.ts';
import { NAMES } from '../words.ts';

/** Islands of up to eight people; the answer is one person's kind, or the list of all knights. */
export const knights: TaskFamily = {
  name: 'knights',
  skill: 'logic',
  summary: 'Knights tell the truth, knaves lie: who is which?',
  example:
    'Knights tell the truth and knaves lie. Ann says: "Bob is a knave." Bob says: "We are both knights." Is Ann a knight or a knave?',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const people = shuffled(random, NAMES).slice(0, dial(hard, 2, 6));
    const { lines, kinds } = drawIsland(random, people);
    const asked = random.below(people.length);
    const asksAll = hard > 0.4 && random.below(2) === 0;
    const question = asksAll ? 'List the knights.' : `Is ${people[asked]} a knight or a knave?`;
    const prompt = `Knights always tell the truth and knaves always lie. ${lines.join(' ')} ${question}`;
    const answer = asksAll ? listOf(people, kinds) : kindName(kinds[asked]!);
    return { family: 'knights', skill: 'logic', difficulty: hard, prompt, answer };
  },
  solve,
};

/** Who is a knight, in the order of the people. */
type Kinds = readonly boolean[];

interface Statement {
  readonly speaker: number;
  readonly holds: (kinds: Kinds) => boolean;
}

/** More people would make the search of all possibilities long. */
const MAX_PEOPLE = 8;
const SAYS = /\b([a-z]{1,20}) (?:says|said|claims|tells you)(?: that)?[:,]? ?"?([a-z' ]{3,80})/g;

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt).toLowerCase();
  if (!/\bknights?\b/.test(text) || !/\bknaves?\b/.test(text)) return undefined;
  const spoken = [...text.matchAll(SAYS)].slice(0, 50);
  const asked = /\b(?:is|what is|what kind is) ([a-z]{1,20})(?:,? a knight or a knave| ?\?)/.exec(text)?.[1];
  const asksAll =
    /\blist (?:all )?(?:of )?the knights|\bwho (?:is|are) (?:a |the |all )?knights?\b|\bwhich of them (?:is|are) (?:a |the )?knights?/.test(
      text,
    );
  const people = [
    ...new Set([
      ...spoken.map(([, speaker]) => speaker!),
      ...spoken.flatMap(([, , said]) => namesIn(said!)),
      ...(asked === undefined ? [] : [asked]),
    ]),
  ];
  if (people.length === 0 || people.length > MAX_PEOPLE || (asked === undefined) === !asksAll) return undefined;
  const statements = spoken.map(([, speaker, said]) => statementOf(people, people.indexOf(speaker!), said!));
  const worlds = worldsOf(people.length, statements);
  if (worlds === undefined || statements.length === 0) return undefined;
  const answers = new Set(
    worlds.map((kinds) => (asksAll ? listOf(people.map(show), kinds) : kindName(kinds[people.indexOf(asked!)]!))),
  );
  if (answers.size !== 1) return undefined;
  const answer = [...answers][0]!;
  const kinds = worlds[0]!;
  const wrong = asksAll
    ? people.map((_, i) =>
        listOf(
          people.map(show),
          kinds.map((kind, j) => (i === j ? !kind : kind)),
        ),
      )
    : [answer === 'knight' ? 'knave' : 'knight', 'it cannot be known'];
  return {
    answer,
    difficulty: unit((people.length - 1) / 7 + statements.length * 0.03 + (asksAll ? 0.1 : 0)),
    distractors: distractorsOf(answer, wrong, (i) => (i === 1 ? 'it cannot be known' : `no solution ${i}`)),
  };
}

/** Every assignment of kinds under which each knight's statement holds and each knave's does not. */
function worldsOf(people: number, statements: readonly (Statement | undefined)[]): Kinds[] | undefined {
  const worlds: Kinds[] = [];
  for (let bits = 0; bits < 1 << people; bits++) {
    const kinds = Array.from({ length: people }, (_, i) => (bits & (1 << i)) !== 0);
    // A statement that nobody can read makes the puzzle another one.
    if (statements.includes(undefined)) return undefined;
    if (statements.every((statement) => statement!.holds(kinds) === kinds[statement!.speaker])) worlds.push(kinds);
  }
  return worlds;
}

/** The names that a statement mentions. */
function namesIn(said: string): string[] {
  const single = /^([a-z]+) is a kn(?:ight|ave)/.exec(said)?.[1];
  const pair = /^([a-z]+) and ([a-z]+) are /.exec(said);
  return [single, pair?.[1], pair?.[2]].filter((name): name is string => name !== undefined && name !== 'i');
}

function statementOf(people: readonly string[], speaker: number, said: string): Statement | undefined {
  const person = (name: string): number => (name === 'i' ? speaker : people.indexOf(name));
  const count = (kinds: Kinds): number => kinds.filter(Boolean).length;
  const single = /^(i am|[a-z]+ is) (not )?a (knight|knave)/.exec(said);
  if (single !== null) {
    const who = person(single[1]!.split(' ')[0]!);
    const isKnight = (single[3] === 'knight') === (single[2] === undefined);
    return { speaker, holds: (kinds) => kinds[who] === isKnight };
  }
  const pair = /^([a-z]+) and ([a-z]+) are (?:of )?(?:the )?(same|different|both knights|both knaves)/.exec(said);
  if (pair !== null) {
    const [first, second] = [person(pair[1]!), person(pair[2]!)];
    const wanted = pair[3]!;
    if (wanted === 'same') return { speaker, holds: (kinds) => kinds[first] === kinds[second] };
    if (wanted === 'different') return { speaker, holds: (kinds) => kinds[first] !== kinds[second] };
    return {
      speaker,
      holds: (kinds) => kinds[first] === kinds[second] && kinds[first] === (wanted === 'both knights'),
    };
  }
  const all = /^we are (?:all|both) (knights|knaves)/.exec(said);
  if (all !== null) return { speaker, holds: (kinds) => count(kinds) === (all[1] === 'knights' ? kinds.length : 0) };
  const some = /^at least one of us is a (knight|knave)/.exec(said);
  if (some !== null)
    return { speaker, holds: (kinds) => (some[1] === 'knight' ? count(kinds) > 0 : count(kinds) < kinds.length) };
  return undefined;
}

/** Statements until they leave one possibility; each speaker says what their kind may say. */
function drawIsland(random: Random, people: readonly string[]): { readonly lines: string[]; readonly kinds: Kinds } {
  const names = people.map((name) => name.toLowerCase());
  for (;;) {
    const kinds = people.map(() => random.below(2) === 0);
    const lines: string[] = [];
    const statements: Statement[] = [];
    for (let tries = 0; tries < 40 && statements.length < people.length + 2; tries++) {
      const speaker = statements.length % people.length;
      const [other, third] = shuffled(
        random,
        people.filter((_, i) => i !== speaker),
      );
      const said = pick(random, [
        `${other} is a knave`,
        `${other} is a knight`,
        `${other} and I are of the same kind`,
        `${other} and I are of different kinds`,
        'At least one of us is a knave',
        ...(third === undefined
          ? []
          : [`${other} and ${third} are of different kinds`, `${other} and ${third} are of the same kind`]),
      ]);
      const statement = statementOf(names, speaker, said.toLowerCase());
      if (statement === undefined || statement.holds(kinds) !== kinds[speaker]) continue;
      statements.push(statement);
      lines.push(`${people[speaker]} says: "${said}."`);
      // Everybody mentioned must be decided, and everybody speaks or is spoken of.
      if (statements.length >= people.length && worldsOf(people.length, statements)?.length === 1)
        return { lines, kinds };
    }
  }
}

function kindName(isKnight: boolean): string {
  return isKnight ? 'knight' : 'knave';
}

function listOf(people: readonly string[], kinds: Kinds): string {
  const list = people.filter((_, i) => kinds[i]).sort((a, b) => (a < b ? -1 : 1));
  return list.length === 0 ? 'nobody' : list.join(', ');
}

function show(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
