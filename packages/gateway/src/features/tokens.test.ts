import assert from 'node:assert/strict';
import { test } from 'node:test';
import { estimatePromptTokens, estimateTextTokens } from './tokens.ts';

test('four ASCII characters count as a token, rounded up', () => {
  assert.equal(estimateTextTokens(''), 0);
  assert.equal(estimateTextTokens('a'), 1);
  assert.equal(estimateTextTokens('abcd'), 1);
  assert.equal(estimateTextTokens('abcde'), 2);
  assert.equal(estimateTextTokens('x'.repeat(4_000)), 1_000);
});

test('other characters count more, and never less than the same number of ASCII ones', () => {
  for (const text of ['\u00e9', '\u4e2d\u6587', '\u{1f600}', 'na\u00efve caf\u00e9', '\ud800']) {
    assert.ok(estimateTextTokens(text) >= estimateTextTokens('x'.repeat(text.length)), text);
    assert.ok(estimateTextTokens(text.repeat(50)) > estimateTextTokens('x'.repeat(text.length * 50)), text);
  }
  assert.equal(estimateTextTokens('\u4e2d'.repeat(100)), 60);
});

test('a longer text never counts less', () => {
  const text = 'Gr\u00fc\u00dfe, \u4e16\u754c! \u{1f680} and so on';
  for (let end = 1; end <= text.length; end++)
    assert.ok(estimateTextTokens(text.slice(0, end)) >= estimateTextTokens(text.slice(0, end - 1)) - 1);
});

test('each message, part, picture, tool call and tool counts', () => {
  const user = (content: unknown) => [{ role: 'user', content }] as never;
  assert.equal(estimatePromptTokens(user('abcd'), undefined), 4 + 1);
  assert.equal(estimatePromptTokens([...user('abcd'), ...user('abcd')] as never, null), 10);
  assert.equal(estimatePromptTokens(user(null), []), 4);
  assert.equal(estimatePromptTokens(user([{ type: 'text', text: 'abcdefgh' }]), undefined), 4 + 2);
  assert.equal(estimatePromptTokens(user([{ type: 'image_url', image_url: {} }]), undefined), 4 + 85);
  assert.equal(estimatePromptTokens(user([{ type: 'other' }]), undefined), 4);
  assert.equal(
    estimatePromptTokens([{ role: 'assistant', content: null, tool_calls: [{ id: 'abc' }] }], undefined),
    4 + Math.ceil('[{"id":"abc"}]'.length / 4),
  );
  assert.equal(estimatePromptTokens(user(''), [{ name: 'x' }]), 4 + Math.ceil('[{"name":"x"}]'.length / 4));
});

test('tools nested beyond what can be written again are a typed error that names them', () => {
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];
  assert.throws(() => estimatePromptTokens([], [deep]), { code: 'GW_REQUEST_DEPTH', path: 'tools' });
  assert.throws(() => estimatePromptTokens([{ role: 'user', tool_calls: deep }], null), {
    code: 'GW_REQUEST_DEPTH',
    path: 'messages',
  });
});
