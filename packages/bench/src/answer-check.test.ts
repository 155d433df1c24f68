import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAnswer } from './answer-check.ts';
import { ANSWER_TEXT, type AnswerKind, jsonAnswer, streamEvents } from './traffic.ts';

const events = streamEvents({ includeUsage: true });
const stream = events.join('');

const cases: readonly { name: string; kind: AnswerKind; body: string; failure: string | undefined }[] = [
  { name: 'a whole JSON answer', kind: 'json', body: jsonAnswer(), failure: undefined },
  { name: 'cut JSON', kind: 'json', body: jsonAnswer().slice(0, -1), failure: 'body is not JSON' },
  { name: 'other text', kind: 'json', body: jsonAnswer().replace('gateway', 'getaway'), failure: 'text differs' },
  { name: 'a whole stream', kind: 'sse', body: stream, failure: undefined },
  { name: 'CRLF line ends', kind: 'sse', body: stream.replaceAll('\n', '\r\n'), failure: undefined },
  { name: 'a comment between events', kind: 'sse', body: `: ping\n\n${stream}`, failure: undefined },
  { name: 'no [DONE]', kind: 'sse', body: events.slice(0, -1).join(''), failure: 'stream ended without [DONE]' },
  { name: 'a lost chunk', kind: 'sse', body: events.toSpliced(5, 1).join(''), failure: 'text differs' },
  { name: 'a lost usage', kind: 'sse', body: events.toSpliced(-2, 1).join(''), failure: 'no usage' },
  { name: 'a cut event', kind: 'sse', body: `data: {"choices"\n\n${stream}`, failure: 'event is not JSON' },
  { name: 'an error event', kind: 'sse', body: `data: {"error":{}}\n\n${stream}`, failure: 'error event' },
  { name: 'data after the end', kind: 'sse', body: `${stream}${events[0]}`, failure: 'data after [DONE]' },
];

for (const { name, kind, body, failure } of cases) {
  test(`${kind}: ${name} -> ${failure ?? 'accepted'}, however it is cut into pieces`, () => {
    for (const size of [1, 7, body.length]) {
      const check = checkAnswer(kind, ANSWER_TEXT);
      for (let at = 0; at < body.length; at += size) check.feed(body.slice(at, at + size));
      assert.equal(check.failure(), failure);
    }
  });
}
