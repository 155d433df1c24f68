import { comparison } from './comparison.ts';
import { testCases } from './testing.ts';

testCases(
  comparison,
  {
    'Ann is taller than Bob. Cara is shorter than Bob. Who is the tallest?': 'Ann',
    'ann is taller than bob, bob is taller than cara. who is shortest?': 'Cara',
    'Bob is older than Cara. Ann is older than Bob. Who is the second oldest?': 'Bob',
    'Dan is slower than Eve and Finn is faster than Eve. Which one is the slowest?': 'Dan',
    'Ann is much richer than Bob. Who is the poorest?': 'Bob',
  },
  [
    'Who is the tallest?',
    'Ann is taller than Bob. Cara is taller than Bob. Who is the tallest?',
    'Ann is taller than Bob. Bob is taller than Ann. Who is the tallest?',
    'Cara is taller than Ann. Ann is taller than Bob. Bob is taller than Ann. Who is the tallest?',
    'Ann is taller than Bob. Who is the oldest?',
    'Everest is taller than K2.',
  ],
);
