/** Every mode of the sandbox, live and from its trace: the same order, answer, gates and cost. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type DecisionTrace, replayCalls, replayDecision } from '@gatewright/kernel';
import {
  checkConfig,
  createGateway,
  type Gateway,
  type GatewayServer,
  memory,
  sandboxConfig,
  serve,
} from '../src/index.ts';
import { makeTasks } from '../src/sandbox/index.ts';
import { post, startSandbox } from './sandbox-gateway.ts';

const TASKS = makeTasks({ seed: 8, count: 24 });
const MODES = Object.keys(sandboxConfig()['modes'] as object);

function assertReplays(trace: DecisionTrace): void {
  const decision = replayDecision(trace);
  assert.deepEqual(decision.differences, []);
  const again = replayCalls(trace);
  assert.equal(again.verdict.rank, trace.result.rank);
  assert.equal(again.verdict.reason, trace.result.reason);
  assert.deepEqual(again.verdict.gates, trace.gates);
  assert.equal(again.costUsd, trace.result.costUsd);
}

describe('each mode', { concurrency: true }, () => {
  let sandbox: Awaited<ReturnType<typeof startSandbox>>;
  before(async () => {
    // In real time: hedges and races are decided by it.
    sandbox = await startSandbox((config) => {
      for (const expert of config['experts'] as { provider: { realtime?: boolean } }[]) expert.provider.realtime = true;
      // Short enough that some first choices are overtaken.
      (config['modes'] as Record<string, { composition: object }>)['fast']!.composition = {
        use: 'hedge',
        afterMs: 40,
        width: 3,
      };
    });
  });
  after(() => sandbox.close());

  for (const mode of MODES) {
    test(`gw/${mode} replays from its traces, whole and streamed`, async () => {
      await Promise.all(
        TASKS.map(async (task, index) => {
          const stream = index % 2 === 1;
          const response = await post(
            `${sandbox.url}/v1/chat/completions`,
            { model: `gw/${mode}`, stream, messages: [{ role: 'user', content: task.prompt }] },
            { 'x-gw-seed': String(index) },
          );
          const body = await response.text();
          assert.equal(response.status, 200, body);
          if (stream) assert.ok(body.endsWith('data: [DONE]\n\n'));
          const { trace } = (await sandbox.gateway.store.find(response.headers.get('x-gw-trace')!))!;
          assert.equal(trace.result.expert, response.headers.get('x-gw-expert'));
          assertReplays(trace);
        }),
      );
    });
  }
});

describe('an upstream of its own', () => {
  let gateway: Gateway;
  let server: GatewayServer;
  const asked: Record<string, boolean[]> = {};
  /** Sends a whole stream as one write: the prefix, the rest and the end arrive together. */
  const upstream = createServer(async (request, response) => {
    const body = JSON.parse(await textOf(request)) as { model: string; stream: boolean; logprobs?: boolean };
    asked[body.model] = [...(asked[body.model] ?? []), body.logprobs === true];
    const tokens = ['a', 'b', 'c', 'd'].map((token) => ({
      token,
      logprob: body.model === 'sure' ? -0.01 : -2,
      bytes: null,
      top_logprobs: [],
    }));
    const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
    const logprobs = (content: typeof tokens) => (body.logprobs === true ? { logprobs: { content } } : {});
    const head = { id: 'x', created: 1, model: body.model };
    if (!body.stream) {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          ...head,
          object: 'chat.completion',
          choices: [
            { index: 0, message: { role: 'assistant', content: 'abcd' }, finish_reason: 'stop', ...logprobs(tokens) },
          ],
          usage,
        }),
      );
      return;
    }
    const events = [
      ...tokens.map((token) => ({
        ...head,
        object: 'chat.completion.chunk',
        choices: [{ index: 0, delta: { content: token.token }, finish_reason: null, ...logprobs([token]) }],
      })),
      { ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      { ...head, object: 'chat.completion.chunk', choices: [], usage },
    ];
    response.setHeader('content-type', 'text/event-stream');
    response.end(`${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`);
  });
  before(async () => {
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', () => resolve()));
    const baseUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`;
    const expert = (id: string, capabilities: string[]): object => ({
      id,
      provider: { use: 'openai', baseUrl, model: id },
      price: { inputUsdPerMTok: 1, outputUsdPerMTok: 3 },
      capabilities,
    });
    const config = checkConfig({
      version: 1,
      server: { port: 0 },
      experts: [
        expert('unsure', ['logprobs']),
        expert('mute', ['json']),
        expert('sure', ['logprobs']),
        expert('last', ['json']),
      ],
      modes: {
        whole: { policy: { use: 'static' }, composition: { use: 'cascade', minConfidence: 0.8 } },
        prefix: { policy: { use: 'static' }, composition: { use: 'cascade', minConfidence: 0.8, prefixTokens: 2 } },
      },
    });
    gateway = createGateway({ config, store: memory(), env: {} });
    server = await serve(gateway, {});
  });
  after(async () => {
    await server.close(500);
    upstream.close();
  });

  for (const mode of ['whole', 'prefix']) {
    for (const stream of [false, true]) {
      test(`a ${mode} cascade${stream ? ' in a stream' : ''} asks for logprobs exactly those who offer them, and replays`, async () => {
        for (const model of Object.keys(asked)) asked[model] = [];
        const response = await post(`${server.url}/v1/chat/completions`, {
          model: `gw/${mode}`,
          stream,
          messages: [{ role: 'user', content: 'hi' }],
        });
        await response.text();
        // `unsure` is not trusted, `mute` says nothing of itself, `sure` is; `last` is never needed.
        assert.equal(response.headers.get('x-gw-expert'), 'sure');
        assert.deepEqual(
          [asked['unsure'], asked['mute'], asked['sure'], asked['last'] ?? []],
          [[true], [false], [true], []],
        );
        const { trace } = (await gateway.store.find(response.headers.get('x-gw-trace')!))!;
        assertReplays(trace);
        if (mode === 'prefix' && stream) assert.ok(trace.gates.every(({ signal }) => signal === 'prefix-confidence'));
      });
    }
  }
});

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8');
  for await (const part of request) text += part;
  return text;
}
