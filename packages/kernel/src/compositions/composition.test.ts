import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cascade } from './cascade.ts';
import { type Composition, type Outcome, type RecordedCall, type Replay, replay, type Step } from './composition.ts';
import { fallback } from './fallback.ts';

const call = (given: Partial<RecordedCall> = {}): RecordedCall => ({
  status: 'ok',
  confidence: undefined,
  costUsd: 1,
  latencyMs: 100,
  ...given,
});
const failed = (latencyMs: number): RecordedCall => call({ status: 'error', elsewhere: true, latencyMs });
const refused = (latencyMs: number): RecordedCall => call({ status: 'error', elsewhere: false, latencyMs });

/** A composition that takes one step, and hands back rank 0. */
function oneStep(step: Step): Composition {
  return {
    needsConfidence: false,
    maxCalls: (ranked) => ranked,
    *start() {
      yield step;
      return { rank: 0, gates: [], reason: 'done' };
    },
  };
}

/** One race of the given records; those that are `undefined` must not be looked up. */
function race(
  staggerMs: number,
  records: readonly (RecordedCall | undefined)[],
  release: 'content' | 'accept' = 'content',
): Replay {
  const calls = records.map((_, rank) => ({ rank, release }));
  return replay(oneStep({ kind: 'race', calls, staggerMs }), records.length, (rank) => {
    assert.ok(records[rank] !== undefined, `rank ${rank} never started, nobody has a record of it`);
    return records[rank];
  });
}

/** `status latency cost`, and `shown` where the client saw it. */
const brief = ({ status, latencyMs, costUsd, released }: Outcome): string =>
  `${status} ${latencyMs} ${costUsd}${released ? ' shown' : ''}`;

test('decides a race on the recorded times', () => {
  const cases: [string, number, readonly (RecordedCall | undefined)[], readonly string[]][] = [
    ['the first is in time', 200, [call(), undefined], ['ok 100 1 shown', 'cancelled 0 0']],
    ['on the dot is in time', 100, [call(), undefined], ['ok 100 1 shown', 'cancelled 0 0']],
    [
      'the first is late, and still first',
      50,
      [call(), call({ latencyMs: 60, costUsd: 2 })],
      ['ok 100 1 shown', 'cancelled 50 2'],
    ],
    [
      'the second overtakes',
      50,
      [call({ latencyMs: 300 }), call({ latencyMs: 60, costUsd: 2 })],
      ['cancelled 110 1', 'ok 60 2 shown'],
    ],
    ['a tie goes to the first', 50, [call(), call({ latencyMs: 50 })], ['ok 100 1 shown', 'cancelled 50 1']],
    [
      'the first content counts, not the end',
      50,
      [call({ latencyMs: 900, contentMs: 40 }), undefined],
      ['ok 900 1 shown', 'cancelled 0 0'],
    ],
    [
      'a late end with early content beats an early end with late content',
      0,
      [call({ latencyMs: 90, contentMs: 80 }), call({ latencyMs: 900, contentMs: 70 })],
      ['cancelled 70 1', 'ok 900 1 shown'],
    ],
    ['a failure starts the next at once', 500, [failed(30), call()], ['error 30 1', 'ok 100 1 shown']],
    [
      'the third starts when both before it have failed',
      500,
      [failed(30), failed(40), call({ latencyMs: 20 })],
      ['error 30 1', 'error 40 1', 'ok 20 1 shown'],
    ],
    [
      'one that is still running does not count as failed',
      100,
      [call({ latencyMs: 10_000 }), failed(10), call({ latencyMs: 20 })],
      // Ranks start at 0, 100 and 200; the third answers at 220.
      ['cancelled 220 1', 'error 10 1', 'ok 20 1 shown'],
    ],
    [
      'a failure after the decision never came',
      10,
      [failed(200), call({ latencyMs: 50 })],
      ['cancelled 60 1', 'ok 50 1 shown'],
    ],
    [
      'a failure at the very moment of the decision is still heard',
      10,
      [failed(60), call({ latencyMs: 50 })],
      ['error 60 1', 'ok 50 1 shown'],
    ],
    ['all fail', 10, [failed(200), failed(50)], ['error 200 1', 'error 50 1']],
    ['a refusal ends it', 500, [refused(30), undefined], ['error 30 1', 'cancelled 0 0']],
    [
      'a refusal ends it for those under way',
      10,
      [call({ latencyMs: 300 }), refused(30)],
      ['cancelled 40 1', 'error 30 1'],
    ],
    [
      'a failure counts from its end, though it had content before that nobody saw',
      50,
      [call({ status: 'error', elsewhere: true, contentMs: 10, latencyMs: 80 }), call({ latencyMs: 20 })],
      ['cancelled 70 1', 'ok 20 1 shown'],
    ],
    [
      'an answer that breaks off in sight of the client has won all the same',
      50,
      [call({ status: 'error', elsewhere: true, contentMs: 10, latencyMs: 80, brokeOff: true }), undefined],
      ['error 80 1 shown', 'cancelled 0 0'],
    ],
    [
      'a cancelled call costs what it had cost by then',
      10,
      [call({ latencyMs: 300, costUsd: 5, droppedCostUsd: 0.5 }), call({ latencyMs: 20 })],
      ['cancelled 30 0.5', 'ok 20 1 shown'],
    ],
    [
      'nobody waits for what has no end',
      10,
      [call({ latencyMs: Infinity }), call({ latencyMs: 20 })],
      ['cancelled 30 1', 'ok 20 1 shown'],
    ],
  ];
  for (const [name, staggerMs, records, expected] of cases) {
    const { outcomes, costUsd } = race(staggerMs, records);
    assert.deepEqual(outcomes.map(brief), expected, name);
    assert.deepEqual(
      outcomes.map(({ rank }) => rank),
      records.map((_, rank) => rank),
      name,
    );
    assert.equal(
      costUsd,
      outcomes.reduce((sum, outcome) => sum + outcome.costUsd, 0),
      name,
    );
  }
});

