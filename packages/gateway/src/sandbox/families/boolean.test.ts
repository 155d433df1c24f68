import { boolean } from './boolean.ts';
import { testCases } from './testing.ts';

testCases(
  boolean,
  {
    'Evaluate (true and not false) or false': 'true',
    'true and not true': 'false',
    'What is true or true and false?': 'true',
    'What is (TRUE OR TRUE) AND FALSE?': 'false',
    'true xor true or false': 'false',
    '!true || (false && true)': 'false',
    'not not true and true': 'true',
    'Is this true or false: not (true and false)': 'true',
    'True or false: true and false': 'false',
  },
  [
    'True or false: the sky is blue',
    'Is it true or false that Ann lies?',
    'true',
    'Write about true and false friends',
    '(true and',
    'true and and false',
    'to be or not to be',
    '5 > 3 and true',
  ],
);
