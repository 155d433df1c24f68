import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BreakerOptions, type BreakerPermit, breaker } from './breaker.ts';

const OPTIONS: BreakerOptions = {
  failuresInARow: 3,
  failureRate: 0.5,
  windowMs: 10_000,
  minimumCalls: 10,
  openMs: 1_000,
  longestOpenMs: 8_000,
  probes: 1,
};

/** Begins and ends that many calls at that time; `begin` must let them through. */
function fail(one: ReturnType<typeof breaker>, times: number, nowMs: number): void {
  for (let n = 0; n < times; n++) one.failed(one.begin(nowMs)!, nowMs);
}
function succeed(one: ReturnType<typeof breaker>, times: number, nowMs: number): void {
  for (let n = 0; n < times; n++) one.succeeded(one.begin(nowMs)!, nowMs);
}

test('it opens at the failure that makes the row whole, and a success before it breaks the row', () => {
  const one = breaker(OPTIONS);
  fail(one, 2, 0);
  succeed(one, 1, 0);
  fail(one, 2, 0);
  assert.equal(one.status(0).state, 'closed');
  fail(one, 1, 0);
  assert.deepEqual(one.status(0), { state: 'open', reason: 'failures', untilMs: 1_000, failuresInARow: 3, probes: 0 });
  assert.equal(one.begin(999), undefined);
});

test('it opens when the share of failures in the window is reached, and what is older does not count', () => {
  const one = breaker({ ...OPTIONS, failuresInARow: 100 });
  for (let n = 0; n < 4; n++) {
    fail(one, 1, 0);
    succeed(one, 1, 0);
  }
  assert.equal(one.status(0).state, 'closed', 'eight calls are too few');
  fail(one, 1, 0);
  succeed(one, 1, 0);
  assert.equal(one.status(0).state, 'closed', 'only a failure opens it');
  fail(one, 1, 0);
  assert.equal(one.status(0).reason, 'rate');

  const aged = breaker({ ...OPTIONS, failuresInARow: 100 });
  fail(aged, 9, 0);
  succeed(aged, 9, 11_000);
  fail(aged, 1, 11_000);
  assert.equal(aged.status(11_000).state, 'closed');
});

test('half open it lets as many probes through as it may, and another one when one has ended', () => {
  const one = breaker({ ...OPTIONS, probes: 2 });
  fail(one, 3, 0);
  assert.equal(one.status(1_000).state, 'halfOpen');
  const first = one.begin(1_000)!;
  const second = one.begin(1_000)!;
  assert.deepEqual(
    [first.isProbe, second.isProbe, one.begin(1_000), one.admits(1_000)],
    [true, true, undefined, false],
  );
  one.dropped(first);
  assert.equal(one.status(1_000).state, 'halfOpen', 'a cancelled probe says nothing');
  assert.equal(one.begin(1_000)!.isProbe, true);
});

test('a probe that succeeds closes it with a clean record, one that fails doubles the time up to its bound', () => {
  const one = breaker(OPTIONS);
  fail(one, 3, 0);
  let nowMs = 1_000;
  for (const openMs of [2_000, 4_000, 8_000, 8_000]) {
    fail(one, 1, nowMs);
    assert.equal(one.status(nowMs).untilMs, nowMs + openMs);
    nowMs += openMs;
  }
  succeed(one, 1, nowMs);
  assert.deepEqual(one.status(nowMs), { state: 'closed', reason: undefined, untilMs: 0, failuresInARow: 0, probes: 0 });
  fail(one, 2, nowMs);
  assert.equal(one.status(nowMs).state, 'closed');
  fail(one, 1, nowMs);
  assert.equal(one.status(nowMs).untilMs, nowMs + 1_000, 'the time begins small again');
});

test('an expert that asks to be left alone is, at once and for as long as it says', () => {
  const cases: [number | undefined, number][] = [
    [undefined, 1_000],
    [7_000, 7_000],
    [600_000, 600_000], // its own bound is for what it guesses itself
    [0, 0],
  ];
  for (const [retryAfterMs, openMs] of cases) {
    const one = breaker(OPTIONS);
    one.failed(one.begin(5)!, 5, { retryAfterMs });
    assert.deepEqual([one.status(5).reason, one.status(5).untilMs], ['told', 5 + openMs]);
  }
});

