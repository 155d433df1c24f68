/**
 * Streams of every provider, cut into pieces at every byte and damaged at random: the answer is the same wherever the
 * pieces end, and what is damaged ends in a typed failure or an answer, never a crash or a hang.
 */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { seededRandom } from '@gatewright/kernel';
import { anthropic } from '../src/providers/anthropic.ts';
import { ProviderFailure } from '../src/providers/failure.ts';
import { gemini } from '../src/providers/gemini.ts';
import { ollama } from '../src/providers/ollama.ts';
import { openai } from '../src/providers/openai.ts';
import type { ConnectProvider, Provider } from '../src/providers/provider.ts';
import { assemble } from '../src/wire/assemble.ts';
import type { ChatChunk } from '../src/wire/chat.ts';

/** Damaged streams in all. */
const DAMAGED = 12_000;
const AT_A_TIME = 16;
const TEXT = 'déjà €5 😀';

const sse = (events: readonly (readonly [string | undefined, object | string])[]): string =>
  events
    .map(
      ([name, data]) =>
        `${name === undefined ? '' : `event: ${name}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`,
    )
    .join('');

const chunk = (delta: object, finish: string | null = null) =>
  [
    undefined,
    {
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta, finish_reason: finish }],
    },
  ] as const;

const part = (text: string, more: object = {}) =>
  [
    undefined,
    { candidates: [{ index: 0, content: { role: 'model', parts: [{ text }] }, ...more }], modelVersion: 'm' },
  ] as const;

const formats: Readonly<
  Record<string, { readonly type: string; readonly stream: string; readonly connect: (url: string) => ConnectProvider }>
> = {
  openai: {
    type: 'text/event-stream',
    stream: sse([
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: 'déjà ' }),
      chunk({ content: '€5 😀' }),
      chunk({}, 'stop'),
      [
        undefined,
        {
          id: 'c',
          object: 'chat.completion.chunk',
          created: 1,
          model: 'm',
          choices: [],
          usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
        },
      ],
      [undefined, '[DONE]'],
    ]),
    connect: (url) => openai({ baseUrl: `${url}/v1`, model: 'm' }),
  },
  anthropic: {
    type: 'text/event-stream',
    stream: sse([
      [
        'message_start',
        {
          type: 'message_start',
          message: {
            id: 'msg_1',
            type: 'message',
            role: 'assistant',
            model: 'm',
            content: [],
            stop_reason: null,
            stop_sequence: null,
            usage: { input_tokens: 3, output_tokens: 1 },
          },
        },
      ],
      ['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
      ['ping', { type: 'ping' }],
      ['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'déjà ' } }],
      ['content_block_delta', { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '€5 😀' } }],
      ['content_block_stop', { type: 'content_block_stop', index: 0 }],
      [
        'message_delta',
        { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 4 } },
      ],
      ['message_stop', { type: 'message_stop' }],
    ]),
    connect: (url) => anthropic({ baseUrl: url, model: 'm', apiKeyEnv: 'KEY' }),
  },
  gemini: {
    type: 'text/event-stream',
    stream: sse([
      part('déjà '),
      [
        undefined,
        {
          candidates: [{ index: 0, content: { role: 'model', parts: [{ text: '€5 😀' }] }, finishReason: 'STOP' }],
          usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 4, totalTokenCount: 7 },
          modelVersion: 'm',
        },
      ],
    ]),
    connect: (url) => gemini({ baseUrl: url, model: 'm', apiKeyEnv: 'KEY' }),
  },
  ollama: {
    type: 'application/x-ndjson',
    stream: ['déjà ', '€5 😀']
      .map((content) => ({ model: 'm', created_at: 't', message: { role: 'assistant', content }, done: false }))
      .map((line) => `${JSON.stringify(line)}\n`)
      .concat(
        `${JSON.stringify({ model: 'm', created_at: 't', message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 3, eval_count: 4 })}\n`,
      )
      .join(''),
    connect: (url) => ollama({ baseUrl: url, model: 'm' }),
  },
};

let server: Server;
let url: string;
/** What the server sends, by the number that stands in the prompt. */
const pieces = new Map<number, { readonly type: string; readonly parts: readonly Buffer[] }>();

before(async () => {
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (bytes: Buffer) => parts.push(bytes));
    request.on('end', () => {
      const number = Number(/piece (\d+)/.exec(Buffer.concat(parts).toString())![1]);
      const sent = pieces.get(number)!;
      pieces.delete(number);
      response.on('error', () => {});
      response.writeHead(200, { 'content-type': sent.type });
      const [first, second] = sent.parts;
      response.write(first!);
      // A turn later, or both would be one segment.
      setImmediate(() => response.end(second));
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.close();
  server.closeAllConnections();
});

let numbers = 0;

/** One streamed call that is answered with these bytes in two pieces. */
async function ask(provider: Provider, type: string, bytes: Buffer, cut: number): Promise<ChatChunk[]> {
  const number = numbers++;
  pieces.set(number, { type, parts: [bytes.subarray(0, cut), bytes.subarray(cut)] });
  const chunks: ChatChunk[] = [];
  await provider.start(
    {
      body: { model: 'x', messages: [{ role: 'user', content: `piece ${number}.` }], stream: true },
      stream: true,
      traceId: 'tr_1',
      seed: 1,
    },
    {
      onChunk: (data, parsed) => {
        JSON.parse(data);
        chunks.push(parsed);
      },
    },
  ).answer;
  return chunks;
}

async function inTurn(count: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      while (next < count) await run(next++);
    }),
  );
}

const TIMEOUTS = { connectMs: 5_000, firstByteMs: 5_000, firstContentMs: 5_000, idleMs: 5_000, totalMs: 10_000 };

for (const [name, { type, stream, connect }] of Object.entries(formats)) {
  describe(name, () => {
    const bytes = Buffer.from(stream);
    let provider: Provider;
    before(() => {
      provider = connect(url)({ timeouts: TIMEOUTS, env: { KEY: 'test-key' }, shared: new Map() });
    });
    after(() => provider.close());

    test(`a stream of ${bytes.length} bytes is the same answer wherever it is cut in two`, async () => {
      await inTurn(bytes.length, async (cut) => {
        const completion = assemble(await ask(provider, type, bytes, cut));
        const choice = completion!.choices[0]!;
        assert.deepEqual([choice.message.content, choice.finish_reason], [TEXT, 'stop'], `cut at ${cut}`);
        assert.deepEqual(
          [completion!.usage!.prompt_tokens, completion!.usage!.completion_tokens],
          [3, 4],
          `cut at ${cut}`,
        );
      });
    });

    test(`${DAMAGED / 4} damaged streams end in an answer or a typed failure`, async () => {
      const random = seededRandom(11);
      let failed = 0;
      await inTurn(DAMAGED / 4, async () => {
        const damaged = Buffer.from(bytes);
        for (let n = random.below(3); n >= 0; n--) damaged[random.below(damaged.length)] = random.below(256);
        const shortened = random.below(3) === 0 ? damaged.subarray(0, random.below(damaged.length)) : damaged;
        try {
          await ask(provider, type, shortened, random.below(shortened.length + 1));
        } catch (error) {
          failed++;
          if (!(error instanceof ProviderFailure)) throw error;
          assert.match(error.code, /^GW_UPSTREAM_/);
          assert.equal(error.cause, undefined, 'a cause that is no failure is a defect of the translator');
        }
      });
      assert.ok(failed > 500, `${failed} failed`);
    });
  });
}
