/**
 * Pairs of requests with a label, made from templates: what a semantic cache must never take for the same, kind by kind, and
 * what it may. The hard ones differ in one word; the hardest, `near-misses.ts`, in less.
 */
import { nearMisses } from './near-misses.ts';

/** Two texts, and whether the answer to one answers the other. */
export interface LabelledPair {
  readonly a: string;
  readonly b: string;
  readonly same: boolean;
  readonly kind: string;
}

const OBJECTS = [
  'two-factor authentication',
  '2FA',
  'dark mode',
  'the firewall',
  'email alerts',
  'automatic updates',
  'location sharing',
  'remote access',
];
const ANTONYMS = [
  ['enable', 'disable'],
  ['turn on', 'turn off'],
  ['allow', 'block'],
  ['activate', 'deactivate'],
  ['start', 'stop'],
  ['show', 'hide'],
] as const;
const SUBJECTS = ['an invoice', 'my order', 'a subscription', 'a refund request', 'a contract', 'the booking'];
const NUMBERS = [
  ['15', '50'],
  ['2019', '2020'],
  ['1.5', '15'],
  ['1,000', '10,000'],
  ['three', 'thirty'],
  ['7', '8'],
] as const;
const ENTITIES = [
  ['Paris', 'Berlin'],
  ['Austria', 'Australia'],
  ['Apple', 'Microsoft'],
  ['Java', 'JavaScript'],
  ['Marie Curie', 'Pierre Curie'],
  ['Slovakia', 'Slovenia'],
  ['PostgreSQL', 'MySQL'],
  ['iPhone 14', 'iPhone 15'],
] as const;
const UNITS = [
  ['kg', 'lb'],
  ['km', 'miles'],
  ['Celsius', 'Fahrenheit'],
  ['MB', 'Mb'],
  ['mW', 'MW'],
  ['hours', 'minutes'],
] as const;
const DIRECTIONS = [
  ['USD', 'EUR'],
  ['English', 'German'],
  ['Rome', 'Madrid'],
  ['JSON', 'XML'],
  ['metres', 'feet'],
  ['staging', 'production'],
] as const;
const TIMES = [
  ['today', 'tomorrow'],
  ['before the deadline', 'after the deadline'],
  ['last year', 'next year'],
  ['on Monday', 'on Tuesday'],
  ['in March', 'in May'],
  ['at 8:00', 'at 18:00'],
] as const;
const COMPARISONS = [
  ['more than', 'less than'],
  ['the highest', 'the lowest'],
  ['larger than', 'smaller than'],
  ['the first', 'the last'],
  ['at least', 'at most'],
  ['cheaper than', 'dearer than'],
] as const;
const ACTIONS = [
  'reset my password',
  'export my data',
  'change the billing address',
  'delete an old backup',
  'invite a colleague',
  'rotate an API key',
  'merge two branches',
  'cite a web page',
];
const FACTS = [
  'capital of France',
  'boiling point of water',
  'speed of light',
  'population of Japan',
  'author of Hamlet',
  'chemical symbol for gold',
];

