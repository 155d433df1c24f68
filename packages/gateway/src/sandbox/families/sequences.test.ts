import { sequences } from './sequences.ts';
import { testCases } from './testing.ts';

testCases(
  sequences,
  {
    'What comes next: 2, 4, 8, 16, ?': '32',
    'next number: 3 7 11 15': '19',
    'Continue the sequence 10, 7, 4, 1': '-2',
    'Find the next term in the sequence 1, 4, 9, 16, 25': '36',
    'What is next in the series 1, 1, 2, 3, 5, 8?': '13',
    'next: 81, 27, 9': '3',
    'next: 1, 3, 7, 15, 31': '63',
    'next: 1, 10, 2, 20, 3, 30': '4',
    'next: 1, 8, 27, 64, 125': '216',
    'next: 5, 5, 5': '5',
    'next: 100000000000000000000, 200000000000000000000, 300000000000000000000': '400000000000000000000',
  },
  ['2, 4, 8, 16', 'What comes next?', 'next: 1, 2', 'next: 3, 1, 4, 1, 5, 9', 'Who is next, 1 or 2?'],
);
