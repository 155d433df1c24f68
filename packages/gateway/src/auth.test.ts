import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback } from './auth.ts';

const CASES: readonly (readonly [host: string, expected: boolean])[] = [
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['localhost', true],
  ['app.localhost', true],
  ['::1', true],
  ['[::1]', true],
  ['', false],
  ['0.0.0.0', false],
  ['::', false],
  ['128.0.0.1', false],
  ['127.0.0.1.example.com', false],
  ['x127.0.0.1', false],
  ['127.0.0.1\n', false],
  ['localhost.example.com', false],
  ['notlocalhost', false],
  ['[::1].example.com', false],
];
for (const [host, expected] of CASES) {
  test(`${JSON.stringify(host)} is ${expected ? 'this machine alone' : 'not this machine alone'}`, () => {
    assert.equal(isLoopback(host), expected);
  });
}
