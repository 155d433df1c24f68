import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testCases } from './testing.ts';
import { units } from './units.ts';

testCases(
  units,
  {
    'Convert 5 km to miles': '3.1069',
    'convert 5 km to miles, please. Round to 2 decimals': '3.11',
    'How many meters are in 3.5 kilometers?': '3500',
    'How many minutes in an hour?': '60',
    'What is 12 feet in inches?': '144',
    '1,500 g to kg': '1.5',
    '100 F to C': '37.7778',
    '-40 degrees celsius in fahrenheit': '-40',
    '0 K to celsius': '-273.15',
    '1 gallon in liters': '3.7854',
    '2 weeks into hours': '336',
    '1 mm to miles': '0.0000006214',
    '10 in in cm': '25.4',
    'Convert 2.5 miles to km to the nearest whole number': '4',
  },
  [
    '5 km to kg',
    '5 km',
    'km to miles',
    '45 to binary',
    '5 parsecs to km',
    'I drove 5 km to work',
    'How many letters are in km?',
  ],
);

test('the factor turned round is the first distractor', () => {
  assert.equal(units.solve('5 km to miles')!.distractors[0], '8.0467');
});
