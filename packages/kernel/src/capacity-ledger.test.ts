import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type CapacityLedger, calendarStartMs, capacityLedger } from './capacity-ledger.ts';
import { dual } from './policies/dual.ts';
import type { Candidate } from './policies/policy.ts';
import { type Random, seededRandom } from './random.ts';
import { smoothedPrices } from './shadow-price.ts';

test('windows of the calendar begin when the calendar of the platform says so, for four thousand years', () => {
  const starts = {
    hour: (date: Date) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours()),
    day: (date: Date) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()),
    month: (date: Date) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth()),
  };
  const check = (atMs: number): void => {
    const date = new Date(atMs);
    for (const window of ['hour', 'day', 'month'] as const)
      assert.equal(calendarStartMs(window, atMs), starts[window](date), `${window} of ${date.toISOString()}`);
    assert.equal(calendarStartMs('month', atMs, 1), Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1));
  };
  fc.assert(fc.property(fc.integer({ min: -3e13, max: 1e14 }), check), { seed: 1, numRuns: 3_000 });
  for (const day of ['1969-12-31', '1970-01-01', '1900-02-28', '1900-03-01', '2000-02-29', '2024-02-29', '2100-02-28'])
    for (const time of ['00:00:00.000', '23:59:59.999']) check(Date.parse(`${day}T${time}Z`));
});

