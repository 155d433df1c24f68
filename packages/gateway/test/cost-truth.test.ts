/** The same answer costs the same, streamed or not; a stream that is cut costs what had come. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { DecisionTrace } from '@gatewright/kernel';
import fc from 'fast-check';
import { priceUsd } from '../src/cost.ts';
import { chat, chatBody, expertAt, startGateway, type TestGateway, traceOf, until } from './helpers.ts';

interface Script {
  readonly text: string;
  /** Characters of one piece of the stream. */
  readonly piece: number;
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: string }[];
  readonly thoughts?: string;
  /** Of the whole answer; undefined: the expert does not count. */
  readonly usage?: object | undefined;
  /** Told with the first event of the stream. */
  readonly early?: object;
  /** The stream stays open after its text. */
  readonly hangs?: boolean;
  /** The stream is cut after its text. */
  readonly cuts?: boolean;
}

let script: Script = { text: '', piece: 4 };

const PRICE = {
  inputUsdPerMTok: 3,
  outputUsdPerMTok: 15,
  cachedInputUsdPerMTok: 0.3,
  cacheWriteUsdPerMTok: 3.75,
  reasoningUsdPerMTok: 20,
  requestUsd: 0.0001,
  above: [{ promptTokens: 5_000, inputUsdPerMTok: 6, outputUsdPerMTok: 22.5 }],
};

const server: Server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  const { stream } = JSON.parse(body) as { stream?: boolean };
  const { text, piece, toolCalls, thoughts, usage, early, hangs, cuts } = script;
  const head = { id: 'x', created: 1, model: 'm' };
  const calls = toolCalls?.map((tool, index) => ({ index, id: `call_${index}`, type: 'function', function: tool }));
  if (stream !== true) {
    response.setHeader('content-type', 'application/json');
    const message = {
      role: 'assistant',
      content: text,
      ...(thoughts === undefined ? {} : { reasoning_content: thoughts }),
      ...(calls === undefined ? {} : { tool_calls: calls }),
    };
    response.end(
      JSON.stringify({
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message, finish_reason: 'stop' }],
        usage,
      }),
    );
    return;
  }
  response.setHeader('content-type', 'text/event-stream');
  const send = (delta: object, finish: string | null = null, extra: object = {}): void => {
    const choices = [{ index: 0, delta, finish_reason: finish }];
    response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...extra })}\n\n`);
  };
  send({ role: 'assistant', content: '' }, null, early === undefined ? {} : { usage: early });
  if (thoughts !== undefined) send({ reasoning_content: thoughts });
  const characters = [...text];
  for (let at = 0; at < characters.length; at += piece) send({ content: characters.slice(at, at + piece).join('') });
  for (const call of calls ?? []) {
    send({ tool_calls: [{ ...call, function: { ...call.function, arguments: '' } }] });
    send({ tool_calls: [{ index: call.index, function: { arguments: call.function.arguments } }] });
  }
  if (hangs === true) return;
  if (cuts === true) {
    response.socket?.end();
    return;
  }
  send({}, 'stop');
  if (usage !== undefined)
    response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [], usage })}\n\n`);
  response.end('data: [DONE]\n\n');
});

let gateway: TestGateway;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  gateway = await startGateway({
    retries: { attempts: 1 },
    experts: [expertAt('e', url, { price: PRICE })],
    modes: { auto: { policy: { use: 'static' }, composition: { use: 'single' } } },
  });
});
after(async () => {
  await gateway.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function ask(stream: boolean): Promise<DecisionTrace> {
  const response = await chat(gateway.url, chatBody('gw/auto', { stream }));
  await response.text();
  return traceOf(gateway.gateway.store, response.headers.get('x-gw-trace'));
}

const tokens = fc.integer({ min: 0, max: 9_000 });
const told = fc
  .tuple(tokens, tokens, fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 4_000 }), tokens)
  .map(([fresh, completion, cached, written, thought]) => ({
    prompt_tokens: fresh + cached + written,
    completion_tokens: completion,
    total_tokens: fresh + cached + written + completion,
    prompt_tokens_details: { cached_tokens: cached, cache_creation_tokens: written },
    completion_tokens_details: { reasoning_tokens: Math.min(thought, completion) },
  }));

