import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradeAnswer, makeTasks, sandboxExperts } from '../sandbox/index.ts';
import type { ChatChunk, ChatCompletion, ChatRequest } from '../wire/chat.ts';
import { ProviderFailure } from './failure.ts';
import type { AnswerSink, ProviderAnswer, ProviderCall, RunningCall } from './provider.ts';
import { sandbox } from './sandbox.ts';

const QUESTION = 'What is 17 * 23 + 4?';
const CONTEXT = {
  timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
  env: {},
  shared: new Map<string, unknown>(),
};
const NOW_MS = 1_700_000_000_500;

const callOf = (body: Partial<ChatRequest> = {}, seed = 1): ProviderCall => ({
  body: { model: 'tiny', messages: [{ role: 'user', content: QUESTION }], ...body },
  stream: body.stream === true,
  traceId: 'abc',
  seed,
});
const silent: AnswerSink = { onChunk: () => {} };

function start(expert: string, body: Partial<ChatRequest> = {}, sink: AnswerSink = silent, seed = 1): RunningCall {
  return sandbox({ expert, realtime: false, now: () => NOW_MS })(CONTEXT).start(callOf(body, seed), sink);
}

async function complete(expert: string, body: Partial<ChatRequest> = {}, seed = 1): Promise<ChatCompletion> {
  const { completion } = await start(expert, body, silent, seed).answer;
  assert.deepEqual(JSON.parse(completion!.data), completion!.body);
  return completion!.body;
}

async function stream(
  expert: string,
  body: Partial<ChatRequest> = {},
): Promise<{ chunks: ChatChunk[]; answer: ProviderAnswer }> {
  const chunks: ChatChunk[] = [];
  const sink: AnswerSink = {
    onChunk(data, chunk) {
      assert.deepEqual(JSON.parse(data), chunk);
      chunks.push(chunk);
    },
  };
  const answer = await start(expert, { ...body, stream: true }, sink).answer;
  return { chunks, answer };
}

const textOf = (chunks: readonly ChatChunk[], index = 0): string =>
  chunks
    .flatMap((chunk) =>
      chunk.choices.filter((choice) => choice.index === index).map((choice) => choice.delta.content ?? ''),
    )
    .join('');

test('a whole answer has the shape of a chat completion and ends with the answer', async () => {
  const body = await complete('sage');
  assert.equal(body.id, 'chatcmpl-abc');
  assert.equal(body.object, 'chat.completion');
  assert.equal(body.created, 1_700_000_000);
  assert.equal(body.model, 'sage');
  const [choice] = body.choices;
  assert.match(choice!.message.content!, /Answer: 395$/);
  assert.equal(choice!.finish_reason, 'stop');
  assert.equal(choice!.logprobs, null);
  assert.equal(body.usage!.total_tokens, body.usage!.prompt_tokens + body.usage!.completion_tokens);
});

test('a stream says the same as the whole answer: role first, then text, then the finish', async () => {
  const { chunks, answer } = await stream('sage');
  const whole = await complete('sage');
  assert.deepEqual(chunks[0]!.choices[0]!.delta, { role: 'assistant', content: '' });
  assert.equal(textOf(chunks), whole.choices[0]!.message.content);
  assert.equal(chunks.at(-1)!.choices[0]!.finish_reason, 'stop');
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.choices[0]!.finish_reason === null && !('usage' in chunk)));
  assert.ok(chunks.length > 4);
  assert.equal(answer.completion, undefined);
  assert.deepEqual(answer.usage, whole.usage);
});

test('usage comes last, with no choices, when it is asked for', async () => {
  const { chunks, answer } = await stream('tiny', { stream_options: { include_usage: true } });
  assert.deepEqual(chunks.at(-1)!.choices, []);
  assert.deepEqual(chunks.at(-1)!.usage, answer.usage);
  assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
});

