/** The provider `gemini` against a scripted server: both directions, field by field, and every end. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type GeminiOptions, gemini } from '../src/providers/gemini.ts';
import type { ChatRequest } from '../src/wire/chat.ts';
import { type Asked, ask, choiceOf, joined, TRACE_ID } from './scripted/ask.ts';
import { ANSWERS, both, MODEL, response, SIGNATURE, TEXT } from './scripted/gemini.ts';
import { type Answer, type ScriptedServer, scriptedServer } from './scripted/script.ts';

const KEY = 'AIzaSyTest-0123456789abcdefghijklmnopqrs';
const QUESTION = { messages: [{ role: 'user', content: 'What is it?' }] };

let server: ScriptedServer;
before(async () => {
  server = await scriptedServer(ANSWERS.text);
});
after(() => server.close());

function send(
  body: Omit<ChatRequest, 'model'>,
  more: { answer?: Answer; stream?: boolean; options?: Partial<GeminiOptions> } = {},
): Promise<Asked> {
  server.answer = more.answer ?? ANSWERS.text;
  return ask(gemini({ baseUrl: server.url, model: MODEL, ...more.options }), body, {
    stream: more.stream ?? false,
    env: { GEMINI_API_KEY: KEY },
  });
}

async function sent(
  body: Omit<ChatRequest, 'model'>,
  options: Partial<GeminiOptions> = {},
): Promise<{ body: Record<string, unknown>; notCarried: readonly string[] }> {
  const { notCarried, failure } = await send(body, { options });
  assert.equal(failure, undefined);
  return { body: server.requests.at(-1)!.body, notCarried };
}

describe('what is sent', () => {
  test('address, key and a plain question', async () => {
    await send(QUESTION);
    const { url, headers, body } = server.requests.at(-1)!;
    assert.equal(url, `/v1beta/models/${MODEL}:generateContent`);
    assert.equal(headers['x-goog-api-key'], KEY);
    assert.equal(headers.authorization, undefined);
    assert.deepEqual(body, { contents: [{ role: 'user', parts: [{ text: 'What is it?' }] }], generationConfig: {} });
    await send(QUESTION, { stream: true });
    assert.equal(server.requests.at(-1)!.url, `/v1beta/models/${MODEL}:streamGenerateContent?alt=sse`);
  });

  test('a path of its own, a model of its own and a bearer token', async () => {
    await send(QUESTION, {
      options: { baseUrl: `${server.url}/v1/publishers/google`, model: 'tunedModels/my model', auth: 'bearer' },
    });
    const { url, headers } = server.requests.at(-1)!;
    assert.equal(url, '/v1/publishers/google/tunedModels/my%20model:generateContent');
    assert.equal(headers.authorization, `Bearer ${KEY}`);
    assert.equal(headers['x-goog-api-key'], undefined);
  });

  test('every sampling field has its place', async () => {
    const { body, notCarried } = await sent({
      ...QUESTION,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      max_tokens: 10,
      max_completion_tokens: 20,
      stop: ['a', 'b'],
      n: 3,
      seed: 42,
      presence_penalty: 0.1,
      frequency_penalty: 0.2,
      logprobs: true,
      top_logprobs: 5,
    });
    assert.deepEqual(body['generationConfig'], {
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      maxOutputTokens: 20,
      stopSequences: ['a', 'b'],
      candidateCount: 3,
      seed: 42,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      responseLogprobs: true,
      logprobs: 5,
    });
    assert.deepEqual(notCarried, []);
  });

  for (const [effort, model, config] of [
    ['none', 'gemini-2.5-flash', { thinkingBudget: 0, includeThoughts: false }],
    ['low', 'gemini-2.5-flash', { thinkingBudget: 1024, includeThoughts: true }],
    ['high', 'gemini-2.5-flash', { thinkingBudget: 24_576, includeThoughts: true }],
    ['none', 'gemini-3-flash', { thinkingLevel: 'MINIMAL', includeThoughts: false }],
    ['medium', 'gemini-3-flash', { thinkingLevel: 'MEDIUM', includeThoughts: true }],
    ['xhigh', 'gemini-3.1-pro', { thinkingLevel: 'HIGH', includeThoughts: true }],
  ] as const) {
    test(`reasoning_effort ${effort} for ${model}`, async () => {
      const { body } = await sent({ ...QUESTION, reasoning_effort: effort }, { model });
      assert.deepEqual(body['generationConfig'], { thinkingConfig: config });
    });
  }

  test('a JSON schema, and JSON without one', async () => {
    const schema = { type: 'object', properties: { answer: { type: 'integer' } }, required: ['answer'] };
    const { body } = await sent({
      ...QUESTION,
      response_format: { type: 'json_schema', json_schema: { name: 'a', strict: true, schema } },
    });
    assert.deepEqual(body['generationConfig'], { responseMimeType: 'application/json', responseJsonSchema: schema });
    const plain = await sent({ ...QUESTION, response_format: { type: 'json_object' } });
    assert.deepEqual(plain.body['generationConfig'], { responseMimeType: 'application/json' });
  });

  test('a conversation with instructions, media, calls made at once and their results', async () => {
    const { body, notCarried } = await sent({
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look:' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
            { type: 'image_url', image_url: { url: 'https://example.com/a/cat.webp?x=1' } },
            { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
            { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
          ],
        },
        {
          role: 'assistant',
          content: 'I ask.',
          reasoning_content: 'hidden',
          tool_calls: [
            {
              id: 'call_1',
              type: 'function',
              function: { name: 'weather', arguments: '{"city":"Paris"}' },
              extra_content: { google: { thought_signature: SIGNATURE } },
            },
            { id: 'call_2', type: 'function', function: { name: 'time', arguments: '' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: '{"degrees":20}' },
        { role: 'tool', tool_call_id: 'call_2', content: 'no clock', is_error: true },
        { role: 'user', content: 'And now?' },
      ],
    });
    assert.deepEqual(body['systemInstruction'], { parts: [{ text: 'Be brief.' }, { text: 'Be kind.' }] });
    assert.deepEqual(body['contents'], [
      {
        role: 'user',
        parts: [
          { text: 'Look:' },
          { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } },
          { fileData: { mimeType: 'image/webp', fileUri: 'https://example.com/a/cat.webp?x=1' } },
          { inlineData: { mimeType: 'audio/wav', data: 'UklGRg==' } },
          { inlineData: { mimeType: 'application/pdf', data: 'JVBERi0=' } },
        ],
      },
      {
        role: 'model',
        parts: [
          { text: 'I ask.' },
          {
            functionCall: { id: 'call_1', name: 'weather', args: { city: 'Paris' } },
            thoughtSignature: SIGNATURE,
          },
          { functionCall: { id: 'call_2', name: 'time', args: {} } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'call_1', name: 'weather', response: { output: '{"degrees":20}' } } },
          { functionResponse: { id: 'call_2', name: 'time', response: { error: 'no clock' } } },
        ],
      },
      { role: 'user', parts: [{ text: 'And now?' }] },
    ]);
    assert.deepEqual(notCarried, ['messages[3].reasoning_content']);
  });

  test('a call that nobody signed passes the check of models that ask for signatures, and only theirs', async () => {
    const messages = [
      ...QUESTION.messages,
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c', content: 'x' },
    ];
    const signatureSent = async (model: string): Promise<unknown> => {
      const { body } = await sent({ messages }, { model });
      return (body['contents'] as { parts: { thoughtSignature?: string }[] }[])[1]!.parts[0]!.thoughtSignature;
    };
    assert.equal(await signatureSent('gemini-3-pro-preview'), 'skip_thought_signature_validator');
    assert.equal(await signatureSent('gemini-2.5-pro'), undefined);
  });

  const parameters = { type: 'object', properties: { city: { type: 'string' } }, additionalProperties: false };
  const tools = [
    { type: 'function', function: { name: 'weather', description: 'Tells it.', parameters } },
    { type: 'function', function: { name: 'time' } },
  ];

  test('tools keep their JSON schema', async () => {
    const { body } = await sent({ ...QUESTION, tools });
    assert.deepEqual(body['tools'], [
      {
        functionDeclarations: [
          { name: 'weather', description: 'Tells it.', parametersJsonSchema: parameters },
          { name: 'time' },
        ],
      },
    ]);
    assert.equal(body['toolConfig'], undefined);
  });

  for (const [choice, config] of [
    ['auto', { mode: 'AUTO' }],
    ['none', { mode: 'NONE' }],
    ['required', { mode: 'ANY' }],
    [
      { type: 'function', function: { name: 'time' } },
      { mode: 'ANY', allowedFunctionNames: ['time'] },
    ],
    [
      {
        type: 'allowed_tools',
        allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'weather' } }] },
      },
      { mode: 'ANY', allowedFunctionNames: ['weather'] },
    ],
  ] as const) {
    test(`tool_choice ${JSON.stringify(choice)}`, async () => {
      const { body, notCarried } = await sent({ ...QUESTION, tools, tool_choice: choice });
      assert.deepEqual(body['toolConfig'], { functionCallingConfig: config });
      assert.deepEqual(notCarried, []);
    });
  }

  test('params win, and join objects', async () => {
    const safetySettings = [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }];
    const { body } = await sent(
      { ...QUESTION, temperature: 1, seed: 3 },
      { params: { safetySettings, generationConfig: { temperature: 0 } } },
    );
    assert.deepEqual(body['safetySettings'], safetySettings);
    assert.deepEqual(body['generationConfig'], { temperature: 0, seed: 3 });
  });

  test('what has no place is named', async () => {
    const { notCarried } = await sent({
      messages: [
        {
          role: 'user',
          name: 'ann',
          content: [
            { type: 'text', text: 'a' },
            { type: 'file', file: { file_id: 'file-1' } },
          ],
        },
        {
          role: 'assistant',
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: 'no JSON' } }],
        },
      ],
      tools: [
        { type: 'custom', custom: { name: 'x' } },
        { type: 'function', function: { name: 'f', strict: true } },
      ],
      logit_bias: { 5: 1 },
      parallel_tool_calls: false,
      service_tier: 'auto',
      store: false,
      user: 'ann',
      reasoning_effort: 'odd',
    });
    assert.deepEqual([...notCarried].sort(), [
      'logit_bias',
      'messages[0].content[1]',
      'messages[0].name',
      'messages[1].tool_calls[0].function.arguments',
      'parallel_tool_calls',
      'reasoning_effort',
      'tools[0]',
      'tools[1].function.strict',
      'user',
    ]);
  });
});

describe('what comes back', () => {
  const usage = {
    prompt_tokens: 120,
    completion_tokens: 38,
    total_tokens: 158,
    prompt_tokens_details: { cached_tokens: 100 },
    completion_tokens_details: { reasoning_tokens: 30 },
  };

  test('text: the whole completion', async () => {
    const asked = await send(QUESTION);
    const { created, ...body } = asked.answer!.completion!.body;
    assert.ok(created > 1_700_000_000);
    assert.deepEqual(body, {
      id: 'r3sp0ns3',
      object: 'chat.completion',
      model: MODEL,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: TEXT },
          finish_reason: 'stop',
          native_finish_reason: 'STOP',
          logprobs: null,
        },
      ],
      usage,
    });
    assert.deepEqual(JSON.parse(asked.answer!.completion!.data), asked.answer!.completion!.body);
    assert.deepEqual(asked.answer!.usage, usage);
  });

  for (const name of ['text', 'slow'] as const) {
    test(`${name} as a stream: role, pieces, one finish, usage`, async () => {
      const { chunks, texts, answer } = await send(QUESTION, { stream: true, answer: ANSWERS[name] });
      assert.deepEqual(joined(chunks), { content: TEXT, reasoning: '', finish: ['stop'], calls: [] });
      assert.equal(chunks[0]!.choices[0]!.delta.role, 'assistant');
      assert.deepEqual(chunks.at(-1)!.choices, []);
      assert.deepEqual(chunks.at(-1)!.usage, usage);
      assert.deepEqual(answer!.usage, usage);
      assert.deepEqual(
        texts.map((text) => JSON.parse(text)),
        chunks,
      );
      assert.equal(new Set(chunks.map(({ id, model, created }) => `${id} ${model} ${created}`)).size, 1);
    });
  }

  test('thoughts, and the signature of the answer', async () => {
    const { message } = choiceOf(await send(QUESTION, { answer: ANSWERS.thinking }));
    assert.equal(message['reasoning_content'], 'Let me see.');
    assert.equal(message.content, TEXT);
    assert.deepEqual(message['extra_content'], { google: { thought_signature: SIGNATURE } });
    const { chunks } = await send(QUESTION, { answer: ANSWERS.thinking, stream: true });
    assert.equal(joined(chunks).reasoning, 'Let me see.');
    assert.equal(joined(chunks).content, TEXT);
    assert.ok(JSON.stringify(chunks).includes(SIGNATURE));
  });

  test('calls made at once: ids, JSON arguments, the signature', async () => {
    const asked = await send(QUESTION, { answer: ANSWERS.tools });
    const choice = choiceOf(asked);
    const madeId = `call_${TRACE_ID.slice(3)}_0_0`;
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.equal(choice.message.content, null);
    assert.deepEqual(choice.message['tool_calls'], [
      {
        id: madeId,
        type: 'function',
        function: { name: 'weather', arguments: '{"city":"Paris","days":2}' },
        extra_content: { google: { thought_signature: SIGNATURE } },
      },
      { id: 'fc-2', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
    ]);
    const { chunks } = await send(QUESTION, { answer: ANSWERS.tools, stream: true });
    const { calls, finish } = joined(chunks);
    assert.deepEqual(finish, ['tool_calls']);
    assert.deepEqual(calls, [
      {
        id: madeId,
        name: 'weather',
        arguments: '{"city":"Paris","days":2}',
        extra: { google: { thought_signature: SIGNATURE } },
      },
      { id: 'fc-2', name: 'weather', arguments: '{"city":"Rome"}' },
    ]);
    // The next turn gives all of it back.
    const { body } = await sent({
      messages: [...QUESTION.messages, choice.message, { role: 'tool', tool_call_id: madeId, content: '20' }],
    });
    const [, call, response] = body['contents'] as { parts: Record<string, { id: string; name: string }>[] }[];
    assert.deepEqual(call!.parts[0], {
      functionCall: { id: madeId, name: 'weather', args: { city: 'Paris', days: 2 } },
      thoughtSignature: SIGNATURE,
    });
    assert.equal(response!.parts[0]!['functionResponse']!.name, 'weather');
  });

  test('several candidates are several choices, each with its own end', async () => {
    const candidate = (index: number, text: string, finishReason?: string): object => ({
      content: { parts: [{ text }], role: 'model' },
      index,
      ...(finishReason === undefined ? {} : { finishReason }),
    });
    const answer = both(
      response([], 'STOP', { candidates: [candidate(0, 'a', 'STOP'), candidate(1, 'b', 'MAX_TOKENS')] }),
      [
        response([], null, { candidates: [candidate(0, 'a'), candidate(1, 'b')] }),
        response([], null, { candidates: [candidate(1, 'b', 'MAX_TOKENS')] }),
        response([], null, { candidates: [candidate(0, 'a', 'STOP')] }),
      ],
    );
    const { answer: whole } = await send({ ...QUESTION, n: 2 }, { answer });
    assert.deepEqual(
      whole!.completion!.body.choices.map(({ index, message, finish_reason: finish }) => [
        index,
        message.content,
        finish,
      ]),
      [
        [0, 'a', 'stop'],
        [1, 'b', 'length'],
      ],
    );
    const { chunks } = await send({ ...QUESTION, n: 2 }, { answer, stream: true });
    const of = (index: number) =>
      joined(chunks.map((chunk) => ({ ...chunk, choices: chunk.choices.filter((choice) => choice.index === index) })));
    assert.deepEqual([of(0).content, of(0).finish, of(1).content, of(1).finish], ['aa', ['stop'], 'bb', ['length']]);
  });

  test('log probabilities', async () => {
    const { logprobs } = choiceOf(await send(QUESTION, { answer: ANSWERS.logprobs }));
    assert.deepEqual(logprobs, {
      content: [
        {
          token: 'Yes',
          logprob: -0.1,
          bytes: null,
          top_logprobs: [
            { token: 'Yes', logprob: -0.1, bytes: null },
            { token: 'No', logprob: -2.5, bytes: null },
          ],
        },
      ],
    });
  });

  for (const [name, finish, native, streamedText] of [
    ['length', 'length', 'MAX_TOKENS', 'It is'],
    ['filtered', 'content_filter', 'SAFETY', 'It'],
    ['blocked', 'content_filter', 'PROHIBITED_CONTENT', ''],
    ['stopEverywhere', 'stop', 'STOP', 'It is done.'],
  ] as const) {
    test(`${name} ends with ${finish}, whole and streamed`, async () => {
      const choice = choiceOf(await send(QUESTION, { answer: ANSWERS[name] }));
      assert.deepEqual([choice.finish_reason, choice['native_finish_reason']], [finish, native]);
      const { chunks } = await send(QUESTION, { answer: ANSWERS[name], stream: true });
      assert.deepEqual([joined(chunks).content, joined(chunks).finish], [streamedText, [finish]]);
    });
  }

  test('a blocked prompt says why, in place of an answer', async () => {
    const { message } = choiceOf(await send(QUESTION, { answer: ANSWERS.blocked }));
    assert.equal(message.content, null);
    assert.match(String(message['refusal']), /PROHIBITED_CONTENT/);
  });
});

describe('how it fails', () => {
  for (const [name, code, elsewhere, forms] of [
    ['quota', 'GW_UPSTREAM_RATE_LIMIT', true, 'both'],
    ['badKey', 'GW_UPSTREAM_AUTH', true, 'both'],
    ['badRequest', 'GW_UPSTREAM_REJECTED', false, 'both'],
    ['noLocation', 'GW_UPSTREAM_STATUS', true, 'both'],
    ['overloaded', 'GW_UPSTREAM_STATUS', true, 'both'],
    ['notFound', 'GW_UPSTREAM_STATUS', true, 'both'],
    ['malformedCall', 'GW_UPSTREAM_MALFORMED', true, 'both'],
    ['errorFirst', 'GW_UPSTREAM_ERROR_EVENT', true, 'stream'],
    ['quotaFirst', 'GW_UPSTREAM_RATE_LIMIT', true, 'stream'],
    ['errorLater', 'GW_UPSTREAM_ERROR_EVENT', true, 'stream'],
    ['cut', 'GW_UPSTREAM_TRUNCATED', true, 'stream'],
    ['ended', 'GW_UPSTREAM_TRUNCATED', true, 'stream'],
    ['empty', 'GW_UPSTREAM_TRUNCATED', true, 'stream'],
    ['broken', 'GW_UPSTREAM_MALFORMED', true, 'stream'],
  ] as const) {
    for (const stream of forms === 'both' ? [false, true] : [true]) {
      test(`${name}${stream ? ' as a stream' : ''}: ${code}`, async () => {
        const { failure } = await send(QUESTION, { answer: ANSWERS[name], stream });
        assert.equal(failure?.code, code);
        assert.equal(failure.elsewhere, elsewhere);
      });
    }
  }

  test('how long to wait comes from the details of the error', async () => {
    assert.equal((await send(QUESTION, { answer: ANSWERS.quota })).failure?.retryAfterMs, 34_075);
    const { failure } = await send(QUESTION, { answer: ANSWERS.quotaFirst, stream: true });
    assert.equal(failure?.retryAfterMs, 34_075);
  });

  for (const stream of [false, true]) {
    test(`a blocked prompt is a failure where it is so decided${stream ? ', streamed' : ''}`, async () => {
      const { failure, chunks } = await send(QUESTION, {
        answer: ANSWERS.blocked,
        stream,
        options: { blocked: 'elsewhere' },
      });
      assert.equal(failure?.code, 'GW_UPSTREAM_BLOCKED');
      assert.equal(failure.elsewhere, true);
      assert.deepEqual(chunks, []);
    });
  }

  test('the key is in no message', async () => {
    const echo: Answer = (request, reply) =>
      reply.json({ error: { code: 400, message: `bad ${request.headers['x-goog-api-key']}`, status: 'X' } }, 400);
    const { failure } = await send(QUESTION, { answer: echo });
    assert.ok(!JSON.stringify([failure!.message, failure!.upstream]).includes(KEY));
  });

  test('wrong options are refused, a missing key too', async () => {
    assert.throws(() => gemini({ model: '' }), { code: 'GW_OPTION' });
    assert.throws(() => gemini({ model: 'm', auth: 'query' as never }), { code: 'GW_OPTION' });
    assert.throws(() => gemini({ model: 'm', blocked: 'no' as never }), { code: 'GW_OPTION' });
    await assert.rejects(ask(gemini({ model: 'm' }), QUESTION), { code: 'GW_KEY_MISSING' });
  });
});
