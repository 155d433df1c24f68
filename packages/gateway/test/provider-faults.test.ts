/**
 * What servers say at the rim of their formats, or beyond it: whose fault a failure is, what it cost by then, and that
 * nothing stays open behind an answer.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { checkConfig } from '../src/config/config.ts';
import { countsOf, priceUsd } from '../src/cost.ts';
import { callFailed, callStarted } from '../src/experts.ts';
import { ANYONE } from '../src/identity/principal.ts';
import { createRuntime } from '../src/pipeline.ts';
import { anthropic } from '../src/providers/anthropic.ts';
import { ProviderFailure } from '../src/providers/failure.ts';
import { gemini } from '../src/providers/gemini.ts';
import { ollama } from '../src/providers/ollama.ts';
import { openai } from '../src/providers/openai.ts';
import type { ConnectProvider } from '../src/providers/provider.ts';
import { messages } from '../src/wire/messages.ts';
import * as Anthropic from './scripted/anthropic.ts';
import { type Asked, ask, joined, TRACE_ID } from './scripted/ask.ts';
import * as Gemini from './scripted/gemini.ts';
import * as Ollama from './scripted/ollama.ts';
import * as OpenAi from './scripted/openai.ts';
import { type Answer, type ScriptedServer, scriptedServer } from './scripted/script.ts';

const KEY = 'AbCdEfGh12345678secretWXYZ';
const ENV = { OPENAI_API_KEY: KEY, ANTHROPIC_API_KEY: KEY, GEMINI_API_KEY: KEY };
const HELLO = { messages: [{ role: 'user', content: 'hello' }] };

let server: ScriptedServer;
before(async () => {
  server = await scriptedServer(() => {});
});
after(() => server.close());
beforeEach(() => {
  server.requests.length = 0;
});

const PROVIDERS = {
  openai: () => openai({ baseUrl: `${server.url}/v1`, model: 'm', apiKeyEnv: 'OPENAI_API_KEY' }),
  anthropic: () => anthropic({ baseUrl: server.url, model: 'm' }),
  gemini: () => gemini({ baseUrl: server.url, model: 'gemini-3-flash' }),
  ollama: () => ollama({ baseUrl: server.url, model: 'm', apiKeyEnv: 'OPENAI_API_KEY' }),
} satisfies Record<string, () => ConnectProvider>;
type Name = keyof typeof PROVIDERS;

function asked(name: Name, answer: Answer, stream: boolean, body: object = HELLO): Promise<Asked> {
  server.answer = answer;
  return ask(PROVIDERS[name](), body as typeof HELLO, { stream, env: ENV });
}

async function failing(name: Name, answer: Answer, stream: boolean): Promise<ProviderFailure> {
  const { failure } = await asked(name, answer, stream);
  assert.ok(failure !== undefined, 'it must fail');
  return failure;
}

const status =
  (code: number, body: unknown): Answer =>
  (_, reply) =>
    reply.json(body, code);

describe('whose fault a refusal is', () => {
  const claude = (message: string): unknown => ({ type: 'error', error: { type: 'invalid_request_error', message } });
  const cases: readonly [what: string, Name, Answer, code: string, elsewhere: boolean][] = [
    [
      'a wrong key that comes as 400',
      'openai',
      status(400, {
        code: 'Client specified an invalid argument',
        error: 'Incorrect API key provided: Ab***YZ. You can obtain an API key from the console.',
      }),
      'GW_UPSTREAM_AUTH',
      true,
    ],
    [
      'an account without credit that comes as 400',
      'anthropic',
      status(400, claude('Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.')),
      'GW_UPSTREAM_STATUS',
      true,
    ],
    [
      'an organization that was disabled',
      'anthropic',
      status(400, claude('This organization has been disabled.')),
      'GW_UPSTREAM_STATUS',
      true,
    ],
    [
      'a model that the server does not know, as 400',
      'openai',
      status(400, { error: { message: 'Model Not Exist', type: 'invalid_request_error', code: 'model_not_found' } }),
      'GW_UPSTREAM_STATUS',
      true,
    ],
    [
      'a wrong key without details',
      'gemini',
      status(400, { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'API key not valid. Please pass one.' } }),
      'GW_UPSTREAM_AUTH',
      true,
    ],
    [
      'words about keys that the client wrote',
      'openai',
      status(400, { error: { message: "Invalid value: 'Incorrect API key provided'", type: 'invalid_request_error' } }),
      'GW_UPSTREAM_REJECTED',
      false,
    ],
    [
      'a prompt longer than the window',
      'openai',
      status(400, {
        error: {
          message: 'too long',
          type: 'invalid_request_error',
          param: 'messages',
          code: 'context_length_exceeded',
        },
      }),
      'GW_UPSTREAM_REJECTED',
      true,
    ],
    [
      'a prompt longer than the window, said in words',
      'openai',
      status(400, { object: 'error', message: "This model's maximum context length is 4096 tokens.", code: 400 }),
      'GW_UPSTREAM_REJECTED',
      true,
    ],
    [
      'a prompt longer than the window',
      'anthropic',
      status(400, claude('prompt is too long: 210000 tokens > 200000 maximum')),
      'GW_UPSTREAM_REJECTED',
      true,
    ],
    [
      'a prompt longer than the window',
      'gemini',
      status(
        400,
        Gemini.failure(
          400,
          'INVALID_ARGUMENT',
          'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
        ),
      ),
      'GW_UPSTREAM_REJECTED',
      true,
    ],
    ['a field that this model has not', 'openai', OpenAi.ANSWERS.badRequest, 'GW_UPSTREAM_REJECTED', true],
    [
      'an effort that this model has not',
      'ollama',
      status(400, { error: 'think value "low" is not supported for this model' }),
      'GW_UPSTREAM_STATUS',
      true,
    ],
    ['a wrong request', 'openai', status(400, { error: { message: 'no', type: 'x' } }), 'GW_UPSTREAM_REJECTED', false],
    ['a proxy that wants a login', 'openai', status(407, {}), 'GW_UPSTREAM_STATUS', true],
  ];
  for (const [what, name, answer, code, elsewhere] of cases)
    test(`${name}: ${what} is ${code}${elsewhere ? ', and another expert may be asked' : ''}`, async () => {
      for (const stream of [false, true]) {
        const failure = await failing(name, answer, stream);
        assert.deepEqual([failure.code, failure.elsewhere], [code, elsewhere]);
      }
    });

  test('the words of a list with one error are kept', async () => {
    const failure = await failing('gemini', status(503, [Gemini.failure(503, 'UNAVAILABLE', 'Try later.')]), false);
    assert.equal(failure.upstream?.['message'], 'Try later.');
  });

  test('of a key not even what the server left of it is repeated', async () => {
    const body = { error: { message: 'Incorrect API key provided: AbCdEf**********WXYZ.', code: 'invalid_api_key' } };
    const { upstream } = await failing('openai', status(401, body), false);
    assert.doesNotMatch(String(upstream?.['message']), /AbC|WXYZ/);
  });
});

describe('an error behind status 200', () => {
  const RAW = { error: { message: 'It is down.', type: 'server_error', code: 502 } };
  const raw =
    (text: string, type: string): Answer =>
    (_, reply) => {
      reply.begin(type);
      reply.end(text);
    };
  const begun: Record<Name, string> = {
    openai: OpenAi.event(OpenAi.chunk({ role: 'assistant', content: 'It' })),
    anthropic: Anthropic.eventsOfMessage(Anthropic.MESSAGES.text).slice(0, 4).join(''),
    gemini: Gemini.event(Gemini.response([{ text: 'It' }], null)),
    ollama: Ollama.line({ content: 'It' }),
  };
  const bodies: Record<Name, object> = {
    openai: RAW,
    anthropic: { type: 'error', ...RAW },
    gemini: Gemini.failure(502, 'UNAVAILABLE', 'It is down.'),
    ollama: { error: 'It is down.' },
  };
  for (const name of Object.keys(PROVIDERS) as Name[]) {
    const body = JSON.stringify(bodies[name]);
    const kind = name === 'ollama' ? 'application/x-ndjson' : 'text/event-stream';
    const shapes: [what: string, answer: Answer, stream: boolean][] = [
      ['in place of a whole answer', raw(body, 'application/json'), false],
      ['as JSON in place of a stream', raw(body, 'application/json; charset=utf-8'), true],
      ['unframed in a stream', raw(body, kind), true],
      ...(name === 'ollama'
        ? []
        : ([
            ['unframed, over several lines', raw(JSON.stringify(bodies[name], null, 2), kind), true],
            ['unframed, in a list', raw(`[${body}]`, kind), true],
            ['unframed, behind content', raw(begun[name] + JSON.stringify(bodies[name], null, 2), kind), true],
          ] as [string, Answer, boolean][])),
    ];
    for (const [what, answer, stream] of shapes)
      test(`${name}: ${what} is told as what it is`, async () => {
        const failure = await failing(name, answer, stream);
        assert.deepEqual(
          [failure.code, failure.elsewhere, failure.upstream?.['message']],
          ['GW_UPSTREAM_ERROR_EVENT', true, 'It is down.'],
        );
      });
  }

  test('of one choice is no answer', async () => {
    const error = { code: 502, message: 'It is down.' };
    const whole = OpenAi.completion({ content: 'It' }, 'error', {
      choices: [{ index: 0, message: { role: 'assistant', content: 'It' }, finish_reason: 'error', error }],
    });
    const piece = OpenAi.chunk(undefined, 'error', {
      choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error', error }],
    });
    const answer = OpenAi.both(whole, [OpenAi.chunk({ role: 'assistant', content: 'It' }), piece]);
    for (const stream of [false, true])
      assert.equal((await failing('openai', answer, stream)).code, 'GW_UPSTREAM_ERROR_EVENT');
  });

  test('a stream of another content type without an error is not an answer', async () => {
    const failure = await failing('openai', raw('{"choices":[]}', 'application/json'), true);
    assert.equal(failure.code, 'GW_UPSTREAM_MALFORMED');
    assert.match(failure.message, /application\/json/);
  });

  test('the content type of a stream may be written in capitals', async () => {
    const { failure } = await asked(
      'openai',
      (request, reply) => {
        reply.begin('Text/Event-Stream');
        void request;
        reply.end(OpenAi.event(OpenAi.chunk({ content: 'It' }, 'stop')) + OpenAi.event('[DONE]'));
      },
      true,
    );
    assert.equal(failure, undefined);
  });
});

describe('what a failed answer cost', () => {
  test('Anthropic: the counts of its beginning come with a cut, an error and a cancelled call', async () => {
    const begun = Anthropic.eventsOfMessage(Anthropic.MESSAGES.text).slice(0, 4);
    const error = Anthropic.sse(Anthropic.errorBody('overloaded_error', 'Overloaded') as { type: string });
    const sent = (parts: string[]): Answer => OpenAiStream(parts);
    for (const parts of [begun, [...begun, error]]) {
      const { usage } = await failing('anthropic', sent(parts), true);
      assert.deepEqual(
        [usage?.prompt_tokens, usage?.['prompt_tokens_details']],
        [20, { cached_tokens: 5, cache_creation_tokens: 3 }],
      );
    }
  });

  test('Gemini: the counts of an answer that it gave up, and of a prompt that it blocked', async () => {
    for (const stream of [false, true]) {
      const { usage } = await failing('gemini', Gemini.ANSWERS.malformedCall, stream);
      assert.deepEqual([usage?.prompt_tokens, usage?.completion_tokens], [120, 38]);
      server.answer = Gemini.ANSWERS.blocked;
      const provider = gemini({ baseUrl: server.url, model: 'm', blocked: 'elsewhere' });
      const { failure } = await ask(provider, HELLO, { stream, env: ENV });
      assert.deepEqual([failure?.code, failure?.usage?.prompt_tokens], ['GW_UPSTREAM_BLOCKED', 9]);
    }
  });

  test('OpenAI: the newest counts of a stream that was cut', async () => {
    const chunk = OpenAi.chunk({ content: 'It' }, null, { usage: OpenAi.USAGE });
    const { usage } = await failing(
      'openai',
      OpenAi.stream([chunk], (reply) => reply.cut()),
      true,
    );
    assert.equal(usage?.completion_tokens, 12);
  });

  test('nothing is said where the server said nothing', async () => {
    assert.equal((await failing('openai', OpenAi.ANSWERS.cut, true)).usage, undefined);
    assert.equal((await failing('openai', OpenAi.ANSWERS.badRequest, false)).usage, undefined);
  });
});

function OpenAiStream(parts: readonly string[]): Answer {
  return (_, reply) => {
    reply.begin('text/event-stream');
    reply.trickle(parts, () => reply.end());
  };
}

describe('connections', () => {
  const context = {
    timeouts: { connectMs: 1_000, firstByteMs: 5_000, idleMs: 30_000, totalMs: 30_000 },
    shared: new Map(),
  };
  const call = { body: { model: 'm', ...HELLO }, stream: true, traceId: TRACE_ID, seed: 1 };
  const NO_SINK = { onChunk() {} };
  const whole: Record<Name, string> = {
    openai: OpenAi.event(OpenAi.chunk({ content: 'It' }, 'stop')) + OpenAi.event('[DONE]'),
    anthropic: Anthropic.eventsOfMessage(Anthropic.MESSAGES.text).join(''),
    gemini: '',
    ollama: Ollama.done({ content: 'It' }),
  };
  for (const name of ['openai', 'anthropic', 'ollama'] as const)
    test(`${name}: a server that never ends a whole stream does not hold the connection`, {
      timeout: 10_000,
    }, async () => {
      server.answer = (_, reply) => {
        reply.begin(name === 'ollama' ? 'application/x-ndjson' : 'text/event-stream');
        reply.send(whole[name]);
      };
      const provider = PROVIDERS[name]()({ ...context, env: ENV });
      await provider.start(call, NO_SINK).answer;
      // Resolves when no connection is busy; without an end it would take idleMs.
      await provider.close();
    });

  test('a call that is cancelled before it is connected is never made', async () => {
    server.answer = () => assert.fail('it was made');
    const provider = PROVIDERS.openai()({ ...context, env: ENV });
    const running = provider.start(call, NO_SINK);
    running.cancel();
    running.cancel();
    await assert.rejects(running.answer, { code: 'GW_CANCELLED' });
    await provider.close();
    assert.equal(server.requests.length, 0);
  });

  test('a provider that closes lets calls under way finish, and takes no more', async () => {
    let finish: (() => void) | undefined;
    server.answer = (_, reply) => {
      reply.begin('text/event-stream');
      reply.send(OpenAi.event(OpenAi.chunk({ content: 'It' })));
      finish = () => reply.end(OpenAi.event(OpenAi.chunk({}, 'stop')) + OpenAi.event('[DONE]'));
    };
    const provider = PROVIDERS.openai()({ ...context, env: ENV });
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const running = provider.start(call, { onChunk: () => resolve() });
    await begun;
    const closed = provider.close();
    await assert.rejects(provider.start(call, NO_SINK).answer, { code: 'GW_UPSTREAM_RESET' });
    finish!();
    await running.answer;
    await closed;
  });
});

describe("what OpenAI's format becomes elsewhere", () => {
  const sentTo = async (options: object, body: object, stream: boolean): Promise<{ url: string; body: object }> => {
    server.answer = OpenAi.ANSWERS.text;
    const connect = openai({ baseUrl: `${server.url}/v1`, model: 'm', ...options });
    await ask(connect, { ...HELLO, ...body }, { stream, env: ENV });
    return server.requests.at(-1)!;
  };

  test('a base URL without a path has one slash', async () => {
    assert.equal((await sentTo({ baseUrl: server.url }, {}, false)).url, '/chat/completions');
  });

  test('a whole answer is not asked for with options of streams, nor is a server for counts that it refuses', async () => {
    const options = { stream_options: { include_usage: true } };
    assert.ok(!('stream_options' in (await sentTo({}, options, false)).body));
    assert.ok(!('stream_options' in (await sentTo({ streamUsage: false }, options, true)).body));
    const { body } = await sentTo({ streamUsage: false }, { stream_options: { include_obfuscation: false } }, true);
    assert.deepEqual((body as { stream_options?: object }).stream_options, { include_obfuscation: false });
  });

  test('annotations of a filter, without a delta and behind the end, are no broken stream (Azure)', async () => {
    const filter = { content_filter_results: {}, content_filter_offsets: { check_offset: 1 }, finish_reason: null };
    const annotation = OpenAi.chunk({}, null, { choices: [{ index: 0, ...filter }] });
    const chunks = [
      OpenAi.chunk({ role: 'assistant', content: 'It' }),
      annotation,
      OpenAi.chunk({}, 'stop'),
      annotation,
    ];
    const { failure, chunks: got } = await asked('openai', OpenAi.both({}, chunks), true);
    assert.equal(failure, undefined);
    assert.equal(joined(got).content, 'It');
    assert.ok(got.every(({ choices }) => choices.every(({ delta }) => typeof delta === 'object')));
  });

  test('calls at once that all have the index 0 stay apart', async () => {
    const call = (id: string | undefined, name: string | undefined, given: string): object =>
      OpenAi.chunk({
        tool_calls: [{ index: 0, ...(id === undefined ? {} : { id }), function: { name, arguments: given } }],
      });
    const chunks = [
      call('a', 'f', '{"x":'),
      call(undefined, undefined, '1}'),
      call('b', 'g', '{"y":'),
      call(undefined, undefined, '2}'),
      call('c', 'h', '{}'),
      OpenAi.chunk({}, 'tool_calls'),
    ];
    const { chunks: got } = await asked('openai', OpenAi.both({}, chunks), true);
    assert.deepEqual(joined(got).calls, [
      { id: 'a', name: 'f', arguments: '{"x":1}' },
      { id: 'b', name: 'g', arguments: '{"y":2}' },
      { id: 'c', name: 'h', arguments: '{}' },
    ]);
  });

  const counts: readonly [server: string, usage: object, prompt: number, completion: number, cached: number][] = [
    ['OpenAI', OpenAi.USAGE, 19, 12, 16],
    [
      'xAI: thoughts stand beside the answer',
      {
        prompt_tokens: 10120,
        completion_tokens: 1499,
        total_tokens: 14428,
        prompt_tokens_details: { cached_tokens: 128 },
        completion_tokens_details: { reasoning_tokens: 2809 },
      },
      10120,
      4308,
      128,
    ],
    [
      'DeepSeek: what the cache held stands beside the prompt',
      {
        prompt_tokens: 20,
        completion_tokens: 3,
        total_tokens: 23,
        prompt_cache_hit_tokens: 16,
        prompt_cache_miss_tokens: 4,
      },
      20,
      3,
      16,
    ],
    ['Moonshot', { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23, cached_tokens: 10 }, 20, 3, 10],
  ];
  for (const [what, usage, prompt, completion, cached] of counts)
    test(`tokens are counted once, the same whole and streamed: ${what}`, async () => {
      const last = OpenAi.chunk({}, null, { choices: [], usage });
      const answer = OpenAi.both(OpenAi.completion({ content: 'It' }, 'stop', { usage }), [
        OpenAi.chunk({ role: 'assistant', content: 'It' }),
        OpenAi.chunk({}, 'stop'),
        last,
      ]);
      for (const stream of [false, true]) {
        const { answer: got, chunks } = await asked('openai', answer, stream);
        const told = stream ? chunks.at(-1)!.usage! : got!.completion!.body.usage!;
        assert.deepEqual(told, got!.usage);
        const { promptTokens, completionTokens, cachedTokens } = countsOf(told);
        assert.deepEqual([promptTokens, completionTokens, cachedTokens], [prompt, completion, cached]);
      }
    });

  test('a hundred thousand calls in one stream are read in passing', async () => {
    const calls = Array.from({ length: 100_000 }, (_, i) => ({
      id: `c${i}`,
      function: { name: 'f', arguments: '{}' },
    }));
    const chunks = [OpenAi.chunk({ tool_calls: calls }), OpenAi.chunk({}, 'tool_calls')];
    const { chunks: got } = await asked('openai', OpenAi.both({}, chunks), true);
    assert.equal((got[0]!.choices[0]!.delta['tool_calls'] as object[]).length, 100_000);
  });
});

describe('what it costs', () => {
  const price = {
    inputUsdPerMTok: 3,
    outputUsdPerMTok: 15,
    cachedInputUsdPerMTok: 0.3,
    cacheWriteUsdPerMTok: 3.75,
    cacheWrite1hUsdPerMTok: 6,
  };

  test('Anthropic: every kind of token at its own price, the same whole and streamed', async () => {
    const usage = {
      input_tokens: 1_000,
      cache_read_input_tokens: 200_000,
      cache_creation_input_tokens: 30_000,
      cache_creation: { ephemeral_5m_input_tokens: 10_000, ephemeral_1h_input_tokens: 20_000 },
      output_tokens: 500,
    };
    const message = Anthropic.message([Anthropic.text('It.')], { usage });
    const expected = (1_000 * 3 + 200_000 * 0.3 + 10_000 * 3.75 + 20_000 * 6 + 500 * 15) / 1e6;
    const events = Anthropic.eventsOfMessage(message);
    const answer: Answer = (request, reply) => {
      if (request.body['stream'] === true) OpenAiStream(events)(request, reply);
      else reply.json(message);
    };
    for (const stream of [false, true]) {
      const { answer: got } = await asked('anthropic', answer, stream);
      assert.ok(Math.abs(priceUsd({ price }, countsOf(got!.usage!)) - expected) < 1e-12);
    }
  });

  test('Gemini: thoughts once, tools as prompt, the cache at its price, sound apart', async () => {
    const usageMetadata = {
      promptTokenCount: 1_000,
      toolUsePromptTokenCount: 50,
      cachedContentTokenCount: 400,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 300,
      totalTokenCount: 1_370,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 700 },
        { modality: 'AUDIO', tokenCount: 300 },
      ],
      cacheTokensDetails: [
        { modality: 'TEXT', tokenCount: 300 },
        { modality: 'AUDIO', tokenCount: 100 },
      ],
    };
    const answer = Gemini.both(Gemini.response([{ text: 'It' }], 'STOP', { usageMetadata }), [
      Gemini.response([{ text: 'It' }], 'STOP', { usageMetadata }),
    ]);
    const expected = ((1_050 - 400 - 200) * 3 + 400 * 0.3 + 200 * 9 + 320 * 15) / 1e6;
    for (const stream of [false, true]) {
      const { answer: got } = await asked('gemini', answer, stream);
      const cost = priceUsd({ price: { ...price, audioInputUsdPerMTok: 9 } }, countsOf(got!.usage!));
      assert.ok(Math.abs(cost - expected) < 1e-12, `${cost}`);
    }
  });
});

describe('thoughts of another model', () => {
  const TOOL = [{ name: 'weather', input_schema: { type: 'object', properties: {} } }];
  const ask1 = { model: 'gw/x', max_tokens: 100, tools: TOOL, messages: [{ role: 'user', content: 'hello' }] };
  const context = { traceId: TRACE_ID, createdS: 1, expert: 'g' };
  const asker = { principal: ANYONE };

  /** The content blocks that a client of the Messages format puts together. */
  const blocksOfStream = (text: string): Record<string, unknown>[] => {
    const blocks: Record<string, unknown>[] = [];
    for (const line of text.split('\n').filter((one) => one.startsWith('data: '))) {
      const event = JSON.parse(line.slice(6)) as Record<string, unknown>;
      if (event['type'] === 'content_block_start') blocks.push({ ...(event['content_block'] as object) });
      if (event['type'] !== 'content_block_delta') continue;
      const { type, ...delta } = event['delta'] as Record<string, string>;
      const block = blocks.at(-1)!;
      if (type === 'input_json_delta') block['input'] = JSON.parse(delta['partial_json']!);
      else for (const name in delta) block[name] = `${block[name] ?? ''}${delta[name]}`;
    }
    return blocks;
  };

  for (const stream of [false, true])
    test(`Gemini gets its signatures back from a client of Messages, ${stream ? 'streamed' : 'whole'}`, async () => {
      const reading = await messages().read(ask1, asker);
      const { chunks, texts, answer } = await asked('gemini', Gemini.ANSWERS.tools, stream, reading.request);
      let content: unknown;
      if (stream) {
        const events = reading.stream(context);
        const text = events.begin() + chunks.map((chunk, i) => events.chunk(texts[i]!, chunk)).join('') + events.end();
        content = blocksOfStream(text);
      } else {
        const { body, data } = answer!.completion!;
        content = (JSON.parse(reading.whole(body, data, context)) as { content: unknown }).content;
      }
      const [first] = (content as Record<string, string>[]).filter(({ type }) => type === 'tool_use');
      const result = { type: 'tool_result', tool_use_id: first!['id'], content: 'sunny' };
      const next = {
        ...ask1,
        messages: [...ask1.messages, { role: 'assistant', content }, { role: 'user', content: [result] }],
      };
      const again = await messages().read(next, asker);
      await asked('gemini', Gemini.ANSWERS.text, false, again.request);
      const { contents } = server.requests.at(-1)!.body as { contents: { parts: Record<string, unknown>[] }[] };
      const calls = contents[1]!.parts.filter((part) => part['functionCall'] !== undefined);
      assert.deepEqual(
        calls.map((part) => part['thoughtSignature']),
        [Gemini.SIGNATURE, undefined],
      );

      // Anthropic refuses thoughts that it did not seal itself.
      await asked('anthropic', (_, reply) => reply.json(Anthropic.MESSAGES.text), false, again.request);
      assert.doesNotMatch(JSON.stringify(server.requests.at(-1)!.body), /redacted_thinking|gw1\./);
    });

  test('without a signature are not sent to Anthropic, which would refuse the whole request', async () => {
    const content = [
      { type: 'thinking', thinking: 'Let me see.', signature: '' },
      { type: 'text', text: 'It is forty-two.' },
    ];
    const body = { ...ask1, messages: [...ask1.messages, { role: 'assistant', content }, ...ask1.messages] };
    const { request } = await messages().read(body, asker);
    const { notCarried } = await asked('anthropic', (_, reply) => reply.json(Anthropic.MESSAGES.text), false, request);
    const sent = server.requests.at(-1)!.body as { messages: { content: unknown }[] };
    assert.deepEqual(sent.messages[1]!.content, [content[1]]);
    assert.deepEqual(notCarried, ['messages[1].content[0]']);
  });
});

