import { letters } from './letters.ts';
import { testCases } from './testing.ts';

testCases(
  letters,
  {
    'Reverse the word gateway': 'yawetag',
    'reverse "hello world"': 'dlrow olleh',
    'What is gateway backwards?': 'yawetag',
    "spell 'caf\u00e9' backwards": '\u00e9fac',
    'How many times does the letter r appear in strawberry?': '3',
    "how many r's are in strawberry": '3',
    'How many times does s occur in Mississippi?': '4',
    'count the letter z in "gateway"': '0',
    'What is the 3rd letter of gateway?': 't',
    'what is the last letter in "gateway"': 'y',
    'How many letters are in the word strawberry?': '10',
    'uppercase gateway': 'GATEWAY',
    'Write "hello world" in capital letters.': 'HELLO WORLD',
    'gateway in uppercase': 'GATEWAY',
  },
  [
    'reverse the list',
    'What is the 30th letter of gateway?',
    'How many people live in Rome?',
    'Write a letter to Ann',
    'sort gateway in reverse order',
    'Is this reversible?',
  ],
);