/** All of them, always the same and in the same order. */
export function builtInPairs(): LabelledPair[] {
  const pairs: LabelledPair[] = nearMisses();
  const differ = (kind: string, a: string, b: string): void => void pairs.push({ a, b, same: false, kind });
  const agree = (kind: string, a: string, b: string): void => void pairs.push({ a, b, same: true, kind });
  for (const [yes, no] of ANTONYMS) {
    for (const object of OBJECTS) {
      differ('antonym', `How do I ${yes} ${object}?`, `How do I ${no} ${object}?`);
      differ('antonym', `${yes} ${object}`, `${no} ${object}`);
    }
  }
  for (const subject of SUBJECTS) {
    differ('negation', `Can I cancel ${subject}?`, `Can I not cancel ${subject}?`);
    differ('negation', `Why does ${subject} count?`, `Why doesn't ${subject} count?`);
    differ('negation', `Send ${subject} with a signature`, `Send ${subject} without a signature`);
    differ('negation', `Is ${subject} always final?`, `Is ${subject} never final?`);
    differ('modal', `Can I change ${subject}?`, `Should I change ${subject}?`);
    differ('modal', `May I change ${subject}?`, `Must I change ${subject}?`);
    differ('person', `Who can see ${subject}?`, `When can they see ${subject}?`);
    differ('tense', `When was ${subject} sent?`, `When will ${subject} be sent?`);
    differ('quantifier', `Do all users see ${subject}?`, `Do some users see ${subject}?`);
    differ('quantifier', `Who may see ${subject}?`, `Who only may see ${subject}?`);
    differ('verb', `How do I archive ${subject}?`, `How do I delete ${subject}?`);
    for (const [a, b] of TIMES) differ('time', `What happens to ${subject} ${a}?`, `What happens to ${subject} ${b}?`);
    for (const [a, b] of NUMBERS)
      differ('number', `Split ${subject} into ${a} parts`, `Split ${subject} into ${b} parts`);
  }
  for (const [a, b] of NUMBERS) {
    differ('number', `What is ${a} percent of 300?`, `What is ${b} percent of 300?`);
    differ('number', `Name ${a} novels about the sea`, `Name ${b} novels about the sea`);
  }
  for (const [sign, other] of [
    ['+', '-'],
    ['*', '/'],
    ['<', '>'],
    ['=', '!='],
    ['^', '*'],
    ['-', '*'],
  ]) {
    for (const [x, y] of [
      ['17', '4'],
      ['x', 'y'],
      ['n', '1'],
    ]) {
      differ('symbol', `What is ${x} ${sign} ${y}?`, `What is ${x} ${other} ${y}?`);
      differ('symbol', `Solve ${x}${sign}${y}`, `Solve ${x}${other}${y}`);
    }
  }
  differ('symbol', 'Compute (2 + 3) * 4', 'Compute 2 + (3 * 4)');
  differ('symbol', 'What is 5!?', 'What is 5?');
  differ('symbol', 'Is -5 even?', 'Is 5 even?');
  differ('capitals', 'What does IT do?', 'What does it do?');
  differ('capitals', 'Who leads the WHO?', 'Who leads the who?');
  differ('capitals', 'Tell US customers the price', 'Tell us customers the price');
  for (const [a, b] of ENTITIES) {
    for (const template of [
      'Write a short history of NAME',
      'What is NAME known for?',
      'Compare NAME with its rivals',
      'How old is NAME?',
      'Is NAME worth its price?',
    ])
      differ('entity', template.replace('NAME', a), template.replace('NAME', b));
    differ('direction', `Is ${a} better than ${b}?`, `Is ${b} better than ${a}?`);
    differ('direction', `Did ${a} influence ${b}?`, `Did ${b} influence ${a}?`);
  }
  for (const [a, b] of UNITS) {
    differ('unit', `How heavy or long is 40 ${a}?`, `How heavy or long is 40 ${b}?`);
    differ('unit', `Show the reading in ${a}`, `Show the reading in ${b}`);
    differ('direction', `Convert 12 ${a} to ${b}`, `Convert 12 ${b} to ${a}`);
  }
  for (const [a, b] of DIRECTIONS) {
    differ('direction', `Convert from ${a} to ${b}`, `Convert from ${b} to ${a}`);
    differ(
      'direction',
      `What gets lost between ${a} and ${b} when I move from ${a}?`,
      `What gets lost between ${a} and ${b} when I move from ${b}?`,
    );
  }
  for (const [a, b] of COMPARISONS) {
    for (const thing of ['planet', 'salary', 'river', 'temperature', 'score'])
      differ('comparative', `Which ${thing} is ${a} the usual one?`, `Which ${thing} is ${b} the usual one?`);
  }
  for (const action of ACTIONS) {
    agree('opening', `How do I ${action}?`, `how to ${action}`);
    agree('opening', `How can I ${action}?`, `What is the best way to ${action}?`);
    agree('opening', `Please tell me how to ${action}.`, `How do I ${action}`);
    agree('opening', `Could you explain how to ${action}?`, `How would I ${action}?`);
    agree('politeness', `How do I ${action}?`, `Hello, how do I ${action} please?`);
    agree('writing', `How do I ${action}?`, `HOW DO I ${action.toUpperCase()}?`);
    agree('words', `How do I ${action}?`, `I forgot the procedure that lets one ${action}`);
  }
  for (const fact of FACTS) {
    agree('opening', `What is the ${fact}?`, `What's the ${fact}`);
    agree('opening', `Do you know what the ${fact} is?`, `what is ${fact}`);
    agree('opening', `Can you tell me what the ${fact} is?`, `I'd like to know what the ${fact} is`);
    agree('writing', `What is the ${fact}?`, `what is the   ${fact} ?`);
    agree('words', `What is the ${fact}?`, `Name the ${fact}`);
  }
  return pairs;
}
