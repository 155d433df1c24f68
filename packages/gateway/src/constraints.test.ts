import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveExperts } from '../test/live-experts.ts';
import { admit, type Demands } from './constraints.ts';
import { callCancelled, callFailed, callStarted, type LiveExpert } from './experts.ts';
import type { ProviderFailure } from './providers/failure.ts';

const DEMANDS: Demands = { needs: [], promptTokens: 100, answerTokens: 50, hardFlags: [], nowMs: 1_000 };
const POOL = [
  { contextTokens: 149 },
  { contextTokens: 150, capabilities: ['tools'] },
  { capabilities: ['tools', 'vision'] },
  { capabilities: [] },
];

const summary = (demands: Partial<Demands>): [string[], string[]] => {
  const { admitted, removed } = admit(liveExperts(POOL), { ...DEMANDS, ...demands });
  return [admitted.map(({ expert }) => expert.id), removed.map(({ expert, constraint }) => `${expert} ${constraint}`)];
};

test('the prompt and the wanted answer must fit into the context window', () => {
  assert.deepEqual(summary({}), [['e1', 'e2', 'e3'], ['e0 context']]);
  assert.deepEqual(summary({ answerTokens: 0 }), [['e0', 'e1', 'e2', 'e3'], []]);
  assert.deepEqual(summary({ answerTokens: 51 }), [
    ['e2', 'e3'],
    ['e0 context', 'e1 context'],
  ]);
});

test('every needed capability must be there, and is told before the context window', () => {
  assert.deepEqual(summary({ needs: ['tools'] }), [
    ['e1', 'e2'],
    ['e0 context', 'e3 capability'],
  ]);
  assert.deepEqual(summary({ needs: ['tools', 'vision'] }), [
    ['e2'],
    ['e0 capability', 'e1 capability', 'e3 capability'],
  ]);
  assert.deepEqual(summary({ needs: ['logprobs'] })[0], []);
});

test('a removal says what was needed and what there is', () => {
  const [zero, one] = admit(liveExperts(POOL), { ...DEMANDS, needs: ['vision'], promptTokens: 10_000 }).removed;
  assert.equal(zero!.detail, 'the request needs vision, the expert offers tools, json, samples');
  assert.equal(one!.detail, 'the request needs vision, the expert offers tools');
  const lacks = admit(liveExperts(POOL), { ...DEMANDS, needs: ['tools'] }).removed.at(-1);
  assert.equal(lacks!.detail, 'the request needs tools, the expert offers nothing');
});

const FAILURE = { elsewhere: true, code: 'GW_UPSTREAM_STATUS', message: '' } as ProviderFailure;

/** Three failures in a row at that time. */
function breakAt(live: LiveExpert, nowMs: number): void {
  for (let n = 0; n < 3; n++) callFailed(live, callStarted(live, nowMs, true)!, FAILURE, 0, nowMs);
}

test('an expert whose breaker is open is left out while another one can answer', () => {
  const experts = liveExperts([{ breaker: { openMs: 2_500 } }, {}]);
  breakAt(experts[0]!, 1_000);
  const { admitted, removed } = admit(experts, DEMANDS);
  assert.deepEqual(
    admitted.map(({ expert }) => expert.id),
    ['e1'],
  );
  assert.deepEqual(removed, [
    { expert: 'e0', constraint: 'breaker', detail: 'left alone for another 2500 ms after GW_UPSTREAM_STATUS' },
  ]);
  assert.equal(admit(experts, { ...DEMANDS, nowMs: 3_500 }).admitted.length, 2, 'back when the time is over');
});

test('a half-open expert is left out while its probes are under way', () => {
  const experts = liveExperts([{}, {}]);
  breakAt(experts[0]!, 0);
  const probe = callStarted(experts[0]!, 1_000)!;
  assert.equal(probe.isProbe, true);
  assert.equal(admit(experts, DEMANDS).removed[0]!.detail.slice(0, 20), 'half open: 1 call is');
  callCancelled(experts[0]!, probe, 0);
  assert.equal(admit(experts, DEMANDS).admitted.length, 2);
});

test('when the breakers of all who could answer are open, they are asked all the same, soonest to open first', () => {
  const experts = liveExperts([{}, {}, { contextTokens: 1 }]);
  breakAt(experts[0]!, 900);
  breakAt(experts[1]!, 800);
  breakAt(experts[2]!, 100);
  const { admitted, removed } = admit(experts, DEMANDS);
  assert.deepEqual(
    admitted.map(({ expert }) => expert.id),
    ['e1', 'e0'],
  );
  assert.deepEqual(
    removed.map(({ constraint }) => constraint),
    ['context'],
  );
});
