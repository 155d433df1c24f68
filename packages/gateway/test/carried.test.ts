/**
 * Nothing that a client of Chat Completions can say is dropped in silence: each field changes what is sent, or is named.
 * The tables are typed by the official SDK, so that a field it learns must be entered here.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type OpenAI from 'openai';
import { anthropicRequest } from '../src/providers/anthropic-request.ts';
import { geminiRequest } from '../src/providers/gemini-request.ts';
import { ollamaRequest } from '../src/providers/ollama-request.ts';
import type { ChatRequest } from '../src/wire/chat.ts';

interface Translated {
  readonly body: object;
  readonly notCarried: readonly string[];
}

const ANTHROPIC = {
  model: 'm',
  maxTokens: 100,
  cache: false,
  thinking: 'adaptive',
  structuredOutput: 'native',
} as const;

const TRANSLATIONS: Readonly<Record<string, (request: ChatRequest) => Translated>> = {
  anthropic: (request) => anthropicRequest(request, ANTHROPIC),
  'anthropic with budgets and a forced tool': (request) =>
    anthropicRequest(request, { ...ANTHROPIC, thinking: 'budget', structuredOutput: 'tool' }),
  gemini: (request) => geminiRequest(request, {}, { hasThinkingLevels: true }),
  'gemini with budgets': (request) => geminiRequest(request, {}, { hasThinkingLevels: false }),
  ollama: (request) => ollamaRequest(request, 'm', false, {}),
};

type Params = OpenAI.ChatCompletionCreateParamsStreaming;

const TOOL = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } } as const;
const SCHEMA = { name: 's', strict: true, schema: { type: 'object', properties: { a: { type: 'string' } } } };

/** Values of each field that ask for something. */
const FIELDS: { readonly [field in keyof Params]-?: readonly unknown[] } = {
  // These tell the gateway or the transport something, and the model nothing.
  messages: [],
  model: [],
  stream: [],
  stream_options: [],
  audio: [{ voice: 'alloy', format: 'mp3' }],
  frequency_penalty: [0.5],
  function_call: ['auto', { name: 'f' }],
  functions: [[{ name: 'f', parameters: {} }]],
  logit_bias: [{ 50256: -100 }],
  logprobs: [true],
  max_completion_tokens: [7],
  max_tokens: [7],
  metadata: [{ a: 'b' }],
  modalities: [['text', 'audio']],
  moderation: [{ model: 'x' }],
  n: [2],
  parallel_tool_calls: [false],
  prediction: [{ type: 'content', content: 'x' }],
  presence_penalty: [0.5],
  prompt_cache_key: ['k'],
  prompt_cache_options: [{ a: 1 }],
  prompt_cache_retention: ['24h'],
  reasoning_effort: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'],
  response_format: [{ type: 'json_object' }, { type: 'json_schema', json_schema: SCHEMA }],
  safety_identifier: ['u'],
  seed: [7, 2 ** 40, -1],
  service_tier: ['flex', 'priority'],
  stop: ['x', ['x', 'y'], ['\n\n']],
  store: [true],
  temperature: [0.5, 1.5],
  tool_choice: [
    'none',
    'required',
    { type: 'function', function: { name: 'f' } },
    {
      type: 'allowed_tools',
      allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'f' } }] },
    },
    { type: 'custom', custom: { name: 'c' } },
  ],
  tools: [[{ type: 'custom', custom: { name: 'c' } }]],
  top_logprobs: [3],
  top_p: [0.5],
  user: ['u'],
  verbosity: ['low'],
  web_search_options: [{ search_context_size: 'low' }],
};

/** What a field needs beside it. */
const BESIDE: Readonly<Record<string, object>> = { top_logprobs: { logprobs: true } };

const BASE = { model: 'm', messages: [{ role: 'user', content: 'hello' }], tools: [TOOL] };

function isNamed({ notCarried }: Translated, path: string): boolean {
  return notCarried.some((name) => name === path || name.startsWith(`${path}.`) || name.startsWith(`${path}[`));
}

