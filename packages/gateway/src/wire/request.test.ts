import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkChatRequest, parseJsonBody } from './request.ts';

const GOOD = { model: 'gw/auto', messages: [{ role: 'user', content: 'hi' }] };

test('a body is given back as it is, unknown fields too', () => {
  const body = { ...GOOD, top_p: 0.5, vendor: { deep: [1] } };
  assert.equal(checkChatRequest(body), body);
});

test('what is allowed is allowed', () => {
  const rows: readonly object[] = [
    { messages: [{ role: 'assistant', content: null, tool_calls: [] }] },
    { messages: [{ role: 'tool' }] },
    { messages: [{ role: 'user', content: [] }] },
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }, { type: 'video' }] }] },
    { stop: 'x' },
    { stop: ['x', 'y'] },
    { stream_options: { include_usage: true, other: 1 } },
    { response_format: { type: 'json_schema', json_schema: {} } },
    { n: 128, top_logprobs: 20, max_tokens: 1, seed: -5, temperature: -1 },
  ];
  for (const more of rows) assert.doesNotThrow(() => checkChatRequest({ ...GOOD, ...more }), JSON.stringify(more));
});

test('an error never repeats the text of a body', () => {
  const secret = 'SECRET-0123456789';
  for (const text of [
    `{"model": "${secret}" x`,
    `{"a": ${secret}}`,
    `${secret}`,
    `{"a": "${secret}\n"}`,
    `{"${secret}`,
  ]) {
    assert.throws(
      () => parseJsonBody(Buffer.from(text)),
      (error: Error) => {
        assert.equal((error as Error & { code: string }).code, 'GW_REQUEST_JSON');
        return !error.message.includes(secret.slice(0, 6));
      },
      text,
    );
  }
});

test('the place of a fault is given where there is one', () => {
  const messageOf = (text: string): string => {
    try {
      parseJsonBody(Buffer.from(text));
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  assert.match(messageOf('{"a": 1,\n b: 2}'), /unexpected character at position 10 \(line 2, column 2\)/);
  assert.match(messageOf('{"a": 1,\n "b": x}'), /unexpected character/);
  assert.match(messageOf('{"a": '), /too early/);
  assert.match(messageOf(''), /it is empty/);
});

test('bytes that are no UTF-8 are refused before they are read', () => {
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf5, 0x80, 0x80, 0x80]])
    assert.throws(() => parseJsonBody(Buffer.from([0x22, ...bytes, 0x22])), { code: 'GW_REQUEST_ENCODING' });
});
