import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveExperts } from '../test/live-experts.ts';
import { sessionFacts, sessionKey, sessionMemory } from './sessions.ts';
import type { ChatRequest } from './wire/chat.ts';

const request = (messages: ChatRequest['messages'], more: object = {}): ChatRequest => ({
  model: 'gw/first',
  messages,
  ...more,
});
const OPENING = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hello' },
];

test('a conversation is told by its name, else by its cache key, else by its opening and user', () => {
  const key = (given: ChatRequest, owner = 'vk_1', named?: string, user?: string) =>
    sessionKey(given, owner, named, user);
  const grown = [...OPENING, { role: 'assistant', content: 'Hi.' }, { role: 'user', content: 'More' }];
  const same: [string, string][] = [
    [key(request(OPENING)), key(request(grown))],
    [key(request(OPENING), 'vk_1', 'a'), key(request([{ role: 'user', content: 'x' }]), 'vk_1', 'a', 'u')],
    [key(request(OPENING, { prompt_cache_key: 'c' })), key(request([], { prompt_cache_key: 'c' }))],
    [key(request(OPENING, { prompt_cache_key: '' })), key(request(OPENING))],
  ];
  for (const [one, other] of same) assert.equal(one, other);
  const different = [
    key(request(OPENING)),
    key(request(OPENING), 'vk_2'),
    key(request(OPENING), 'vk_1', 'a'),
    key(request(OPENING), 'vk_1', 'b'),
    key(request(OPENING), 'vk_1', undefined, 'u'),
    key(request(OPENING, { prompt_cache_key: 'a' })),
    key(request([{ role: 'user', content: 'Hello' }])),
    key(request([])),
  ];
  assert.equal(new Set(different).size, different.length);
});

test('the memory keeps the newest, within its bytes', () => {
  const memory = sessionMemory(256 * 3);
  const session = { expert: 'e0', promptTokens: 1, atMs: 0 };
  for (const key of ['a', 'b', 'c', 'a', 'd']) memory.remember(key, session);
  assert.equal(memory.count, 3);
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((key) => memory.of(key) !== undefined),
    [true, false, true, true],
  );
  const small = sessionMemory(0);
  small.remember('a', session);
  small.remember('b', session);
  assert.equal(small.count, 1);
});

test('leaving costs what the cached part of the prompt is cheaper, while the cache is warm', () => {
  const [live] = liveExperts([{ price: { inputUsdPerMTok: 10, outputUsdPerMTok: 20, cachedInputUsdPerMTok: 1 } }]);
  const session = { expert: 'e0', promptTokens: 2_000, atMs: 1_000 };
  const costUsd = (promptTokens: number, nowMs: number, given: typeof live | null = live): number =>
    sessionFacts(session, given ?? undefined, request(OPENING), promptTokens, nowMs).switchCostUsd;
  const close = (one: number, other: number): void => assert.ok(Math.abs(one - other) < 1e-12, `${one} ${other}`);
  close(costUsd(3_000, 2_000), (2_000 * 9) / 1e6);
  close(costUsd(500, 2_000), (500 * 9) / 1e6); // no more than there is of the prompt
  close(costUsd(3_000, 301_001), 0);
  close(costUsd(3_000, 2_000, null), 0); // an expert that is gone
  close(costUsd(3_000, 2_000, liveExperts([{}])[0]), 0); // no price of its own for what is cached
});

test('a request whose last message is the result of a tool waits for its expert', () => {
  const session = { expert: 'e0', promptTokens: 1, atMs: 0 };
  const waits = (messages: ChatRequest['messages']): boolean =>
    sessionFacts(session, undefined, request(messages), 1, 0).awaitsTools;
  const called = { role: 'assistant', content: null, tool_calls: [{}] };
  const result = { role: 'tool', content: '4', tool_call_id: 'c' };
  assert.equal(waits([...OPENING, called, result]), true);
  assert.equal(waits([...OPENING, called, result, { role: 'user', content: 'and?' }]), false);
  assert.equal(waits(OPENING), false);
  assert.equal(waits([]), false);
});