for (const [name, translate] of Object.entries(TRANSLATIONS)) {
  describe(`${name}: is carried or named`, () => {
    for (const [field, values] of Object.entries(FIELDS))
      for (const value of values)
        test(`${field}: ${JSON.stringify(value)}`, () => {
          const without = { ...BASE, ...BESIDE[field] };
          const before = translate(without);
          const after = translate({ ...without, [field]: value });
          const isCarried = JSON.stringify(before.body) !== JSON.stringify(after.body);
          assert.ok(isCarried || isNamed(after, field), `neither sent nor named: ${after.notCarried}`);
        });

    test('what asks for nothing is not named', () => {
      const neutral = {
        n: 1,
        store: false,
        logprobs: false,
        stop: [],
        metadata: {},
        logit_bias: {},
        modalities: ['text'],
        user: null,
        seed: null,
        tool_choice: 'auto',
        parallel_tool_calls: true,
        frequency_penalty: 0,
        presence_penalty: 0,
        service_tier: 'auto',
        verbosity: 'medium',
        response_format: { type: 'text' },
      };
      assert.deepEqual(translate({ ...BASE, ...neutral } as ChatRequest).notCarried, []);
    });
  });

  describe(`${name}: of a message is carried or named`, () => {
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } };
    const png = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const assistant: { readonly [field in keyof OpenAI.ChatCompletionAssistantMessageParam]-?: unknown } = {
      role: undefined,
      content: 'said',
      audio: { id: 'a' },
      function_call: { name: 'f', arguments: '{}' },
      name: 'bob',
      refusal: 'no',
      tool_calls: [call],
    };
    const cases: readonly [role: string, field: string, value: unknown][] = [
      ...Object.entries(assistant).flatMap(([field, value]): [string, string, unknown][] =>
        value === undefined ? [] : [['assistant', field, value]],
      ),
      ['assistant', 'reasoning_content', 'thought'],
      [
        'assistant',
        'reasoning_details',
        [{ type: 'reasoning.text', text: 'thought', signature: 's', format: 'other' }],
      ],
      ['assistant', 'extra_content', { other: 1 }],
      ['assistant', 'annotations', [{ type: 'url_citation' }]],
      ['assistant', 'tool_calls', [{ id: 'c1', type: 'custom', custom: { name: 'c', input: 'x' } }]],
      ['assistant', 'odd', 1],
      ['system', 'name', 'bob'],
      ['system', 'odd', 1],
      ['user', 'name', 'bob'],
      ['user', 'odd', 1],
      ['tool', 'is_error', true],
      ['tool', 'tool_call_id', 'c1'],
      ['user', 'content', [png]],
      ['user', 'content', [{ type: 'image_url', image_url: { url: 'https://example.com/x.png' } }]],
      ['user', 'content', [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }]],
      [
        'user',
        'content',
        [{ type: 'file', file: { file_data: 'data:application/pdf;base64,AAAA', filename: 'x.pdf' } }],
      ],
      ['user', 'content', [{ type: 'file', file: { file_id: 'file-1' } }]],
      ['user', 'content', [{ type: 'odd', odd: 1 }]],
      ['tool', 'content', [{ type: 'text', text: 'x' }, png]],
    ];
    // Of a mark of failure Ollama knows nothing.
    const path = 'messages[1]';
    for (const [role, field, value] of cases)
      test(`${role} ${field}: ${JSON.stringify(value)}`, () => {
        const ask = (message: object): Translated =>
          translate({ ...BASE, messages: [...BASE.messages, { role, content: 'x', ...message }] } as ChatRequest);
        const before = ask({});
        const after = ask({ [field]: value });
        const isCarried = JSON.stringify(before.body) !== JSON.stringify(after.body);
        assert.ok(isCarried || isNamed(after, `${path}.${field}`), `neither sent nor named: ${after.notCarried}`);
      });

    test('how closely a picture is looked at', () => {
      const content = [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'high' } }];
      const { notCarried } = translate({ ...BASE, messages: [{ role: 'user', content }] });
      assert.deepEqual(notCarried, ['messages[0].content[0].image_url.detail']);
    });
  });
}
