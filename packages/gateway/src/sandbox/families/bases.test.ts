import { bases } from './bases.ts';
import { testCases } from './testing.ts';

testCases(
  bases,
  {
    'Convert 45 to binary': '101101',
    'binary 1011 to decimal': '11',
    'What is 0xff in decimal?': '255',
    '255 in hex please': 'ff',
    'Write the hexadecimal number BEEF in binary.': '1011111011101111',
    'What is ff (hexadecimal) in octal?': '377',
    'Convert 1011 from base 2 to base 16': 'b',
    'Convert 100 to base 7.': '202',
    '18446744073709551616 to hexadecimal': '10000000000000000',
  },
  [
    'Convert 45 to roman',
    '45 in base 1',
    '45 in base 40',
    'binary 1021 to decimal',
    'convert to binary',
    '12 + 5 in binary',
    'Convert 5 km to miles',
    `${'1'.repeat(200)} in binary`,
  ],
);
