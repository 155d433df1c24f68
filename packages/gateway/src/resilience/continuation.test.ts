import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatChunk, ChatRequest } from '../wire/chat.ts';
import { isContinuable, isCutText, stitcher } from './continuation.ts';

const request = (more: object = {}): ChatRequest => ({ model: 'm', messages: [], ...more });
const chunk = (delta: Record<string, unknown>, more: object = {}): ChatChunk => ({
  id: 'second',
  object: 'chat.completion.chunk',
  created: 2,
  model: 'two',
  choices: [{ index: 0, delta, finish_reason: null }],
  ...more,
});
const FIRST = { ...chunk({}), id: 'first', created: 1, model: 'one' };

test('only one choice of plain text can be continued', () => {
  for (const more of [{}, { n: 1 }, { response_format: { type: 'text' } }, { tools: [{}] }])
    assert.equal(isContinuable(request(more), false), true, JSON.stringify(more));
  for (const more of [
    { n: 2 },
    { response_format: { type: 'json_object' } },
    { response_format: { type: 'json_schema' } },
  ])
    assert.equal(isContinuable(request(more), false), false, JSON.stringify(more));
  assert.equal(isContinuable(request(), true), false, 'with logprobs');
  const text = { text: 'It is', isPlainText: true, finishReason: undefined };
  assert.equal(isCutText(text), true);
  assert.equal(isCutText({ ...text, text: '' }), false);
  assert.equal(isCutText({ ...text, isPlainText: false }), false);
  assert.equal(isCutText({ ...text, finishReason: 'stop' }), false);
});

test('a continuation looks like more of the same answer', () => {
  const stitch = stitcher(FIRST, 'It is', { promptTokens: 10, completionTokens: 2 });
  const { id, created, model, choices } = stitch(chunk({ role: 'assistant', content: '' }));
  assert.deepEqual([id, created, model, choices[0]!.delta], ['first', 1, 'one', { content: '' }]);
  assert.deepEqual(stitch(chunk({ content: ' 42' })).choices[0]!.delta, { content: ' 42' });
  const last = stitch({
    ...chunk({}),
    choices: [],
    usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15, other: 1 },
  });
  assert.deepEqual(last.usage, { prompt_tokens: 22, completion_tokens: 5, total_tokens: 27, other: 1 });
});

test('white space at the seam is not said twice, and other white space is left alone', () => {
  const cases: [string, string, string][] = [
    ['It is ', ' 42', '42'],
    ['It is', ' 42', ' 42'],
    ['code:\n', '\n    x', '    x'],
    ['code:\n', '    x', '    x'],
    ['a\n\n', '\n\nb', 'b'],
    ['a \n', '\nb', 'b'],
    ['a', 'b', 'b'],
    ['a ', '  ', ' '],
  ];
  for (const [text, next, expected] of cases) {
    const stitch = stitcher(FIRST, text, { promptTokens: 0, completionTokens: 0 });
    assert.equal(stitch(chunk({ content: next })).choices[0]!.delta.content, expected, JSON.stringify([text, next]));
    assert.equal(stitch(chunk({ content: next })).choices[0]!.delta.content, next, 'only at the seam');
  }
});

test('white space without end in the middle of a text is no work at the seam', () => {
  // Looked for by trying every beginning, it would take minutes.
  const text = `a${' '.repeat(250_000)}b `;
  const stitched = stitcher(FIRST, text, { promptTokens: 0, completionTokens: 0 })(
    chunk({ content: ` ${'\n'.repeat(250_000)}c` }),
  );
  assert.equal(stitched.choices[0]!.delta.content, `${'\n'.repeat(250_000)}c`);
});
