import assert from 'node:assert/strict';
import { test } from 'node:test';
import { neededCapabilities } from './needs.ts';

const messages = [{ role: 'user', content: 'hi' }];
const picture = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }];

const CASES: readonly (readonly [name: string, request: object, needs: readonly string[]])[] = [
  ['a plain request', {}, []],
  ['empty fields', { tools: [], response_format: null, logprobs: false, n: 1 }, []],
  ['tools', { tools: [{ type: 'function' }] }, ['tools']],
  ['a JSON object', { response_format: { type: 'json_object' } }, ['json']],
  ['a JSON schema', { response_format: { type: 'json_schema', json_schema: {} } }, ['json']],
  ['text as the format', { response_format: { type: 'text' } }, []],
  ['a picture', { messages: picture }, ['vision']],
  ['a picture in an older message', { messages: [...picture, ...messages] }, ['vision']],
  ['parts of text only', { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] }, []],
  ['probabilities', { logprobs: true }, ['logprobs']],
  ['two choices', { n: 2 }, ['samples']],
  [
    'everything',
    { tools: [{}], response_format: { type: 'json_object' }, messages: picture, logprobs: true, n: 3 },
    ['tools', 'json', 'vision', 'logprobs', 'samples'],
  ],
];
for (const [name, request, needs] of CASES) {
  test(`${name} needs ${needs.join(', ') || 'nothing'}`, () => {
    assert.deepEqual(neededCapabilities({ model: 'gw/auto', messages, ...request }), needs);
  });
}
