import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arithmetic } from './arithmetic.ts';
import { testCases } from './testing.ts';

testCases(
  arithmetic,
  {
    'What is 17 * 23 + 4?': '395',
    '2 + 3 * 4': '14',
    '(2 + 3) * 4 =': '20',
    '10 - 4 - 3': '3',
    '2 ^ 3 ^ 2': '512',
    '-2 ^ 2 + 1': '-3',
    '2 * (-3 + 1)': '-4',
    '2(3 + 4)': '14',
    'Hi! Could you tell me what 12 plus 30 times 2 is, please?': '72',
    'what is 100 divided by 8': '12.5',
    '1 / 3': '0.333333',
    '0.1 + 0.2': '0.3',
    '1,000 + 2,500': '3500',
    '3x4': '12',
    '7 \u00d7 8 \u2212 6': '50',
    "what's 10-3?": '7',
    '5 squared + 1': '26',
    '99999999999999999999 + 1': '100000000000000000000',
  },
  [
    'hello',
    '42',
    '12 / 0',
    '5 +',
    '(1 + 2',
    'What is 15% of 3 + 4?',
    '2024-03-05',
    'call 555-1234',
    'We won 3-2 yesterday',
    '9 ^ 9 ^ 9',
    '1 + 2 or 3 + 4',
    '12 + 5 in binary',
  ],
);

test('the hasty answer from left to right is the first distractor', () => {
  assert.equal(arithmetic.solve('2 + 3 * 4')!.distractors[0], '20');
});
