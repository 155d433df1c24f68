/** Unit conversion: "Convert 5 km to miles." */
import { between, pick, unit } from '../draw.ts';
import type { Solution, TaskFamily } from '../family.ts';
import { add, divide, type Fraction, formatFraction, fraction, multiply, parseDecimal, subtract } from '../fraction.ts';
import { distractorsOf, tidy } from '../text.ts';

/** Lengths, masses, volumes, times and temperatures. Exact factors; rounded to 4 decimals unless the text says. */
export const units: TaskFamily = {
  name: 'units',
  skill: 'numbers',
  summary: 'Conversion between units of length, mass, volume, time and temperature.',
  example: 'Convert 5 km to miles',
  generate(random, difficulty) {
    const hard = unit(difficulty);
    const [from, to] = pick(random, PAIRS[Math.min(PAIRS.length - 1, Math.floor(hard * PAIRS.length))]!);
    const whole = between(random, 2, Math.round(20 + 900 * hard));
    const amount = hard > 0.5 ? `${whole}.${between(random, 1, 9)}` : `${whole}`;
    const ask = pick(random, [
      `Convert ${amount} ${from} to ${to}.`,
      `How many ${to} are ${amount} ${from}?`,
      `What is ${amount} ${from} in ${to}?`,
    ]);
    const value = convert(parseDecimal(amount)!, unitNamed(from)!, unitNamed(to)!);
    const prompt = `${ask} Round to 2 decimals.`;
    return { family: 'units', skill: 'numbers', difficulty: hard, prompt, answer: formatFraction(value, 2) };
  },
  solve,
};

interface Unit {
  readonly kind: 'length' | 'mass' | 'volume' | 'time' | 'temperature';
  /** Units of one system divide each other evenly. */
  readonly system: 'metric' | 'imperial' | 'time';
  /** How many of the kind's base unit (m, g, ml, s, K) one of these is. */
  readonly factor: Fraction;
  /** What to add to the base unit's value for the zero of this scale; only temperatures have one. */
  readonly zero?: Fraction;
  readonly names: string;
}

const UNITS: readonly Unit[] = [
  {
    kind: 'length',
    system: 'metric',
    factor: fraction(1, 1000),
    names: 'mm millimeter millimeters millimetre millimetres',
  },
  {
    kind: 'length',
    system: 'metric',
    factor: fraction(1, 100),
    names: 'cm centimeter centimeters centimetre centimetres',
  },
  { kind: 'length', system: 'metric', factor: fraction(1), names: 'm meter meters metre metres' },
  {
    kind: 'length',
    system: 'metric',
    factor: fraction(1000),
    names: 'km kms kilometer kilometers kilometre kilometres',
  },
  { kind: 'length', system: 'imperial', factor: fraction(254, 10000), names: 'in inch inches' },
  { kind: 'length', system: 'imperial', factor: fraction(3048, 10000), names: 'ft foot feet' },
  { kind: 'length', system: 'imperial', factor: fraction(9144, 10000), names: 'yd yard yards' },
  { kind: 'length', system: 'imperial', factor: fraction(1609344, 1000), names: 'mi mile miles' },
  { kind: 'mass', system: 'metric', factor: fraction(1, 1000), names: 'mg milligram milligrams' },
  { kind: 'mass', system: 'metric', factor: fraction(1), names: 'g gram grams' },
  { kind: 'mass', system: 'metric', factor: fraction(1000), names: 'kg kilo kilos kilogram kilograms' },
  { kind: 'mass', system: 'metric', factor: fraction(1000000), names: 't tonne tonnes' },
  { kind: 'mass', system: 'imperial', factor: fraction(45359237, 1600000), names: 'oz ounce ounces' },
  { kind: 'mass', system: 'imperial', factor: fraction(45359237, 100000), names: 'lb lbs pound pounds' },
  { kind: 'volume', system: 'metric', factor: fraction(1), names: 'ml milliliter milliliters millilitre millilitres' },
  { kind: 'volume', system: 'metric', factor: fraction(1000), names: 'l liter liters litre litres' },
  { kind: 'volume', system: 'imperial', factor: fraction(3785411784, 1000000), names: 'gal gallon gallons' },
  { kind: 'time', system: 'time', factor: fraction(1), names: 's sec second seconds' },
  { kind: 'time', system: 'time', factor: fraction(60), names: 'min minute minutes' },
  { kind: 'time', system: 'time', factor: fraction(3600), names: 'h hr hour hours' },
  { kind: 'time', system: 'time', factor: fraction(86400), names: 'day days' },
  { kind: 'time', system: 'time', factor: fraction(604800), names: 'week weeks' },
  {
    kind: 'temperature',
    system: 'metric',
    factor: fraction(1),
    zero: fraction(27315, 100),
    names: 'c celsius centigrade',
  },
  {
    kind: 'temperature',
    system: 'imperial',
    factor: fraction(5, 9),
    zero: fraction(45967 * 5, 900),
    names: 'f fahrenheit',
  },
  { kind: 'temperature', system: 'metric', factor: fraction(1), names: 'k kelvin' },
];

