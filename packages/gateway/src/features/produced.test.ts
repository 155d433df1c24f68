import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bookedCounts, produced } from './produced.ts';

const call = (name: string, given: string): object => ({ function: { name, arguments: given } });

test('text, thoughts, refusals and calls of tools count; everything else does not', () => {
  const answer = produced();
  assert.deepEqual([answer.isAny, answer.tokens()], [false, 0]);
  answer.add({ role: 'assistant', content: null, refusal: null, tool_calls: null });
  assert.equal(answer.isAny, false);
  answer.add({ content: 'x'.repeat(40), reasoning_content: 'y'.repeat(40), refusal: 'z'.repeat(8) });
  answer.add({ tool_calls: [call('look', '{"a": 1, "b": 2}'), null, {}] });
  assert.deepEqual([answer.isAny, answer.tokens()], [true, (40 + 40 + 8 + 4 + 16) / 4]);
});

test('thoughts that are said under two names count once', () => {
  const answer = produced();
  answer.add({ reasoning: 'same', reasoning_content: 'same' });
  assert.equal(answer.tokens(), 1);
});

test('however a stream is cut into pieces, it counts as the whole answer', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.array(fc.string()), (pieces, given) => {
      const whole = produced();
      whole.add({ content: pieces.join(''), tool_calls: [call('tool', given.join(''))] });
      const stream = produced();
      for (const content of pieces) stream.add({ content });
      stream.add({ tool_calls: [call('tool', '')] });
      for (const part of given) stream.add({ tool_calls: [{ function: { arguments: part } }] });
      assert.equal(stream.tokens(), whole.tokens());
    }),
  );
});

const USAGE = {
  prompt_tokens: 70,
  completion_tokens: 2,
  total_tokens: 72,
  prompt_tokens_details: { cached_tokens: 50 },
};
const tenTokens = () => {
  const answer = produced();
  answer.add({ content: 'x'.repeat(40) });
  return answer;
};

test('a call is booked with what its expert told, and with nothing else', () => {
  const { counts, from } = bookedCounts(USAGE, undefined, tenTokens(), true, 1_000);
  assert.deepEqual([counts.promptTokens, counts.completionTokens, counts.cachedTokens, from], [70, 2, 50, 'provider']);
});

test('a stream that was cut is booked with what it had told and what had come since', () => {
  const cut = bookedCounts(undefined, USAGE, tenTokens(), true, 1_000);
  assert.deepEqual(
    [cut.counts.promptTokens, cut.counts.completionTokens, cut.counts.cachedTokens, cut.from],
    [70, 10, 50, 'estimate'],
  );
  const more = bookedCounts(undefined, { ...USAGE, completion_tokens: 12 }, tenTokens(), true, 1_000);
  assert.deepEqual([more.counts.completionTokens, more.from], [12, 'provider']);
});

test('a call that nobody counted is booked by estimate, and one that failed without a word with nothing', () => {
  for (const told of [undefined, null]) {
    const counted = bookedCounts(told, undefined, tenTokens(), true, 1_000);
    assert.deepEqual(counted, { counts: { promptTokens: 1_000, completionTokens: 10 }, from: 'estimate' });
  }
  assert.deepEqual(bookedCounts(undefined, undefined, produced(), false, 1_000).counts, {
    promptTokens: 0,
    completionTokens: 0,
  });
});
