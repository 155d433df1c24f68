import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { measureCache } from './measurement.ts';
import { nearMisses } from './near-misses.ts';
import { builtInPairs } from './pairs.ts';
import { mayAnswer, meaningOf } from './verifier.ts';

describe('the verifier of the semantic cache', () => {
  test('lets pass what says the same', () => {
    const pairs: [string, string][] = [
      ['How do I reset my password?', 'how to reset my password'],
      ['Please tell me how to reset my password.', 'How can I reset my password?'],
      ["What's the capital of France?", 'what is the capital of France'],
      ['Can you tell me what happened', 'tell me what happened.'],
      ['Name three rivers.', 'name three rivers '],
      ['Why don\u2019t cats swim?', "why don't cats swim"],
      ['What is caf\u00e9 au lait?', 'what is cafe\u0301 au lait'],
    ];
    for (const [a, b] of pairs) assert.deepEqual(mayAnswer(a, b), { allowed: true, reason: '' }, `${a} | ${b}`);
  });

  test('refuses what differs where it matters, and says why', () => {
    const pairs: [string, string, string][] = [
      ['enable 2FA', 'disable 2FA', 'negation'],
      ['How do I turn on 2FA?', 'How do I turn off 2FA?', 'words'],
      ['Is it safe?', 'Is it not safe?', 'negation'],
      ['What is 15 percent of 80?', 'What is 80 percent of 15?', 'numbers'],
      ['What is 15 % of 80?', 'What is 15 of 80?', 'material'],
      ['Convert EUR to USD', 'Convert USD to EUR', 'order'],
      ['Does A follow from B?', 'Does B follow from A?', 'words'],
      ['Draw it in Mb', 'Draw it in MB', 'words'],
      ['Who is ill?', 'WHO is ill?', 'words'],
      ['Wie alt ist Berlin?', 'How old is Berlin?', 'words'],
      ['Run `rm a`', 'Run `rm b`', 'material'],
      ['def f(x): return 1;', 'def f(x): return  1;', 'material'],
      ['2020-01-02', '2020-02-01', 'numbers'],
      ['', '?', 'material'],
      ['one\ntwo', 'one two', 'material'],
    ];
    for (const [a, b, reason] of pairs) {
      const said = mayAnswer(a, b);
      assert.equal(said.allowed, false, `${a} | ${b}`);
      if (reason !== 'words') assert.equal(said.reason, reason, `${a} | ${b}`);
    }
  });

  test('takes none of the built-in pairs that differ for the same, near misses among them', () => {
    const { different, same, falseHits, falseHitUpper } = measureCache(builtInPairs(), 0, ['built-in']);
    assert.deepEqual(falseHits, []);
    assert.ok(different.pairs >= 650);
    assert.ok(nearMisses().every(({ a, b }) => a !== b && b.length > 0));
    assert.ok(falseHitUpper < 0.005);
    assert.ok(same.hits / same.pairs > 0.2, `${same.hits} of ${same.pairs}`);
  });

  test('is symmetric, agrees with the meaning, and takes any text', () => {
    const words = fc.constantFrom(
      'not',
      'Enable',
      'the',
      '15',
      '1.5',
      '-',
      '!',
      'US',
      'us',
      '\u00a4',
      '\u00ab',
      '=',
      "can't",
      '\ud800',
      'kg',
      'Mb',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(words, { maxLength: 8 }).map((list) => list.join(' ')),
    );
    fc.assert(
      fc.property(text, text, (a, b) => {
        assert.equal(mayAnswer(a, b).allowed, mayAnswer(b, a).allowed);
        assert.ok(mayAnswer(a, a).allowed);
        const [left, right] = [meaningOf(a), meaningOf(b)];
        if (left !== undefined && right !== undefined) assert.equal(mayAnswer(a, b).allowed, a === b || left === right);
      }),
      { numRuns: 2_000 },
    );
  });

  test('takes no time without end for hostile text', () => {
    for (const part of ['what is the ', "n't", 'can you please tell me how ', '<a', '\u00a4A', '1,000', '((('])
      for (const text of [part.repeat(2_000 / part.length), part.repeat(1_000_000 / part.length)]) {
        mayAnswer(text, `${text}x`);
        meaningOf(text);
      }
  });
});

const PROMPTS = new URL('../../../../../shared/data/routing/prompts.jsonl.gz', import.meta.url);

describe('the verifier on 30,430 recorded prompts', () => {
  test('takes no two different questions for the same, of all pairs there are', {
    skip: existsSync(PROMPTS) ? false : 'the recorded prompts are not beside the repository',
  }, () => {
    const texts = new Set<string>();
    for (const line of gunzipSync(readFileSync(PROMPTS)).toString('utf8').trim().split('\n'))
      texts.add((JSON.parse(line) as { prompt: string }).prompt);
    const byMeaning = new Map<string, string[]>();
    for (const text of texts) {
      const meaning = meaningOf(text);
      if (meaning === undefined) continue;
      const known = byMeaning.get(meaning);
      if (known === undefined) byMeaning.set(meaning, [text]);
      else known.push(text);
    }
    const alike = [...byMeaning.values()].filter((group) => group.length > 1);
    assert.ok(texts.size > 25_000);
    // Read one by one: each is one question, printed with and without full stops, or with another capital.
    assert.ok(alike.length <= 5, alike.map((group) => group.join('\n')).join('\n\n'));
    for (const group of alike)
      assert.equal(
        new Set(group.map((text) => text.toLowerCase().replace(/[^\p{L}\d^]/gu, ''))).size,
        1,
        group.join('\n'),
      );
  });
});
