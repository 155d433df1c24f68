import assert from 'node:assert/strict';
import { test } from 'node:test';
import { single } from './single.ts';

test('asks the first expert, shows its answer as it comes and stops, whatever comes of it', () => {
  const cases = [
    ['ok', 'one expert asked'],
    ['error', 'one expert asked; it failed'],
    ['cancelled', 'one expert asked; it failed'],
  ] as const;
  for (const [status, reason] of cases) {
    const steps = single().start(3);
    assert.deepEqual(steps.next().value, { kind: 'all', calls: [{ rank: 0, release: 'content' }] });
    const end = steps.next([{ rank: 0, status, confidence: undefined, costUsd: 0, latencyMs: 1, released: false }]);
    assert.deepEqual(end, { done: true, value: { rank: 0, gates: [], reason } });
  }
});

test('causes one call and needs no confidence', () => {
  assert.equal(single().maxCalls(5), 1);
  assert.equal(single().needsConfidence, false);
});
