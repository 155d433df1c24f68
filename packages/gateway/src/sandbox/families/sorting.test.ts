import { sorting } from './sorting.ts';
import { testCases } from './testing.ts';

testCases(
  sorting,
  {
    'Sort: pear, apple, fig': 'apple, fig, pear',
    'Put pear, apple and fig in alphabetical order.': 'apple, fig, pear',
    'sort 5 3 10 descending': '10, 5, 3',
    'Please sort the following numbers from smallest to largest: 3, -1, 2.5. Thank you!': '-1, 2.5, 3',
    'Arrange 10, 9, 100 from largest to smallest': '100, 10, 9',
    'Sort [3, 1, 2]': '1, 2, 3',
    'Sort these words alphabetically: kiwi, Banana and apple': 'apple, Banana, kiwi',
    'Sort in reverse alphabetical order: b, a, c': 'c, b, a',
  },
  [
    'sort',
    'Sort: pear',
    'My order number is 12, can you help?',
    'Write code to sort a list: quick, merge',
    'In order to win, what should I do?',
    `sort: ${'a, '.repeat(150)}b`,
  ],
);
