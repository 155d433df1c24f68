import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CAPABILITIES, type Capability, LATER_CAPABILITIES } from '../config/schema.ts';
import { neededCapabilities, offers } from './needs.ts';

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

const LATER: readonly (readonly [name: string, request: object, need: Capability])[] = [
  ['a JSON schema', { response_format: { type: 'json_schema', json_schema: {} } }, 'jsonSchema'],
  ['parallel calls of tools', { tools: [{}], parallel_tool_calls: true }, 'parallelTools'],
  ['sound to be heard', { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] }, 'audio'],
  ['sound to be spoken', { modalities: ['text', 'audio'] }, 'audio'],
  ['a file', { messages: [{ role: 'user', content: [{ type: 'file' }] }] }, 'files'],
  ['thought', { reasoning_effort: 'low' }, 'reasoning'],
  ['thought, said otherwise', { reasoning: { max_tokens: 100 } }, 'reasoning'],
  [
    'an answer that is begun',
    { messages: [...messages, { role: 'assistant', content: 'It', prefix: true }] },
    'prefill',
  ],
  [
    'the same for vLLM',
    { messages: [...messages, { role: 'assistant', content: 'It' }], continue_final_message: true },
    'prefill',
  ],
];
for (const [name, request, need] of LATER) {
  test(`${name} needs ${need} where some expert names that, and nothing more than before where nobody does`, () => {
    const body = { model: 'gw/auto', messages, ...request };
    assert.ok(neededCapabilities(body, new Set([need])).includes(need));
    assert.ok(!neededCapabilities(body, new Set(['tools', 'json'])).includes(need));
  });
}

const NOT_ASKED: readonly object[] = [
  { tools: [{}] },
  { tools: [{}], parallel_tool_calls: false },
  { parallel_tool_calls: true },
  { reasoning_effort: 'none' },
  { reasoning: { enabled: false } },
  { messages: [...messages, { role: 'assistant', content: 'over' }] },
  { response_format: { type: 'json_object' } },
];
for (const request of NOT_ASKED) {
  test(`${JSON.stringify(request).slice(0, 70)} needs no later capability`, () => {
    const needs = neededCapabilities({ model: 'gw/auto', messages, ...request }, new Set(CAPABILITIES));
    assert.deepEqual(
      needs.filter((need) => LATER_CAPABILITIES.includes(need)),
      [],
    );
  });
}

test('whoever keeps to a schema writes JSON, and whoever calls tools at once calls tools; not the other way round', () => {
  assert.ok(offers(['jsonSchema'], 'json') && offers(['parallelTools'], 'tools') && offers(['vision'], 'vision'));
  assert.ok(!offers(['json'], 'jsonSchema') && !offers(['tools'], 'parallelTools') && !offers([], 'json'));
});
