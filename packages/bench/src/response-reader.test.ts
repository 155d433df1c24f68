import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResponseReader } from './response-reader.ts';

/** Feeds `text` in pieces of `size` bytes and writes down what the handler was told. */
function read(text: string, size: number, { close = false } = {}) {
  const answers: { status: number; body: string; keepsAlive?: boolean }[] = [];
  const reader = createResponseReader({
    onHead: (status) => answers.push({ status, body: '' }),
    onBody: (bytes) => {
      answers.at(-1)!.body += bytes.toString();
    },
    onEnd: (keepsAlive) => {
      answers.at(-1)!.keepsAlive = keepsAlive;
    },
  });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) reader.feed(bytes.subarray(at, at + size));
  return { answers, endedByClose: close && reader.close() };
}

const fixed = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello';
const chunked =
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: z\r\n\r\n';
const empty = 'HTTP/1.1 502 Bad Gateway\r\ncontent-length:0\r\nConnection: close\r\n\r\n';
const interim = 'HTTP/1.1 100 Continue\r\n\r\n';

test('fixed, chunked, empty and interim answers are read in sequence, however they are cut', () => {
  const text = fixed + chunked + interim + fixed + empty;
  for (const size of [1, 2, 3, 17, text.length]) {
    assert.deepEqual(read(text, size).answers, [
      { status: 200, body: 'hello', keepsAlive: true },
      { status: 200, body: 'hello', keepsAlive: true },
      { status: 200, body: 'hello', keepsAlive: true },
      { status: 502, body: '', keepsAlive: false },
    ]);
  }
});

test('an answer without a length ends with the connection; a cut one does not', () => {
  const { answers, endedByClose } = read('HTTP/1.1 200 OK\r\n\r\nhello', 4, { close: true });
  assert.deepEqual(answers, [{ status: 200, body: 'hello', keepsAlive: false }]);
  assert.equal(endedByClose, true);
  assert.equal(read(chunked.slice(0, -5), 4, { close: true }).endedByClose, false);
});

test('bytes that are not HTTP are refused', () => {
  assert.throws(() => read('SSH-2.0-x\r\n\r\n', 64), /not HTTP/);
  assert.throws(() => read('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', 64), /no size/);
});
