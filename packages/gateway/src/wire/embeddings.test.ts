import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base64Of, embeddingList } from './embeddings.ts';

const ASK = { model: 'm', input: ['a', 'b'] } as const;

function answer(first: string, second = '[1,2,3]'): string {
  return `{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":${first}},{"object":"embedding","index":1,"embedding":${second}}]}`;
}

describe('an answer with vectors', () => {
  test('that is as it was asked for is passed on as it came', () => {
    const data = answer('[1,2,3]');
    assert.equal((embeddingList(data, ASK) as { data: string }).data, data);
  });

  test('comes in the encoding that was asked for', () => {
    const list = embeddingList(answer(JSON.stringify(base64Of([1, 2, 3]))), ASK);
    assert.deepEqual((list as { body: { data: readonly unknown[] } }).body.data[0], {
      object: 'embedding',
      index: 0,
      embedding: [1, 2, 3],
    });
  });

  const WRONG: readonly [name: string, data: string][] = [
    ['numbers beyond all bounds, which JSON can say and nobody can use', answer('[1,1e999,3]')],
    ['text that is no base64, though as long', answer('"!!!!####!!!!####"')],
    ['no numbers', answer('[1,null,3]')],
    ['another length', answer('[1,2]')],
    ['nothing in it', answer('[]', '[]')],
  ];
  for (const [name, data] of WRONG)
    test(`is refused with ${name}`, () => assert.equal(typeof embeddingList(data, ASK), 'string'));
});
