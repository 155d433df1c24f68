import { percentages } from './percentages.ts';
import { testCases } from './testing.ts';

testCases(
  percentages,
  {
    'What is 15% of 240?': '36',
    'what is 12.5 percent of $1,000': '125',
    'What percent of 80 is 20?': '25',
    '20 is what percentage of 60?': '33.3333',
    'Increase 240 by 15%': '276',
    'A coat costs $80 and is discounted by 15%. What is the final price?': '68',
    'A coat costs $100 and is raised by 10%, then discounted by 10%. What is the final price?': '99',
    'A $60 shirt is 20% off. What do I pay?': '48',
    'Split 120 in the ratio 2:3. What is the largest share?': '72',
    'Share 90 in the ratio 1 : 2 : 6, what is the smallest share?': '10',
  },
  [
    'What is 15%?',
    '15 of 240',
    'I am 100% sure',
    'Split 120 in two',
    'In the ratio 0:0 split 5, the largest share?',
    'A 50 coat and a 30 hat, 10% off',
    '20 is what percent of 0?',
  ],
);
