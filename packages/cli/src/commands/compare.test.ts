/** `gatewright compare` on traces whose truth is known. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { checkConfig, createGateway, type Feedback, journal } from '@gatewright/gateway';
import {
  create,
  type DecisionTrace,
  type Policy,
  policies,
  type Spec,
  seededRandom,
  TRACE_VERSION,
} from '@gatewright/kernel';
import { runCommandLine } from '../run.ts';

const folder = mkdtempSync(join(tmpdir(), 'gatewright-compare-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommandLine(argv, {
    print: (line) => out.push(line),
    note: (line) => err.push(line),
    env: {},
    stop: new AbortController().signal,
    isTerminal: false,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

interface Written {
  readonly policy: Spec;
  readonly count: number;
  readonly model?: string;
  /** Votes on the n-th trace; default one that tells the truth. */
  readonly votes?: (n: number, isRight: number) => readonly Partial<Feedback>[];
}

/** Chance that an answer is right, by expert and skill. */
const RIGHT: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  small: { prose: 0.6, code: 0.2 },
  large: { prose: 0.7, code: 0.9 },
};
const COST_USD: Readonly<Record<string, number>> = { small: 0.001, large: 0.01 };

/** A file as a journal writes it, of requests half in prose and half in code. */
function traceFile(name: string, ...parts: Written[]): string {
  const random = seededRandom(4);
  const lines: string[] = [];
  for (const { policy: spec, count, model = 'gw/auto', votes = (_: number, score: number) => [{ score }] } of parts) {
    const policy = create<Policy>('policy', policies, spec);
    for (let n = 0; n < count; n++) {
      const skill = n % 2 === 0 ? 'prose' : 'code';
      const seed = random.seed();
      const candidates = Object.keys(RIGHT).map((expert) => ({
        expert,
        quality: RIGHT[expert]![skill]!,
        costUsd: COST_USD[expert]!,
        latencyMs: 100,
        load: 0,
        price: 0,
      }));
      const selection = policy.select(candidates, { random: seededRandom(seed) });
      const { expert } = candidates[selection.ranked[0]!]!;
      const id = `tr_${String(lines.length).padStart(12, '0')}`;
      const trace: DecisionTrace = {
        version: TRACE_VERSION,
        id,
        atMs: 0,
        configHash: '',
        seed,
        request: { model, stream: false, promptTokens: 1, skill, needs: [], bodyHash: '' },
        removed: [],
        candidates,
        policy: spec,
        selection,
        composition: { use: 'single' },
        calls: [],
        gates: [],
        result: {
          status: 'ok',
          expert,
          rank: 0,
          reason: '',
          costUsd: COST_USD[expert]!,
          latencyMs: 1,
          httpStatus: 200,
        },
      };
      lines.push(JSON.stringify({ kind: 'trace', body: trace }));
      const isRight = random.next() < RIGHT[expert]![skill]! ? 1 : 0;
      for (const vote of votes(n, isRight))
        lines.push(JSON.stringify({ kind: 'feedback', body: { trace: id, ...vote } }));
    }
  }
  const path = join(folder, `${name}.jsonl`);
  writeFileSync(path, `${lines.join('\n')}\n{"torn`);
  return path;
}

interface Estimate {
  readonly value: number;
  readonly interval: [number, number];
  readonly verdict: string;
}
interface Row {
  readonly reward: Estimate;
  readonly costUsd: Estimate;
}
interface Report extends Record<string, unknown> {
  readonly status: string;
  readonly decisions: number;
  readonly logged: Row;
  readonly a: Row;
  readonly b: Row;
  readonly difference: Row;
}

async function report(...argv: string[]): Promise<Report & { code: number }> {
  const { code, out, err } = await run('compare', ...argv, '--json');
  assert.equal(err, '');
  return { ...(JSON.parse(out) as Report), code };
}

const LARGE = '{use: static, order: [large]}';
const SMALL = '{use: static, order: [small]}';
const covers = ({ interval }: Estimate, truth: number): boolean => interval[0] <= truth && truth <= interval[1];

