/** The journal under kills, damage, full disks and a second owner. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import fs, {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GatewrightError, seededRandom } from '@gatewright/kernel';
import { type JournalReport, journal, readJournal, verifyJournal } from '../src/stores/journal.ts';
import type { TraceStore } from '../src/stores/store.ts';
import { chat, chatBody, eventsOf, expertAt, pool, post, startGateway, until, wireError } from './helpers.ts';
import { sampleFeedback, sampleTrace, traceId } from './samples.ts';
import { upstream } from './upstream.ts';

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-'));
  folders.push(folder);
  return folder;
};
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const segmentsOf = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.startsWith('journal-'))
    .sort();

/** A closed journal of that many traces, each with feedback. */
async function written(count: number, segmentBytes = 4_096): Promise<string> {
  const directory = newFolder();
  const store = journal({ directory, segmentBytes });
  for (let n = 1; n <= count; n++) {
    await store.addTrace(sampleTrace(traceId(n)), {
      trace: traceId(n),
      request: '{"a":1}',
      answer: 'caf\u00e9 \ufffd',
    });
    if (n % 3 === 0) await store.addFeedback(sampleFeedback(traceId(n)));
  }
  await store.close();
  return directory;
}

describe('a process that is killed', () => {
  for (let round = 1; round <= 3; round++) {
    test(`keeps every trace whose answer was whole and every admitted feedback, round ${round}`, async () => {
      const directory = newFolder();
      const expert = await upstream('ok');
      const child = fork(fileURLToPath(new URL('./journal-server.ts', import.meta.url)), [directory, expert.url], {
        execArgv: ['--disable-warning=ExperimentalWarning'],
      });
      const { url } = await new Promise<{ url: string }>((resolve) =>
        child.once('message', (message) => resolve(message as { url: string })),
      );
      const traces = new Set<string>();
      const judged = new Set<string>();
      const enough = Promise.withResolvers<void>();
      const clients = Array.from({ length: 8 }, async (_, client) => {
        try {
          for (let n = 0; ; n++) {
            const stream = (client + n) % 2 === 0;
            const response = await chat(url, chatBody('gw/first', { stream }));
            const id = response.headers.get('x-gw-trace')!;
            const text = await response.text();
            if (stream ? eventsOf(text).at(-1) === '[DONE]' : JSON.parse(text).choices.length === 1) traces.add(id);
            if (n % 3 === 0) {
              const feedback = await post(`${url}/v1/feedback`, { trace: id, score: 1 });
              await feedback.text();
              if (feedback.status === 200) judged.add(id);
            }
            if (traces.size >= 60 + round * 17) enough.resolve();
          }
        } catch {
          // The kill.
        }
      });
      await enough.promise;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
      await Promise.all(clients);
      await expert.close();

      const before = await verifyJournal(directory);
      assert.ok(
        before.faults.every(({ kind }) => kind === 'torn') && before.faults.length <= 1,
        JSON.stringify(before.faults),
      );
      const store = journal({ directory });
      const known = new Set<string>();
      for await (const { kind, body } of readJournal(directory))
        if (kind === 'trace') known.add((body as { id: string }).id);
      for (const id of traces) assert.ok(known.has(id), `trace ${id} is lost`);
      for (const id of judged) assert.equal((await store.find(id))!.feedback.length, 1, `feedback on ${id} is lost`);
      await store.addTrace(sampleTrace('tr_zzzz'));
      await store.close();
      assert.deepEqual((await verifyJournal(directory)).faults, []);
    });
  }

  test('in the middle of a line leaves a torn one, which opening cuts off', async () => {
    const directory = await written(5);
    const newest = join(directory, segmentsOf(directory).at(-1)!);
    const size = statSync(newest).size;
    appendFileSync(newest, '{"seq":999,"prev":"abc');
    assert.deepEqual(
      (await verifyJournal(directory)).faults.map(({ kind }) => kind),
      ['torn'],
    );
    const store = journal({ directory });
    assert.equal(statSync(newest).size, size);
    await store.addTrace(sampleTrace(traceId(6)));
    await store.close();
    assert.deepEqual((await verifyJournal(directory)).faults, []);
  });

  test('between making a segment and its first line leaves an empty one, which opening replaces', async () => {
    for (const rest of ['', '{"seq":']) {
      const directory = await written(5);
      const number = segmentsOf(directory).length + 1;
      writeFileSync(join(directory, `journal-${String(number).padStart(8, '0')}.jsonl`), rest);
      const store = journal({ directory, segmentBytes: 4_096 });
      await store.addTrace(sampleTrace(traceId(6)));
      await store.close();
      const report = await verifyJournal(directory);
      assert.deepEqual(report.faults, []);
      assert.equal(report.traces, 6);
    }
    const empty = newFolder();
    writeFileSync(join(empty, 'journal-00000001.jsonl'), '');
    const store = journal({ directory: empty });
    await store.addTrace(sampleTrace(traceId(1)));
    await store.close();
    assert.deepEqual((await verifyJournal(empty)).faults, []);
  });
});

