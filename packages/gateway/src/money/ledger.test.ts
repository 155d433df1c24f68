import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import type { CallTicket } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import { type AccountLimits, ANYONE, type Principal } from '../identity/principal.ts';
import { ProviderFailure } from '../providers/failure.ts';
import { type Book, type CallEntry, openBook, readUsage } from './book.ts';
import { createLedger, type Ledger, type RequestAccount, shownSpan } from './ledger.ts';
import { usageCsv } from './usage.ts';
import { dearestUsd, reserveFor, worstCaseOf } from './worst-case.ts';

const folders: string[] = [];
const newFile = (): string => {
  folders.push(mkdtempSync(join(tmpdir(), 'gatewright-')));
  return join(folders.at(-1)!, 'ledger.sqlite');
};
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const NOON = Date.parse('2026-11-22T12:00:00Z');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ALL = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, groupBy: [], filter: {} } as const;

const someone = (limits: AccountLimits, more: Partial<Principal> = {}): Principal => ({
  ...ANYONE,
  keyId: 'key_1',
  name: 'one',
  limits,
  ...more,
});
const begin = (ledger: Ledger, principal: Principal, user?: string): RequestAccount =>
  ledger.begin({ principal, user, mode: 'gw/auto', dialect: 'chat', traceId: 'tr_1' });
/** Holds so many USD for a call. */
const hold = (account: RequestAccount, costUsd: number): CallTicket | ProviderFailure =>
  account.hold('a', { promptTokens: 1, completionTokens: 1, costUsd }, 'call');
const spend = (account: RequestAccount, costUsd: number, reservedUsd = costUsd): boolean => {
  const ticket = hold(account, reservedUsd);
  if (!(ticket instanceof ProviderFailure))
    ticket.settle({ costUsd, promptTokens: 10, completionTokens: 5, status: 'ok' });
  account.end();
  return !(ticket instanceof ProviderFailure);
};

