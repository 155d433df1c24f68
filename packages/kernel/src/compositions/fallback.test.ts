import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from './composition.ts';
import { fallback } from './fallback.ts';

const ok = { status: 'ok', released: true } as const;
const failed = { status: 'error', elsewhere: true } as const;
const vague = { status: 'error' } as const; // does not say whether another may answer
const refused = { status: 'error', elsewhere: false } as const;
const brokeOff = { status: 'error', elsewhere: true, released: true } as const;

/** The verdict's rank and reason, and how many were asked. */
function run(options: Parameters<typeof fallback>[0], ranked: number, given: readonly Partial<Outcome>[]): string {
  const steps = fallback(options).start(ranked);
  let next = steps.next();
  let asked = 0;
  while (!next.done) {
    assert.deepEqual(next.value, { kind: 'all', calls: [{ rank: asked, release: 'content' }] });
    const base = {
      rank: asked,
      status: 'ok',
      confidence: undefined,
      costUsd: 0,
      latencyMs: 1,
      released: false,
    } as const;
    next = steps.next([{ ...base, ...given[asked]! }]);
    asked++;
  }
  return `${next.value.rank} of ${asked}: ${next.value.reason}`;
}

test('asks in order until somebody answers', () => {
  const cases: [Parameters<typeof fallback>[0], number, readonly Partial<Outcome>[], string][] = [
    [{}, 4, [ok], '0 of 1: first choice answered'],
    [{}, 4, [failed, ok], '1 of 2: answered after 1 failed'],
    [{}, 4, [vague, failed, ok], '2 of 3: answered after 2 failed'],
    [{}, 4, [failed, failed, failed], '2 of 3: all 3 asked failed'],
    [{}, 2, [failed, failed], '1 of 2: all 2 asked failed'],
    [{ attempts: 4 }, 4, [failed, failed, failed, ok], '3 of 4: answered after 3 failed'],
    [{ attempts: 1 }, 4, [failed], '0 of 1: all 1 asked failed'],
    [{}, 4, [refused], '0 of 1: refused; another expert would refuse it too'],
    [{}, 4, [failed, refused], '1 of 2: refused; another expert would refuse it too'],
    [{}, 4, [brokeOff], '0 of 1: failed after a part of the answer was out'],
    [{}, 4, [failed, brokeOff], '1 of 2: failed after a part of the answer was out'],
  ];
  for (const [options, ranked, given, expected] of cases) assert.equal(run(options, ranked, given), expected);
});

test('plans as many calls as it may attempt', () => {
  assert.deepEqual([1, 2, 3, 9].map(fallback().maxCalls), [1, 2, 3, 3]);
  assert.deepEqual([1, 9].map(fallback({ attempts: 1 }).maxCalls), [1, 1]);
  assert.equal(fallback().needsConfidence, false);
});

test('refuses attempts that are not a whole number of at least 1', () => {
  for (const attempts of [0, -1, 2.5, Infinity, Number.NaN, '3']) {
    assert.throws(() => fallback({ attempts } as { attempts: number }), { code: 'GW_OPTION', path: 'attempts' });
  }
});
