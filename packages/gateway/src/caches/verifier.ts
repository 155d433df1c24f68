/**
 * Whether the answer to one text may be given to another: only where both are one plain sentence with the same words, written
 * the same, in the same order. What may differ is how a question is opened ("how do I", "how to", "please tell me how to"),
 * the mark at its end, the capital of its opening word, and white space around it.
 *
 * It errs on the side of refusing, since every liberty taken inside a sentence has a pair that it gets wrong: articles ("what is
 * the matter", "what is matter"), capitals ("Polish", "polish"), commas ("eat, grandma"), hyphens ("man-eating"), number words
 * ("spell three", "spell 3"), politeness ("translate thank you"), pronouns ("should I pay you"), contractions, synonyms.
 */

/** Changes with every change of what it lets pass: a measurement of another version does not count. */
export const VERIFIER_VERSION = 2;

/** What the verifier says of a pair. */
export interface PairVerdict {
  readonly allowed: boolean;
  /** Why not; empty where allowed. */
  readonly reason: '' | 'material' | 'numbers' | 'negation' | 'words' | 'order';
}

/** Longer texts are quoted material as a rule, and nobody asks for them twice in other words. */
const MOST_CHARACTERS = 500;

/**
 * A sentence in words and numbers. Any other sign (quotes, brackets, operators, line breaks, emoji, code) makes a text material
 * in which every sign may count; full stops, commas and hyphens count where they stand.
 */
const PLAIN = /^[\p{L}\p{M}\d ,.'-]+\??$/u;

/** Ways to ask how something is done, at the beginning of a text. */
const HOW =
  /^(?:please )?(?:(?:(?:can|could) you (?:please )?)?(?:tell me|show me|explain|explain to me) how (?:to|i can)|how (?:do|can) i|how to) (?=([a-z]+) )/i;

/**
 * Verbs of operating something: before these all of `HOW` ask for the steps. Before others they do not: how do I look, how can I
 * be pregnant, how do I die in the end.
 */
const OPERATING = new Set(
  'activate add archive attach back block book boot bookmark build calculate call cancel capture change check cite clean clear clone close combine compile compress compute configure connect convert copy correct create cut deactivate debug decline decrypt define delete deploy disable disconnect download draw edit embed enable encrypt erase exclude export extract file filter find fix format hide highlight import include insert install invite join link list lock log merge migrate mount mute open order pair parse paste pause pin print publish reboot recover redeem refund register remove rename renew replace report request reserve reset resize restart restore revert revoke rotate save scan schedule search select send set share show sign solve sort split start stop subscribe swap switch sync track transfer translate turn undo uninstall unlock unsubscribe update upgrade upload validate verify view withdraw write zip'.split(
    ' ',
  ),
);

/** "Tell me what ..." says no more than what comes behind it. The order of words stays: "what X is" is not made "what is X". */
const TELL = /^(?:please )?(?:(?:can|could) you (?:please )?)?tell me (?=(?:what|who|where|why|which) )/i;

/** Words that can open a request and are no names: their capital says that they come first, and no more. */
const OPENERS =
  'what who whom whose when where why which how is are was were do does did can could should would please tell explain describe give show list name write translate summarize convert compare'.split(
    ' ',
  );
const CAPITAL_OPENERS = new Map(OPENERS.map((word) => [word[0]!.toUpperCase() + word.slice(1), word]));
/** What is a question by its words, with or without its mark. */
const QUESTION =
  /^(?:\u00abhow\u00bb|is|are|does|did|should|(?:what|who|whom|when|where|why|how|(?:what|which|whose) [\p{L}-]+|how (?:much|many|old|long|far) [\p{L}-]+) (?:is|are|was|were|do|does|did|can|could|should|would|will)(?:n't)?) /u;

const NEGATION = /\b(?:not|no|never|none|nobody|nothing|without|cannot|\w+n't|except|unless|disable)\b/g;

/**
 * The sentence behind its opening: two texts with the same one ask the same. Undefined for what is no plain sentence.
 */
export function meaningOf(text: string): string | undefined {
  if (text.length > MOST_CHARACTERS) return undefined;
  const sentence = text
    .trim()
    .normalize('NFC')
    .replace(/\u2019/g, "'");
  return PLAIN.test(sentence) && /[\p{L}\d]/u.test(sentence) ? withoutMark(opened(sentence)) : undefined;
}

/**
 * May the answer to `known` be given to whoever asked `asked`? Symmetric.
 *
 * @param asked the text of the request
 * @param known the text that was answered
 */
export function mayAnswer(asked: string, known: string): PairVerdict {
  if (asked === known) return { allowed: true, reason: '' };
  const [a, b] = [meaningOf(asked), meaningOf(known)];
  if (a === undefined || b === undefined) return refuse('material');
  if (a === b) return { allowed: true, reason: '' };
  if (differIn(a, b, /\d+/g)) return refuse('numbers');
  if (differIn(a, b, NEGATION)) return refuse('negation');
  return refuse(a.split(' ').sort().join(' ') === b.split(' ').sort().join(' ') ? 'order' : 'words');
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

function differIn(a: string, b: string, what: RegExp): boolean {
  return (a.match(what) ?? []).join(' ') !== (b.match(what) ?? []).join(' ');
}

/** With its opening in one form. */
function opened(sentence: string): string {
  const way = HOW.exec(sentence);
  if (way !== null && OPERATING.has(way[1]!)) return `\u00abhow\u00bb ${sentence.slice(way[0].length)}`;
  const asked = sentence.replace(TELL, '').replace(/^what's /i, 'what is ');
  const end = asked.indexOf(' ');
  const opener = end < 0 ? undefined : CAPITAL_OPENERS.get(asked.slice(0, end));
  return opener === undefined ? asked : opener + asked.slice(end);
}

/** A full stop at the end says nothing; a question mark only where words say that it is a question: "it works", "it works?". */
function withoutMark(sentence: string): string {
  return sentence.replace(QUESTION.test(sentence) ? /(?<=[\p{L}\p{M}]{2}|\d) ?[?.]$/u : /(?<=[\p{L}\p{M}]{2})\.$/u, '');
}