describe('one ledger', () => {
  test('keeps every budget of every account of a request, and refuses by the first that lacks', () => {
    const ledger = createLedger(
      {
        global: { budgets: [{ usd: 10, window: 'total' }] },
        projects: { shop: { budgets: [{ usd: 2, window: 'month' }] } },
        users: { default: { budgets: [{ usd: 3, window: 'day' }] } },
      },
      openBook(),
      () => NOON,
    );
    const principal = someone({ budgets: [{ usd: 1, window: 'hour' }] }, { project: 'shop' });
    const lacks: readonly [number, string][] = [
      [0.75, ''],
      [0.5, 'key hour'],
    ];
    for (const [usd, lacking] of lacks) {
      const ticket = hold(begin(ledger, principal, 'ada'), usd);
      if (lacking === '') assert.ok(!(ticket instanceof ProviderFailure));
      else {
        assert.ok(ticket instanceof ProviderFailure);
        assert.equal(ticket.code, 'GW_BUDGET');
        assert.equal(ticket.elsewhere, true);
        assert.deepEqual(ticket.facts['limit'], {
          account: 'key',
          name: 'one',
          what: 'usd',
          window: 'hour',
          limit: 1,
          spent: 0,
          reserved: 0.75,
          asked: 0.5,
          free_at: '2026-11-22T13:00:00.000Z',
        });
      }
    }
    assert.deepEqual([...ledger.stats.refused], [['key hour', 1]]);
    assert.deepEqual(
      ledger.limitsOf(principal, 'ada').map(({ account, window, remaining }) => [account, window, remaining]),
      [
        ['key', 'hour', 0.25],
        ['user', 'day', 2.25],
        ['project', 'month', 1.25],
        ['gateway', 'total', 9.25],
      ],
      'what was refused is reserved nowhere',
    );
    ledger.close();
  });

  test('books a call in the window in which it began', () => {
    let nowMs = NOON + HOUR - 1;
    const ledger = createLedger({}, openBook(), () => nowMs);
    const principal = someone({ budgets: [{ usd: 1, window: 'hour' }] });
    const ticket = hold(begin(ledger, principal), 1) as CallTicket;
    nowMs += 1;
    ticket.settle({ costUsd: 0.5, promptTokens: 0, completionTokens: 0, status: 'ok' });
    assert.equal(ledger.limitsOf(principal, undefined)[0]!.spent, 0);
    assert.equal(ledger.entries.spentUsd({ kind: 'key', id: 'key_1' }, NOON + HOUR), 0);
    assert.equal(ledger.entries.spentUsd({ kind: 'key', id: 'key_1' }, NOON), 0.5);
    ledger.close();
  });

  test('settles once, ends once, and counts what was never reserved', () => {
    const ledger = createLedger({}, openBook(), () => NOON);
    const principal = someone({ concurrent: 1, budgets: [{ usd: 1, window: 'day' }] });
    const account = begin(ledger, principal);
    assert.throws(() => begin(ledger, principal), { code: 'GW_RATE_LIMIT', retryAfterMs: 1_000 });
    const ticket = hold(account, 0.5) as CallTicket;
    assert.equal(ledger.stats.open, 1);
    for (let n = 0; n < 2; n++) ticket.settle({ costUsd: 0.25, promptTokens: 3, completionTokens: 2, status: 'ok' });
    account.book('a', 'cache', { costUsd: 0, promptTokens: 0, completionTokens: 0, savedUsd: 0.25, status: 'ok' });
    account.end();
    account.end();
    assert.equal(ledger.stats.open, 0);
    begin(ledger, principal).end();
    ledger.book({ principal, mode: 'probe', dialect: 'gateway', traceId: '' }, 'a', 'probe', {
      costUsd: 0.7,
      promptTokens: 1,
      completionTokens: 1,
      status: 'ok',
    });
    const [, budget] = ledger.limitsOf(principal, undefined);
    assert.ok(Math.abs(budget!.spent - 0.95) < 1e-12);
    const [row] = ledger.entries.usage({ ...ALL, groupBy: [] });
    assert.deepEqual(
      [row!.requests, row!.calls, row!.promptTokens, row!.savedUsd],
      [1, 3, 4, 0.25],
      'one request, one call of it, one answer out of a cache, one probe',
    );
    ledger.close();
  });

  test('a key whose limits come, go and change is held to those in force, with all it has spent', () => {
    const ledger = createLedger({}, openBook(), () => NOON);
    const day = (usd: number): AccountLimits => ({ budgets: [{ usd, window: 'day' }] });
    assert.ok(spend(begin(ledger, someone(day(1))), 0.5));
    assert.ok(spend(begin(ledger, someone({})), 2));
    assert.ok(!spend(begin(ledger, someone(day(2.75))), 0.5));
    assert.ok(spend(begin(ledger, someone(day(3))), 0.5));
    assert.ok(!spend(begin(ledger, someone(day(3))), 0.25));
    ledger.close();
  });

  test('what is open while its limit changes is settled into the new one, and nothing stays reserved', () => {
    const ledger = createLedger({}, openBook(), () => NOON);
    const limits = (usd: number): Principal => someone({ budgets: [{ usd, window: 'day' }] });
    const ticket = hold(begin(ledger, limits(1)), 0.75) as CallTicket;
    assert.equal(ledger.limitsOf(limits(2), undefined)[0]!.remaining, 1.25);
    ticket.settle({ costUsd: 0.5, promptTokens: 0, completionTokens: 0, status: 'ok' });
    const [state] = ledger.limitsOf(limits(2), undefined);
    assert.deepEqual([state!.spent, state!.reserved, state!.remaining], [0.5, 0, 1.5]);
    ledger.close();
  });

  test('no account is ever overdrawn by calls that keep to their reservation, in any interleaving; the book sums to the same', () => {
    const step = fc.record({
      key: fc.nat(2),
      user: fc.nat(2),
      reserved: fc.integer({ min: 0, max: 40 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      waitMs: fc.nat(HOUR),
      settles: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let nowMs = NOON;
        const ledger = createLedger(
          {
            global: { budgets: [{ usd: 200, window: 'total' }] },
            users: { default: { budgets: [{ usd: 50, window: 'day' }] } },
            keys: { default: { budgets: [{ usd: 60, window: 'hour' }] } },
          },
          openBook(),
          () => nowMs,
        );
        const open: (() => void)[] = [];
        let spent = 0;
        for (const { key, user, reserved, share, waitMs, settles } of steps) {
          nowMs += waitMs;
          const principal = someone({}, { keyId: `key_${key}` });
          const account = begin(ledger, principal, `user ${user}`);
          const ticket = hold(account, reserved);
          if (!(ticket instanceof ProviderFailure))
            open.push(() => {
              const costUsd = reserved * share;
              spent += costUsd;
              ticket.settle({ costUsd, promptTokens: 1, completionTokens: 1, status: 'ok' });
              account.end();
            });
          for (let n = 0; n < settles; n++) open.shift()?.();
          for (const { limit, spent, reserved } of ledger.limitsOf(principal, `user ${user}`))
            assert.ok(spent + reserved <= limit + 1e-9, `${spent} + ${reserved} of ${limit}`);
        }
        for (const close of open) close();
        assert.equal(ledger.stats.open, 0);
        for (const { reserved } of ledger.limitsOf(someone({}, { keyId: 'key_0' }), 'user 0'))
          assert.ok(reserved < 1e-9);
        const sum = ledger.entries.usage(ALL)[0]?.costUsd ?? 0;
        assert.ok(Math.abs(sum - spent) < 1e-9, `${sum} and ${spent}`);
        ledger.close();
      }),
      { seed: 20260103, numRuns: 60 },
    );
  });

  test('keeps ten thousand users in mind and finds the spending of the others in the book', () => {
    const ledger = createLedger(
      { users: { default: { budgets: [{ usd: 1, window: 'total' }] } } },
      openBook(),
      () => NOON,
    );
    assert.ok(spend(begin(ledger, ANYONE, 'the first one'), 0.75));
    for (let n = 0; n < 10_005; n++) begin(ledger, ANYONE, `user ${n}`).end();
    assert.ok(!spend(begin(ledger, ANYONE, 'the first one'), 0.5));
    ledger.close();
  });
});

describe('the book', () => {
  const entry = (more: Partial<CallEntry> = {}): CallEntry => ({
    id: 0,
    atMs: NOON,
    key: 'key_1',
    project: undefined,
    user: undefined,
    expert: 'a',
    mode: 'gw/auto',
    dialect: 'chat',
    kind: 'call',
    trace: 'tr_1',
    requests: 1,
    status: 'ok',
    promptTokens: 10,
    completionTokens: 5,
    cachedTokens: 4,
    reasoningTokens: 2,
    costUsd: 0.5,
    savedUsd: 0.125,
    ...more,
  });

  test('closed in the middle of calls, books them as lost at what was reserved, once', () => {
    const path = newFile();
    const book = openBook(path);
    book.openNow(entry({ status: 'open', costUsd: 2, trace: 'tr_open' }));
    const done = entry({ status: 'open' });
    book.openNow(done);
    done.status = 'ok';
    book.settle(done);
    book.close();
    for (const lost of [1, 0]) {
      const again = openBook(path);
      assert.equal(again.stats.lost, lost);
      assert.deepEqual(
        again
          .usage({ ...ALL, groupBy: ['status'] })
          .map(({ group, calls, costUsd, lostCalls }) => [group.status, calls, costUsd, lostCalls]),
        [
          ['lost', 1, 2, 1],
          ['ok', 1, 0.5, 0],
        ],
      );
      assert.equal(again.entriesOf('tr_open')[0]!.status, 'lost');
      assert.equal(again.spentUsd({ kind: 'key', id: 'key_1' }, NOON), 2.5);
      again.close();
    }
  });

  test('resolves when what was settled is in the file, for another reader too', async () => {
    const path = newFile();
    const book = openBook(path);
    assert.equal(book.kept(), undefined);
    book.open(entry());
    const first = book.kept();
    assert.notEqual(first, undefined);
    await first;
    assert.equal(readUsage(path, ALL)[0]!.calls, 1);
    assert.equal(book.kept(), undefined);
    book.close();
  });

  test('forgets single calls above its limit a part at a time, never an open one, and loses no sum', () => {
    const book = openBook(':memory:', { keepCalls: 1_000 });
    const waiting = entry({ status: 'open', trace: 'tr_waiting' });
    book.openNow(waiting);
    for (let n = 0; n < 5_000; n++) {
      const made = entry({ atMs: NOON + n * 1_000, trace: `tr_${n}`, status: 'open' });
      book.open(made);
      made.status = 'ok';
      book.settle(made);
    }
    assert.equal(book.entriesOf('tr_waiting').length, 1);
    assert.deepEqual(book.entriesOf('tr_10'), []);
    assert.equal(book.entriesOf('tr_4999').length, 1);
    const [row] = book.usage(ALL);
    assert.deepEqual([row!.calls, row!.promptTokens, row!.costUsd], [5_000, 50_000, 2_500]);
    waiting.status = 'ok';
    book.settle(waiting);
    assert.equal(book.usage(ALL)[0]!.calls, 5_001);
    book.close();
  });

  test('sums old hours up by day, and days and months count the same', () => {
    const book = openBook(':memory:', { keepDays: 2 });
    for (let hour = 0; hour < 24 * 6; hour++) book.open(entry({ atMs: NOON - 5 * DAY + hour * HOUR }));
    const byDay = book.usage({ ...ALL, groupBy: ['day'] });
    const month = book.spentUsd({ kind: 'gateway', id: '' }, Date.parse('2026-11-01'));
    // A day at a time.
    for (let n = 0; n < 5; n++) {
      book.fold(NOON);
      assert.deepEqual(book.usage({ ...ALL, groupBy: ['day'] }), byDay);
      assert.equal(book.spentUsd({ kind: 'gateway', id: '' }, Date.parse('2026-11-01')), month);
    }
    const kept = book.usage({ ...ALL, groupBy: ['hour'] });
    assert.equal(kept.length, 3 + 24 * 3 + 12, 'three days of sums, and the hours from the 20th on');
    book.close();
  });

  test('groups by several columns, filters, and has null for what a call has not', () => {
    const book = openBook();
    for (const [project, expert] of [
      ['shop', 'a'],
      ['shop', 'b'],
      [undefined, 'a'],
    ] as const)
      book.open(entry({ project, expert }));
    assert.deepEqual(
      book.usage({ ...ALL, groupBy: ['project', 'expert'] }).map(({ group }) => group),
      [
        { project: null, expert: 'a' },
        { project: 'shop', expert: 'a' },
        { project: 'shop', expert: 'b' },
      ],
    );
    assert.equal(book.usage({ ...ALL, filter: { project: ['shop', "x' OR 1=1"] } })[0]!.calls, 2);
    assert.equal(book.usage({ ...ALL, filter: { project: [''] } })[0]!.calls, 1);
    assert.equal(book.usage({ ...ALL, fromMs: NOON + HOUR })[0]!.calls, 0);
    assert.throws(() => book.usage({ ...ALL, groupBy: ['trace' as never] }), { code: 'GW_REQUEST_TYPE' });
    book.close();
  });

  test('while another process holds the file nobody waits for it, and what was spent meanwhile counts', async () => {
    const path = newFile();
    const book = openBook(path);
    const other = new DatabaseSync(path);
    const limits: AccountLimits = { budgets: [{ usd: 5, window: 'day' }] };
    const ledger = createLedger(undefined, book, () => NOON);
    other.exec('BEGIN IMMEDIATE');
    assert.ok(spend(begin(ledger, someone(limits)), 3));
    await ledger.kept();
    assert.match(book.stats.failing ?? '', /lock|busy/);
    // Other limits: what is spent is read from the book again.
    assert.equal(ledger.limitsOf(someone({ budgets: [{ usd: 6, window: 'day' }] }), undefined)[0]!.spent, 3);
    ledger.reconfigure(undefined);
    assert.equal(ledger.limitsOf(someone(limits), undefined)[0]!.spent, 3);
    assert.ok(!spend(begin(ledger, someone(limits)), 2.5), 'what could not be written is spent all the same');
    other.exec('COMMIT');
    other.close();
    assert.equal(book.usage(ALL)[0]!.costUsd, 3);
    assert.equal(book.stats.failing, undefined);
    ledger.close();
  });

  test('a table that cannot be written withholds nothing, says so, and is written when it can be again', async () => {
    const path = newFile();
    const book: Book = openBook(path);
    const { openDatabase } = await import('../stores/database.ts');
    const other = openDatabase(path, ['', '']);
    other.exec('ALTER TABLE calls RENAME TO elsewhere');
    book.open(entry());
    await book.kept();
    assert.match(book.stats.failing ?? '', /no such table/);
    other.exec('ALTER TABLE elsewhere RENAME TO calls');
    other.close();
    book.open(entry());
    await book.kept();
    // Tried again after a pause, or when somebody asks.
    assert.equal(book.usage(ALL)[0]!.calls, 2);
    assert.equal(book.stats.failing, undefined);
    book.close();
  });
});

test('CSV quotes by RFC 4180 and lets no name become a formula', () => {
  const book = openBook();
  const csv = usageCsv(
    [
      {
        group: { project: '=1+1,"x"', expert: null },
        requests: 1,
        calls: 2,
        promptTokens: 3,
        completionTokens: 4,
        cachedTokens: 5,
        reasoningTokens: 6,
        costUsd: 0.1,
        savedUsd: 0,
        lostCalls: 0,
      },
    ],
    ['project', 'expert'],
  );
  assert.equal(csv.split('\r\n')[1], `"'=1+1,""x""",,1,2,3,5,4,6,0.1,0,0`);
  book.close();
});

describe('what a call is reserved for', () => {
  const expert = (more: object = {}): Pick<LiveExpert, 'expert' | 'outputTokens'> =>
    ({
      expert: { id: 'a', price: { inputUsdPerMTok: 1, outputUsdPerMTok: 10 }, ...more },
      outputTokens: undefined,
    }) as never;
  const cases: readonly [string, object, object, 'usual' | 'worst', number][] = [
    ['max_tokens', {}, { max_tokens: 7 }, 'usual', 7],
    ['max_completion_tokens before max_tokens', {}, { max_tokens: 7, max_completion_tokens: 9 }, 'usual', 9],
    ['n answers', {}, { max_tokens: 7, n: 3 }, 'usual', 21],
    ['no more than the expert can say', { maxOutputTokens: 5 }, { max_tokens: 7 }, 'usual', 5],
    ['four usual answers', { outputTokens: 50 }, {}, 'usual', 200],
    [
      'four usual answers, no more than the expert can say',
      { outputTokens: 50, maxOutputTokens: 100 },
      {},
      'usual',
      100,
    ],
    ['256 tokens are usual of a stranger', {}, {}, 'usual', 1024],
    ['the longest answer', { outputTokens: 50, maxOutputTokens: 4096 }, {}, 'worst', 4096],
    ['what the context leaves', { contextTokens: 1_000 }, {}, 'worst', 900],
    ['an assumption', {}, {}, 'worst', 32_768],
  ];
  for (const [name, settings, body, rule, completionTokens] of cases) {
    test(name, () => {
      const reserve = reserveFor(expert(settings), body, 100, rule);
      assert.deepEqual(reserve, {
        promptTokens: 150,
        completionTokens,
        costUsd: (150 * 1 + completionTokens * 10) / 1_000_000,
      });
    });
  }

  test('every token of the dearest kind, where the worst is asked for', () => {
    const price = {
      inputUsdPerMTok: 1,
      outputUsdPerMTok: 10,
      cacheWriteUsdPerMTok: 1.25,
      cacheWrite1hUsdPerMTok: 2,
      cachedInputUsdPerMTok: 0.1,
      reasoningUsdPerMTok: 12,
    };
    assert.equal(dearestUsd({ price }, 1_000_000, 1_000_000), 14);
  });

  test('a mode: as many calls as the composition makes, the dearest, each with its retries', () => {
    const experts = [1, 3, 2].map((output) => ({
      id: `e${output}`,
      price: { inputUsdPerMTok: 0, outputUsdPerMTok: output },
      contextTokens: 1_000_000,
      maxOutputTokens: 1_000_000,
    })) as never;
    const twoCalls = { maxCalls: (ranked: number) => Math.min(2, ranked) };
    assert.deepEqual(
      worstCaseOf(experts, twoCalls, () => 0),
      { calls: 2, costUsd: 5, isAssumed: false },
    );
    assert.deepEqual(
      worstCaseOf(experts, twoCalls, () => 2),
      { calls: 6, costUsd: 15, isAssumed: false },
    );
    const body = { max_tokens: 500_000 };
    assert.equal(worstCaseOf(experts, twoCalls, () => 0, { promptTokens: 10, body }).costUsd, 2.5);
  });
});

test('spans are written as OpenAI writes them', () => {
  assert.deepEqual([0, 12, 999.5, 1_000, 59_001, 60_000, 119_500, 360_000].map(shownSpan), [
    '0s',
    '12ms',
    '1000ms',
    '1s',
    '1m0s',
    '1m0s',
    '2m0s',
    '6m0s',
  ]);
});
