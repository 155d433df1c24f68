import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../random.ts';
import type { RequestFacts } from './policy.ts';
import { sampleCandidate } from './samples.ts';
import { sticky } from './sticky.ts';

const CANDIDATES = [
  sampleCandidate({ expert: 'kept', quality: 0.7, costUsd: 0.01 }),
  sampleCandidate({ expert: 'better', quality: 0.8, costUsd: 0.01 }),
  sampleCandidate({ expert: 'worse', quality: 0.6, costUsd: 0.01 }),
];
const BY_QUALITY = { use: 'bestOf', weights: { quality: 1, cost: 0, latency: 0 } };
type Session = NonNullable<RequestFacts['session']>;
const session = (more: Partial<Session> = {}): RequestFacts => ({
  session: { expert: 'kept', switchCostUsd: 0, awaitsTools: false, ...more },
});
const first = (policy: ReturnType<typeof sticky>, request?: RequestFacts, seed = 1): string => {
  const { ranked } = policy.select(CANDIDATES, {
    random: seededRandom(seed),
    ...(request === undefined ? {} : { request }),
  });
  return CANDIDATES[ranked[0]!]!.expert;
};

test('it leaves where the gain reaches margin + stability x switch cost, and not below', () => {
  // The gain is 0.8 - 0.7; the switch cost is a share of the dearest candidate's 0.01 USD.
  const cases: [number, number, number, string][] = [
    [0, 0, 0, 'better'],
    [0.09, 0, 0, 'better'],
    [0.11, 0, 0, 'kept'],
    [0, 0.3, 0.002, 'better'], // needed 0.06
    [0, 0.3, 0.004, 'kept'], // needed 0.12
    [0.05, 0.3, 0.001, 'better'], // needed 0.08
    [0.05, 0.3, 0.002, 'kept'], // needed 0.11
    [0, 100, 0, 'better'],
    [0, 1, -5, 'better'], // a negative cost is none
  ];
  for (const [margin, stability, switchCostUsd, expected] of cases) {
    const policy = sticky({ of: BY_QUALITY, margin, stability });
    assert.equal(first(policy, session({ switchCostUsd })), expected, `${margin} ${stability} ${switchCostUsd}`);
  }
});

test('without a session, or with one whose expert is gone or first anyway, it is the other policy', () => {
  const policy = sticky({ of: BY_QUALITY, margin: 9 });
  assert.equal(first(policy), 'better');
  assert.equal(first(policy, session({ expert: 'gone' })), 'better');
  assert.equal(first(policy, session({ expert: 'gone', awaitsTools: true })), 'better');
  assert.equal(first(policy, session({ expert: 'better' })), 'better');
});

test('a session that waits for tools stays, however small its expert is', () => {
  const policy = sticky({ of: BY_QUALITY, margin: 0, stability: 0 });
  assert.equal(first(policy, session({ expert: 'worse', awaitsTools: true })), 'worse');
});

test('behind the kept one the order is that of the other policy, and the reason has the figures', () => {
  const policy = sticky({ of: BY_QUALITY, margin: 1 });
  const { ranked, reason, propensity } = policy.select(CANDIDATES, { random: seededRandom(1), request: session() });
  assert.deepEqual([ranked, propensity], [[0, 1, 2], 1]);
  assert.equal(reason, 'stays with kept: gain 0.100, needed 1.000');
});

test('of a policy that states no terms the qualities count', () => {
  assert.equal(first(sticky({ of: { use: 'static', order: ['better'] }, margin: 0.09 }), session()), 'better');
  assert.equal(first(sticky({ of: { use: 'static', order: ['better'] }, margin: 0.11 }), session()), 'kept');
});

test('a policy that draws keeps its chances, but for a session that waits for tools', () => {
  const policy = sticky({ of: { use: 'random' }, margin: 9 });
  const firsts = new Set(Array.from({ length: 40 }, (_, seed) => first(policy, session(), seed)));
  assert.equal(firsts.size, 3);
  const held = policy.select(CANDIDATES, { random: seededRandom(1), request: session({ awaitsTools: true }) });
  assert.deepEqual([held.ranked[0], held.propensity], [0, 1]);
  const chances = (request: RequestFacts) => [
    ...policy.probabilities!(CANDIDATES, { random: seededRandom(1), request }),
  ];
  assert.deepEqual(chances(session({ awaitsTools: true })), [1, 0, 0]);
  assert.ok(chances(session()).every((chance) => Math.abs(chance - 1 / 3) < 1e-12));
  assert.ok(
    chances(session({ expert: 'gone', awaitsTools: true })).every((chance) => Math.abs(chance - 1 / 3) < 1e-12),
  );
});

test('options that cannot be meant are refused', () => {
  for (const options of [
    {},
    { of: 'bestOf' },
    { of: null },
    { of: BY_QUALITY, margin: -1 },
    { of: BY_QUALITY, more: 1 },
  ])
    assert.throws(() => sticky(options as never), { name: 'OptionError' });
  assert.throws(() => sticky({ of: { use: 'bestoff' } }), { code: 'GW_UNKNOWN_NAME', path: 'of.use' });
  assert.deepEqual(sticky({ of: { use: 'longestFirst', promptTokens: 5, strong: 'a', weak: 'b' } }).expertsNamed, {
    'of.strong': 'a',
    'of.weak': 'b',
  });
});
