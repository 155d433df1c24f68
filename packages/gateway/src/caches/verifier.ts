/**
 * Whether the answer to one text may be given to another: only where both say the same with the same words in the same
 * order, but for what carries no meaning (articles, politeness, capitals, punctuation, ways to begin a question).
 *
 * It errs on the side of refusing. Numbers, units, names, negations, directions, comparisons, tenses, symbols and brackets are all
 * words like any other here: one that differs, is missing or stands elsewhere refuses. There are no synonyms: "remove" and
 * "delete", "enable" and "turn on" are different requests.
 */

/** Changes with every change of what it lets pass: a measurement of another version does not count. */
export const VERIFIER_VERSION = 1;

/** What the verifier says of a pair. */
export interface PairVerdict {
  readonly allowed: boolean;
  /** Why not; empty where allowed. */
  readonly reason: '' | 'code' | 'length' | 'numbers' | 'negation' | 'words' | 'order';
}

/** Longer texts are quoted material as a rule, and nobody asks for them twice in other words. */
const MOST_CHARACTERS = 2_000;

/** Fences, tags, and lines that end or begin as code does: there every sign counts. */
const CODE =
  /```|`[^`]+`|<\/?[a-z][^>]*>|[;{}]\s*(?:\n|$)|^\s*(?:def|class|import|from|const|let|var|function|#include|SELECT|INSERT|UPDATE|DELETE)\b.*[(;:*{]/m;

/** Ways to begin that ask for the same, told as one sign. Longest first. */
const OPENINGS: readonly (readonly [RegExp, string])[] = [
  [
    /\b(?:what(?: i|')s|what would be|which is|is there) (?:the |a |an )?(?:(?:best|right|correct|proper|easiest) )?(?:way|method) (?:to|of)\b/g,
    ' \u00abhow\u00bb ',
  ],
  [
    /\b(?:(?:can|could|would|will) you )?(?:please )?(?:tell|show|explain|describe|teach)(?: to)?(?: me| us)? how (?:to|i can|i could|do i|can i|i)\b/g,
    ' \u00abhow\u00bb ',
  ],
  [/\bhow (?:do|can|could|would|should) (?:i|we|you|one) go about\b/g, ' \u00abhow\u00bb '],
  [/\bhow (?:do|can|could|would) (?:i|we|you|one)\b|\bhow to\b|\bhow does one\b/g, ' \u00abhow\u00bb '],
  [/\b(?:what are|give me|list) the steps (?:to|for)\b/g, ' \u00abhow\u00bb '],
  [
    /\b(?:can|could|would|will) you (?:please )?(?:tell|explain to|remind) me (?=(?:what|who|when|where|why|which|how)\b)/g,
    ' ',
  ],
  [
    /\b(?:do you know|i(?: would|'d) like to know|i want to know|i wonder|tell me) (?=(?:what|who|when|where|why|which|how)\b)/g,
    ' ',
  ],
  [/\bwhat(?: i|')s\b|\bwhat are\b/g, ' what '],
  [/\bwho(?: i|')s\b/g, ' who '],
  [/\bwhere(?: i|')s\b/g, ' where '],
  [/\bwhen(?: i|')s\b/g, ' when '],
];

/** Words that may come and go. Not "your", "was", "can", "all", "only", "some", "to": those change what is asked. */
const EMPTY_WORDS = new Set(
  'a an the please kindly hi hello hey thanks thank you! is are am do does my me i just really actually exactly'.split(
    ' ',
  ),
);

const SMALL_NUMBERS = new Map(
  'zero one two three four five six seven eight nine ten eleven twelve'
    .split(' ')
    .map((word, value) => [word, String(value)]),
);

const NEGATIONS = new Set(
  "not no never none nobody nothing nowhere neither nor without cannot n't except unless hardly barely stop avoid disable".split(
    ' ',
  ),
);

/** One word, number or sign; punctuation that only ends or joins is left out. */
const TOKEN = /\d+(?:[.,:]\d+)*|[\p{L}\p{M}]+|[^\s\p{L}\p{M}\d]/gu;
const DROPPED = new Set([
  '.',
  ',',
  '?',
  '!',
  ';',
  ':',
  '"',
  "'",
  '\u2019',
  '\u2018',
  '\u201c',
  '\u201d',
  '-',
  '\u2013',
  '\u2014',
  '\u00a0',
]);

/**
 * The text with all that carries no meaning taken out: two texts with the same one ask the same. Undefined for code, for what is
 * too long, and where nothing is left.
 */
export function meaningOf(text: string): string | undefined {
  if (text.length > MOST_CHARACTERS || CODE.test(text)) return undefined;
  const tokens = tokensOf(text);
  return tokens.length === 0 ? undefined : tokens.join(' ');
}

/**
 * May the answer to `known` be given to whoever asked `asked`? Symmetric.
 *
 * @param asked the text of the request
 * @param known the text that was answered
 */
export function mayAnswer(asked: string, known: string): PairVerdict {
  if (asked === known) return { allowed: true, reason: '' };
  if (asked.length > MOST_CHARACTERS || known.length > MOST_CHARACTERS) return refuse('length');
  if (CODE.test(asked) || CODE.test(known)) return refuse('code');
  const [a, b] = [tokensOf(asked), tokensOf(known)];
  if (a.length === 0 || b.length === 0) return refuse('words');
  if (a.join(' ') === b.join(' ')) return { allowed: true, reason: '' };
  if (different(a, b, (token) => /\d/.test(token))) return refuse('numbers');
  if (different(a, b, (token) => NEGATIONS.has(token))) return refuse('negation');
  return refuse([...a].sort().join(' ') === [...b].sort().join(' ') ? 'order' : 'words');
}

/** Share of words that two texts have in common, 0..1 (Dice). What is told of a hit. */
export function wordSimilarity(a: string, b: string): number {
  const [left, right] = [wordsOf(a), wordsOf(b)];
  if (left.size + right.size === 0) return 0;
  let common = 0;
  for (const word of left) if (right.has(word)) common++;
  return (2 * common) / (left.size + right.size);
}

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{M}\d]+/gu) ?? []);
}

function refuse(reason: PairVerdict['reason']): PairVerdict {
  return { allowed: false, reason };
}

function different(a: readonly string[], b: readonly string[], counts: (token: string) => boolean): boolean {
  return a.filter(counts).join(' ') !== b.filter(counts).join(' ');
}

function tokensOf(text: string): string[] {
  const composed = text.normalize('NFC').replace(/[\u2018\u2019]/g, "'");
  const hasSmall = /\p{Ll}/u.test(composed);
  // Names in capitals and units keep their letters as they are, behind a sign: US is not us, nor MB Mb.
  const kept = composed.replace(/(?<![\p{L}\p{M}\d])\p{L}\p{L}{1,3}(?![\p{L}\p{M}\d'])/gu, (word) =>
    hasSmall && /.\p{Lu}/u.test(word) ? `\u00a4${word}` : word,
  );
  const united = kept.replace(/(\d\s?)(\p{L}{1,3})(?![\p{L}\p{M}])/gu, (_, number: string, unit: string) =>
    unit === unit.toLowerCase() ? `${number} ${unit}` : `${number} \u00a4${unit}`,
  );
  let clean = united.replace(/[^\u00a4\p{L}\p{M}]?(\u00a4\p{L}+)|(\p{Lu}+)/gu, (whole, name: string | undefined) =>
    name === undefined ? whole.toLowerCase() : ` ${name} `,
  );
  clean = clean
    .replace(
      /\b(ca|wo|sha)n't\b/g,
      (_, verb: string) => `${verb === 'ca' ? 'can' : verb === 'wo' ? 'will' : 'shall'} not`,
    )
    .replace(/\bcannot\b/g, 'can not')
    .replace(/n't\b/g, ' not')
    .replace(/\bi'm\b/g, 'i am')
    .replace(/'(?:re)\b/g, ' are')
    .replace(/'ll\b/g, ' will')
    .replace(/\b(don|didn|doesn)t\b/g, '$1 not');
  for (const [pattern, sign] of OPENINGS) clean = clean.replace(pattern, sign);
  const tokens: string[] = [];
  const found = [...clean.matchAll(TOKEN)];
  for (const [at, match] of found.entries()) {
    const [token] = match;
    if (DROPPED.has(token)) {
      if (joins(clean, match.index, token)) tokens.push(token);
      continue;
    }
    if (token === '\u00a4' && found[at + 1] !== undefined) continue;
    if (clean[match.index - 1] === '\u00a4') tokens.push(`\u00a4${token}`);
    else if (/^\d/.test(token)) tokens.push(numberOf(token));
    else if (!EMPTY_WORDS.has(token)) tokens.push(SMALL_NUMBERS.get(token) ?? token);
  }
  return tokens;
}

/** A sign counts where it stands between what it belongs to: `a.b`, `3-2`, `x!`, ` -5`. */
function joins(text: string, at: number, sign: string): boolean {
  const before = text[at - 1] ?? ' ';
  const after = text[at + 1] ?? ' ';
  if (sign === '.' || sign === ':') return /[\p{L}\d]/u.test(before) && /[\p{L}\d]/u.test(after);
  if (sign === '!') return after === '=' || /\d/.test(before);
  if (sign === ',') return /\d/.test(before) && /\d/.test(after);
  if (sign === '-' || sign === '\u2013' || sign === '\u2014')
    return (
      /\d/.test(after) ||
      (/[\d)]/.test(before) && /\S/.test(after)) ||
      (before === ' ' && after === ' ' && /\d/.test(text.slice(at - 3, at + 4)))
    );
  return false;
}

/** `1,000` is `1000`; anything else stays as it is written. */
function numberOf(text: string): string {
  return /^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(text) ? text.replaceAll(',', '') : text;
}