test('logprobs spell the content, streamed or whole, with as many alternatives as asked for', async () => {
  const ask = { logprobs: true, top_logprobs: 3 };
  const whole = (await complete('chorus', ask)).choices[0]!;
  const tokens = whole.logprobs!.content!;
  assert.equal(tokens.map(({ token }) => token).join(''), whole.message.content);
  assert.ok(tokens.some(({ top_logprobs }) => top_logprobs.length === 3));
  const { chunks } = await stream('chorus', ask);
  assert.deepEqual(
    chunks.flatMap((chunk) => chunk.choices.flatMap((choice) => choice.logprobs?.content ?? [])),
    tokens,
  );
});

test('the same call gives the same bytes; the seed of the body goes before the seed of the call', async () => {
  const ask = { logprobs: true };
  assert.deepEqual(await complete('tiny', ask, 5), await complete('tiny', ask, 5));
  assert.notDeepEqual(await complete('tiny', ask, 5), await complete('tiny', ask, 6));
  assert.deepEqual(await complete('tiny', { ...ask, seed: 9 }, 5), await complete('tiny', { ...ask, seed: 9 }, 6));
});

test('several choices of the chorus differ on a hard task, streamed as well', async () => {
  const [task] = makeTasks({ seed: 3, count: 1, families: ['arithmetic'], difficulty: 1 });
  const ask = { n: 5, messages: [{ role: 'user', content: task!.prompt }] };
  const { choices, usage } = await complete('chorus', ask);
  assert.deepEqual(
    choices.map(({ index }) => index),
    [0, 1, 2, 3, 4],
  );
  assert.ok(new Set(choices.map(({ message }) => message.content)).size > 1);
  const { chunks, answer } = await stream('chorus', ask);
  assert.deepEqual(
    choices.map((_, i) => textOf(chunks, i)),
    choices.map(({ message }) => message.content),
  );
  assert.deepEqual(answer.usage, usage);
});

test('a limit of tokens cuts the answer and says so', async () => {
  for (const limit of [{ max_tokens: 2 }, { max_completion_tokens: 2, max_tokens: 50 }]) {
    const body = await complete('sage', limit);
    assert.equal(body.choices[0]!.finish_reason, 'length');
    assert.equal(body.usage!.completion_tokens, 2);
  }
});

test('a stop text ends the answer', async () => {
  assert.match((await complete('tiny', { stop: 'Answer' })).choices[0]!.message.content!, /^At a glance\. $/);
  assert.match((await complete('tiny', { stop: ['zzz', ' glance'] })).choices[0]!.message.content!, /^At a$/);
});

test('a request for JSON is answered in JSON', async () => {
  for (const type of ['json_object', 'json_schema']) {
    const { choices } = await complete('sage', { response_format: { type } });
    assert.deepEqual(JSON.parse(choices[0]!.message.content!), { answer: '395' });
  }
});

test('the last message of the user counts, in text or in parts', async () => {
  const messages = [
    { role: 'user', content: 'Sort: pear, apple' },
    { role: 'assistant', content: 'Answer: apple, pear' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is' },
        { type: 'text', text: '2 + 2?' },
      ],
    },
  ];
  assert.match((await complete('sage', { messages })).choices[0]!.message.content!, /Answer: 4$/);
});

test('a text that is no task is answered honestly and with low confidence', async () => {
  for (const messages of [
    [{ role: 'user', content: 'Who wrote Hamlet?' }],
    [],
    [{ role: 'system', content: QUESTION }],
  ]) {
    const { choices } = await complete('solid', { messages, logprobs: true });
    assert.match(choices[0]!.message.content!, /^I am a simulated expert \(solid\) and can only solve/);
    assert.ok(choices[0]!.logprobs!.content!.every(({ logprob }) => Math.exp(logprob) < 0.35));
  }
});

test('an unknown expert is refused with the known names', () => {
  assert.throws(() => sandbox({ expert: 'sagee' }), { code: 'GW_UNKNOWN_NAME', fix: /Did you mean "sage"/ });
});

