import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome, Step } from './composition.ts';
import { hedge } from './hedge.ts';

type Options = Parameters<typeof hedge>[0];

function firstStep(options: Options, ranked: number): Step | undefined {
  const { value, done } = hedge(options).start(ranked).next();
  return done ? undefined : value;
}

function verdict(given: readonly Partial<Outcome>[]): string {
  const steps = hedge({ afterMs: 10, width: given.length }).start(given.length);
  steps.next();
  const end = steps.next(
    given.map((outcome, rank) => ({
      rank,
      status: 'cancelled',
      confidence: undefined,
      costUsd: 0,
      latencyMs: 1,
      released: false,
      ...outcome,
    })),
  );
  assert.ok(end.done);
  assert.deepEqual(end.value.gates, []);
  return `${end.value.rank}: ${end.value.reason}`;
}

test('races as many experts as its width allows, best first', () => {
  const call = (rank: number) => ({ rank, release: 'content' });
  const cases: [Options, number, readonly object[], number | undefined][] = [
    [{}, 5, [call(0), call(1)], undefined], // as long as the one before usually takes
    [{ afterMs: 250 }, 5, [call(0), call(1)], 250],
    [{ afterMs: 250 }, 1, [call(0)], 250],
    [{ afterMs: 0, width: 3 }, 5, [call(0), call(1), call(2)], 0],
    [{ afterMs: 0.5, width: 1 }, 5, [call(0)], 0.5],
  ];
  for (const [options, ranked, calls, staggerMs] of cases) {
    assert.deepEqual(firstStep(options, ranked), { kind: 'race', calls, staggerMs });
    assert.equal(hedge(options).maxCalls(ranked), calls.length);
  }
});

test('gives the client the winner, else the failure that says most', () => {
  const ok = { status: 'ok', released: true } as const;
  const failed = { status: 'error', elsewhere: true } as const;
  const refused = { status: 'error', elsewhere: false } as const;
  const brokeOff = { status: 'error', elsewhere: true, released: true } as const;
  const cases: [readonly Partial<Outcome>[], string][] = [
    [[ok, {}], '0: first choice answered in time'],
    [[{}, ok], '1: rank 1 answered first'],
    [[failed, ok], '1: rank 1 answered first'],
    [[failed, failed], '1: nobody answered'], // the last one heard
    [[failed, {}], '0: nobody answered'], // a failure rather than a cancelled call
    [[{}, failed, {}], '1: nobody answered'],
    [[refused, failed], '0: nobody answered'], // what everybody would say
    [[brokeOff, failed], '0: nobody answered'], // what the client has seen
    [[refused, brokeOff], '1: nobody answered'],
    [[{}, {}], '0: nobody answered'],
  ];
  for (const [given, expected] of cases) assert.equal(verdict(given), expected);
});

test('refuses a negative wait and a width that is not a whole number of at least 1', () => {
  const cases: [object, string][] = [
    [{ afterMs: -1 }, 'afterMs'],
    [{ afterMs: Infinity }, 'afterMs'],
    [{ afterMs: 1, width: 0 }, 'width'],
    [{ afterMs: 1, width: 1.5 }, 'width'],
  ];
  for (const [options, path] of cases) assert.throws(() => hedge(options as Options), { code: 'GW_OPTION', path });
});

test('needs no confidence', () => {
  assert.equal(hedge({ afterMs: 1 }).needsConfidence, false);
});