describe('one ledger', () => {
  const limits = {
    calls: { capacity: 2, use: 'held' },
    starts: { capacity: 3, use: 'spent', periodMs: 60_000 },
    usd: { capacity: 1, use: 'spent' },
  } as const;

  test('a million bookings of fractions of a cent are off by less than a thousandth of a cent', () => {
    const ledger = capacityLedger({ usd: { capacity: 1e6, use: 'spent' } });
    const random = seededRandom(7);
    let nanoUsd = 0n;
    for (let n = 0; n < 1_000_000; n++) {
      const spent = random.below(2_000_000);
      ledger.settle(ledger.reserve({ usd: 0.0031 }, 0)!, { usd: spent / 1e9 });
      nanoUsd += BigInt(spent);
    }
    assert.ok(Math.abs(ledger.used('usd', 0) - Number(nanoUsd) / 1e9) < 1e-5, `${ledger.used('usd', 0)}, ${nanoUsd}`);
  });

  test('amounts that add up to the limit are within it, though their sum is not exact', () => {
    for (const [times, amount, capacity] of [
      [10, 0.03, 0.3],
      [3, 0.1, 0.3],
      [1_000, 0.001, 1],
    ] as const) {
      const ledger = capacityLedger({ usd: { capacity, use: 'spent' } });
      for (let n = 0; n < times; n++) assert.ok(ledger.reserve({ usd: amount }, 0), `${n} of ${times} times ${amount}`);
      assert.equal(ledger.reserve({ usd: amount / 1_000 }, 0), undefined);
    }
  });

  test('a clock that was set back by more than the period holds the limit by its new time', () => {
    const ledger = capacityLedger({ starts: { capacity: 2, use: 'spent', periodMs: 60_000 } });
    const open = ledger.reserve({ starts: 1 }, 7_200_000)!;
    ledger.reserve({ starts: 1 }, 7_200_000);
    // What was used before stays used for one period, not until the old time comes again.
    assert.equal(ledger.reserve({ starts: 1 }, 3_600_000), undefined);
    assert.equal(ledger.freeAtMs('starts', 1, 3_600_000), 3_661_000);
    ledger.release(open);
    assert.equal(ledger.used('starts', 3_600_000), 1);
    assert.ok(ledger.reserve({ starts: 2 }, 3_661_000));
  });

  test('a budget whose window lies in the future, since the clock was wrong, is that of the present again', () => {
    const ledger = capacityLedger({ usd: { capacity: 1, use: 'spent', calendar: 'hour' } });
    ledger.reserve({ usd: 1 }, 1_000 * 3_600_000);
    assert.equal(ledger.reserve({ usd: 1 }, 10 * 3_600_000), undefined);
    assert.equal(ledger.freeAtMs('usd', 1, 10 * 3_600_000), 11 * 3_600_000);
    assert.ok(ledger.reserve({ usd: 1 }, 11 * 3_600_000));
  });

  test('reserves everything or nothing', () => {
    const ledger = capacityLedger(limits);
    assert.equal(ledger.reserve({ calls: 1, starts: 1, usd: 0.75 }, 0), 1);
    assert.equal(ledger.reserve({ calls: 1, starts: 1, usd: 0.5 }, 0), undefined);
    assert.deepEqual([ledger.used('calls', 0), ledger.used('starts', 0), ledger.used('usd', 0)], [1, 1, 0.75]);
    assert.equal(ledger.reserve({ calls: 1, starts: 1, usd: 0.25 }, 0), 2);
    assert.equal(ledger.reserve({ calls: 1 }, 0), undefined);
    assert.equal(ledger.reserve({}, 0), 3);
    assert.equal(ledger.open, 3);
  });

  test('gives back on settling what is held and what was reserved beyond the use, on releasing everything', () => {
    const ledger = capacityLedger(limits);
    ledger.settle(ledger.reserve({ calls: 1, starts: 1, usd: 0.75 }, 0)!, { usd: 0.25 });
    assert.deepEqual([ledger.used('calls', 0), ledger.used('starts', 0), ledger.used('usd', 0)], [0, 1, 0.25]);
    ledger.release(ledger.reserve({ calls: 1, starts: 1, usd: 0.75 }, 0)!);
    assert.deepEqual([ledger.used('calls', 0), ledger.used('starts', 0), ledger.used('usd', 0)], [0, 1, 0.25]);
    ledger.settle(ledger.reserve({ usd: 0.5 }, 0)!);
    assert.equal(ledger.used('usd', 0), 0.75);
  });

  test('books more than was reserved too, and is closed until there is room again', () => {
    const ledger = capacityLedger({ usd: { capacity: 1, use: 'spent', periodMs: 60_000 } });
    ledger.settle(ledger.reserve({ usd: 0.5 }, 0)!, { usd: 1.5 });
    assert.equal(ledger.used('usd', 0), 1.5);
    assert.equal(ledger.reserve({ usd: 0 }, 0), undefined);
    assert.equal(ledger.reserve({ usd: 1 }, 61_000), 2);
  });

  test('lets what was spent come back after its period: never early, at most a 60th of it late', () => {
    const ledger = capacityLedger({ starts: { capacity: 1, use: 'spent', periodMs: 60_000 } });
    ledger.settle(ledger.reserve({ starts: 1 }, 10_500)!);
    for (const nowMs of [10_500, 40_000, 70_499, 5]) assert.equal(ledger.used('starts', nowMs), 1);
    assert.equal(ledger.used('starts', 71_500), 0);
    assert.notEqual(ledger.reserve({ starts: 1 }, 1e12), undefined);
    assert.equal(ledger.reserve({ starts: 1 }, 1e12), undefined);
  });

  test('settles into the time of the reservation, also when that is over', () => {
    const ledger = capacityLedger({ usd: { capacity: 1, use: 'spent', periodMs: 60_000 } });
    const early = ledger.reserve({ usd: 1 }, 0)!;
    // Where the first one's part of the period was, the second one's is now.
    const late = ledger.reserve({ usd: 1 }, 61_000)!;
    ledger.settle(early, { usd: 0.5 });
    assert.equal(ledger.used('usd', 61_000), 1);
    ledger.settle(late, { usd: 0.25 });
    assert.equal(ledger.used('usd', 61_000), 0.25);
  });

  test('refuses what it cannot keep account of', () => {
    const ledger = capacityLedger(limits);
    assert.throws(() => ledger.reserve({ tokens: 1 }, 0), { code: 'GW_OPTION', path: 'resource' });
    assert.throws(() => ledger.reserve({ calls: -1 }, 0), { code: 'GW_OPTION', path: 'amounts.calls' });
    assert.throws(() => ledger.reserve({ usd: Number.NaN }, 0), { code: 'GW_OPTION' });
    const open = ledger.reserve({ usd: 0.5 }, 0)!;
    assert.throws(() => ledger.settle(open, { calls: 1 }), { code: 'GW_OPTION', path: 'actual.calls' });
    assert.throws(() => ledger.settle(open, { usd: -1 }), { code: 'GW_OPTION', path: 'actual.usd' });
    ledger.release(open);
    assert.throws(() => ledger.release(open), { code: 'GW_RESERVATION' });
    assert.throws(() => ledger.settle(open), { code: 'GW_RESERVATION' });
    assert.throws(() => capacityLedger({ a: { capacity: -1, use: 'held' } }), {
      code: 'GW_OPTION',
      path: 'a.capacity',
    });
    assert.throws(() => capacityLedger({ a: { capacity: 1, use: 'lent' as never } }), { path: 'a.use' });
    assert.throws(() => capacityLedger({ a: { capacity: 1, use: 'spent', periodMs: 0 } }), { path: 'a.periodMs' });
  });

  const at = Date.parse;
  const windows = [
    ['hour', '2026-02-28T23:59:59.999Z', '2026-03-01T00:00:00Z'],
    ['day', '2026-02-28T00:00:00Z', '2026-03-01T00:00:00Z'],
    ['month', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['month', '2024-02-29T12:00:00Z', '2024-03-01T00:00:00Z'],
  ] as const;
  for (const [calendar, during, after] of windows) {
    test(`gives everything back at the end of the ${calendar} of ${during}, and books late settlements before it`, () => {
      const ledger = capacityLedger({ usd: { capacity: 1, use: 'spent', calendar } });
      const open = ledger.reserve({ usd: 1 }, at(during))!;
      assert.equal(ledger.lacking({ usd: 0.25 }, at(after) - 1), 'usd');
      assert.equal(ledger.freeAtMs('usd', 0.25, at(after) - 1), at(after));
      assert.equal(ledger.lacking({ usd: 1 }, at(after)), undefined);
      assert.equal(ledger.freeAtMs('usd', 1, at(after)), at(after));
      assert.equal(ledger.freeAtMs('usd', 1.5, at(after)), undefined, 'never, whatever the time');
      assert.notEqual(ledger.reserve({ usd: 0.5 }, at(after)), undefined);
      ledger.settle(open, { usd: 1 });
      assert.equal(ledger.used('usd', at(after)), 0.5);
      assert.equal(calendarStartMs(calendar, at(during), 1), at(after));
      assert.equal(calendarStartMs(calendar, at(after)), at(after));
    });
  }

  test('says when a sliding period frees an amount: then it can be reserved, and a part of the period before it cannot', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ waitMs: fc.nat(4_000), amount: fc.integer({ min: 1, max: 4 }) }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        (steps, amount) => {
          const ledger = capacityLedger({ usd: { capacity: 7, use: 'spent', periodMs: 10_000 } });
          let nowMs = 1_000_000;
          for (const step of steps) {
            nowMs += step.waitMs;
            ledger.reserve({ usd: step.amount }, nowMs);
          }
          const freeMs = ledger.freeAtMs('usd', amount, nowMs)!;
          assert.ok(freeMs >= nowMs && freeMs <= nowMs + 10_200, `${freeMs - nowMs}`);
          if (freeMs > nowMs) assert.equal(ledger.lacking({ usd: amount }, freeMs - 170), 'usd');
          assert.equal(ledger.lacking({ usd: amount }, freeMs), undefined);
        },
      ),
      { seed: 20260102, numRuns: 300 },
    );
  });

  test('books without asking, and is closed until there is room again', () => {
    const ledger = capacityLedger({
      usd: { capacity: 1, use: 'spent', calendar: 'hour' },
      calls: { capacity: 1, use: 'held' },
    });
    ledger.book({ usd: 1.5, calls: 1 }, 0);
    assert.equal(ledger.used('usd', 0), 1.5);
    assert.equal(ledger.used('calls', 0), 0, 'nothing is held that nobody will give back');
    assert.equal(ledger.reserve({ usd: 0 }, 0), undefined);
    assert.notEqual(ledger.reserve({ usd: 1 }, 3_600_000), undefined);
    assert.throws(() => ledger.book({ usd: -1 }, 0), { code: 'GW_OPTION' });
  });

  test('takes, changes and forgets limits while it runs', () => {
    const ledger = capacityLedger({});
    ledger.limit('usd', { capacity: 2, use: 'spent', calendar: 'day' }, 0, 0.5);
    const open = ledger.reserve({ usd: 1 }, 0)!;
    ledger.limit('usd', { capacity: 1.25, use: 'spent', calendar: 'day' }, 0, 99);
    assert.equal(ledger.used('usd', 0), 1.5, 'of the same kind: what is used stays');
    assert.equal(ledger.lacking({ usd: 0 }, 0), 'usd');
    ledger.limit('usd', { capacity: 1.25, use: 'spent' }, 0, 0.25);
    assert.equal(ledger.used('usd', 0), 0.25, 'of another kind: begun anew');
    ledger.settle(open, { usd: 1 });
    assert.equal(ledger.used('usd', 0), 0.25);
    ledger.forget('usd');
    assert.throws(() => ledger.used('usd', 0), { path: 'resource' });
    assert.equal(ledger.open, 0);
    assert.throws(() => ledger.limit('a', { capacity: 1, use: 'spent', calendar: 'week' as never }, 0), {
      path: 'a.calendar',
    });
    assert.throws(() => ledger.limit('a', { capacity: 1, use: 'spent', calendar: 'day', periodMs: 5 }, 0), {
      path: 'a.periodMs',
    });
  });

  test('never exceeds a capacity in any stretch of a period, whatever is asked in whatever order', () => {
    const step = fc.record({ waitMs: fc.nat(3000), amount: fc.nat(4), settled: fc.nat(4) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const ledger = capacityLedger({ usd: { capacity: 7, use: 'spent', periodMs: 10_000 } });
        const spent: { atMs: number; amount: number }[] = [];
        let nowMs = 0;
        for (const { waitMs, amount, settled } of steps) {
          nowMs += waitMs;
          const reservation = ledger.reserve({ usd: amount }, nowMs);
          if (reservation === undefined) continue;
          const actual = Math.min(settled, amount);
          ledger.settle(reservation, { usd: actual });
          spent.push({ atMs: nowMs, amount: actual });
          const inPeriod = spent.filter(({ atMs }) => atMs > nowMs - 10_000);
          assert.ok(inPeriod.reduce((sum, one) => sum + one.amount, 0) <= 7);
        }
      }),
      { seed: 20260101, numRuns: 500 },
    );
  });
});

