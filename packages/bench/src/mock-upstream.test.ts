import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { checkAnswer } from './answer-check.ts';
import { createMockUpstream, type MockUpstreamOptions } from './mock-upstream.ts';
import { ANSWER_TEXT, type AnswerKind, requestBody, STREAM_CHUNKS } from './traffic.ts';

async function ask(body: string, options: MockUpstreamOptions = {}) {
  const server = createMockUpstream(options).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/chat/completions`;
    const response = await fetch(url, { method: 'POST', body });
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

for (const kind of ['json', 'sse'] satisfies AnswerKind[]) {
  test(`the ${kind} answer passes the generator's own check`, async () => {
    const { status, text } = await ask(requestBody(kind, 'mock-model'));
    const check = checkAnswer(kind, ANSWER_TEXT);
    check.feed(text);
    assert.equal(status, 200);
    assert.equal(check.failure(), undefined);
  });
}

test('a stream is 20 chunks, then the usage that was asked for, then [DONE]', async () => {
  const { type, text } = await ask(requestBody('sse', 'mock-model'));
  assert.equal(type, 'text/event-stream');
  const events = text.split('\n\n');
  assert.equal(events.pop(), '');
  assert.equal(events.pop(), 'data: [DONE]');
  const chunks = events.map((event) => JSON.parse(event.replace(/^data: /, '')));
  assert.equal(chunks.length, STREAM_CHUNKS + 1);
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop');
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

test('without include_usage no chunk mentions usage', async () => {
  const { text } = await ask('{"stream":true,"messages":[]}', { chunksPerWrite: 7 });
  assert.ok(!text.includes('usage'));
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('request and answer are about 1 KB', async () => {
  const body = requestBody('json', 'mock-model');
  const { text } = await ask(body);
  for (const size of [body.length, text.length]) assert.ok(size > 900 && size < 1300, `${size} bytes`);
});

test('a body that is not JSON is refused', async () => {
  assert.equal((await ask('{')).status, 400);
});