describe('verifyJournal', () => {
  test('finds nothing wrong with a sound journal and counts what is in it', async () => {
    const directory = await written(20);
    const { faults, head, isComplete, ...counts } = await verifyJournal(directory);
    assert.deepEqual(faults, []);
    assert.equal(isComplete, true);
    assert.match(head, /^[0-9a-f]{64}$/);
    const segments = segmentsOf(directory).length;
    assert.ok(segments >= 3);
    const bytes = segmentsOf(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    assert.deepEqual(counts, { segments, records: 40 + 6 + segments, traces: 20, feedback: 6, bytes });
  });

  test('finds one byte that is changed, wherever it is', async () => {
    const directory = await written(12);
    const names = segmentsOf(directory);
    const originals = names.map((name) => readFileSync(join(directory, name)));
    const total = originals.reduce((sum, bytes) => sum + bytes.length, 0);
    const random = seededRandom(42);
    for (let round = 0; round < 200; round++) {
      // Every tenth one at the end of a line.
      let at = random.below(total);
      let segment = 0;
      while (at >= originals[segment]!.length) at -= originals[segment++]!.length;
      const bytes = Buffer.from(originals[segment]!);
      if (round % 10 === 0) at = bytes.indexOf(0x0a, at);
      bytes[at] = bytes[at]! ^ (1 << random.below(8));
      writeFileSync(join(directory, names[segment]!), bytes);
      const { faults } = await verifyJournal(directory);
      writeFileSync(join(directory, names[segment]!), originals[segment]!);
      assert.ok(
        faults.length > 0,
        `byte ${at} of ${names[segment]} changed from ${originals[segment]![at]} to ${bytes[at]}`,
      );
      assert.ok(faults.some(({ file }) => Math.abs(names.indexOf(file) - segment) <= 1));
    }
    assert.deepEqual((await verifyJournal(directory)).faults, []);
  });

  const damages: readonly [string, (directory: string, names: string[]) => void, RegExp][] = [
    [
      'a line that is taken out',
      (directory, names) => mangle(join(directory, names[0]!), (lines) => lines.splice(3, 1)),
      /broken/,
    ],
    [
      'the last line of a segment that is taken out',
      (directory, names) => mangle(join(directory, names[0]!), (lines) => lines.splice(-1, 1)),
      /broken/,
    ],
    [
      'two lines that change places',
      (directory, names) => mangle(join(directory, names[1]!), (lines) => lines.splice(2, 2, lines[3]!, lines[2]!)),
      /broken/,
    ],
    [
      'a line that is there twice',
      (directory, names) => mangle(join(directory, names[1]!), (lines) => lines.splice(2, 0, lines[2]!)),
      /broken/,
    ],
    [
      'an empty line',
      (directory, names) => mangle(join(directory, names[1]!), (lines) => lines.splice(2, 0, '')),
      /unreadable/,
    ],
    ['a segment in the middle that is gone', (directory, names) => rmSync(join(directory, names[1]!)), /missing/],
    [
      'two segments that change places',
      (directory, names) => {
        const [a, b] = [names[1]!, names[2]!].map((name) => readFileSync(join(directory, name)));
        writeFileSync(join(directory, names[1]!), b!);
        writeFileSync(join(directory, names[2]!), a!);
      },
      /broken/,
    ],
    [
      'a segment cut in the middle',
      (directory, names) => fs.truncateSync(join(directory, names[1]!), 1_000),
      /torn|broken/,
    ],
  ];
  for (const [name, damage, kinds] of damages) {
    test(`finds ${name}`, async () => {
      const directory = await written(14);
      damage(directory, segmentsOf(directory));
      const { faults } = await verifyJournal(directory);
      assert.ok(
        faults.some(({ kind }) => kinds.test(kind)),
        JSON.stringify(faults),
      );
    });
  }

  test('says that there is none in a folder without a journal', async () => {
    await assert.rejects(verifyJournal(newFolder()), { code: 'GW_STORE_OPEN' });
  });
});

function mangle(path: string, change: (lines: string[]) => void): void {
  const lines = readFileSync(path, 'utf8').slice(0, -1).split('\n');
  change(lines);
  writeFileSync(path, `${lines.join('\n')}\n`);
}

describe('segments', () => {
  test('roll, and finding and paging goes across them after opening anew', async () => {
    const directory = await written(30);
    assert.ok(segmentsOf(directory).length >= 5);
    const store = journal({ directory, segmentBytes: 4_096 });
    try {
      for (const n of [1, 15, 30]) {
        const stored = await store.find(traceId(n));
        assert.deepEqual(stored!.trace, sampleTrace(traceId(n)));
        assert.equal(stored!.bodies!.answer, 'caf\u00e9 \ufffd');
        assert.equal(stored!.feedback.length, n % 3 === 0 ? 1 : 0);
      }
      await store.addTrace(sampleTrace(traceId(31)));
      await store.addFeedback(sampleFeedback(traceId(2)));
      assert.equal((await store.find(traceId(2)))!.feedback.length, 1, 'feedback on a trace of an old segment');
      const seen: string[] = [];
      for (let before: string | undefined; ; ) {
        const page = await store.list({ limit: 4, ...(before === undefined ? {} : { before }) });
        if (page.length === 0) break;
        seen.push(...page.map(({ id }) => id));
        before = seen.at(-1);
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 31 }, (_, at) => traceId(31 - at)),
      );
    } finally {
      await store.close();
    }
  });

  test('that are oldest are deleted above keepBytes, and the rest still holds', async () => {
    const directory = newFolder();
    const store = journal({ directory, segmentBytes: 65_536, keepBytes: 1_048_576 });
    for (let n = 1; n <= 1_200; n += 40)
      await Promise.all(Array.from({ length: 40 }, (_, at) => store.addTrace(sampleTrace(traceId(n + at), 500))));
    assert.ok(store.stats().bytes <= 1_048_576 + 65_536 + 70_000, `${store.stats().bytes}`);
    assert.equal(await store.find(traceId(1)), undefined);
    assert.deepEqual(await store.list({ limit: 10, before: traceId(1) }), []);
    assert.equal((await store.find(traceId(1_200)))!.trace.id, traceId(1_200));
    const newest = await store.list({ limit: 1_000 });
    assert.equal(new Set(newest.map(({ id }) => id)).size, newest.length);
    assert.equal(newest[0]!.id, traceId(1_200));
    await store.close();
    const report = await verifyJournal(directory);
    assert.deepEqual(report.faults, []);
    assert.equal(report.isComplete, false);
    assert.ok(!segmentsOf(directory).includes('journal-00000001.jsonl'));
    assert.equal(report.head, store.stats().head);
  });
});

