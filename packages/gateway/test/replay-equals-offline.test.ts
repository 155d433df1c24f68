/** Recorded outcomes over HTTP: every decision, answer, token and cent as the offline computation has them. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { type Candidate, create, policies, type Spec, seededRandom } from '@gatewright/kernel';
import { estimatePromptTokens } from '../src/features/tokens.ts';
import {
  checkConfig,
  createGateway,
  type Gateway,
  type GatewayServer,
  memory,
  readOutcomes,
  serve,
} from '../src/index.ts';
import type { RecordedOutcomes } from '../src/providers/replay.ts';
import { post } from './sandbox-gateway.ts';

const DIRECTORY = fileURLToPath(new URL('../../../../shared/data/routing', import.meta.url));
const SOURCE = 'zeroeval';
const MODELS = [
  'claude-3-haiku-20240307',
  'gemini-1.5-flash',
  'gemma-2-9b-it',
  'gpt-4o-mini-2024-07-18',
  'Llama-3.1-70B-Instruct',
  'gpt-4o-2024-08-06',
  'claude-3-5-sonnet-20241022',
];
const PROMPTS = 500;
/** Declared by hand, so that nothing the gateway learns enters the comparison. */
const OUTPUT_TOKENS = 300;
const LATENCY_MS = 1_000;

const POLICIES: Record<string, Spec> = {
  fixed: { use: 'static', order: ['gemini-1.5-flash', 'gpt-4o-2024-08-06'] },
  random: { use: 'random' },
  weighted: { use: 'weighted', weights: { 'gpt-4o-mini-2024-07-18': 3, 'gpt-4o-2024-08-06': 1 } },
  balanced: { use: 'leastLoaded' },
  cheap: { use: 'cheapestAbove', minQuality: 0.8 },
  best: { use: 'bestOf', weights: { quality: 1, cost: 0.4 } },
};

describe('replayed outcomes', {
  skip: existsSync(DIRECTORY) ? false : 'the recorded outcomes (../shared/data/routing) are not here',
}, () => {
  let gateway: Gateway;
  let server: GatewayServer;
  let outcomes: RecordedOutcomes;
  let prompts: { id: string; prompt: string }[];
  const quality = new Map<string, number>();
  const prices = JSON.parse(existsSync(DIRECTORY) ? readFileSync(`${DIRECTORY}/models.json`, 'utf8') : '{}') as Record<
    string,
    { input_usd_per_mtok: number; output_usd_per_mtok: number }
  >;

  before(async () => {
    outcomes = await readOutcomes(DIRECTORY, SOURCE);
    prompts = gunzipSync(readFileSync(`${DIRECTORY}/prompts.jsonl.gz`))
      .toString('utf8')
      .split('\n')
      .filter((line) => line.includes(`"source": "${SOURCE}"`))
      .map((line) => JSON.parse(line) as { id: string; prompt: string })
      .filter(({ id }) => MODELS.every((model) => outcomes.get(model)?.get(id)?.text !== undefined))
      .slice(0, PROMPTS);
    assert.equal(prompts.length, PROMPTS);
    for (const model of MODELS) {
      const scores = [...outcomes.get(model)!.values()].map(({ score }) => score);
      quality.set(model, scores.reduce((sum, score) => sum + score, 0) / scores.length);
    }
    const config = checkConfig({
      version: 1,
      server: { port: 0 },
      experts: MODELS.map((model) => ({
        id: model,
        provider: { use: 'replay', directory: DIRECTORY, source: SOURCE, model },
        price: {
          inputUsdPerMTok: prices[model]!.input_usd_per_mtok,
          outputUsdPerMTok: prices[model]!.output_usd_per_mtok,
        },
        quality: quality.get(model),
        outputTokens: OUTPUT_TOKENS,
        latencyMs: LATENCY_MS,
      })),
      modes: Object.fromEntries(
        Object.entries(POLICIES).map(([name, policy]) => [name, { policy, composition: { use: 'single' } }]),
      ),
    });
    gateway = createGateway({ config, store: memory({ keep: 10_000 }), env: {} });
    server = await serve(gateway, {});
  });
  after(() => server?.close(1_000));

  for (const [name, spec] of Object.entries(POLICIES)) {
    test(`${spec.use} picks over HTTP what it picks offline, for ${PROMPTS} prompts, and the recorded answer, tokens and cost come back`, async () => {
      const policy = create('policy', policies, spec);
      const picked = new Set<string>();
      for (const [index, { id, prompt }] of prompts.entries()) {
        const messages = [{ role: 'user', content: prompt }];
        const expected = MODELS[policy.select(candidatesFor(messages), { random: seededRandom(index) }).ranked[0]!]!;
        const isStreamed = index % 10 === 0;
        const response = await post(
          `${server.url}/v1/chat/completions`,
          {
            model: `gw/${name}`,
            messages,
            stream: isStreamed,
            ...(isStreamed ? { stream_options: { include_usage: true } } : {}),
          },
          { 'x-gw-seed': String(index) },
        );
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('x-gw-expert'), expected);
        picked.add(expected);
        const recorded = outcomes.get(expected)!.get(id)!;
        const { text, usage } = isStreamed ? readStream(await response.text()) : readWhole(await response.json());
        assert.equal(text, recorded.text);
        assert.deepEqual([usage.prompt_tokens, usage.completion_tokens], [recorded.inputTokens, recorded.outputTokens]);
        const trace = (await gateway.store.find(response.headers.get('x-gw-trace')!))!.trace;
        assert.equal(trace.result.costUsd, recorded.costUsd);
        if (!isStreamed) assert.equal(Number(response.headers.get('x-gw-cost-usd')), recorded.costUsd);
      }
      if (['random', 'weighted', 'leastLoaded'].includes(spec.use))
        assert.ok(picked.size > 1, 'chance picks more than one');
    });
  }

  test('a prompt that was not recorded is a typed failure, not an invention', async () => {
    const response = await post(`${server.url}/v1/chat/completions`, {
      model: 'gw/cheap',
      messages: [{ role: 'user', content: 'never asked' }],
    });
    assert.equal(response.status, 404);
    assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'GW_REPLAY_MISS');
  });

  /** Written out again here, so that a change of the gateway's arithmetic shows. */
  function candidatesFor(messages: { role: string; content: string }[]): Candidate[] {
    const promptTokens = estimatePromptTokens(messages, undefined);
    return MODELS.map((expert) => ({
      expert,
      quality: quality.get(expert)!,
      costUsd:
        (promptTokens * prices[expert]!.input_usd_per_mtok + OUTPUT_TOKENS * prices[expert]!.output_usd_per_mtok) /
        1_000_000,
      latencyMs: LATENCY_MS,
      load: 0,
      price: 0,
    }));
  }
});

interface Read {
  readonly text: string;
  readonly usage: { prompt_tokens: number; completion_tokens: number };
}

function readWhole(body: unknown): Read {
  const { choices, usage } = body as { choices: { message: { content: string } }[]; usage: Read['usage'] };
  return { text: choices[0]!.message.content, usage };
}

function readStream(body: string): Read {
  const events = body.split('\n\n').filter((event) => event.startsWith('data: ') && event !== 'data: [DONE]');
  const chunks = events.map(
    (event) => JSON.parse(event.slice(6)) as { choices: { delta: { content?: string } }[]; usage?: Read['usage'] },
  );
  assert.ok(body.endsWith('data: [DONE]\n\n'));
  return { text: chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), usage: chunks.at(-1)!.usage! };
}
