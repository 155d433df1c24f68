import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numbersOf } from './spans.ts';

test('of a request that waits to be exported only its numbers are kept, and neither text nor pictures', () => {
  const request = {
    model: 'm',
    messages: [{ role: 'user', content: 'x' }],
    temperature: 0.5,
    n: 2,
    seed: 7,
    top_p: '1',
  };
  assert.deepEqual(numbersOf(request), { temperature: 0.5, seed: 7, n: 2 });
});