describe('compare', () => {
  const explored = traceFile('explored', {
    policy: { use: 'weighted', weights: { small: 3, large: 1 } },
    count: 4_000,
  });

  for (const estimator of ['doublyRobust', 'selfNormalisedIps', 'ips']) {
    test(`finds the worth and the cost of two policies in the log of a third, ${estimator}`, async () => {
      const { code, status, decisions, logged, a, b, difference } = await report(
        ...[LARGE, SMALL, '--traces', explored, '--estimator', estimator, '--level', '0.999'],
      );
      assert.deepEqual([code, status, decisions], [0, 'ok', 4_000]);
      assert.ok(covers(logged.reward, 0.75 * 0.4 + 0.25 * 0.8), JSON.stringify(logged.reward));
      assert.ok(
        covers(a.reward, 0.8) && covers(b.reward, 0.4) && covers(difference.reward, 0.4),
        JSON.stringify([a, b]),
      );
      assert.ok(Math.abs(a.costUsd.value - 0.01) < 0.001 && Math.abs(b.costUsd.value - 0.001) < 0.001);
      assert.ok(difference.reward.interval[1] - difference.reward.interval[0] < 0.25);
    });
  }

  test('says it as a table, with what was left out', async () => {
    const { code, out } = await run('compare', 'bestOf', SMALL, '--traces', explored);
    assert.equal(code, 0);
    for (const text of [
      'as logged',
      'A bestOf',
      'B {use: static',
      'A - B',
      '95% interval',
      '4000 decisions by feedback',
    ])
      assert.ok(out.includes(text), `${text} is not in:\n${out}`);
  });

  test('of a deterministic log with anything else is not identifiable, and said so', async () => {
    const path = traceFile('fixed', { policy: { use: 'static' }, count: 500 });
    const found = await report('{use: static}', LARGE, '--traces', path);
    assert.deepEqual([found.code, found.status], [1, 'not estimable']);
    assert.deepEqual([found.a.reward.verdict, found.b.reward.verdict], ['ok', 'not identifiable']);
    assert.deepEqual([found['deterministic'], found['notIdentifiable']], [500, 500]);
    const { out } = await run('compare', 'random', LARGE, '--traces', path);
    assert.match(out, /not identifiable: .*could not have chosen\. No estimate/);
    assert.match(out, /500 requests of these cannot say/);
  });

  test('averages votes by their weights, and leaves out what nobody judged', async () => {
    const path = traceFile('votes', {
      policy: { use: 'random' },
      count: 600,
      votes: (n) =>
        n % 3 === 0
          ? []
          : n % 3 === 1
            ? [
                { score: 1, admitted: true, weight: 0.75 },
                { score: 0, admitted: true, weight: 0.25 },
                { score: 0, admitted: false, weight: 0 },
              ]
            : [{ score: 0.75 }],
    });
    const found = await report('random', 'random', '--traces', path);
    assert.deepEqual([found.decisions, found['withoutReward']], [400, 200]);
    assert.ok(Math.abs(found.logged.reward.value - 0.75) < 1e-12);
    assert.deepEqual(found.difference.reward.value, 0);
  });

  test('counts requests that name an expert, and those of other modes', async () => {
    const path = traceFile(
      'modes',
      { policy: { use: 'random' }, count: 200 },
      { policy: { use: 'random' }, count: 70, model: 'gw/other' },
      { policy: { use: 'random' }, count: 30, model: 'large' },
    );
    const found = await report('random', LARGE, '--traces', path, '--mode', 'gw/auto', '--reward', 'success');
    assert.deepEqual([found.decisions, found['ofOtherModes'], found['pinned']], [200, 70, 30]);
    assert.equal((await report('random', LARGE, '--traces', path)).decisions, 270);
  });

  test('of too few decisions gives no answer', async () => {
    const found = await report('random', LARGE, '--traces', traceFile('few', { policy: { use: 'random' }, count: 9 }));
    assert.deepEqual([found.code, found.a.reward.verdict], [1, 'too few decisions']);
    assert.equal((await run('compare', 'random', LARGE, '--traces', explored, '--mode', 'gw/absent')).code, 1);
  });

  const wrong: readonly [string, readonly string[], number, string][] = [
    ['one policy', ['random'], 2, 'GW_USAGE'],
    ['an unknown policy', ['randon', 'random'], 1, 'GW_UNKNOWN_NAME'],
    ['an unknown mode', ['gw/nobody', 'random'], 1, 'GW_UNKNOWN_NAME'],
    ['a wrong option', ['{use: random, x: 1}', 'random'], 3, 'GW_OPTION'],
    ['YAML that is none', ['{use: [', 'random'], 2, 'GW_USAGE'],
    ['YAML without a policy', ['{x: 1}', 'random'], 2, 'GW_USAGE'],
    ['an unknown reward', ['random', 'random', '--reward', 'joy'], 2, 'GW_USAGE'],
    ['an unknown estimator', ['random', 'random', '--estimator', 'guess'], 2, 'GW_USAGE'],
    ['a level above 1', ['random', 'random', '--level', '95'], 2, 'GW_USAGE'],
  ];
  for (const [name, argv, exit, errorCode] of wrong) {
    test(`refuses ${name}`, async () => {
      const { code, err } = await run('compare', ...argv, ...(argv.includes('--traces') ? [] : ['--traces', explored]));
      assert.equal(code, exit, err);
      assert.match(err, new RegExp(`\\[${errorCode}\\]`));
    });
  }

  test('refuses a place without traces', async () => {
    const { code, err } = await run('compare', 'random', 'random', '--traces', join(folder, 'nowhere'));
    assert.equal(code, 1);
    assert.match(err, /\[GW_STORE_OPEN\]/);
  });
});

test('a journal that a gateway wrote is compared as it is, modes of the configuration by name', async () => {
  const directory = join(folder, 'journal');
  const config = checkConfig({
    version: 1,
    experts: ['tiny', 'sage'].map((id) => ({ id, provider: { use: 'sandbox', expert: id, realtime: false } })),
    modes: { explore: { policy: { use: 'random' }, composition: { use: 'single' } } },
  });
  const gateway = createGateway({ config, store: journal({ directory }), env: {} });
  for (let n = 0; n < 120; n++) {
    const messages = [{ role: 'user', content: `What is ${n} + 4?` }];
    const body = { model: 'gw/explore', messages } as never;
    const { done, traceId } = gateway.chat({
      request: body,
      body: Buffer.from('{}'),
      seed: n,
      delivery: { begin() {}, chunk() {} },
    });
    await done;
    await gateway.feedback({ trace: traceId, score: n % 2, source: 'user' });
  }
  await gateway.close();
  const found = await report('random', 'gw/auto', '--traces', directory, '--mode', 'gw/explore');
  assert.equal(found.decisions, 120);
  assert.ok(Math.abs(found.a.reward.value - 0.5) < 0.1, JSON.stringify(found.a));
});
