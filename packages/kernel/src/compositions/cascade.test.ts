import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cascade } from './cascade.ts';
import type { GateRecord, Outcome } from './composition.ts';

type Options = Parameters<typeof cascade>[0];

const sure = (confidence: number | undefined): Partial<Outcome> => ({ status: 'ok', confidence });
const open = (confidence: number | undefined): Partial<Outcome> => ({ status: 'open', confidence });
const failed: Partial<Outcome> = { status: 'error', elsewhere: true };
const refused: Partial<Outcome> = { status: 'error', elsewhere: false };
const cancelled: Partial<Outcome> = { status: 'cancelled' };
const brokeOff: Partial<Outcome> = { status: 'error', elsewhere: true, released: true };

interface Run {
  /** The steps, in short: `accept 0`, `content 2`, `open 0 for 8`, `resume 0`, `drop 0`. */
  readonly steps: string;
  readonly end: string;
  readonly gates: readonly GateRecord[];
}

/** Gives each new call the next of `given`; a resumed or dropped call ends well. */
function run(options: Options, ranked: number, given: readonly Partial<Outcome>[]): Run {
  const generator = cascade(options).start(ranked);
  const taken: string[] = [];
  let next = generator.next();
  let calls = 0;
  while (!next.done) {
    const step = next.value;
    assert.ok(step.kind !== 'race');
    const rank = step.kind === 'all' ? step.calls[0]!.rank : step.kind === 'open' ? step.call.rank : step.rank;
    const base = { rank, status: 'ok', confidence: 1, costUsd: 0, latencyMs: 1, released: false } as const;
    if (step.kind === 'all') taken.push(`${step.calls.map((call) => `${call.release} ${call.rank}`)}`);
    else if (step.kind === 'open') taken.push(`open ${rank} for ${step.tokens}`);
    else taken.push(`${step.kind} ${rank}`);
    next = generator.next([{ ...base, ...(step.kind === 'all' || step.kind === 'open' ? given[calls++]! : {}) }]);
  }
  assert.equal(calls, given.length, 'every given outcome was used');
  return { steps: taken.join(', '), end: `${next.value.rank}: ${next.value.reason}`, gates: next.value.gates };
}

test('escalates while the answer is not trusted', () => {
  const cases: [number, readonly Partial<Outcome>[], string, string][] = [
    [3, [sure(0.9)], 'accept 0', '0: trusted at 0.900 of 0.8'],
    [3, [sure(0.8)], 'accept 0', '0: trusted at 0.800 of 0.8'], // the threshold itself is enough
    [3, [sure(0.79), sure(0.9)], 'accept 0, accept 1', '1: trusted at 0.900 of 0.8'],
    [
      3,
      [sure(0.1), sure(0.2), sure(0)],
      'accept 0, accept 1, content 2',
      '2: escalated 2 times; the last answer stands',
    ],
    [2, [sure(undefined), sure(undefined)], 'accept 0, content 1', '1: escalated 1 time; the last answer stands'],
    [1, [sure(undefined)], 'content 0', '0: only one expert to ask'],
    [3, [failed, sure(0.9)], 'accept 0, accept 1', '1: trusted at 0.900 of 0.8'],
    [3, [cancelled, sure(0.9)], 'accept 0, accept 1', '1: trusted at 0.900 of 0.8'],
    [2, [failed, failed], 'accept 0, content 1', '1: all 2 asked failed'],
    [3, [refused], 'accept 0', '0: refused; another expert would refuse it too'],
    [1, [brokeOff], 'content 0', '0: failed after a part of the answer was out'],
  ];
  for (const [ranked, given, steps, end] of cases) {
    const got = run({ minConfidence: 0.8 }, ranked, given);
    assert.deepEqual([got.steps, got.end], [steps, end]);
  }
});

test('falls back on the most trusted answer when the escalation fails', () => {
  const stands = 'escalation failed; the most trusted answer so far stands';
  const cases: [readonly Partial<Outcome>[], number][] = [
    [[sure(0.3), sure(0.5), failed], 1],
    [[sure(0.5), sure(0.3), failed], 0],
    [[sure(0.4), sure(0.4), failed], 0], // the earlier of equals
    [[sure(undefined), sure(0), failed], 1], // any number beats none
    [[sure(0), sure(undefined), failed], 0],
    [[failed, sure(undefined), failed], 1],
    [[sure(0.3), failed, cancelled], 0],
    [[sure(0.3), refused], 0], // an answer in hand beats a refusal
    [[sure(0.3), sure(0.2), refused], 0],
  ];
  for (const [given, rank] of cases) assert.equal(run({ minConfidence: 0.8 }, 3, given).end, `${rank}: ${stands}`);
});

test('gives what broke off before the client to the client, not an older answer', () => {
  assert.equal(
    run({ minConfidence: 0.8 }, 2, [sure(0.3), brokeOff]).end,
    '1: failed after a part of the answer was out',
  );
});

