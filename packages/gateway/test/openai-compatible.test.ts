/** The provider `openai` with servers that are not quite OpenAI's: what it asks of them, and what it makes of their answers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type OpenaiOptions, openai } from '../src/providers/openai.ts';
import { openaiRequest } from '../src/providers/openai-request.ts';
import type { ChatRequest } from '../src/wire/chat.ts';
import { type Asked, ask, choiceOf, joined, TRACE_ID } from './scripted/ask.ts';
import {
  ANSWERS,
  BENT,
  BENT_TOOLS,
  both,
  chunk,
  completion,
  MODEL,
  stream,
  TEXT,
  USAGE,
  USAGE_CHUNK,
} from './scripted/openai.ts';
import { type Answer, type ScriptedServer, scriptedServer } from './scripted/script.ts';

const KEY = 'sk-test-0123456789abcdef';
const ENV = { KEY, ORG: 'org-1', PROJECT: 'proj_1' };
const QUESTION = { messages: [{ role: 'user', content: 'What is it?' }] };

let server: ScriptedServer;
before(async () => {
  server = await scriptedServer(ANSWERS.text);
});
after(() => server.close());

function send(
  body: Omit<ChatRequest, 'model'>,
  more: { answer?: Answer; stream?: boolean; options?: Partial<OpenaiOptions> } = {},
): Promise<Asked> {
  server.answer = more.answer ?? ANSWERS.text;
  return ask(openai({ baseUrl: `${server.url}/v1`, model: MODEL, apiKeyEnv: 'KEY', ...more.options }), body, {
    stream: more.stream ?? false,
    env: ENV,
  });
}

describe('what is sent', () => {
  test('what the client sent, and nothing else', async () => {
    const body = {
      messages: [{ role: 'developer', content: 'x', reasoning_content: 'y' }],
      max_tokens: 5,
      odd_field: [1],
    };
    const { notCarried } = await send(body);
    assert.deepEqual(server.requests.at(-1)!.body, { ...body, model: MODEL, stream: false });
    assert.deepEqual(notCarried, []);
  });

  for (const [sentFields, field, limit] of [
    [{ max_tokens: 5 }, 'max_completion_tokens', { max_completion_tokens: 5 }],
    [{ max_completion_tokens: 6 }, 'max_tokens', { max_tokens: 6 }],
    [{ max_tokens: 5, max_completion_tokens: 6 }, 'max_completion_tokens', { max_completion_tokens: 6 }],
    [{ max_tokens: null }, 'max_completion_tokens', { max_tokens: null }],
  ] as const) {
    test(`${JSON.stringify(sentFields)} as ${field}`, async () => {
      await send({ ...QUESTION, ...sentFields }, { options: { maxTokensField: field } });
      const { messages, model, stream: streams, ...rest } = server.requests.at(-1)!.body;
      assert.deepEqual(rest, limit);
    });
  }

  test('instructions get the role that the server knows', async () => {
    const messages = [
      { role: 'developer', content: 'a' },
      { role: 'system', content: 'b' },
      { role: 'user', content: 'c' },
    ];
    for (const role of ['system', 'developer'] as const) {
      await send({ messages }, { options: { roles: role } });
      const sent = server.requests.at(-1)!.body['messages'] as { role: string }[];
      assert.deepEqual(
        sent.map((message) => message.role),
        [role, role, 'user'],
      );
    }
  });

  test('a server that refuses unknown fields gets none, and they are named', async () => {
    const messages = [
      {
        role: 'assistant',
        content: 'a',
        reasoning_content: 'b',
        reasoning_details: null,
        tool_calls: [
          { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' }, extra_content: { google: {} } },
        ],
      },
      { role: 'tool', tool_call_id: 'c', content: 'd', is_error: true },
    ];
    const { notCarried } = await send({ messages }, { options: { extensions: false } });
    assert.deepEqual(server.requests.at(-1)!.body['messages'], [
      {
        role: 'assistant',
        content: 'a',
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c', content: 'd' },
    ]);
    assert.deepEqual(notCarried, [
      'messages[0].reasoning_content',
      'messages[0].tool_calls[0].extra_content',
      'messages[1].is_error',
    ]);
  });

  for (const [host, extensions, isPlain] of [
    ['api.openai.com', undefined, true],
    ['my-resource.openai.azure.com', undefined, true],
    ['api.mistral.ai', undefined, true],
    ['api.openai.com', true, false],
    ['openrouter.ai', undefined, false],
    ['notapi.openai.com.example.com', undefined, false],
  ] as const) {
    test(`${host}, extensions ${extensions}: they are ${isPlain ? 'left out' : 'sent'}`, () => {
      const body = { model: 'm', messages: [{ role: 'assistant', content: 'a', reasoning_content: 'b' }] };
      const translated = openaiRequest(extensions === undefined ? {} : { extensions }, host)(body);
      assert.equal(translated.body.messages[0]!['reasoning_content'], isPlain ? undefined : 'b');
      assert.equal(translated.notCarried.length, isPlain ? 1 : 0);
    });
  }

  test('Azure: key, version and deployment', async () => {
    await send(QUESTION, {
      options: { baseUrl: `${server.url}/openai/deployments/d`, azure: { apiVersion: '2024-10-21' } },
    });
    const { url, headers } = server.requests.at(-1)!;
    assert.equal(url, '/openai/deployments/d/chat/completions?api-version=2024-10-21');
    assert.equal(headers['api-key'], KEY);
    assert.equal(headers.authorization, undefined);
  });

  test('organization, project and further headers', async () => {
    await send(QUESTION, {
      options: { organizationEnv: 'ORG', projectEnv: 'PROJECT', headers: { 'X-Title': 'my team' } },
    });
    const { headers } = server.requests.at(-1)!;
    assert.equal(headers.authorization, `Bearer ${KEY}`);
    assert.deepEqual(
      [headers['openai-organization'], headers['openai-project'], headers['x-title']],
      ['org-1', 'proj_1', 'my team'],
    );
  });

  for (const options of [
    { maxTokensField: 'max' },
    { roles: 'user' },
    { extensions: 'no' },
    { prefill: 'gemini' },
    { azure: { version: 'x' } },
    { azure: { apiVersion: 'a b' } },
    { organizationEnv: 'not a name' },
    { headers: { authorization: 'Bearer sk-canary' } },
    { headers: { 'x-api-key': 'sk-canary' } },
    { headers: { 'content-length': '5' } },
    { headers: { 'bad name': 'x' } },
    { headers: { 'x-title': 'sk-canary\r\nevil: 1' } },
  ]) {
    test(`${JSON.stringify(options)} is refused, its value unsaid`, () => {
      assert.throws(
        () => openai({ baseUrl: server.url, model: 'm', ...options } as unknown as OpenaiOptions),
        (error: Error & { code?: string }) => error.code === 'GW_OPTION' && !error.message.includes('sk-canary'),
      );
    });
  }
});

describe('a continued answer', () => {
  const prefilled = (flavour: OpenaiOptions['prefill'], request: ChatRequest) =>
    openai({ baseUrl: server.url, model: 'm', ...(flavour === undefined ? {} : { prefill: flavour }) })({
      timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
      env: {},
      shared: new Map(),
    }).prefill?.(request, ' two');

  const request: ChatRequest = { model: 'm', ...QUESTION };
  const said = { role: 'assistant', content: ' two' };
  for (const [flavour, expected] of [
    [undefined, undefined],
    ['none', undefined],
    ['assistant', { ...request, messages: [...QUESTION.messages, said] }],
    [
      'vllm',
      {
        ...request,
        messages: [...QUESTION.messages, said],
        continue_final_message: true,
        add_generation_prompt: false,
      },
    ],
    ['deepseek', { ...request, messages: [...QUESTION.messages, { ...said, prefix: true }] }],
    ['mistral', { ...request, messages: [...QUESTION.messages, { ...said, prefix: true }] }],
  ] as const) {
    test(`prefill ${flavour}`, () => assert.deepEqual(prefilled(flavour, request), expected));
  }

  test('goes on with a text that the client itself had begun', () => {
    const begun = { model: 'm', messages: [...QUESTION.messages, { role: 'assistant', content: 'One' }] };
    assert.equal(prefilled('assistant', begun)!.messages.at(-1)!.content, 'One two');
    assert.equal(begun.messages.at(-1)!.content, 'One');
  });
});

describe('what comes back', () => {
  for (const name of ['text', 'tools', 'json', 'refusal', 'filtered'] as const) {
    test(`${name}: an answer in order is passed on byte for byte`, async () => {
      const whole = await send(QUESTION, { answer: ANSWERS[name] });
      assert.equal(whole.answer!.completion!.data, JSON.stringify(whole.answer!.completion!.body));
      const { chunks, texts } = await send(QUESTION, { answer: ANSWERS[name], stream: true });
      assert.deepEqual(
        texts,
        chunks.map((each) => JSON.stringify(each)),
      );
      assert.ok(texts.every((text) => text.includes('"obfuscation":"x7"')));
    });
  }

  for (const name of Object.keys(BENT) as (keyof typeof BENT)[]) {
    test(`${name} is set right`, async () => {
      const choice = choiceOf(await send(QUESTION, { answer: BENT[name] }));
      assert.deepEqual([choice.index, choice.message.content, choice.finish_reason], [0, TEXT, 'stop']);
      const { chunks, answer, texts } = await send(QUESTION, { answer: BENT[name], stream: true });
      const { content, reasoning, finish } = joined(chunks);
      assert.deepEqual([content, finish], [TEXT, ['stop']]);
      assert.deepEqual(answer!.usage, USAGE);
      assert.deepEqual(chunks.find((each) => each.usage != null)!.usage, USAGE);
      assert.deepEqual(
        texts.map((text) => JSON.parse(text)),
        JSON.parse(JSON.stringify(chunks)),
      );
      if (!name.startsWith('reasoning')) return;
      assert.equal(choice.message['reasoning_content'], 'Let me see.');
      assert.equal(choice.message['reasoning'], undefined);
      assert.equal(reasoning, 'Let me see.');
    });
  }

  for (const name of Object.keys(BENT_TOOLS) as (keyof typeof BENT_TOOLS)[]) {
    test(`calls of tools, ${name}: two calls, each with an id of its own`, async () => {
      const chunks = [...BENT_TOOLS[name], chunk({}, 'tool_calls'), USAGE_CHUNK];
      const { calls } = joined((await send(QUESTION, { answer: both({}, chunks), stream: true })).chunks);
      assert.deepEqual(
        calls.map((call) => [call.name, call.arguments]),
        [
          ['weather', '{"city":"Paris"}'],
          ['weather', '{"city":"Rome"}'],
        ],
      );
      const made = [`call_${TRACE_ID.slice(3)}_0_0`, `call_${TRACE_ID.slice(3)}_0_1`];
      assert.deepEqual(
        calls.map((call) => call.id),
        name === 'noId' ? made : ['call_a', 'call_b'],
      );
    });
  }

  test('a whole answer whose calls have no id and objects for arguments', async () => {
    const odd = completion(
      { tool_calls: [{ function: { name: 'weather', arguments: { city: 'Paris' } } }] },
      'tool_calls',
    );
    const choice = choiceOf(await send(QUESTION, { answer: both(odd, []) }));
    assert.deepEqual(choice.message['tool_calls'], [
      {
        id: `call_${TRACE_ID.slice(3)}_0_0`,
        type: 'function',
        function: { name: 'weather', arguments: '{"city":"Paris"}' },
      },
    ]);
  });

  for (const [name, code] of [
    ['errorLater', 'GW_UPSTREAM_ERROR_EVENT'],
    ['errorObject', 'GW_UPSTREAM_ERROR_EVENT'],
    ['cut', 'GW_UPSTREAM_TRUNCATED'],
    ['rateLimited', 'GW_UPSTREAM_RATE_LIMIT'],
    ['badRequest', 'GW_UPSTREAM_REJECTED'],
  ] as const) {
    test(`${name}: ${code}`, async () => {
      assert.equal((await send(QUESTION, { answer: ANSWERS[name], stream: true })).failure?.code, code);
    });
  }

  test('an empty finish reason of a whole answer with calls is that of calls', async () => {
    const odd = completion(
      { tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      '',
    );
    assert.equal(choiceOf(await send(QUESTION, { answer: both(odd, []) })).finish_reason, 'tool_calls');
  });

  test('an error that is a text is told', async () => {
    const { failure } = await send(QUESTION, { answer: ANSWERS.errorText });
    assert.equal(failure?.upstream?.['message'], 'out of memory');
  });

  test('an empty finish reason is no end', async () => {
    const { failure } = await send(QUESTION, { answer: stream([chunk({ content: 'It is' }, '')]), stream: true });
    assert.equal(failure?.code, 'GW_UPSTREAM_TRUNCATED');
  });
});