describe('the lock', () => {
  test('lets nobody else open the folder', async () => {
    const directory = newFolder();
    const store = journal({ directory });
    assert.throws(() => journal({ directory }), { code: 'GW_STORE_LOCKED' });
    await store.addTrace(sampleTrace(traceId(1)));
    await store.close();
    const again = journal({ directory });
    assert.equal((await again.list({ limit: 10 })).length, 1);
    await again.close();
  });

  test('of another process that lives is respected', () => {
    const directory = newFolder();
    writeFileSync(join(directory, 'lock'), String(process.ppid));
    assert.throws(
      () => journal({ directory }),
      (error) => {
        assert.ok(error instanceof GatewrightError);
        assert.equal(error.code, 'GW_STORE_LOCKED');
        assert.match(error.message, new RegExp(`Process ${process.ppid} `));
        return true;
      },
    );
  });

  const stale: readonly [string, string][] = [
    ['a process that is gone', '4194000'],
    ['a process that had our own number, as in a container that was started again', String(process.pid)],
    ['a kill before anything was written into it', ''],
    ['somebody who wrote nonsense', 'hello'],
  ];
  for (const [name, content] of stale) {
    test(`left by ${name} is taken over`, async () => {
      const directory = newFolder();
      writeFileSync(join(directory, 'lock'), content);
      const store = journal({ directory });
      await store.close();
      assert.equal(existsSync(join(directory, 'lock')), false);
    });
  }

  test('a folder that cannot be made is a typed error', () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    assert.throws(() => journal({ directory: join(file, 'inside') }), { code: 'GW_STORE_OPEN' });
  });
});