describe('what Anthropic refuses', () => {
  const sent = async (body: object): Promise<{ body: Record<string, unknown>; notCarried: readonly string[] }> => {
    const { notCarried } = await asked('anthropic', (_, reply) => reply.json(Anthropic.MESSAGES.text), false, {
      ...HELLO,
      ...body,
    });
    return { body: server.requests.at(-1)!.body, notCarried };
  };

  test('a stop of white space alone is left out, and told', async () => {
    const { body, notCarried } = await sent({ stop: ['\n\n', 'END'] });
    assert.deepEqual([body['stop_sequences'], notCarried], [['END'], ['stop']]);
    assert.ok(!('stop_sequences' in (await sent({ stop: '\n' })).body));
  });

  test('ids of calls that another server made are spelled in its letters, in the call and in its result', async () => {
    const id = 'functions.weather:0';
    const call = { id, type: 'function', function: { name: 'weather', arguments: '{}' } };
    const { body } = await sent({
      messages: [
        { role: 'user', content: 'hello' },
        { role: 'assistant', content: '', tool_calls: [call] },
        { role: 'tool', tool_call_id: id, content: 'sunny' },
      ],
    });
    const [, assistant, user] = body['messages'] as { content: Record<string, unknown>[] }[];
    assert.equal(assistant!.content[0]!['id'], 'functions_weather_0');
    assert.equal(user!.content[0]!['tool_use_id'], 'functions_weather_0');
  });

  test('a turn that says nothing is left out', async () => {
    const { body } = await sent({
      messages: [...HELLO.messages, { role: 'assistant', content: '' }, ...HELLO.messages],
    });
    assert.equal((body['messages'] as object[]).length, 1);
  });

  test('image/jpg is written image/jpeg', async () => {
    const image = { type: 'image_url', image_url: { url: 'data:image/jpg;base64,AAAA' } };
    const { body } = await sent({ messages: [{ role: 'user', content: [image] }] });
    assert.match(JSON.stringify(body), /"media_type":"image\/jpeg"/);
  });
});

