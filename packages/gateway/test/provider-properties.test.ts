/** Whatever a client sends translates, and whatever a server sends ends in an answer or a typed failure. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ProviderFailure } from '../src/providers/failure.ts';
import { gemini } from '../src/providers/gemini.ts';
import { geminiStream, geminiWhole } from '../src/providers/gemini-answer.ts';
import { geminiRequest } from '../src/providers/gemini-request.ts';
import { ollama } from '../src/providers/ollama.ts';
import { ollamaRequest } from '../src/providers/ollama-request.ts';
import { openai } from '../src/providers/openai.ts';
import { chunkRepair, repairedCompletion } from '../src/providers/openai-repair.ts';
import { openaiRequest } from '../src/providers/openai-request.ts';
import type { ConnectProvider } from '../src/providers/provider.ts';
import type { ChatCompletion, ChatRequest } from '../src/wire/chat.ts';
import { checkChatRequest } from '../src/wire/request.ts';
import { ask, joined, TRACE_ID } from './scripted/ask.ts';
import * as Gemini from './scripted/gemini.ts';
import * as Ollama from './scripted/ollama.ts';
import * as OpenAi from './scripted/openai.ts';
import { scriptedServer } from './scripted/script.ts';

const json = fc.jsonValue({ maxDepth: 3 });
const name = fc.constantFrom('f', 'g', '__proto__', '', 'x'.repeat(80));

const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text: fc.string() }),
  fc.record({
    type: fc.constant('image_url'),
    image_url: fc.oneof(
      json,
      fc.record({ url: fc.oneof(fc.webUrl(), fc.constant('data:image/png;base64,AAAA'), fc.string()) }),
    ),
  }),
  fc.record({ type: fc.constant('input_audio'), input_audio: json }),
  fc.record({ type: fc.constant('file'), file: json }),
  fc.record({ type: fc.string(), text: json }),
);
const call = fc.oneof(
  json,
  fc.record({
    id: fc.oneof(name, json),
    type: fc.constant('function'),
    function: fc.record({ name, arguments: fc.oneof(fc.string(), fc.constant('{"a":1}'), json) }),
    extra_content: json,
  }),
);
const message = fc.record(
  {
    role: fc.oneof(
      fc.constantFrom('system', 'developer', 'user', 'assistant', 'tool', 'function'),
      fc.string({ minLength: 1 }),
    ),
    content: fc.oneof(fc.string(), fc.constant(null), fc.array(part, { maxLength: 4 })),
    name: json,
    tool_calls: fc.oneof(json, fc.array(call, { maxLength: 3 })),
    tool_call_id: fc.oneof(name, json),
    reasoning_content: json,
    is_error: json,
    refusal: json,
  },
  { requiredKeys: ['role'] },
);
const tool = fc.oneof(
  fc.record({
    type: fc.constant('function'),
    function: fc.oneof(json, fc.record({ name, parameters: json, strict: json })),
  }),
  fc.dictionary(fc.string(), json),
);
const request = fc.record(
  {
    model: fc.constant('m'),
    messages: fc.array(message, { minLength: 1, maxLength: 5 }),
    tools: fc.array(tool, { maxLength: 3 }),
    tool_choice: fc.oneof(
      json,
      fc.constantFrom('auto', 'none', 'required'),
      fc.record({
        type: fc.constantFrom('function', 'allowed_tools'),
        function: json,
        allowed_tools: fc.record({ mode: json, tools: json }),
      }),
    ),
    response_format: fc.record({
      type: fc.constantFrom('text', 'json_object', 'json_schema', 'odd'),
      json_schema: json,
    }),
    reasoning_effort: fc.oneof(json, fc.constantFrom('none', 'high', '__proto__', 'constructor')),
    stop: fc.oneof(fc.string(), fc.array(fc.string()), fc.constant(null)),
    max_tokens: fc.oneof(fc.integer({ min: 1 }), fc.constant(null)),
    n: fc.integer({ min: 1, max: 128 }),
    temperature: fc.double({ noNaN: true, noDefaultInfinity: true }),
    metadata: json,
    odd: json,
  },
  { requiredKeys: ['model', 'messages'] },
);

describe('any request that is let in', () => {
  const translations: Record<string, (body: ChatRequest) => { body: object; notCarried: readonly string[] }> = {
    gemini: (body) => geminiRequest(body, { generationConfig: { topK: 1 } }, { hasThinkingLevels: true }),
    ollama: (body) => ollamaRequest(body, 'm', true, { options: { num_ctx: 1 } }),
    openai: openaiRequest({ maxTokensField: 'max_completion_tokens', roles: 'system', extensions: false }, 'localhost'),
  };
  for (const provider in translations) {
    test(`translates for ${provider}, is left alone, and what is not carried is named by text`, () => {
      fc.assert(
        fc.property(request, (generated) => {
          const body = checkChatRequest(generated);
          const before = JSON.stringify(body);
          const { body: translated, notCarried } = translations[provider]!(body);
          assert.equal(typeof JSON.stringify(translated), 'string');
          assert.ok(notCarried.every((path) => typeof path === 'string' && path !== ''));
          assert.equal(JSON.stringify(body), before);
        }),
        { numRuns: 500 },
      );
    });
  }

  test('every text of the messages reaches Gemini and Ollama', () => {
    const texts = fc.array(
      fc.record({ role: fc.constantFrom('system', 'user', 'assistant', 'tool'), content: fc.string({ minLength: 1 }) }),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(texts, (messages) => {
        const body = { model: 'm', messages };
        const there = [
          JSON.stringify(geminiRequest(body, {}, { hasThinkingLevels: false }).body),
          JSON.stringify(ollamaRequest(body, 'm', false, {}).body),
        ];
        for (const { content } of messages)
          for (const sent of there) assert.ok(sent.includes(JSON.stringify(content).slice(1, -1)));
      }),
    );
  });
});

describe('any answer', () => {
  const context = {
    traceId: TRACE_ID,
    model: 'm',
    createdS: () => 1,
    blocked: 'answer',
    failure: () => new ProviderFailure('GW_X', 'x', { fix: 'x', elsewhere: true }),
  } as const;
  const typed = (run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error;
    }
  };
  const geminiPart = fc.oneof(
    json,
    fc.record({ text: json, thought: json, thoughtSignature: json }),
    fc.record({ functionCall: fc.record({ name: json, args: json, id: json }) }),
    fc.record({ inlineData: json }),
  );
  const geminiEvent = fc.oneof(
    json,
    fc.record(
      {
        candidates: fc.oneof(
          json,
          fc.array(
            fc.record({
              content: fc.oneof(json, fc.record({ parts: fc.array(geminiPart) })),
              finishReason: fc.oneof(json, fc.constantFrom('STOP', 'SAFETY', 'OTHER')),
              index: json,
              logprobsResult: json,
            }),
            { maxLength: 3 },
          ),
        ),
        usageMetadata: fc.oneof(json, fc.record({ promptTokenCount: json, candidatesTokenCount: json })),
        promptFeedback: fc.oneof(json, fc.record({ blockReason: json })),
        modelVersion: json,
        responseId: json,
        createTime: json,
      },
      { requiredKeys: [] },
    ),
  );

  test('of Gemini, whole or as events, ends well or with a typed failure', () => {
    fc.assert(
      fc.property(fc.array(geminiEvent, { maxLength: 4 }), (events) => {
        for (const event of events) typed(() => geminiWhole(JSON.stringify(event), context));
        typed(() => {
          const stream = geminiStream((chunk) => assert.equal(chunk.object, 'chat.completion.chunk'), context);
          for (const event of events) stream.event(JSON.stringify(event), undefined);
          stream.end();
        });
      }),
      { numRuns: 500 },
    );
  });

  const delta = fc.record(
    {
      content: json,
      reasoning: json,
      tool_calls: fc.oneof(json, fc.array(fc.oneof(json, fc.record({ index: json, id: json, function: json })))),
    },
    { requiredKeys: [] },
  );
  const choice = fc.record(
    { index: json, delta: fc.oneof(delta, json), message: delta, finish_reason: fc.constantFrom('', 'stop', null) },
    { requiredKeys: ['message'] },
  );
  test('of a server of OpenAI\u2019s format is set right or refused', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ choices: fc.oneof(json, fc.array(choice)), usage: json, x_groq: json }, { requiredKeys: [] }),
        ),
        (chunks) => {
          typed(() => {
            const { repair } = chunkRepair(TRACE_ID);
            for (const each of chunks) {
              for (const { index, delta: said, finish_reason: finish } of repair(each).choices) {
                assert.equal(typeof index, 'number');
                assert.equal(typeof said, 'object');
                assert.notEqual(finish, '');
              }
            }
          });
          for (const each of chunks)
            if (
              Array.isArray(each.choices) &&
              each.choices.every(
                (one) =>
                  typeof one === 'object' &&
                  one !== null &&
                  'message' in one &&
                  typeof one.message === 'object' &&
                  one.message !== null,
              )
            )
              repairedCompletion(each as unknown as ChatCompletion, TRACE_ID);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('bytes from a server', () => {
  const connections: Record<
    string,
    { connect: (url: string) => ConnectProvider; type: string; stream: string; text: string }
  > = {
    gemini: {
      connect: (url) => gemini({ baseUrl: url, model: 'm' }),
      type: 'text/event-stream',
      stream: [Gemini.response([{ text: 'It is ' }], null), Gemini.response([{ text: 'caf\u00e9 \u{1f600}' }])]
        .map(Gemini.event)
        .join(''),
      text: 'It is caf\u00e9 \u{1f600}',
    },
    ollama: {
      connect: (url) => ollama({ baseUrl: url, model: 'm' }),
      type: 'application/x-ndjson',
      stream: Ollama.line({ content: 'It is ' }) + Ollama.line({ content: 'caf\u00e9 \u{1f600}' }) + Ollama.done(),
      text: 'It is caf\u00e9 \u{1f600}',
    },
    openai: {
      connect: (url) => openai({ baseUrl: `${url}/v1`, model: 'm' }),
      type: 'text/event-stream',
      stream: [
        OpenAi.chunk({ content: 'It is ' }),
        OpenAi.chunk({ reasoning: 'x', content: 'caf\u00e9 \u{1f600}' }),
        OpenAi.chunk({}, 'stop'),
        '[DONE]' as const,
      ]
        .map(OpenAi.event)
        .join(''),
      text: 'It is caf\u00e9 \u{1f600}',
    },
  };
  const QUESTION = { messages: [{ role: 'user', content: 'x' }] };
  const env = { GEMINI_API_KEY: 'key-0123456789' };

  for (const provider in connections) {
    const { connect, type, stream, text } = connections[provider]!;

    test(`${provider}: a stream split anywhere is the same stream`, async () => {
      const server = await scriptedServer(() => {});
      const bytes = Buffer.from(stream);
      try {
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 6 }),
            async (cuts) => {
              const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
              server.answer = (_, reply) => {
                reply.begin(type);
                reply.trickle(
                  places.slice(1).map((end, i) => bytes.subarray(places[i], end)),
                  () => reply.end(),
                );
              };
              const { chunks, failure } = await ask(connect(server.url), QUESTION, { stream: true, env });
              assert.equal(failure, undefined);
              assert.equal(joined(chunks).content, text);
            },
          ),
          { numRuns: 60 },
        );
      } finally {
        await server.close();
      }
    });

    test(`${provider}: any bytes end in an answer or a typed failure`, async () => {
      const server = await scriptedServer(() => {});
      const bytes = Buffer.from(stream);
      const garbled = fc
        .record({
          at: fc.nat({ max: bytes.length - 1 }),
          drop: fc.nat({ max: 40 }),
          put: fc.uint8Array({ maxLength: 12 }),
        })
        .map(({ at, drop, put }) => Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + drop)]));
      try {
        await fc.assert(
          fc.asyncProperty(
            fc.oneof(
              garbled,
              fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw)),
            ),
            fc.boolean(),
            async (sent, streams) => {
              server.answer = (_, reply) => {
                reply.begin(streams ? type : 'application/json');
                reply.end(sent);
              };
              // Rejects on anything that is neither.
              const { answer, failure } = await ask(connect(server.url), QUESTION, { stream: streams, env });
              assert.equal(answer === undefined, failure !== undefined);
            },
          ),
          { numRuns: 150 },
        );
      } finally {
        await server.close();
      }
    });
  }
});
