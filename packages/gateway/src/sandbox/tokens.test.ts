import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@gatewright/kernel';
import { countTokens, tokenize } from './tokens.ts';

test('words split into pieces of four letters, numbers into pieces of three digits', () => {
  assert.deepEqual(tokenize('Answer: 1234'), ['Answ', 'er', ':', ' 123', '4']);
  assert.deepEqual(tokenize('  a\n'), [' ', ' a', '\n']);
  assert.deepEqual(tokenize(''), []);
});

test('tokens joined give the text, and their count is the count, for any text', () => {
  const random = seededRandom(3);
  const pieces = ['word', ' ', '12345', '\n', 'é', '漢', '\u{1f600}', '\ud83d', '-', '.'];
  for (let i = 0; i < 300; i++) {
    const text = Array.from({ length: random.below(30) }, () => pieces[random.below(pieces.length)]).join('');
    assert.equal(tokenize(text).join(''), text);
    assert.equal(countTokens(text), tokenize(text).length);
  }
});

test('a character outside the basic plane is never cut in two', () => {
  assert.deepEqual(tokenize('a \u{1f600}b'), ['a', ' \u{1f600}', 'b']);
});
