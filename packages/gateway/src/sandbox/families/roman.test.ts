import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roman } from './roman.ts';
import { testCases } from './testing.ts';

testCases(
  roman,
  {
    '1994 in roman numerals': 'MCMXCIV',
    'Write 4 as a Roman numeral, please!': 'IV',
    'convert 3999 to roman': 'MMMCMXCIX',
    'What number is MCMXCIV?': '1994',
    'what is MCMXCIV': '1994',
    'Convert the Roman numeral xlii to a number': '42',
    'I need the Roman numeral XIV in digits': '14',
    'XII to decimal': '12',
  },
  [
    '4000 in roman numerals',
    '0 in roman numerals',
    'What number is IIII?',
    'Roman holiday',
    'What number am I?',
    'Convert hex CD to decimal',
    'Who was the emperor in 44 and 45, roman',
  ],
);

test('adding where one subtracts is the first distractor, both ways', () => {
  assert.equal(roman.solve('9 in roman numerals')!.distractors[0], 'VIIII');
  assert.equal(roman.solve('What number is the Roman numeral IX?')!.distractors[0], '11');
});
