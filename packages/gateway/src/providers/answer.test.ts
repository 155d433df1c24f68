import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatChunk, ChatRequest } from '../wire/chat.ts';
import { type Answer, answerCall } from './answer.ts';
import { ProviderFailure } from './failure.ts';
import type { ProviderCall } from './provider.ts';

const TEXT = 'Gr\u00fc\u00dfe an alle: \u{1f600}\u{1f680}!';
const ANSWER: Answer = {
  model: 'm',
  choices: [{ text: TEXT, finishReason: 'stop' }],
  promptTokens: 3,
  completionTokens: 7,
  costUsd: 0.5,
};
const call = (stream: boolean, more: Partial<ChatRequest> = {}): ProviderCall => ({
  body: { model: 'gw/auto', messages: [], ...more },
  stream,
  traceId: 'tr_1',
  seed: 1,
});

/** Runs a streamed call to its end. */
async function streamed(answer: Answer, more: Partial<ChatRequest> = {}): Promise<ChatChunk[]> {
  const chunks: ChatChunk[] = [];
  const running = answerCall(
    call(true, more),
    {
      onChunk(data, chunk) {
        assert.deepEqual(JSON.parse(data), chunk);
        chunks.push(chunk);
      },
    },
    async () => answer,
  );
  await running.answer;
  return chunks;
}

const textOf = (chunks: readonly ChatChunk[], index = 0): string =>
  chunks
    .flatMap(({ choices }) => choices.filter((choice) => choice.index === index))
    .map(({ delta }) => delta.content ?? '')
    .join('');

test('a whole answer is a completion with its usage and cost', async () => {
  const { completion, usage, costUsd } = await answerCall(call(false), { onChunk: assert.fail }, async () => ANSWER)
    .answer;
  assert.deepEqual(JSON.parse(completion!.data), completion!.body);
  assert.equal(completion!.body.choices[0]!.message.content, TEXT);
  assert.equal(completion!.body.choices[0]!.finish_reason, 'stop');
  assert.deepEqual([usage!.total_tokens, costUsd], [10, 0.5]);
});

test('a stream says the same text in pieces that cut no character, and ends with its finish', async () => {
  const chunks = await streamed(ANSWER);
  assert.equal(textOf(chunks), TEXT);
  assert.ok(chunks.length > 4);
  for (const { choices } of chunks) assert.ok((choices[0]!.delta.content ?? '').isWellFormed());
  assert.equal(chunks[0]!.choices[0]!.delta.role, 'assistant');
  assert.equal(chunks.at(-1)!.choices[0]!.finish_reason, 'stop');
  assert.equal(
    chunks.slice(0, -1).every(({ choices }) => choices[0]!.finish_reason === null),
    true,
  );
});

test('usage comes last in a stream, where it is asked for', async () => {
  const last = (await streamed(ANSWER, { stream_options: { include_usage: true } })).at(-1)!;
  assert.deepEqual([last.choices, last.usage!.total_tokens], [[], 10]);
  assert.ok((await streamed(ANSWER)).every(({ usage }) => usage === undefined));
});

test('each choice has its own text and finish; tokens with probabilities are pieces of their own', async () => {
  const token = (text: string) => ({ token: text, logprob: -0.1, bytes: null, top_logprobs: [] });
  const chunks = await streamed({
    ...ANSWER,
    choices: [
      { text: 'ab', finishReason: 'stop', logprobs: [token('a'), token('b')] },
      { text: '', finishReason: 'length' },
    ],
  });
  assert.deepEqual([textOf(chunks, 0), textOf(chunks, 1)], ['ab', '']);
  assert.equal(chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []).length, 2);
  assert.equal(chunks.filter(({ choices }) => choices[0]!.finish_reason !== null).length, 2);
});

test('waits for a receiver that does not keep up', async () => {
  let isBusy = false;
  const running = answerCall(
    call(true),
    {
      onChunk() {
        assert.equal(isBusy, false, 'a piece came while the one before was not taken');
        isBusy = true;
        return new Promise((resolve) =>
          setImmediate(() => {
            isBusy = false;
            resolve();
          }),
        );
      },
    },
    async () => ANSWER,
  );
  await running.answer;
});

test('cancelling ends a call that computes, one that waits for its receiver, and does nothing twice or afterwards', async () => {
  const never = new Promise<never>(() => {});
  const computing = answerCall(call(false), { onChunk() {} }, () => never);
  computing.cancel();
  computing.cancel();
  await assert.rejects(computing.answer, { code: 'GW_CANCELLED', elsewhere: false });
  const waiting = answerCall(call(true), { onChunk: () => never }, async () => ANSWER);
  setImmediate(() => waiting.cancel());
  await assert.rejects(waiting.answer, { code: 'GW_CANCELLED' });
  const over = answerCall(call(false), { onChunk() {} }, async () => ANSWER);
  await over.answer;
  over.cancel();
});

test('after a cancel no more is sent', async () => {
  let sent = 0;
  const running = answerCall(
    call(true),
    {
      onChunk() {
        sent++;
        if (sent === 2) running.cancel();
        return Promise.resolve();
      },
    },
    async () => ANSWER,
  );
  await assert.rejects(running.answer, { code: 'GW_CANCELLED' });
  assert.equal(sent, 2);
});

test('a failure of the provider goes through, anything else becomes one without its text', async () => {
  const own = new ProviderFailure('GW_REPLAY_MISS', 'no', { fix: 'x', elsewhere: true });
  await assert.rejects(answerCall(call(false), { onChunk() {} }, () => Promise.reject(own)).answer, own);
  const defect = answerCall(call(false), { onChunk() {} }, () => Promise.reject(new Error('SECRET'))).answer;
  await assert.rejects(defect, (error: ProviderFailure) => {
    assert.equal(error.code, 'GW_UPSTREAM_MALFORMED');
    return error.elsewhere && !error.message.includes('SECRET');
  });
});
