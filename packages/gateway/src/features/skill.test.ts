import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skillByKeywords } from './skill.ts';

const skillOf = skillByKeywords({
  code: { keywords: ['function', 'type error', '=>', '{}'] },
  maths: { keywords: ['sum', 'integral', '+'] },
  german: { keywords: ['\u00fcber', 'stra\u00dfe'] },
});

const CASES: readonly (readonly [text: string, skill: string])[] = [
  ['hello', 'default'],
  ['', 'default'],
  ['Write a FUNCTION', 'code'],
  ['functions are dull', 'default'],
  ['dysfunction', 'default'],
  ['(function)', 'code'],
  ['a type error', 'code'],
  ['x=>y', 'code'],
  ['sum of the function: integral', 'maths'],
  ['function sum', 'code'],
  ['sum function', 'code'],
  ['1+1', 'maths'],
  ['\u00dcber die Stra\u00dfe', 'german'],
  ['wor\u00fcber', 'default'],
  [`${' '.repeat(4_000)}function`, 'default'],
];
for (const [text, skill] of CASES) {
  test(`${JSON.stringify(text.trim().slice(0, 40))} (${text.length} characters) is of skill ${skill}`, () => {
    assert.equal(skillOf(text), skill);
    assert.equal(skillOf(text), skill, 'asking again changes nothing');
  });
}

test('without skills everything is of the default one', () => {
  assert.equal(skillByKeywords({})('function'), 'default');
});

test('signs of regular expressions in a keyword mean themselves', () => {
  const one = skillByKeywords({ odd: { keywords: ['.*', '(a+)+$', '\\d'] } });
  assert.equal(one('anything 7'), 'default');
  assert.equal(one('a .* b'), 'odd');
  assert.equal(one('\\d'), 'odd');
});

test('takes time in proportion to the text', () => {
  const startMs = performance.now();
  skillByKeywords({ slow: { keywords: ['(a+)+$', 'aaaaaaaaaaaaaaaab'] } })('a'.repeat(100_000));
  assert.ok(performance.now() - startMs < 500);
});
