/** A cascade over HTTP and the same cascade on paper: accuracy and cost must not differ by one task or one digit. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compositions, replay, replayCalls, replayDecision, tokenConfidence } from '@gatewright/kernel';
import { answerOffline } from '../src/index.ts';
import { gradeAnswer, makeTasks } from '../src/sandbox/index.ts';
import { post, startSandbox } from './sandbox-gateway.ts';

const TASKS = makeTasks({ seed: 4, count: 1_000 });
const MIN_CONFIDENCE = 0.9;
const ORDER = ['tiny', 'solid', 'sage'];

let sandbox: Awaited<ReturnType<typeof startSandbox>>;
before(async () => {
  sandbox = await startSandbox((config) => {
    config['modes'] = {
      cascade: {
        experts: ORDER,
        policy: { use: 'static', order: ORDER },
        composition: { use: 'cascade', minConfidence: MIN_CONFIDENCE },
      },
      glimpse: {
        experts: ORDER,
        policy: { use: 'static', order: ORDER },
        composition: { use: 'cascade', minConfidence: MIN_CONFIDENCE, prefixTokens: 6 },
      },
    };
  });
});
after(() => sandbox.close());

test('accuracy and cost of a cascade over 1,000 tasks equal the offline run of the same experts, and the replay of its own traces', async () => {
  const http = { correct: 0, costUsd: 0, escalations: 0 };
  const offline = { correct: 0, costUsd: 0, escalations: 0 };
  const replayed = { costUsd: 0, escalations: 0, correct: 0 };
  const composition = compositions.cascade({ minConfidence: MIN_CONFIDENCE });

  for (const [index, task] of TASKS.entries()) {
    const response = await post(
      `${sandbox.url}/v1/chat/completions`,
      { model: 'gw/cascade', messages: [{ role: 'user', content: task.prompt }] },
      { 'x-gw-seed': String(index) },
    );
    const text = ((await response.json()) as { choices: { message: { content: string } }[] }).choices[0]!.message
      .content;
    if (gradeAnswer(task, text)) http.correct++;
    http.costUsd += Number(response.headers.get('x-gw-cost-usd'));

    // Offline from nothing but the experts themselves.
    const answers = await Promise.all(ORDER.map((expert) => answerOffline(expert, task.prompt, index, true)));
    const run = replay(composition, ORDER.length, (rank) => ({
      status: 'ok',
      confidence: confidenceOf(answers[rank]!.completion.choices[0]!.logprobs!.content!),
      costUsd: answers[rank]!.costUsd,
      latencyMs: 1,
    }));
    if (gradeAnswer(task, answers[run.verdict.rank]!.text)) offline.correct++;
    offline.costUsd += run.costUsd;
    offline.escalations += run.outcomes.length - 1;

    // Offline from the trace.
    const { trace } = (await sandbox.gateway.store.find(response.headers.get('x-gw-trace')!))!;
    assert.ok(replayDecision(trace).matches);
    const again = replayCalls(trace);
    assert.equal(again.verdict.rank, trace.result.rank);
    assert.deepEqual(again.verdict.gates, trace.gates);
    replayed.costUsd += again.costUsd;
    replayed.escalations += again.outcomes.length - 1;
    if (gradeAnswer(task, answers[again.verdict.rank]!.text)) replayed.correct++;
    http.escalations += trace.calls.length - 1;
  }

  assert.deepEqual(http, offline);
  assert.deepEqual(http, replayed);
  assert.ok(http.escalations > 300 && http.escalations < 1_900, `some escalate, some do not: ${http.escalations}`);
});

test('a streamed cascade sends only the accepted answer, whoever was asked before', async () => {
  let escalated = 0;
  for (const [index, task] of TASKS.slice(0, 100).entries()) {
    const response = await post(
      `${sandbox.url}/v1/chat/completions`,
      { model: 'gw/cascade', stream: true, messages: [{ role: 'user', content: task.prompt }] },
      { 'x-gw-seed': String(index) },
    );
    const body = await response.text();
    const { trace } = (await sandbox.gateway.store.find(response.headers.get('x-gw-trace')!))!;
    const server = trace.calls.find(({ rank }) => rank === trace.result.rank)!;
    assert.equal(response.headers.get('x-gw-expert'), server.expert);
    const [answer] = await Promise.all([answerOffline(server.expert, task.prompt, index)]);
    assert.equal(textOf(body), answer.text);
    assert.deepEqual(
      trace.calls.filter(({ released }) => released).map(({ expert }) => expert),
      [server.expert],
    );
    assert.ok(body.endsWith('data: [DONE]\n\n'));
    if (trace.calls.length > 1) escalated++;
  }
  assert.ok(escalated > 20);
});

test('a cascade that decides on a prefix drops the rest of a rejected answer and pays only for what came', async () => {
  let dropped = 0;
  for (const [index, task] of TASKS.slice(0, 100).entries()) {
    const response = await post(
      `${sandbox.url}/v1/chat/completions`,
      { model: 'gw/glimpse', stream: true, messages: [{ role: 'user', content: task.prompt }] },
      { 'x-gw-seed': String(index) },
    );
    const body = await response.text();
    const { trace } = (await sandbox.gateway.store.find(response.headers.get('x-gw-trace')!))!;
    assert.equal(textOf(body), (await answerOffline(trace.result.expert!, task.prompt, index)).text);
    const again = replayCalls(trace);
    assert.equal(again.verdict.rank, trace.result.rank);
    assert.equal(again.costUsd, trace.result.costUsd);
    for (const call of trace.calls) {
      if (call.status !== 'cancelled') continue;
      dropped++;
      const whole = await answerOffline(call.expert, task.prompt, index, true);
      assert.ok(call.completionTokens < whole.completion.usage!.completion_tokens);
      assert.ok(call.prefixConfidence! < MIN_CONFIDENCE);
    }
  }
  assert.ok(dropped > 10, `${dropped} were dropped`);
});

function confidenceOf(tokens: readonly { logprob: number }[]): number | undefined {
  const confidence = tokenConfidence();
  for (const { logprob } of tokens) confidence.add(logprob);
  return confidence.value();
}

function textOf(body: string): string {
  return body
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map(
      (event) =>
        (JSON.parse(event.slice(6)) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content ?? '',
    )
    .join('');
}