// 64 clients that decide by prices, take what is left, wait for an answer whose cost they learn at its end, and come back.
describe('with 64 clients at once', () => {
  const CLIENTS = 64;
  const EXPERTS = ['a', 'b', 'c'] as const;
  const CALLS = { a: 6, b: 11, c: 3 };
  const STARTS = 40;
  const USD = 3;
  const MOST_USD = { a: 0.06, b: 0.02, c: 0.1 };

  interface World {
    readonly ledger: CapacityLedger;
    readonly underWay: Record<string, number>;
    readonly starts: Record<string, number>;
    spentUsd: number;
    worst: { calls: number; starts: number; usd: number };
    served: number;
    turnedAway: number;
  }

  function world(): World {
    const limits = Object.fromEntries(
      EXPERTS.flatMap((expert) => [
        [`calls:${expert}`, { capacity: CALLS[expert], use: 'held' as const }],
        [`starts:${expert}`, { capacity: STARTS, use: 'spent' as const }],
      ]),
    );
    return {
      ledger: capacityLedger({ ...limits, usd: { capacity: USD, use: 'spent' } }),
      underWay: { a: 0, b: 0, c: 0 },
      starts: { a: 0, b: 0, c: 0 },
      spentUsd: 0,
      worst: { calls: 0, starts: 0, usd: 0 },
      served: 0,
      turnedAway: 0,
    };
  }

  /** What really happens at the experts, counted apart from the ledger, as a share of each limit. */
  function observe(state: World): void {
    for (const expert of EXPERTS) {
      state.worst.calls = Math.max(state.worst.calls, state.underWay[expert]! / CALLS[expert]);
      state.worst.starts = Math.max(state.worst.starts, state.starts[expert]! / STARTS);
    }
    state.worst.usd = Math.max(state.worst.usd, state.spentUsd / USD);
  }

  type Reserve = (state: World, expert: string, pause: () => Promise<void>) => Promise<number | undefined>;

  const reserveAtOnce: Reserve = async ({ ledger }, expert) =>
    ledger.reserve({ [`calls:${expert}`]: 1, [`starts:${expert}`]: 1, usd: MOST_USD[expert as 'a'] }, 0);

  /** What a gateway without reservations does: looks whether there is room, and goes. */
  const lookAndGo: Reserve = async (state, expert, pause) => {
    const hasRoom =
      state.underWay[expert]! < CALLS[expert as 'a'] &&
      state.starts[expert]! < STARTS &&
      state.spentUsd + MOST_USD[expert as 'a'] <= USD;
    await pause();
    return hasRoom ? -1 : undefined;
  };

  async function client(state: World, random: Random, reserve: Reserve, pause: () => Promise<void>): Promise<void> {
    const prices = smoothedPrices(Float64Array.of(0.4, 0.4, 0.2), { stepSize: 0.02, cap: 1, smoothedPeriods: 10 });
    for (let request = 0; request < 3; request++) {
      const candidates = EXPERTS.map(
        (expert, i): Candidate => ({
          expert,
          quality: random.next(),
          costUsd: MOST_USD[expert],
          latencyMs: 1,
          load: 0,
          price: prices.prices[i]!,
        }),
      );
      const { ranked } = dual().select(candidates, { random });
      let got: number | undefined;
      for (const index of ranked) {
        const expert = EXPERTS[index]!;
        got = await reserve(state, expert, pause);
        if (got === undefined) continue;
        state.underWay[expert]! += 1;
        state.starts[expert]! += 1;
        observe(state);
        await pause();
        const costUsd = MOST_USD[expert] * random.next();
        state.underWay[expert]! -= 1;
        state.spentUsd += costUsd;
        observe(state);
        if (got >= 0) state.ledger.settle(got, { usd: costUsd });
        state.served++;
        prices.update(Float64Array.from(EXPERTS, (_, i) => (i === index ? 1 : 0)));
        break;
      }
      if (got === undefined) state.turnedAway++;
      await pause();
    }
  }

  async function run(seed: number, reserve: Reserve, pause: () => Promise<void>, finish: () => Promise<void>) {
    const state = world();
    const all = Array.from({ length: CLIENTS }, (_, i) => client(state, seededRandom(seed * 1000 + i), reserve, pause));
    await finish();
    await Promise.all(all);
    return state;
  }

  test('nothing is ever overdrawn, in any interleaving', async () => {
    let fullest = { calls: 0, starts: 0, usd: 0 };
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.nat(1000), async (scheduler, seed) => {
        const state = await run(
          seed,
          reserveAtOnce,
          () => scheduler.schedule(Promise.resolve()),
          () => scheduler.waitIdle(),
        );
        assert.ok(state.worst.calls <= 1 && state.worst.starts <= 1, JSON.stringify(state.worst));
        assert.ok(state.worst.usd <= 1, `${state.worst.usd} of the money`);
        assert.equal(state.served + state.turnedAway, CLIENTS * 3);
        assert.equal(state.ledger.open, 0);
        assert.ok(Math.abs(state.ledger.used('usd', 0) - state.spentUsd) < 1e-9);
        fullest = {
          calls: Math.max(fullest.calls, state.worst.calls),
          starts: Math.max(fullest.starts, state.worst.starts),
          usd: Math.max(fullest.usd, state.worst.usd),
        };
      }),
      { seed: 20260101, numRuns: 40 },
    );
    // The limits are reached, or else nothing was tested.
    assert.equal(fullest.calls, 1);
    assert.equal(fullest.starts, 1);
    assert.ok(fullest.usd > 0.8, `${fullest.usd}`);
  });

  test('looking first and booking later overdraws under the same clients', async () => {
    const state = await run(
      1,
      lookAndGo,
      () => Promise.resolve(),
      () => Promise.resolve(),
    );
    assert.ok(state.worst.calls > 1, JSON.stringify(state.worst));
  });
});
