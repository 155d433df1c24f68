import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptUserText } from './kept-body.ts';

const CASES: Readonly<Record<string, [body: object, text: string]>> = {
  chat: [
    {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
      ],
    },
    'a',
  ],
  'messages with parts': [{ messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }] }] }, 'a'],
  'responses with a text': [{ input: 'a' }, 'a'],
  'responses with items': [
    {
      input: [
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'a' }] },
        { type: 'function_call_output', call_id: 'c', output: 'b' },
      ],
    },
    'a',
  ],
  'responses that only go on': [{ previous_response_id: 'resp_1' }, ''],
};

for (const [name, [body, text]] of Object.entries(CASES))
  test(`the user's text of a kept body: ${name}`, () => assert.equal(keptUserText(JSON.stringify(body)), text));