describe('a key', () => {
  test('that cannot stand in a header is refused when the configuration loads, and not shown', () => {
    const context = {
      timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
      env: { OPENAI_API_KEY: 'sk-first\nsecond' },
      shared: new Map(),
    };
    assert.throws(
      () => PROVIDERS.openai()(context),
      (error: Error & { code?: string }) => error.code === 'GW_KEY_MISSING' && !error.message.includes('second'),
    );
  });
});

test('what a client can bring about does not open a breaker for the others', () => {
  const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 };
  const config = checkConfig({
    version: 1,
    experts: [{ id: 'a', provider: { use: 'sandbox', expert: 'tiny' }, price }],
  });
  const isLeftAlone = (code: string): boolean => {
    const [expert] = createRuntime(config, {}, 0).experts;
    for (let i = 0; i < 100; i++)
      callFailed(
        expert!,
        callStarted(expert!, i, true)!,
        new ProviderFailure(code, 'x', { fix: 'x', elsewhere: true }),
        0,
        i,
      );
    return !expert!.breaker.admits(100);
  };
  // A prompt that is too long for one model, or that its filter blocks, may go elsewhere.
  assert.equal(isLeftAlone('GW_UPSTREAM_REJECTED'), false);
  assert.equal(isLeftAlone('GW_UPSTREAM_BLOCKED'), false);
  assert.equal(isLeftAlone('GW_UPSTREAM_AUTH'), true);
});
