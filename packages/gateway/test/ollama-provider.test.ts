/** The provider `ollama` against a scripted server: both directions, field by field, and every end. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type OllamaOptions, ollama } from '../src/providers/ollama.ts';
import type { ChatRequest } from '../src/wire/chat.ts';
import { type Asked, ask, choiceOf, joined, TRACE_ID } from './scripted/ask.ts';
import { ANSWERS, MODEL, TEXT } from './scripted/ollama.ts';
import { type Answer, type ScriptedServer, scriptedServer } from './scripted/script.ts';

const QUESTION = { messages: [{ role: 'user', content: 'What is it?' }] };

let server: ScriptedServer;
before(async () => {
  server = await scriptedServer(ANSWERS.text);
});
after(() => server.close());

function send(
  body: Omit<ChatRequest, 'model'>,
  more: { answer?: Answer; stream?: boolean; options?: Partial<OllamaOptions> } = {},
): Promise<Asked> {
  server.answer = more.answer ?? ANSWERS.text;
  return ask(ollama({ baseUrl: server.url, model: MODEL, ...more.options }), body, {
    stream: more.stream ?? false,
    env: { OLLAMA_API_KEY: 'secret-key-0123456789' },
  });
}

async function sent(
  body: Omit<ChatRequest, 'model'>,
  options: Partial<OllamaOptions> = {},
): Promise<{ body: Record<string, unknown>; notCarried: readonly string[] }> {
  const { notCarried, failure } = await send(body, { options });
  assert.equal(failure, undefined);
  return { body: server.requests.at(-1)!.body, notCarried };
}

describe('what is sent', () => {
  test('address and a plain question', async () => {
    await send(QUESTION);
    const { url, headers, body } = server.requests.at(-1)!;
    assert.equal(url, '/api/chat');
    assert.equal(headers.authorization, undefined);
    assert.deepEqual(body, { messages: QUESTION.messages, options: {}, model: MODEL, stream: false });
    await send(QUESTION, { stream: true, options: { apiKeyEnv: 'OLLAMA_API_KEY', baseUrl: `${server.url}/api` } });
    assert.equal(server.requests.at(-1)!.url, '/api/chat');
    assert.equal(server.requests.at(-1)!.headers.authorization, 'Bearer secret-key-0123456789');
    assert.equal(server.requests.at(-1)!.body['stream'], true);
  });

  test('every field has its place', async () => {
    const schema = { type: 'object', properties: { answer: { type: 'integer' } } };
    const { body, notCarried } = await sent(
      {
        ...QUESTION,
        temperature: 0.5,
        top_p: 0.9,
        top_k: 40,
        min_p: 0.1,
        seed: 42,
        presence_penalty: 0.1,
        frequency_penalty: 0.2,
        repeat_penalty: 1.1,
        max_tokens: 10,
        stop: 'a',
        logprobs: true,
        top_logprobs: 2,
        reasoning_effort: 'high',
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
      },
      { contextTokens: 8192, keepAlive: '10m', params: { options: { num_gpu: 1 } } },
    );
    assert.deepEqual(body, {
      model: MODEL,
      stream: false,
      messages: QUESTION.messages,
      format: schema,
      think: 'high',
      keep_alive: '10m',
      logprobs: true,
      top_logprobs: 2,
      options: {
        temperature: 0.5,
        top_p: 0.9,
        top_k: 40,
        min_p: 0.1,
        seed: 42,
        presence_penalty: 0.1,
        frequency_penalty: 0.2,
        repeat_penalty: 1.1,
        num_predict: 10,
        stop: ['a'],
        num_ctx: 8192,
        num_gpu: 1,
      },
    });
    assert.deepEqual(notCarried, []);
  });

  test('a conversation with pictures, calls and their results', async () => {
    const { body, notCarried } = await sent({
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look:' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          reasoning_content: 'I need the weather.',
          tool_calls: [
            { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: '20' },
      ],
    });
    assert.deepEqual(body['messages'], [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Look:', images: ['iVBORw0KGgo='] },
      {
        role: 'assistant',
        content: '',
        thinking: 'I need the weather.',
        tool_calls: [{ id: 'call_1', function: { name: 'weather', arguments: { city: 'Paris' } } }],
      },
      { role: 'tool', content: '20', tool_name: 'weather', tool_call_id: 'call_1' },
    ]);
    assert.deepEqual(notCarried, []);
  });

  const tools = [
    { type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } },
    { type: 'function', function: { name: 'time' } },
  ];
  for (const [choice, names, lost] of [
    ['auto', ['weather', 'time'], []],
    ['none', undefined, []],
    ['required', ['weather', 'time'], ['tool_choice']],
    [{ type: 'function', function: { name: 'time' } }, ['time'], ['tool_choice']],
  ] as const) {
    test(`tool_choice ${JSON.stringify(choice)}`, async () => {
      const { body, notCarried } = await sent({ ...QUESTION, tools, tool_choice: choice });
      const offered = body['tools'] as { function: { name: string } }[] | undefined;
      assert.deepEqual(
        offered?.map((tool) => tool.function.name),
        names,
      );
      assert.deepEqual(notCarried, lost);
    });
  }

  test('what has no place is named', async () => {
    const { notCarried } = await sent({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look:' },
            { type: 'image_url', image_url: { url: 'https://example.com/cat.png' } },
            { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
          ],
        },
      ],
      n: 2,
      logit_bias: { 5: 1 },
      response_format: { type: 'grammar' },
    });
    assert.deepEqual(notCarried, [
      'messages[0].content[1]',
      'messages[0].content[2]',
      'response_format',
      'n',
      'logit_bias',
    ]);
  });

  test('an answer that was cut is continued where it is declared, and only there', () => {
    const context = { timeouts: {} as never, env: {}, shared: new Map() };
    assert.equal(ollama({ model: MODEL })(context).prefill, undefined);
    const provider = ollama({ model: MODEL, prefill: 'assistant' })(context);
    assert.deepEqual(provider.prefill!({ model: 'm', ...QUESTION }, 'It is').messages, [
      ...QUESTION.messages,
      { role: 'assistant', content: 'It is' },
    ]);
  });
});

describe('what comes back', () => {
  const usage = { prompt_tokens: 26, completion_tokens: 9, total_tokens: 35 };

  test('text: the whole completion', async () => {
    const { answer } = await send(QUESTION);
    assert.deepEqual(answer!.completion!.body, {
      id: `chatcmpl-${TRACE_ID}`,
      object: 'chat.completion',
      created: 1_767_323_045,
      model: MODEL,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: TEXT },
          finish_reason: 'stop',
          native_finish_reason: 'stop',
          logprobs: null,
        },
      ],
      usage,
    });
    assert.deepEqual(answer!.usage, usage);
  });

  for (const name of ['text', 'slow'] as const) {
    test(`${name} as a stream: role, pieces, one finish, usage`, async () => {
      const { chunks, texts, answer } = await send(QUESTION, { stream: true, answer: ANSWERS[name] });
      assert.deepEqual(joined(chunks), { content: TEXT, reasoning: '', finish: ['stop'], calls: [] });
      assert.equal(chunks[0]!.choices[0]!.delta.role, 'assistant');
      assert.deepEqual(chunks.at(-1)!.usage, usage);
      assert.deepEqual(answer!.usage, usage);
      assert.deepEqual(
        texts.map((text) => JSON.parse(text)),
        chunks,
      );
    });
  }

  test('a stream is over with the line that says done, open connection or not', async () => {
    const { chunks, failure } = await send(QUESTION, { stream: true, answer: ANSWERS.open });
    assert.equal(failure, undefined);
    assert.equal(joined(chunks).content, TEXT);
  });

  test('thoughts', async () => {
    const { message } = choiceOf(await send(QUESTION, { answer: ANSWERS.thinking }));
    assert.deepEqual([message['reasoning_content'], message.content], ['Let me see.', TEXT]);
    const { chunks } = await send(QUESTION, { answer: ANSWERS.thinking, stream: true });
    assert.deepEqual([joined(chunks).reasoning, joined(chunks).content], ['Let me see.', TEXT]);
  });

  test('calls made at once: ids, JSON arguments', async () => {
    const choice = choiceOf(await send(QUESTION, { answer: ANSWERS.tools }));
    const madeId = `call_${TRACE_ID.slice(3)}_0`;
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.equal(choice.message.content, null);
    assert.deepEqual(choice.message['tool_calls'], [
      { id: madeId, type: 'function', function: { name: 'weather', arguments: '{"city":"Paris","days":2}' } },
      { id: 'call_own', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
    ]);
    const { chunks } = await send(QUESTION, { answer: ANSWERS.tools, stream: true });
    const { calls, finish } = joined(chunks);
    assert.deepEqual(finish, ['tool_calls']);
    assert.deepEqual(calls, [
      { id: madeId, name: 'weather', arguments: '{"city":"Paris","days":2}' },
      { id: 'call_own', name: 'weather', arguments: '{"city":"Rome"}' },
    ]);
  });

  test('log probabilities with their bytes', async () => {
    const { logprobs } = choiceOf(await send(QUESTION, { answer: ANSWERS.logprobs }));
    assert.equal(logprobs!.content![0]!.top_logprobs[1]!.token, 'No');
    assert.deepEqual(logprobs!.content![0]!.bytes, [89, 101, 115]);
  });

  test('an end by length', async () => {
    assert.equal(choiceOf(await send(QUESTION, { answer: ANSWERS.length })).finish_reason, 'length');
    const { chunks } = await send(QUESTION, { answer: ANSWERS.length, stream: true });
    assert.deepEqual(joined(chunks).finish, ['length']);
  });

  test('a count that is not told is not made up', async () => {
    assert.equal((await send(QUESTION, { answer: ANSWERS.uncounted })).answer!.usage, undefined);
    assert.equal((await send(QUESTION, { answer: ANSWERS.uncounted, stream: true })).answer!.usage, undefined);
  });
});

describe('how it fails', () => {
  for (const [name, code, elsewhere, forms] of [
    ['noModel', 'GW_UPSTREAM_STATUS', true, 'both'],
    ['noTools', 'GW_UPSTREAM_STATUS', true, 'both'],
    ['badRequest', 'GW_UPSTREAM_REJECTED', false, 'both'],
    ['busy', 'GW_UPSTREAM_STATUS', true, 'both'],
    ['errorFirst', 'GW_UPSTREAM_ERROR_EVENT', true, 'both'],
    ['errorLater', 'GW_UPSTREAM_ERROR_EVENT', true, 'stream'],
    ['cut', 'GW_UPSTREAM_TRUNCATED', true, 'stream'],
    ['ended', 'GW_UPSTREAM_TRUNCATED', true, 'stream'],
    ['empty', 'GW_UPSTREAM_TRUNCATED', true, 'stream'],
    ['broken', 'GW_UPSTREAM_MALFORMED', true, 'both'],
  ] as const) {
    for (const stream of forms === 'both' ? [false, true] : [true]) {
      test(`${name}${stream ? ' as a stream' : ''}: ${code}`, async () => {
        const { failure } = await send(QUESTION, { answer: ANSWERS[name], stream });
        assert.equal(failure?.code, code);
        assert.equal(failure.elsewhere, elsewhere);
      });
    }
  }

  test('a model that is not there: the fix is the command', async () => {
    const { failure } = await send(QUESTION, { answer: ANSWERS.noModel });
    assert.match(failure!.fix, new RegExp(`ollama pull ${MODEL}`));
  });

  test('wrong options are refused', () => {
    assert.throws(() => ollama({ model: '' }), { code: 'GW_OPTION' });
    assert.throws(() => ollama({ model: 'm', contextTokens: 0 }), { code: 'GW_OPTION' });
    assert.throws(() => ollama({ model: 'm', keepAlive: Number.NaN }), { code: 'GW_OPTION' });
    assert.throws(() => ollama({ model: 'm', prefill: 'vllm' as never }), { code: 'GW_OPTION' });
  });
});
