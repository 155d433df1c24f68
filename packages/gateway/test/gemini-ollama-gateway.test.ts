/** A client of OpenAI's format over a gateway whose experts are Gemini and Ollama: answers, money, failover. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import OpenAI from 'openai';
import { chat, chatBody, startGateway, type TestGateway, traceOf } from './helpers.ts';
import { ANSWERS as GEMINI, MODEL as GEMINI_MODEL, SIGNATURE, TEXT } from './scripted/gemini.ts';
import { ANSWERS as OLLAMA, MODEL as OLLAMA_MODEL } from './scripted/ollama.ts';
import { ANSWERS as OPENAI, TEXT as OPENAI_TEXT } from './scripted/openai.ts';
import { type ScriptedServer, scriptedServer } from './scripted/script.ts';

const KEY = 'AIzaSyTest-0123456789abcdefghijklmnopqrs';
const PRICE = { inputUsdPerMTok: 1, outputUsdPerMTok: 2, cachedInputUsdPerMTok: 0.25 };
const TOOLS = [
  { type: 'function' as const, function: { name: 'weather', parameters: { type: 'object', properties: {} } } },
];

let google: ScriptedServer;
let local: ScriptedServer;
let other: ScriptedServer;
let gate: TestGateway;
let client: OpenAI;

before(async () => {
  google = await scriptedServer(GEMINI.text);
  local = await scriptedServer(OLLAMA.text);
  other = await scriptedServer(OPENAI.text);
  gate = await startGate();
  client = new OpenAI({ apiKey: 'x', baseURL: `${gate.url}/v1`, maxRetries: 0 });
});
after(async () => {
  await gate.close();
  for (const server of [google, local, other]) await server.close();
});

function startGate(): Promise<TestGateway> {
  const gemini = { use: 'gemini', baseUrl: google.url, model: GEMINI_MODEL };
  return startGateway(
    {
      timeouts: { connectMs: 400, firstByteMs: 1_000, idleMs: 1_000, totalMs: 8_000 },
      experts: [
        { id: 'gemini', provider: gemini, price: PRICE },
        { id: 'strict', provider: { ...gemini, blocked: 'elsewhere' }, price: PRICE },
        { id: 'ollama', provider: { use: 'ollama', baseUrl: local.url, model: OLLAMA_MODEL }, price: PRICE },
        { id: 'openai', provider: { use: 'openai', baseUrl: `${other.url}/v1`, model: 'gpt', extensions: false } },
      ],
      modes: Object.fromEntries(
        ['gemini', 'strict', 'ollama'].map((id) => [
          id,
          { experts: [id, 'openai'], policy: { use: 'static', order: [id] }, composition: { use: 'fallback' } },
        ]),
      ),
    },
    { env: { GEMINI_API_KEY: KEY } },
  );
}

const messages = [{ role: 'user' as const, content: 'What is it?' }];

function answers(name: 'text' | 'tools' | 'thinking'): void {
  google.answer = GEMINI[name];
  local.answer = OLLAMA[name];
}

// Gemini: 20 fresh, 100 cached, 8 said and 30 thought. Ollama: 26 and 9.
for (const [mode, tokens, costUsd] of [
  ['gemini', [120, 38, 158], (20 * 1 + 100 * 0.25 + 38 * 2) / 1e6],
  ['ollama', [26, 9, 35], (26 * 1 + 9 * 2) / 1e6],
] as const) {
  describe(`an expert of ${mode}`, () => {
    const request = { model: `gw/${mode}`, messages };

    test('text, whole and streamed: the same words, tokens and cost', async () => {
      answers('text');
      const { data: whole, response } = await client.chat.completions.create(request).withResponse();
      const wholeTrace = await traceOf(gate.gateway.store, response.headers.get('x-gw-trace'));
      const stream = client.chat.completions.stream({ ...request, stream_options: { include_usage: true } });
      const streamed = await stream.finalChatCompletion();
      for (const answer of [whole, streamed]) {
        assert.equal(answer.choices[0]!.message.content, TEXT);
        assert.equal(answer.choices[0]!.finish_reason, 'stop');
        const usage = answer.usage!;
        assert.deepEqual([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens], tokens);
      }
      assert.equal(wholeTrace.calls[0]!.costUsd, costUsd);
      assert.equal(wholeTrace.calls[0]!.tokensFrom, 'provider');
      const trace = await traceOf(gate.gateway.store);
      assert.equal(trace.calls[0]!.expert, mode);
      assert.equal(trace.calls[0]!.costUsd, costUsd);
    });

    test('a stream of a client that asks for no usage shows none', async () => {
      answers('text');
      for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
        assert.equal(chunk.usage ?? null, null);
        assert.equal(chunk.choices.length, 1);
      }
    });

    test('a loop over calls of tools', async () => {
      answers('tools');
      for (const turn of ['whole', 'streamed']) {
        const asked =
          turn === 'whole'
            ? await client.chat.completions.create({ ...request, tools: TOOLS })
            : await client.chat.completions.stream({ ...request, tools: TOOLS }).finalChatCompletion();
        const { message, finish_reason: finish } = asked.choices[0]!;
        const calls = message.tool_calls!;
        assert.equal(finish, 'tool_calls');
        assert.deepEqual(
          calls.map(
            (call) => call.type === 'function' && [call.function.name, JSON.parse(call.function.arguments).city],
          ),
          [
            ['weather', 'Paris'],
            ['weather', 'Rome'],
          ],
        );
        assert.equal(new Set(calls.map(({ id }) => id)).size, 2);
        const results = calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: '20' }));
        await client.chat.completions.create({ ...request, messages: [...messages, message, ...results] });
        const server = mode === 'gemini' ? google : local;
        const sent = JSON.stringify(server.requests.at(-1)!.body);
        if (mode === 'gemini') assert.equal(sent.split(SIGNATURE).length, 2, 'the signature comes back once');
        for (const { id } of calls) assert.ok(sent.includes(id));
      }
    });

    test('thoughts come as reasoning_content', async () => {
      answers('thinking');
      const { message } = (await client.chat.completions.create(request)).choices[0]!;
      assert.equal((message as { reasoning_content?: string }).reasoning_content, 'Let me see.');
    });

    test('what the format cannot carry is named in a header', async () => {
      answers('text');
      const response = await chat(gate.url, chatBody(`gw/${mode}`, { logit_bias: { 5: 1 } }));
      await response.text();
      assert.equal(response.headers.get('x-gw-not-carried'), 'logit_bias');
    });
  });
}

describe('the next expert is asked', () => {
  // One for each test: an expert that fails again and again is left alone.
  let fresh: TestGateway;
  beforeEach(async () => {
    fresh = await startGate();
  });
  afterEach(() => fresh.close());

  for (const [mode, fault, code] of [
    ['gemini', 'quota', 'GW_UPSTREAM_RATE_LIMIT'],
    ['gemini', 'badKey', 'GW_UPSTREAM_AUTH'],
    ['gemini', 'malformedCall', 'GW_UPSTREAM_MALFORMED'],
    ['strict', 'blocked', 'GW_UPSTREAM_BLOCKED'],
    ['ollama', 'noModel', 'GW_UPSTREAM_STATUS'],
    ['ollama', 'noTools', 'GW_UPSTREAM_STATUS'],
    ['ollama', 'errorFirst', 'GW_UPSTREAM_ERROR_EVENT'],
  ] as const) {
    for (const stream of [false, true]) {
      test(`${mode}: ${fault}${stream ? ', streamed' : ''}`, async () => {
        if (mode === 'ollama') local.answer = OLLAMA[fault as keyof typeof OLLAMA];
        else google.answer = GEMINI[fault as keyof typeof GEMINI];
        const response = await chat(fresh.url, chatBody(`gw/${mode}`, { stream }));
        const text = await response.text();
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('x-gw-expert'), 'openai');
        assert.ok(text.includes(stream ? 'It is forty-two' : OPENAI_TEXT));
        const trace = await traceOf(fresh.gateway.store, response.headers.get('x-gw-trace'));
        assert.equal(trace.calls[0]!.error!.code, code);
        assert.ok(!JSON.stringify(trace).includes(KEY));
      });
    }
  }

  test('but a prompt that Gemini blocks is answered by Gemini, where nothing else is decided', async () => {
    google.answer = GEMINI.blocked;
    const response = await chat(fresh.url, chatBody('gw/gemini'));
    const body = (await response.json()) as { choices: { finish_reason: string; message: { refusal: string } }[] };
    assert.equal(response.headers.get('x-gw-expert'), 'gemini');
    assert.equal(body.choices[0]!.finish_reason, 'content_filter');
    assert.match(body.choices[0]!.message.refusal, /blocked/);
  });

  test('and a request that Gemini rejects as wrong goes nowhere else', async () => {
    google.answer = GEMINI.badRequest;
    const response = await chat(fresh.url, chatBody('gw/gemini'));
    assert.equal(response.status, 400);
    assert.match(await response.text(), /generation_config\.temperature/);
  });
});
