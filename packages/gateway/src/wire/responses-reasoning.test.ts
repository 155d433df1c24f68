import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { growingDetails, sealed, unsealed } from './responses-reasoning.ts';

test('what an item can say itself is not sealed', () => {
  assert.equal(sealed([]), undefined);
  assert.equal(
    sealed([
      { type: 'reasoning.text', text: 'a' },
      { type: 'reasoning.summary', summary: 'b' },
    ]),
    undefined,
  );
});

test('one block that a provider sealed stays as it is', () => {
  assert.equal(sealed([{ type: 'reasoning.encrypted', data: 'abc', index: 0 }]), 'abc');
  assert.deepEqual(unsealed('abc'), [{ type: 'reasoning.encrypted', data: 'abc' }]);
});

test('what is sealed comes back, whatever it is', () => {
  const detail = fc.record(
    {
      type: fc.constantFrom('reasoning.text', 'reasoning.summary', 'reasoning.encrypted', 'reasoning.other'),
      text: fc.string({ unit: 'binary' }),
      data: fc.oneof(fc.string(), fc.constant('gw1.W10')),
      signature: fc.string(),
      format: fc.jsonValue({ maxDepth: 2 }),
    },
    { requiredKeys: ['type'] },
  );
  fc.assert(
    fc.property(fc.array(detail, { minLength: 1, maxLength: 4 }), (details) => {
      const content = sealed(details);
      if (content !== undefined) assert.deepEqual(unsealed(content), JSON.parse(JSON.stringify(details)));
    }),
  );
});

test('an envelope that is damaged or forged is passed on as a block', () => {
  for (const content of ['gw1.', 'gw1.!!', `gw1.${Buffer.from('[1]').toString('base64url')}`, 'gw1.bnVsbA'])
    assert.deepEqual(unsealed(content), [{ type: 'reasoning.encrypted', data: content }]);
});

test('pieces of a stream grow together by their index', () => {
  const details = growingDetails();
  for (const piece of [
    { type: 'reasoning.text', index: 0, text: 'a' },
    { type: 'reasoning.text', index: 1, text: 'x' },
    { type: 'reasoning.text', index: 0, text: 'b' },
    { type: 'reasoning.text', index: 0, signature: 's' },
    { type: 'reasoning.encrypted', data: 'd' },
    { type: 'reasoning.encrypted', data: 'e' },
  ])
    details.add(piece);
  assert.deepEqual(details.all, [
    { type: 'reasoning.text', index: 0, text: 'ab', signature: 's' },
    { type: 'reasoning.text', index: 1, text: 'x' },
    { type: 'reasoning.encrypted', data: 'd' },
    { type: 'reasoning.encrypted', data: 'e' },
  ]);
});