test('decides on the first tokens where it is told to', () => {
  const cases: [readonly Partial<Outcome>[], string, string][] = [
    [[open(0.9)], 'open 0 for 8, resume 0', '0: trusted at 0.900 of 0.8'],
    [[open(0.1), open(0.9)], 'open 0 for 8, drop 0, open 1 for 8, resume 1', '1: trusted at 0.900 of 0.8'],
    [
      [open(undefined), open(0.1), sure(0.1)],
      'open 0 for 8, drop 0, open 1 for 8, drop 1, content 2',
      '2: escalated 2 times; the last answer stands',
    ],
    [[sure(0.9)], 'open 0 for 8', '0: trusted at 0.900 of 0.8'], // over before 8 tokens
    [
      [sure(0.5), failed, failed],
      'open 0 for 8, open 1 for 8, content 2',
      '0: escalation failed; the most trusted answer so far stands',
    ],
    [
      [open(0.5), failed, failed],
      'open 0 for 8, drop 0, open 1 for 8, content 2',
      '2: escalation failed; the answers before it were dropped',
    ],
    [[failed, failed, failed], 'open 0 for 8, open 1 for 8, content 2', '2: all 3 asked failed'],
  ];
  for (const [given, steps, end] of cases) {
    const got = run({ minConfidence: 0.8, prefixTokens: 8 }, 3, given);
    assert.deepEqual([got.steps, got.end], [steps, end]);
  }
});

test('writes down what it measured at each gate, and none for the last or a failed call', () => {
  const gate = (rank: number, value: number | undefined, passed: boolean, signal = 'confidence'): GateRecord => ({
    rank,
    signal,
    value,
    threshold: 0.8,
    passed,
  });
  assert.deepEqual(run({ minConfidence: 0.8 }, 4, [sure(undefined), failed, sure(0.85)]).gates, [
    gate(0, undefined, false),
    gate(2, 0.85, true),
  ]);
  assert.deepEqual(run({ minConfidence: 0.8 }, 2, [sure(0.3), sure(0.9)]).gates, [gate(0, 0.3, false)]);
  assert.deepEqual(run({ minConfidence: 0.8, prefixTokens: 8 }, 3, [open(0.3), open(0.8)]).gates, [
    gate(0, 0.3, false, 'prefix-confidence'),
    gate(1, 0.8, true, 'prefix-confidence'),
  ]);
});

test('asks no more experts than its attempts', () => {
  const { steps, end } = run({ minConfidence: 0.8, attempts: 2 }, 5, [sure(0.1), sure(0.1)]);
  assert.deepEqual([steps, end], ['accept 0, content 1', '1: escalated 1 time; the last answer stands']);
  assert.deepEqual([1, 2, 9].map(cascade({ minConfidence: 0.8, attempts: 2 }).maxCalls), [1, 2, 2]);
  assert.deepEqual([1, 2, 9].map(cascade({ minConfidence: 0.8 }).maxCalls), [1, 2, 9]);
});

test('trusts any measured answer at 0 and only a certain one at 1', () => {
  assert.equal(run({ minConfidence: 0 }, 2, [sure(0)]).steps, 'accept 0');
  assert.equal(run({ minConfidence: 0 }, 2, [sure(undefined), sure(1)]).steps, 'accept 0, content 1');
  assert.equal(run({ minConfidence: 1 }, 2, [sure(1)]).steps, 'accept 0');
  assert.equal(run({ minConfidence: 1 }, 2, [sure(0.999), sure(1)]).steps, 'accept 0, content 1');
});

test('refuses options out of range', () => {
  const cases: [object, string][] = [
    [{}, 'minConfidence'],
    [{ minConfidence: 80 }, 'minConfidence'],
    [{ minConfidence: 1.01 }, 'minConfidence'],
    [{ minConfidence: -0.1 }, 'minConfidence'],
    [{ minConfidence: 0.8, attempts: 0 }, 'attempts'],
    [{ minConfidence: 0.8, attempts: 1.5 }, 'attempts'],
    [{ minConfidence: 0.8, prefixTokens: 0 }, 'prefixTokens'],
    [{ minConfidence: 0.8, prefixTokens: 1.5 }, 'prefixTokens'],
    [{ minConfidence: 0.8, prefixTokens: '8' }, 'prefixTokens'],
    [{ minConfidence: 0.8, prefixMs: 100 }, 'prefixMs'],
    [{ minConfidence: 0.8, prefixTokens: 8, prefixMs: 0 }, 'prefixMs'],
  ];
  for (const [options, path] of cases) assert.throws(() => cascade(options as Options), { code: 'GW_OPTION', path });
});

test('takes each option at its least', () => {
  assert.equal(run({ minConfidence: 0, attempts: 1, prefixTokens: 1 }, 2, [sure(1)]).steps, 'content 0');
  assert.equal(run({ minConfidence: 0, prefixTokens: 1 }, 2, [open(0)]).steps, 'open 0 for 1, resume 0');
});

test('says that it needs the confidence', () => {
  assert.equal(cascade({ minConfidence: 0.8 }).needsConfidence, true);
});