/** What the generator asks, easiest first: powers of ten, even factors, then factors that nobody knows by heart. */
const PAIRS: readonly (readonly (readonly [string, string])[])[] = [
  [
    ['km', 'meters'],
    ['meters', 'cm'],
    ['kg', 'grams'],
    ['liters', 'ml'],
    ['cm', 'mm'],
    ['minutes', 'seconds'],
    ['hours', 'minutes'],
  ],
  [
    ['feet', 'inches'],
    ['days', 'hours'],
    ['weeks', 'days'],
    ['yards', 'feet'],
    ['pounds', 'ounces'],
    ['cm', 'meters'],
    ['grams', 'kg'],
  ],
  [
    ['days', 'seconds'],
    ['inches', 'feet'],
    ['celsius', 'fahrenheit'],
    ['inches', 'cm'],
    ['hours', 'weeks'],
    ['miles', 'yards'],
  ],
  [
    ['miles', 'km'],
    ['km', 'miles'],
    ['pounds', 'kg'],
    ['kg', 'pounds'],
    ['fahrenheit', 'celsius'],
    ['gallons', 'liters'],
    ['ounces', 'grams'],
  ],
];

const AMOUNT = /-?(?:\d{1,30}(?:,\d{3}){0,6}(?:\.\d{1,20})?|\.\d{1,20})/.source;
const FROM_TO = new RegExp(
  `(${AMOUNT}|\\ban?) ?(?:degrees? |°)?([a-z]{1,12})\\.? (?:to|in|into|as|equals? how many|is how many) (?:degrees? |°)?([a-z]{1,12})\\b`,
  'i',
);
const HOW_MANY = new RegExp(
  `\\bhow (?:many|much) (?:degrees? )?([a-z]{1,12}) (?:(?:are|is|there|in|make|equals?|do|does|go|into|fit) ){1,5}(${AMOUNT}|an?) ?(?:degrees? |°)?([a-z]{1,12})\\b`,
  'i',
);

function solve(prompt: string): Solution | undefined {
  const text = tidy(prompt);
  const forward = FROM_TO.exec(text);
  const backward = HOW_MANY.exec(text);
  const [amountText, from, to] =
    backward !== null && unitNamed(backward[1]!) !== undefined
      ? [backward[2]!, unitNamed(backward[3]!), unitNamed(backward[1]!)]
      : forward !== null
        ? [forward[1]!, unitNamed(forward[2]!), unitNamed(forward[3]!)]
        : [];
  if (amountText === undefined || from === undefined || to === undefined || from === to || from.kind !== to.kind)
    return undefined;
  const amount = /^an?$/i.test(amountText) ? fraction(1) : parseDecimal(amountText);
  if (amount === undefined) return undefined;
  const value = convert(amount, from, to);
  const decimals = decimalsAsked(text) ?? (isTiny(value) ? 10 : 4);
  const show = (other: Fraction | undefined): string => (other === undefined ? '' : formatFraction(other, decimals));
  const answer = show(value);
  return {
    answer,
    difficulty: measure(amountText, from, to),
    // Turned the factor round, moved the point, forgot the zero of the scale, misremembered the factor.
    distractors: distractorsOf(
      answer,
      [
        show(convert(amount, to, from)),
        show(multiply(value, fraction(10))),
        show(divide(multiply(amount, from.factor), to.factor)),
        show(multiply(value, fraction(1, 10))),
        show(multiply(value, fraction(11, 10))),
      ],
      (i) => show(add(value, fraction(i))),
    ),
  };
}

function unitNamed(name: string): Unit | undefined {
  const wanted = name.toLowerCase();
  return UNITS.find((candidate) => candidate.names.split(' ').includes(wanted));
}

function convert(amount: Fraction, from: Unit, to: Unit): Fraction {
  const base = add(multiply(amount, from.factor), from.zero ?? fraction(0));
  // Factors are never zero, so the division always has a value.
  return divide(subtract(base, to.zero ?? fraction(0)), to.factor)!;
}

/** The number of decimals that the text asks for, 0 to 10. */
function decimalsAsked(text: string): number | undefined {
  const match = /\b(\d{1,2}|one|two|three|four|no) decimals?\b/i.exec(text);
  if (match === null) return /nearest (?:whole|integer)/i.test(text) ? 0 : undefined;
  const word = ['no', 'one', 'two', 'three', 'four'].indexOf(match[1]!.toLowerCase());
  return Math.min(10, word >= 0 ? word : Number(match[1]));
}

/** Below a hundredth four decimals would show next to nothing. */
function isTiny(value: Fraction): boolean {
  const magnitude = value.top < 0n ? -value.top : value.top;
  return magnitude * 100n < value.bottom;
}

function measure(amountText: string, from: Unit, to: Unit): number {
  const digits = amountText.replace(/\D/g, '').length;
  const ratio = from.factor.top * to.factor.bottom >= to.factor.top * from.factor.bottom ? 0 : 0.1;
  const kind = from.system !== to.system || from.kind === 'temperature' ? 0.6 : from.system === 'metric' ? 0.05 : 0.25;
  return unit(kind + ratio + Math.min(digits, 5) * 0.06);
}