test('calls that began before it opened neither close it nor make it stay open longer, but a Retry-After is heard', () => {
  const one = breaker(OPTIONS);
  const early = [one.begin(0)!, one.begin(0)!, one.begin(0)!];
  fail(one, 3, 0);
  one.succeeded(early[0]!, 10);
  assert.equal(one.status(10).state, 'open');
  one.failed(early[1]!, 10);
  assert.equal(one.status(10).untilMs, 1_000);
  one.failed(early[2]!, 10, { retryAfterMs: 5_000 });
  assert.equal(one.status(10).untilMs, 5_010);
});

test('a call forced through an open breaker closes it if it succeeds, and prolongs it if it fails', () => {
  const one = breaker(OPTIONS);
  fail(one, 3, 0);
  one.failed(one.force(100), 100);
  assert.equal(one.status(100).untilMs, 2_100);
  one.succeeded(one.force(200), 200);
  assert.equal(one.status(200).state, 'closed');
});

test('it can be opened from outside, once', () => {
  const one = breaker(OPTIONS);
  one.open(0, 'latency');
  one.open(500, 'latency');
  assert.deepEqual([one.status(500).reason, one.status(500).untilMs], ['latency', 1_000]);
});

test('whatever happens: never more probes than allowed, no permit is lost, and time and a success always close it', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('begin' as const) }),
    fc.record({ do: fc.constant('force' as const) }),
    fc.record({ do: fc.constantFrom('ok' as const, 'fail' as const, 'drop' as const), which: fc.nat(20) }),
    fc.record({ do: fc.constant('told' as const), which: fc.nat(20), retryAfterMs: fc.nat(20_000) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.nat(15_000) }),
    fc.record({ do: fc.constant('open' as const) }),
  );
  const options = fc.record({
    failuresInARow: fc.integer({ min: 1, max: 5 }),
    failureRate: fc.double({ min: 0.1, max: 1, noNaN: true }),
    windowMs: fc.integer({ min: 1, max: 20_000 }),
    minimumCalls: fc.integer({ min: 1, max: 10 }),
    openMs: fc.integer({ min: 1, max: 2_000 }),
    longestOpenMs: fc.integer({ min: 2_000, max: 10_000 }),
    probes: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 120 }), (given, steps) => {
      const one = breaker(given);
      let nowMs = 1_000_000;
      const open: BreakerPermit[] = [];
      const end = (which: number): BreakerPermit | undefined => open.splice(which % Math.max(1, open.length), 1)[0];
      for (const taken of steps) {
        const before = one.status(nowMs);
        if (taken.do === 'begin') {
          const may = one.admits(nowMs);
          const permit = one.begin(nowMs);
          assert.equal(permit !== undefined, may, 'what is admitted may begin, and nothing else');
          assert.equal(permit?.isProbe ?? false, may && before.state === 'halfOpen');
          if (before.state === 'closed') assert.ok(may);
          if (before.state === 'open') assert.ok(!may);
          if (permit !== undefined) open.push(permit);
        } else if (taken.do === 'force') open.push(one.force(nowMs));
        else if (taken.do === 'wait') nowMs += taken.ms;
        else if (taken.do === 'open') one.open(nowMs, 'latency');
        else {
          const permit = end(taken.which);
          if (permit === undefined) continue;
          if (taken.do === 'ok') one.succeeded(permit, nowMs);
          else if (taken.do === 'drop') one.dropped(permit);
          else one.failed(permit, nowMs, taken.do === 'told' ? { retryAfterMs: taken.retryAfterMs } : undefined);
        }
        const probes = open.filter(({ isProbe }) => isProbe).length;
        assert.equal(one.status(nowMs).probes, probes);
        assert.ok(probes <= given.probes);
        if (one.status(nowMs).state === 'closed') assert.equal(one.status(nowMs).untilMs, 0);
      }
      for (const permit of open) one.dropped(permit);
      nowMs = Math.max(nowMs, one.status(nowMs).untilMs);
      one.succeeded(one.begin(nowMs)!, nowMs);
      assert.equal(one.status(nowMs).state, 'closed');
    }),
    { numRuns: 500, seed: 20261122 },
  );
});

test('a clock that is set back keeps it open no longer than it was told, and its window does not stop', () => {
  const one = breaker({ ...OPTIONS, failuresInARow: 100 });
  const hourMs = 3_600_000;
  one.open(hourMs, 'failures');
  assert.equal(one.admits(0), false);
  assert.equal(one.status(0).untilMs, 1_000);
  assert.equal(one.admits(1_000), true);
  const other = breaker({ ...OPTIONS, failuresInARow: 100 });
  fail(other, 9, hourMs);
  // Nine failures of another time, and one now: they are not of one window.
  succeed(other, 1, 20_000);
  fail(other, 1, 20_000);
  assert.equal(other.status(20_000).state, 'closed');
});
