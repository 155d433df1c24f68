import { dates } from './dates.ts';
import { testCases } from './testing.ts';

// Weekdays from the perpetual calendar; days between dates counted by hand.
testCases(
  dates,
  {
    'What day of the week was 20 July 1969?': 'Sunday',
    'what weekday is March 14, 2024': 'Thursday',
    'Which day of the week was the 1st of January 2000?': 'Saturday',
    'What day of the week is 2024-02-29?': 'Thursday',
    'What day was 1900-03-01': 'Thursday',
    'How many days between 2024-01-01 and 2024-03-01?': '60',
    'How many days are there from 1 March 2023 to 1 March 2024?': '366',
    'days from 2024-03-01 to 2024-01-01': '60',
    'What date is 45 days after 2024-02-10?': '2024-03-26',
    'What is the date 1 day before March 1st, 2023?': '2023-02-28',
    'Add 2 weeks to 2023-12-25': '2024-01-08',
  },
  [
    'What day is it?',
    'What day of the week was 30 February 2024?',
    '1900-02-29 weekday',
    'How many days between now and then',
    'I was born on 20 July 1969',
    '400001 days after 2024-01-01',
    '100000 days before 0100-01-01',
    'What day is 2024-13-01',
  ],
);
