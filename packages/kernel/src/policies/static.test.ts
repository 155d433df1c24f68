import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../random.ts';
import { sampleCandidate } from './samples.ts';
import { staticOrder } from './static.ts';

type Options = Parameters<typeof staticOrder>[0];

function order(options: Options, experts: string): string {
  const candidates = [...experts].map((expert) => sampleCandidate({ expert }));
  const { ranked } = staticOrder(options).select(candidates, { random: seededRandom(1) });
  return ranked.map((index) => candidates[index]!.expert).join('');
}

test('puts the listed experts first and the others behind them in their own order', () => {
  const cases: [Options, string, string][] = [
    [{}, 'cab', 'cab'],
    [{ order: [] }, 'cab', 'cab'],
    [{ order: ['b', 'c', 'a'] }, 'abc', 'bca'],
    [{ order: ['c'] }, 'abc', 'cab'],
    [{ order: ['x', 'c', 'y'] }, 'abc', 'cab'], // listed, but not a candidate now
    [{ order: ['b'] }, 'a', 'a'],
    [{ order: ['k'] }, 'abcdefghijklm', 'kabcdefghijlm'],
  ];
  for (const [options, experts, expected] of cases) {
    assert.equal(order(options, experts), expected, `${JSON.stringify(options)} on ${experts}`);
  }
});

test('keeps the order it was made with when the caller changes the list', () => {
  const list = ['b', 'a'];
  const policy = staticOrder({ order: list });
  list.reverse();
  const candidates = [sampleCandidate({ expert: 'a' }), sampleCandidate({ expert: 'b' })];
  assert.deepEqual(policy.select(candidates, { random: seededRandom(1) }).ranked, [1, 0]);
});

test('refuses an order that is not a list of distinct ids', () => {
  for (const list of ['abc', ['a', 'a'], ['a', 1], null, { a: 1 }]) {
    assert.throws(
      () => staticOrder({ order: list } as unknown as Options),
      { code: 'GW_OPTION', path: 'order' },
      JSON.stringify(list),
    );
  }
});