test('the same answer costs the same, streamed or not, whatever it is made of and whoever counts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        text: fc.string({ unit: 'grapheme', maxLength: 200 }),
        piece: fc.integer({ min: 1, max: 20 }),
        thoughts: fc.option(fc.string({ maxLength: 50 }), { nil: undefined }),
        toolCalls: fc.option(
          fc.array(fc.record({ name: fc.constantFrom('look', 'write'), arguments: fc.json() }), {
            minLength: 1,
            maxLength: 3,
          }),
          { nil: undefined },
        ),
        usage: fc.option(told, { nil: undefined }),
      }),
      async (drawn) => {
        script = drawn as Script;
        const [whole, streamed] = [await ask(false), await ask(true)];
        const kinds = ({ calls: [call] }: DecisionTrace) => [
          call!.promptTokens,
          call!.completionTokens,
          call!.cachedTokens,
          call!.cacheWriteTokens,
          call!.reasoningTokens,
          call!.tokensFrom,
          call!.costUsd,
        ];
        assert.deepEqual(kinds(streamed), kinds(whole));
        assert.equal(streamed.result.costUsd, whole.result.costUsd);
        if (drawn.usage === undefined) return;
        const { usage } = drawn;
        const expected = priceUsd(
          { price: PRICE },
          {
            promptTokens: usage.prompt_tokens,
            completionTokens: usage.completion_tokens,
            cachedTokens: usage.prompt_tokens_details.cached_tokens,
            cacheWriteTokens: usage.prompt_tokens_details.cache_creation_tokens,
            reasoningTokens: usage.completion_tokens_details.reasoning_tokens,
          },
        );
        assert.equal(whole.result.costUsd, expected);
      },
    ),
    { numRuns: 60 },
  );
});

test('golden: cached, written and thought tokens each at their price, and kept in the trace', async () => {
  const usage = {
    prompt_tokens: 4_000,
    completion_tokens: 1_000,
    total_tokens: 5_000,
    prompt_tokens_details: { cached_tokens: 2_000, cache_creation_tokens: 1_000 },
    completion_tokens_details: { reasoning_tokens: 600 },
  };
  script = { text: 'hello', piece: 2, usage };
  for (const stream of [false, true]) {
    const { calls, result } = await ask(stream);
    // 1000 x 3 + 2000 x 0.3 + 1000 x 3.75 + 400 x 15 + 600 x 20, in millionths, and 0.0001 for the request.
    assert.equal(result.costUsd.toFixed(6), '0.025450');
    const [call] = calls;
    assert.deepEqual([call!.cachedTokens, call!.cacheWriteTokens, call!.reasoningTokens], [2_000, 1_000, 600]);
  }
});

const CUT: readonly [string, Partial<Script>, readonly [number, number]][] = [
  ['counted by what came', {}, [-1, 30]],
  [
    'with the prompt as the expert told it at the start',
    { early: { prompt_tokens: 123, completion_tokens: 1, total_tokens: 124 } },
    [123, 30],
  ],
  [
    'with the count that the expert told last, where it is the larger',
    { early: { prompt_tokens: 123, completion_tokens: 77, total_tokens: 200 } },
    [123, 77],
  ],
];

for (const [name, more, [promptTokens, completionTokens]] of CUT) {
  const text = 'x'.repeat(80);
  const toolCalls = [{ name: 'look', arguments: `{"at":"${'y'.repeat(27)}"}` }];
  const expect = (trace: DecisionTrace, status: string): void => {
    const [call] = trace.calls;
    const prompt = promptTokens < 0 ? trace.request.promptTokens : promptTokens;
    assert.deepEqual([call!.status, call!.promptTokens, call!.completionTokens], [status, prompt, completionTokens]);
    const expected = priceUsd({ price: PRICE }, { promptTokens: prompt, completionTokens });
    assert.equal(trace.result.costUsd, expected);
  };

  test(`a stream that its client leaves costs what had come: ${name}`, async () => {
    script = { text, piece: 8, toolCalls, hangs: true, ...more };
    const controller = new AbortController();
    const response = await chat(gateway.url, chatBody('gw/auto', { stream: true }), { signal: controller.signal });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    while (!seen.includes('yyy')) seen += (await reader.read()).value ?? '';
    controller.abort();
    await reader.cancel().catch(() => {});
    const trace = await until(
      async () => (await gateway.gateway.store.find(response.headers.get('x-gw-trace')!))?.trace,
      'a trace',
    );
    expect(trace, 'cancelled');
  });

  test(`a stream that its expert cuts costs what had come: ${name}`, async () => {
    script = { text, piece: 8, toolCalls, cuts: true, ...more };
    expect(await ask(true), 'error');
  });
}
