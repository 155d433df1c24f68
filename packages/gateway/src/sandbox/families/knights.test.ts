import { knights } from './knights.ts';
import { testCases } from './testing.ts';

const RULES = 'Knights always tell the truth and knaves always lie.';

testCases(
  knights,
  {
    // Smullyan's classics.
    [`${RULES} Ann says: "We are both knaves." Bob says: "Ann is a knave." Is Ann a knight or a knave?`]: 'knave',
    [`${RULES} Ann says: "At least one of us is a knave." Is Bob a knight or a knave?`]: 'knave',
    [`${RULES} Ann says that Bob is a knave. Bob says: "Ann and I are both knights." List the knights.`]: 'Ann',
    [`${RULES} Ann says "Bob and I are of different kinds". Bob says "Cara is a knight". Cara says "Ann is a knave". Who are the knights?`]:
      'Ann',
    'Knights tell the truth and knaves lie. Ann says: "Bob is a knave." Bob says: "We are both knights." Is Ann a knight or a knave?':
      'knight',
  },
  [
    'Tell me about knights.',
    `${RULES} Is Ann a knight or a knave?`,
    `${RULES} Ann says: "I am a knight." Is Ann a knight or a knave?`,
    `${RULES} Ann says: "I am a knave." Is Ann a knight or a knave?`,
    `${RULES} Ann says: "Bob likes tea." Is Ann a knight or a knave?`,
    `${RULES} ${'abcdefghi'.replace(/./g, (name) => `${name}x says: "ax is a knave." `)} Is ax a knight or a knave?`,
  ],
);