test('decides a race for whole answers on their ends and shows none of them', () => {
  const { outcomes } = race(
    0,
    [call({ latencyMs: 900, contentMs: 10 }), call({ latencyMs: 300, contentMs: 200 })],
    'accept',
  );
  assert.deepEqual(outcomes.map(brief), ['cancelled 300 1', 'ok 300 1']);
});

test('makes all calls of a step, whatever comes of them, and shows those that may be shown', () => {
  const records = [call({ confidence: 0.5 }), failed(7), call({ latencyMs: 3 })];
  const { outcomes, costUsd, verdict } = replay(
    oneStep({
      kind: 'all',
      calls: [
        { rank: 2, release: 'accept' },
        { rank: 0, release: 'content' },
        { rank: 1, release: 'content' },
      ],
    }),
    3,
    (rank) => records[rank]!,
  );
  assert.deepEqual(outcomes, [
    { rank: 2, status: 'ok', confidence: undefined, costUsd: 1, latencyMs: 3, released: false },
    { rank: 0, status: 'ok', confidence: 0.5, costUsd: 1, latencyMs: 100, released: true },
    { rank: 1, status: 'error', confidence: undefined, costUsd: 1, latencyMs: 7, elsewhere: true, released: false },
  ]);
  assert.equal(costUsd, 3);
  assert.deepEqual(verdict, { rank: 0, gates: [], reason: 'done' });
});

test('pauses an open call at its prefix, unless it ends before', () => {
  const opened = (record: RecordedCall): string => {
    const { outcomes } = replay(
      oneStep({ kind: 'open', call: { rank: 0, release: 'accept' }, tokens: 8 }),
      1,
      () => record,
    );
    return `${outcomes[0]!.status} ${outcomes[0]!.confidence}${outcomes[0]!.released ? ' shown' : ''}`;
  };
  const cases: [Partial<RecordedCall>, string][] = [
    [{ confidence: 0.7, prefixConfidence: 0.4 }, 'open 0.4'],
    [{ confidence: 0.7 }, 'open 0.7'],
    [{ confidence: 0.7, contentTokens: 9 }, 'open 0.7'],
    [{ confidence: 0.7, contentTokens: 8 }, 'open 0.7'],
    [{ confidence: 0.7, contentTokens: 7 }, 'ok 0.7'],
    [{ confidence: 0.7, contentTokens: 7, prefixConfidence: 0.4 }, 'open 0.4'], // counts may be estimates
    // Paused by the clock, whatever had come; the confidence that came later was not known then.
    [{ contentTokens: 0, isPaused: true }, 'open undefined'],
    [{ contentTokens: 3, isPaused: true, confidence: 0.9 }, 'open undefined'],
    [{ contentTokens: 3, isPaused: true, confidence: 0.9, prefixConfidence: 0.4 }, 'open 0.4'],
    [{ status: 'error', isPaused: true }, 'open undefined'],
    [{ status: 'error' }, 'error undefined'],
    [{ status: 'error', prefixConfidence: 0.9, brokeOff: true }, 'open 0.9'],
  ];
  for (const [record, expected] of cases) assert.equal(opened(call(record)), expected, JSON.stringify(record));
});

test('puts the end of a resumed or dropped call in the place of its prefix', () => {
  const records = [
    call({ prefixConfidence: 0.1, costUsd: 5, droppedCostUsd: 0.5 }),
    call({ prefixConfidence: 0.9, confidence: 0.3, costUsd: 2 }),
  ];
  const { outcomes, costUsd, verdict } = replay(
    cascade({ minConfidence: 0.8, prefixTokens: 8 }),
    3,
    (rank) => records[rank]!,
  );
  assert.deepEqual(outcomes.map(brief), ['cancelled 100 0.5', 'ok 100 2 shown']);
  assert.equal(outcomes[1]!.confidence, 0.3);
  assert.equal(costUsd, 2.5);
  assert.equal(verdict.rank, 1);
});

test('adds up costs in the order of the calls, bit for bit', () => {
  const costs = [0.1, 0.2, 0.3];
  const { costUsd } = replay(fallback(), 3, (rank) => ({ ...failed(1), costUsd: costs[rank]! }));
  assert.equal(costUsd, 0.1 + 0.2 + 0.3);
});

test('shows a failure that broke off, where the call may be shown, and stops there', () => {
  const records = [call({ status: 'error', elsewhere: true, brokeOff: true }), call()];
  const { outcomes, verdict } = replay(fallback(), 2, (rank) => records[rank]!);
  assert.deepEqual(outcomes.map(brief), ['error 100 1 shown']);
  assert.equal(verdict.reason, 'failed after a part of the answer was out');
  // A cascade holds the first answer back, so the same failure costs the client nothing.
  const cascaded = replay(cascade({ minConfidence: 0.8 }), 2, (rank) => records[rank]!);
  assert.deepEqual(cascaded.outcomes.map(brief), ['error 100 1', 'ok 100 1 shown']);
});
