/** What every store does, whatever it is made of. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sampleFeedback, sampleTrace, traceId } from '../../test/samples.ts';
import { journal } from './journal.ts';
import { memory } from './memory.ts';
import type { Bodies, TraceStore } from './store.ts';

type Use = (store: TraceStore) => Promise<void>;

const kinds: Record<string, (use: Use) => Promise<void>> = {
  async memory(use) {
    const store = memory();
    await use(store);
    await store.close();
  },
  async journal(use) {
    const directory = mkdtempSync(join(tmpdir(), 'gatewright-'));
    const store = journal({ directory });
    try {
      await use(store);
    } finally {
      await store.close();
      rmSync(directory, { recursive: true });
    }
  },
  async 'journal in many small segments'(use) {
    const directory = mkdtempSync(join(tmpdir(), 'gatewright-'));
    const store = journal({ directory, segmentBytes: 4_096 });
    try {
      await use(store);
    } finally {
      await store.close();
      rmSync(directory, { recursive: true });
    }
  },
};

const idsOf = async (store: TraceStore, limit: number, before?: string): Promise<string[]> =>
  (await store.list({ limit, ...(before === undefined ? {} : { before }) })).map(({ id }) => id);

for (const [kind, withStore] of Object.entries(kinds)) {
  describe(`store ${kind}`, () => {
    test('finds a trace with its bodies and its feedback, as they were put in', () =>
      withStore(async (store) => {
        const trace = sampleTrace(traceId(1));
        const bodies: Bodies = {
          trace: trace.id,
          request: '{"model":"gw/first"}',
          answer: 'caf\u00e9 "\u20ac"\n\u2028',
        };
        await store.addTrace(trace, bodies);
        await store.addFeedback(sampleFeedback(trace.id, 0.25));
        await store.addFeedback({ ...sampleFeedback(trace.id, 1), source: 'judge', comment: 'r\u00e9sum\u00e9' });
        const stored = await store.find(trace.id);
        assert.deepEqual(stored!.trace, trace);
        assert.deepEqual(stored!.bodies, bodies);
        assert.deepEqual(
          stored!.feedback.map(({ score, source, comment }) => [score, source, comment]),
          [
            [0.25, 'user', undefined],
            [1, 'judge', 'r\u00e9sum\u00e9'],
          ],
        );
      }));

    test('finds a trace without bodies and feedback', () =>
      withStore(async (store) => {
        await store.addTrace(sampleTrace(traceId(1)));
        assert.deepEqual(await store.find(traceId(1)), {
          trace: sampleTrace(traceId(1)),
          bodies: undefined,
          feedback: [],
        });
      }));

    test('finds nothing under an unknown id, however odd', () =>
      withStore(async (store) => {
        await store.addTrace(sampleTrace(traceId(1)));
        for (const id of ['tr_0', '', '__proto__', '../../etc', traceId(1).slice(0, -1)])
          assert.equal(await store.find(id), undefined);
      }));

    test('what was found does not change when more comes', () =>
      withStore(async (store) => {
        await store.addTrace(sampleTrace(traceId(1)));
        const found = await store.find(traceId(1));
        await store.addFeedback(sampleFeedback(traceId(1)));
        assert.equal(found!.feedback.length, 0);
      }));

    test('lists nothing when it is empty', () =>
      withStore(async (store) => {
        assert.deepEqual(await store.list({ limit: 10 }), []);
        assert.deepEqual(await store.list({ limit: 10, before: traceId(1) }), []);
      }));

    test('pages through all traces, newest first, none twice and none left out', () =>
      withStore(async (store) => {
        for (let n = 1; n <= 40; n++) await store.addTrace(sampleTrace(traceId(n)));
        const all = Array.from({ length: 40 }, (_, at) => traceId(40 - at));
        for (const limit of [1, 7, 40, 1000]) {
          const seen: string[] = [];
          for (let before: string | undefined; ; ) {
            const page = await idsOf(store, limit, before);
            if (page.length === 0) break;
            assert.ok(page.length <= limit);
            seen.push(...page);
            before = page.at(-1);
          }
          assert.deepEqual(seen, all, `pages of ${limit}`);
        }
      }));

    test('pages in the order of keeping where requests end in another order than they began', () =>
      withStore(async (store) => {
        const order = [3, 1, 2, 9, 5, 8, 4, 7, 6].map(traceId);
        for (const id of order) await store.addTrace(sampleTrace(id));
        assert.deepEqual(await idsOf(store, 100), [...order].reverse());
        const seen: string[] = [];
        for (let before: string | undefined; ; ) {
          const page = await idsOf(store, 2, before);
          if (page.length === 0) break;
          seen.push(...page);
          before = page.at(-1);
        }
        assert.deepEqual(seen, [...order].reverse());
      }));

    test('lists nothing after an id that it does not know', () =>
      withStore(async (store) => {
        await store.addTrace(sampleTrace(traceId(5)));
        assert.deepEqual(await idsOf(store, 10, traceId(9)), []);
        assert.deepEqual(await idsOf(store, 10, 'garbage'), []);
      }));

    test('keeps many that come at once', () =>
      withStore(async (store) => {
        const ids = Array.from({ length: 200 }, (_, n) => traceId(n));
        await Promise.all(ids.map((id) => store.addTrace(sampleTrace(id))));
        await Promise.all(ids.map((id) => store.addFeedback(sampleFeedback(id))));
        for (const id of ids) assert.equal((await store.find(id))!.feedback.length, 1);
        assert.equal(store.stats().traces, 200);
        assert.equal(store.stats().feedback, 200);
        assert.equal(store.stats().failing, undefined);
        assert.equal(store.stats().lostTraces, 0);
      }));
  });
}

test('memory forgets the oldest above keep', async () => {
  const store = memory({ keep: 2 });
  for (let n = 1; n <= 3; n++) await store.addTrace(sampleTrace(traceId(n)));
  assert.deepEqual(await idsOf(store, 10), [traceId(3), traceId(2)]);
  assert.equal(await store.find(traceId(1)), undefined);
});