/** Makes writes fail, or keep only a part, while `run` runs. */
async function withFailingDisk(how: 'fails' | 'is cut short', run: () => Promise<void>): Promise<void> {
  const writeSync = fs.writeSync;
  const failing = mock.method(
    fs,
    'writeSync',
    (fd: number, block: Buffer, from: number, length: number, at: number) => {
      if (how === 'fails') throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      return writeSync(fd, block, from, Math.floor(length / 2), at);
    },
  );
  syncBuiltinESMExports();
  try {
    await run();
  } finally {
    failing.mock.restore();
    syncBuiltinESMExports();
  }
}

describe('a disk that fails', () => {
  for (const how of ['fails', 'is cut short'] as const) {
    test(`where writing ${how}: answers are served, feedback gets 503, and afterwards the chain goes on soundly`, async () => {
      const directory = newFolder();
      const expert = await upstream('ok');
      const gate = await startGateway(pool(expertAt('one', expert.url)), { store: journal({ directory }) });
      try {
        const first = await chat(gate.url, chatBody('gw/first'));
        await first.text();
        const trace = first.headers.get('x-gw-trace')!;
        assert.equal((await fetch(`${gate.url}/readyz`)).status, 200);

        await withFailingDisk(how, async () => {
          for (const stream of [false, true, false]) {
            const startMs = performance.now();
            const response = await chat(gate.url, chatBody('gw/first', { stream }));
            assert.equal(response.status, 200);
            const text = await response.text();
            if (stream) assert.equal(eventsOf(text).at(-1), '[DONE]');
            assert.ok(performance.now() - startMs < 700, 'an answer does not wait for a disk that fails');
          }
          const ready = await fetch(`${gate.url}/readyz`);
          assert.equal(ready.status, 503);
          assert.equal(((await ready.json()) as { store: string }).store, 'writing fails');
          const stats = gate.gateway.store.stats();
          assert.match(stats.failing!, how === 'fails' ? /ENOSPC/ : /only \d+ of \d+ bytes/);
          assert.ok(stats.lostTraces >= 1);
          assert.match(await gate.gateway.metrics.text(), /gatewright_store_lost_traces [1-9]/);

          const feedback = await post(`${gate.url}/v1/feedback`, { trace, score: 1 });
          assert.equal(feedback.status, 503);
          const error = wireError(await feedback.json())!;
          assert.equal(error.code, 'GW_STORE_WRITE');
          assert.match(error.message, /send it again/);
        });

        assert.equal((await post(`${gate.url}/v1/feedback`, { trace, score: 0 })).status, 200);
        assert.equal((await fetch(`${gate.url}/readyz`)).status, 200);
        assert.equal((await chat(gate.url, chatBody('gw/first'))).status, 200);
        const stored = await gate.gateway.store.find(trace);
        assert.deepEqual(
          stored!.feedback.map(({ score }) => score),
          [0],
          'the feedback that was refused is not kept',
        );
      } finally {
        await gate.close();
        await expert.close();
      }
      const report = await verifyJournal(directory);
      assert.deepEqual(report.faults, []);
      assert.equal(report.feedback, 1);
    });
  }

  test('where no new segment can be made: numbers stay without a gap', async () => {
    const directory = newFolder();
    const store = journal({ directory, segmentBytes: 4_096 });
    await fill(store, 1, 8);
    const next = join(directory, `journal-${String(segmentsOf(directory).length + 1).padStart(8, '0')}.jsonl`);
    // A folder where the next segment belongs.
    mkdirSync(next);
    await fill(store, 9, 20);
    assert.match(store.stats().failing!, /EISDIR/);
    assert.ok(store.stats().lostTraces > 0);
    await assert.rejects(store.addFeedback(sampleFeedback(traceId(1))), { code: 'GW_STORE_WRITE' });
    rmSync(next, { recursive: true });
    await store.addFeedback(sampleFeedback(traceId(1)));
    await fill(store, 21, 30);
    assert.equal(store.stats().failing, undefined);
    await store.close();
    assert.deepEqual((await verifyJournal(directory)).faults, []);
  });

  test('whose folder is removed is noticed, and the chain goes on when the folder is back', async () => {
    const directory = newFolder();
    const store = journal({ directory });
    await fill(store, 1, 3);
    rmSync(directory, { recursive: true });
    await until(() => store.stats().failing !== undefined, 'the removal noticed', 4_000);
    assert.match(store.stats().failing!, /journal-00000001\.jsonl was removed/);
    for (let n = 4; n <= 6; n++) await store.addTrace(sampleTrace(traceId(n)));
    await assert.rejects(store.addFeedback(sampleFeedback(traceId(1))), { code: 'GW_STORE_WRITE' });
    assert.ok(store.stats().failing !== undefined);
    mkdirSync(directory);
    await store.addFeedback(sampleFeedback(traceId(1)));
    await store.addTrace(sampleTrace(traceId(7)));
    assert.equal(store.stats().failing, undefined);
    await store.close();
    const report = await verifyJournal(directory);
    assert.deepEqual(report.faults, []);
    assert.deepEqual([report.traces >= 1, report.isComplete], [true, false]);
  });
});