test('too many choices are rejected as the fault of the request, too long a text as a matter for another expert', async () => {
  const isFailure = (elsewhere: boolean) => (error: unknown) =>
    error instanceof ProviderFailure &&
    error.code === 'GW_UPSTREAM_REJECTED' &&
    error.status === 400 &&
    error.elsewhere === elsewhere;
  for (const n of [0, 9, 1.5]) await assert.rejects(start('tiny', { n }).answer, isFailure(false));
  const messages = [{ role: 'user', content: 'word '.repeat(9000) }];
  await assert.rejects(start('tiny', { messages }).answer, isFailure(true));
  await start('sage', { messages }).answer;
});

test('nothing is sent before start has returned', async () => {
  let sent = 0;
  const call = start('tiny', { stream: true }, { onChunk: () => void sent++ });
  assert.equal(sent, 0);
  await call.answer;
  assert.ok(sent > 0);
});

test('the next chunk waits until the receiver is ready', async () => {
  let sent = 0;
  let release: () => void = () => {};
  const sink: AnswerSink = {
    onChunk() {
      sent++;
      return new Promise((resolve) => {
        release = resolve;
      });
    },
  };
  const call = start('tiny', { stream: true }, sink);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  await turn();
  assert.equal(sent, 1);
  release();
  await turn();
  assert.equal(sent, 2);
  call.cancel();
  await assert.rejects(call.answer, { code: 'GW_CANCELLED' });
});

const isCancelled = (error: unknown): boolean =>
  error instanceof ProviderFailure && error.code === 'GW_CANCELLED' && !error.elsewhere;

test('a cancelled call ends at once, whatever it was waiting for, and sends nothing more', async () => {
  let sent = 0;
  const sink: AnswerSink = { onChunk: () => void sent++ };
  const call = sandbox({ expert: 'sage', now: () => NOW_MS })(CONTEXT).start(callOf({ stream: true }), sink);
  await new Promise((resolve) => setTimeout(resolve, 5));
  call.cancel();
  call.cancel();
  await assert.rejects(call.answer, isCancelled);
  assert.equal(sent, 0);

  const stuck = start('tiny', { stream: true }, { onChunk: () => new Promise(() => {}) });
  await new Promise((resolve) => setImmediate(resolve));
  stuck.cancel();
  await assert.rejects(stuck.answer, isCancelled);

  const early = start('tiny', { stream: true }, sink);
  early.cancel();
  await assert.rejects(early.answer, isCancelled);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sent, 0);
});

test('cancelling a call that has ended changes nothing', async () => {
  const call = start('tiny');
  await call.answer;
  call.cancel();
  await call.answer;
});

test('a receiver that throws ends the call with a failure of ours', async () => {
  const sink: AnswerSink = { onChunk: () => Promise.reject(new Error('gone')) };
  await assert.rejects(start('tiny', { stream: true }, sink).answer, isCancelled);
});

test('in real time the first token takes as long as the profile says', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const profile = sandboxExperts.find(({ id }) => id === 'tiny')!;
  let sent = 0;
  const call = sandbox({ expert: 'tiny', now: () => NOW_MS })(CONTEXT).start(callOf({ stream: true }), {
    onChunk: () => void sent++,
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  context.mock.timers.tick(profile.latencyMs - 1);
  await turn();
  assert.equal(sent, 0);
  context.mock.timers.tick(1);
  await turn();
  assert.equal(sent, 1);
  call.cancel();
  await assert.rejects(call.answer, isCancelled);
});

test('every expert answers every kind of task in a form that can be graded', async () => {
  const tasks = makeTasks({ seed: 11, count: 40 });
  const rights = await Promise.all(
    tasks.map(async (task, i) => {
      const body = await complete('sage', { messages: [{ role: 'user', content: task.prompt }] }, i);
      return gradeAnswer(task, body.choices[0]!.message.content!);
    }),
  );
  assert.ok(rights.filter(Boolean).length >= 36);
});