test('with a promise instead of a bare threshold, every gate says what is promised and what was measured', () => {
  const accept = {
    threshold: 0.8,
    maxErrorRate: 0.1,
    confidenceLevel: 0.9,
    calibratedOn: 400,
    accepted: 200,
    wrong: 10,
  };
  const { steps, gates } = run({ accept }, 3, [sure(0.79), sure(0.8)]);
  assert.equal(steps, 'accept 0, accept 1');
  for (const gate of gates) {
    assert.deepEqual([gate.threshold, gate.statedError!.maxErrorRate], [0.8, 0.1]);
    assert.deepEqual([gate.statedError!.calibratedOn, gate.statedError!.measured!.rate], [400, 0.05]);
  }
  assert.deepEqual(
    gates.map(({ passed }) => passed),
    [false, true],
  );
  // Without counts there is a promise and no measurement.
  const { accepted: _, wrong: __, ...bare } = accept;
  assert.equal(run({ accept: bare }, 2, [sure(0.9)]).gates[0]!.statedError!.measured, undefined);
  assert.equal(run({ minConfidence: 0.8 }, 2, [sure(0.9)]).gates[0]!.statedError, undefined);
});

test('refuses a promise that no data stands behind', () => {
  const accept = { threshold: 0.8, maxErrorRate: 0.1, confidenceLevel: 0.9, calibratedOn: 400 };
  const cases: [object, string, string | undefined][] = [
    [{ accept: { ...accept, calibratedOn: undefined } }, 'GW_ACCEPT_UNCALIBRATED', 'accept.calibratedOn'],
    [{ accept: { ...accept, calibratedOn: 0 } }, 'GW_ACCEPT_UNCALIBRATED', 'accept.calibratedOn'],
    [{ accept: { ...accept, calibratedOn: 21 } }, 'GW_ACCEPT_TOO_FEW', 'accept'],
    [{ accept: { ...accept, accepted: 21, wrong: 0 } }, 'GW_ACCEPT_TOO_FEW', 'accept'],
    [{ accept, minConfidence: 0.8 }, 'GW_OPTION', 'minConfidence'],
    [{ accept: { ...accept, threshold: 1.1 } }, 'GW_OPTION', 'accept.threshold'],
    [{ accept: { ...accept, threshold: undefined } }, 'GW_OPTION', 'accept.threshold'],
    [{ accept: { ...accept, maxErrorRate: 0 } }, 'GW_OPTION', 'accept.maxErrorRate'],
    [{ accept: { ...accept, confidenceLevel: 1 } }, 'GW_OPTION', 'accept.confidenceLevel'],
    [{ accept: { ...accept, calibratedOn: -1 } }, 'GW_OPTION', 'accept.calibratedOn'],
    [{ accept: { ...accept, accepted: 100 } }, 'GW_OPTION', 'accept.wrong'],
    [{ accept: { ...accept, accepted: 401, wrong: 0 } }, 'GW_OPTION', 'accept.accepted'],
    [{ accept: { ...accept, accepted: 100, wrong: 101 } }, 'GW_OPTION', 'accept.wrong'],
    [{ accept: { ...accept, topLogprobs: 21 } }, 'GW_OPTION', 'accept.topLogprobs'],
    [{ accept: { ...accept, sigma: 1 } }, 'GW_OPTION', 'sigma'],
    [{ accept: 0.8 }, 'GW_OPTION', 'accept'],
  ];
  for (const [options, code, path] of cases) assert.throws(() => cascade(options as Options), { code, path });
});

test('compares and records the calibrated confidence where it is given a calibrator', () => {
  // 0.2 at 0, 0.6 at 1, a line between.
  const calibrator = { kind: 'isotonic', version: 1, fittedOn: 400, at: [0, 1], values: [0.2, 0.6] };
  const { end, gates } = run({ minConfidence: 0.5, calibrator }, 4, [sure(0.7), sure(undefined), sure(0.75)]);
  assert.equal(end, '2: trusted at 0.500 of 0.5');
  assert.deepEqual(
    gates.map(({ value, passed }) => [value?.toFixed(3), passed]),
    [
      ['0.480', false],
      [undefined, false],
      ['0.500', true],
    ],
  );
  assert.throws(() => cascade({ minConfidence: 0.5, calibrator: { ...calibrator, kind: 'plat' } }), {
    code: 'GW_UNKNOWN_NAME',
  });
  assert.throws(() => cascade({ minConfidence: 0.5, calibrator: { ...calibrator, values: [1] } }), {
    code: 'GW_CALIBRATION_STATE',
  });
});

test('a prefix may have a time, at which its answer is judged by what has come', () => {
  const steps = cascade({ minConfidence: 0.8, prefixTokens: 8, prefixMs: 300 }).start(2);
  assert.deepEqual(steps.next().value, { kind: 'open', call: { rank: 0, release: 'accept' }, tokens: 8, ms: 300 });
  // Nothing had come: nobody knows how sure it is.
  const { steps: taken, end } = run({ minConfidence: 0.8, prefixTokens: 8, prefixMs: 300 }, 2, [
    open(undefined),
    sure(1),
  ]);
  assert.deepEqual([taken, end], ['open 0 for 8, drop 0, content 1', '1: escalated 1 time; the last answer stands']);
});