async function fill(store: TraceStore, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await store.addTrace(sampleTrace(traceId(n)));
}

test('bodies are dropped and counted when too much is waiting; traces and feedback never are', async () => {
  const directory = newFolder();
  const store = journal({ directory, maxPendingBytes: 4_000 });
  const answer = 'x'.repeat(1_500);
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => [
      store.addTrace(sampleTrace(traceId(n)), { trace: traceId(n), request: '{}', answer }),
      store.addFeedback(sampleFeedback(traceId(n))),
    ]).flat(),
  );
  const { droppedBodies, lostTraces, pendingBytes, traces, feedback } = store.stats();
  assert.ok(droppedBodies >= 15 && droppedBodies < 20, `${droppedBodies}`);
  assert.deepEqual(
    { lostTraces, pendingBytes, traces, feedback },
    { lostTraces: 0, pendingBytes: 0, traces: 20, feedback: 20 },
  );
  let kept = 0;
  for (let n = 0; n < 20; n++) {
    const stored = (await store.find(traceId(n)))!;
    assert.equal(stored.feedback.length, 1);
    if (stored.bodies !== undefined) kept++;
  }
  assert.equal(kept + droppedBodies, 20);
  await store.close();
  assert.deepEqual((await verifyJournal(directory)).faults, []);
});

describe('a newest segment that is damaged', () => {
  const damages: readonly [string, (path: string) => void][] = [
    ['in the middle', (path) => mangle(path, (lines) => (lines[2] = lines[2]!.replace('"seq"', '"sex"')))],
    [
      'in its last line',
      (path) => mangle(path, (lines) => (lines[lines.length - 1] = lines.at(-1)!.replace('"user"', '"usex"'))),
    ],
    ['by a line that is gone', (path) => mangle(path, (lines) => lines.splice(2, 1))],
    ['in every line', (path) => writeFileSync(path, 'garbage\n'.repeat(20))],
  ];
  for (const [name, damage] of damages) {
    test(`${name} is left as it is, and a new one goes on and says so`, async () => {
      const directory = await written(6);
      const more = journal({ directory });
      for (let n = 7; n <= 12; n++) {
        await more.addTrace(sampleTrace(traceId(n)));
        await more.addFeedback(sampleFeedback(traceId(n)));
      }
      await more.close();
      const names = segmentsOf(directory);
      assert.ok(names.length > 1);
      const newest = join(directory, names.at(-1)!);
      damage(newest);
      const evidence = readFileSync(newest);
      const before = await verifyJournal(directory);
      assert.ok(before.faults.length > 0);

      const store = journal({ directory });
      await store.addTrace(sampleTrace(traceId(99)));
      await store.close();
      assert.deepEqual(readFileSync(newest), evidence);
      const added = segmentsOf(directory).at(-1)!;
      assert.notEqual(added, names.at(-1));
      const [header] = readFileSync(join(directory, added), 'utf8').split('\n');
      const { kind, body } = JSON.parse(header!) as { kind: string; body: { after: string } };
      assert.equal(kind, 'segment');
      assert.match(body.after, new RegExp(`^${names.at(-1)} is damaged: `));

      const after: JournalReport = await verifyJournal(directory);
      const inNew = after.faults.filter(({ file }) => file === added);
      assert.deepEqual(inNew, [], 'the new segment follows what could be read');
      // And what is added afterwards is sound: a further opening finds no new damage.
      const again = journal({ directory });
      await again.addTrace(sampleTrace(traceId(100)));
      await again.close();
      assert.equal(segmentsOf(directory).at(-1), added);
      assert.equal((await verifyJournal(directory)).faults.length, after.faults.length);
    });
  }
});
