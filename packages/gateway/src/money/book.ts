/**
 * What every call cost, and who pays: one SQLite file. A call that may cost a limited account something stands in it before
 * it is made, so that a kill of the process leaves a row that says so.
 */

import type { DatabaseSync } from 'node:sqlite';
import { GatewrightError } from '@gatewright/kernel';
import { openDatabase } from '../stores/database.ts';

/** Why a call was made. */
export type CallKind = 'call' | 'retry' | 'hedge' | 'judge' | 'probe' | 'embedding' | 'cache';

/** One call. Filled with what was reserved until it is settled. */
export interface CallEntry {
  /** Given by the book. */
  id: number;
  readonly atMs: number;
  readonly key: string;
  readonly project: string | undefined;
  /** Digest of the user's name. */
  readonly user: string | undefined;
  readonly expert: string;
  /** As in the trace: `gw/auto`, `pinned`. */
  readonly mode: string;
  readonly dialect: string;
  readonly kind: CallKind;
  readonly trace: string;
  /** 1 for the first call of a request, so that sums count requests; else 0. */
  readonly requests: number;
  /** `lost`: the process was killed while the call was under way; what was reserved for it counts as spent. */
  status: 'open' | 'ok' | 'error' | 'cancelled' | 'lost';
  promptTokens: number;
  completionTokens: number;
  /** Of the prompt tokens: read from the provider's cache. */
  cachedTokens: number;
  /** Of the completion tokens: thought, not said. */
  reasoningTokens: number;
  costUsd: number;
  /** What it would have cost more without caches. */
  savedUsd: number;
  /** The book's own: it waits to be written. */
  isWaiting?: boolean;
  /** The book's own: it stands in the file, as it was then. */
  isWritten?: boolean;
}

/** Whose spending: one of the columns, or everybody's. */
export type Payer =
  | { readonly kind: 'key' | 'project' | 'user'; readonly id: string }
  | { readonly kind: 'gateway'; readonly id: string };

/** By what usage is summed. */
export const GROUPINGS = [
  'key',
  'user',
  'project',
  'expert',
  'mode',
  'dialect',
  'kind',
  'status',
  'day',
  'hour',
] as const;

/** One of `GROUPINGS`. */
export type Grouping = (typeof GROUPINGS)[number];

/** Which calls are summed and how. */
export interface UsageQuery {
  /** Milliseconds since 1970, inclusive. Hours count whole (days, where the book keeps no hours any more) by their beginning. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  readonly groupBy: readonly Grouping[];
  /** Column -> the values that count. */
  readonly filter: Readonly<Partial<Record<Exclude<Grouping, 'day' | 'hour'>, readonly string[]>>>;
}

/** Sums of one group. */
export interface UsageRow {
  /** Grouping -> value; hours and days as `2026-11-22T05:00:00Z`; null where a call has none. */
  readonly group: Readonly<Partial<Record<Grouping, string | null>>>;
  readonly requests: number;
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly reasoningTokens: number;
  readonly costUsd: number;
  readonly savedUsd: number;
  /** Part of `calls` whose cost is a bound: the process was killed while they were under way. */
  readonly lostCalls: number;
}

/** The file. Nothing here waits: a write takes microseconds, and several of one turn of the event loop are one. */
export interface Book {
  /** Writes a call that is about to be made, and everything that waits. */
  openNow(entry: CallEntry): void;
  /** The same, with the next batch; a call that is still under way then, within `OPEN_WITHIN_MS`. */
  open(entry: CallEntry): void;
  /** Writes the entry as it is by then with the next batch. Call when it is settled. */
  settle(entry: CallEntry): void;
  /** Resolves when all that was settled would survive a kill of the process; undefined where nothing waits. */
  kept(): Promise<void> | undefined;
  /** What a payer has spent since then, USD, by whole hours; by whole days where that is longer ago than calls are kept. */
  spentUsd(payer: Payer, sinceMs: number): number;
  usage(query: UsageQuery): UsageRow[];
  /** The entries of one request, oldest first, while single calls are kept. */
  entriesOf(trace: string): CallEntry[];
  /** Forgets single calls that are older than they are kept, a part at a time, and sums up hours as old by day. */
  fold(nowMs: number): void;
  readonly stats: {
    /** Calls that were under way when the process was killed before this start. */
    readonly lost: number;
    /** Why writing fails at the moment, if it does. */
    readonly failing: string | undefined;
    /** Entries that could not be written and are dropped. */
    readonly dropped: number;
  };
  close(): void;
}

/** What may be set. */
export interface BookOptions {
  /** Single calls and sums by hour are kept so long, then only sums by day. Default 31. */
  readonly keepDays?: number | undefined;
  /** At most so many single calls are kept. Default 1,000,000; in memory 20,000. */
  readonly keepCalls?: number | undefined;
}

const WHO = 'key, project, user, expert, mode, dialect, kind, status';
const AMOUNTS = [
  'requests',
  'prompt_tokens',
  'completion_tokens',
  'cached_tokens',
  'reasoning_tokens',
  'cost_usd',
  'saved_usd',
] as const;
const COLUMNS = `key TEXT NOT NULL, project TEXT NOT NULL, user TEXT NOT NULL, expert TEXT NOT NULL, mode TEXT NOT NULL,
  dialect TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, requests INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, cost_usd REAL NOT NULL,
  saved_usd REAL NOT NULL`;

// `calls` has no index: each would be one more page to write with every call. Sums are read from `sums`, which every
// settled call is added to in the same transaction.
const STEPS = [
  `CREATE TABLE calls (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, trace TEXT NOT NULL, ${COLUMNS});
   CREATE TABLE sums (at INTEGER NOT NULL, span TEXT NOT NULL, calls INTEGER NOT NULL, ${COLUMNS},
     PRIMARY KEY (at, span, ${WHO})) WITHOUT ROWID;
   CREATE INDEX sums_key ON sums (key, at);
   CREATE INDEX sums_project ON sums (project, at) WHERE project <> '';
   CREATE INDEX sums_user ON sums (user, at) WHERE user <> ''`,
];

const ADD_UP = `ON CONFLICT (at, span, ${WHO}) DO UPDATE SET calls = calls + excluded.calls, ${AMOUNTS.map(
  (name) => `${name} = ${name} + excluded.${name}`,
).join(', ')}`;
const SUM_COLUMNS = `at, span, calls, ${WHO}, ${AMOUNTS.join(', ')}`;

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** So many single calls are forgotten at a time: well under a millisecond. */
const FORGOTTEN_AT_ONCE = 512;
/**
 * The log is copied into the file when it is so long, 16 MB: the same few pages are written with every call, and need to be
 * copied once in thousands of calls, not in hundreds.
 */
const CHECKPOINT_PAGES = 4_000;
/**
 * Calls that no budget waits for are written together, so soon after they have begun, and the shortest only when they are
 * settled: a kill leaves no row of those that had just begun.
 */
const OPEN_WITHIN_MS = 20;
/** Another process that writes is waited for so long, and after a failure nothing is tried for so long: the gateway answers meanwhile. */
const BUSY_MS = 100;
const PAUSE_MS = 1_000;
/** In one transaction. */
const MOST_AT_ONCE = 5_000;
/** Above this, what cannot be written is dropped. */
const MOST_WAITING = 50_000;

/**
 * Opens the book. Calls that were under way when the process ended without closing it become `lost`: they count as what
 * was reserved for them.
 *
 * @param path of the file, or `:memory:`
 * @throws {GatewrightError} `GW_STORE_OPEN`
 */
export function openBook(path = ':memory:', options: BookOptions = {}): Book {
  const { keepDays = 31, keepCalls = path === ':memory:' ? 20_000 : 1_000_000 } = options;
  const database = openDatabase(path, STEPS);
  database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA busy_timeout = ${BUSY_MS}`);
  const lost = closeLost(database);
  const insert = database.prepare(
    `INSERT INTO calls (id, at, trace, ${WHO}, ${AMOUNTS.join(', ')}) VALUES (${Array(18).fill('?').join(', ')})`,
  );
  const update = database.prepare(
    `UPDATE calls SET status = ?, ${AMOUNTS.slice(1)
      .map((name) => `${name} = ?`)
      .join(', ')} WHERE id = ?`,
  );
  const addUp = database.prepare(
    `INSERT INTO sums (${SUM_COLUMNS}) VALUES (${Array(18).fill('?').join(', ')}) ${ADD_UP}`,
  );
  const forget = database.prepare("DELETE FROM calls WHERE id < ? AND status <> 'open'");
  const begin = database.prepare('BEGIN');
  const commit = database.prepare('COMMIT');
  const bounds = database.prepare('SELECT min(id) AS oldest, max(id) AS newest FROM calls').get()!;
  let oldestId = Number(bounds['oldest'] ?? 1);
  let nextId = Number(bounds['newest'] ?? 0) + 1;
  /** In the order of their first write; an entry stands here once. */
  let waiting: CallEntry[] = [];
  /** Calls that have begun just now. */
  let begun: CallEntry[] = [];
  let isPaused = false;
  let batch: PromiseWithResolvers<void> | undefined;
  let failing: string | undefined;
  let dropped = 0;
  let isClosed = false;

  const writeEntry = (entry: CallEntry): void => {
    if (entry.isWritten === true) {
      update.run(
        entry.status,
        entry.promptTokens,
        entry.completionTokens,
        entry.cachedTokens,
        entry.reasoningTokens,
        entry.costUsd,
        entry.savedUsd,
        entry.id,
      );
      return;
    }
    insert.run(
      entry.id,
      entry.atMs,
      entry.trace,
      entry.key,
      entry.project ?? '',
      entry.user ?? '',
      entry.expert,
      entry.mode,
      entry.dialect,
      entry.kind,
      entry.status,
      ...amountsOf(entry),
    );
  };

  /** The settled ones of a batch in the sums of their hours: one row for those that differ in nothing. */
  const writeSums = (entries: readonly CallEntry[]): void => {
    const rows = new Map<string, (string | number)[]>();
    for (const entry of entries) {
      if (entry.status === 'open') continue;
      const who = [
        entry.atMs - (entry.atMs % HOUR_MS),
        'hour',
        1,
        entry.key,
        entry.project ?? '',
        entry.user ?? '',
        entry.expert,
        entry.mode,
        entry.dialect,
        entry.kind,
        entry.status,
      ];
      const amounts = amountsOf(entry);
      const name = entries.length === 1 ? '' : JSON.stringify(who);
      const row = rows.get(name);
      if (row === undefined) rows.set(name, [...who, ...amounts]);
      else {
        row[2] = (row[2] as number) + 1;
        for (let i = 0; i < amounts.length; i++) row[who.length + i] = (row[who.length + i] as number) + amounts[i]!;
      }
    }
    for (const row of rows.values()) addUp.run(...row);
  };

  const flush = (): void => {
    if (isPaused) return;
    while (
      waiting.length > 0 &&
      writeBatch(waiting.length > MOST_AT_ONCE ? waiting.slice(0, MOST_AT_ONCE) : waiting)
    ) {}
  };

  /** @returns false if it could not be written */
  const writeBatch = (written: CallEntry[]): boolean => {
    try {
      // A single row is a transaction of its own.
      const isAlone = written.length === 1 && written[0]!.status === 'open';
      if (!isAlone) begin.run();
      for (const entry of written) writeEntry(entry);
      writeSums(written);
      if (!isAlone) commit.run();
      waiting = written === waiting ? [] : waiting.slice(written.length);
      for (const entry of written) {
        entry.isWaiting = false;
        entry.isWritten = true;
      }
      failing = undefined;
      return true;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      failing = error instanceof Error ? error.message : String(error);
      if (waiting.length > MOST_WAITING) {
        // Kept in mind by the limits; gone from the usage.
        const gone = waiting.splice(0, waiting.length - MOST_WAITING);
        for (const entry of gone) entry.isWaiting = false;
        dropped += gone.length;
      }
      isPaused = true;
      setTimeout(goOn, PAUSE_MS).unref();
      return false;
    }
  };
  const goOn = (): void => {
    isPaused = false;
    if (!isClosed) flush();
  };

  /** Everything that can be known of, at once. */
  const flushAll = (): void => {
    const all = begun;
    begun = [];
    for (const entry of all) if (entry.status === 'open' && entry.isWritten !== true) add(entry);
    isPaused = false;
    flush();
  };

  const later = (): void => {
    if (batch !== undefined) return;
    batch = Promise.withResolvers<void>();
    const write = (): void => {
      const done = batch!;
      batch = undefined;
      if (!isClosed) flush();
      // A disk that fails withholds no answer: the entries wait, and the stats say so.
      done.resolve();
    };
    setImmediate(write);
  };
  const add = (entry: CallEntry): void => {
    if (entry.isWaiting === true) return;
    entry.isWaiting = true;
    waiting.push(entry);
  };

  const book: Book = {
    openNow(entry) {
      entry.id = nextId++;
      add(entry);
      flush();
    },
    open(entry) {
      entry.id = nextId++;
      if (entry.status !== 'open') {
        add(entry);
        later();
        return;
      }
      begun.push(entry);
      if (begun.length === 1)
        setTimeout(() => {
          if (!isClosed) flushAll();
        }, OPEN_WITHIN_MS);
    },
    settle(entry) {
      add(entry);
      later();
      if (nextId - oldestId > keepCalls + FORGOTTEN_AT_ONCE) forgetTo(oldestId + FORGOTTEN_AT_ONCE);
    },
    kept: () => (waiting.length === 0 ? undefined : batch?.promise),
    spentUsd(payer, sinceMs) {
      flushAll();
      const all = 'SELECT total(cost_usd) AS usd FROM sums WHERE at >= ?';
      // The second condition lets the partial indexes be used.
      const row =
        payer.kind === 'gateway'
          ? database.prepare(all).get(sinceMs)
          : database.prepare(`${all} AND ${payer.kind} = ? AND ${payer.kind} <> ''`).get(sinceMs, payer.id);
      let usd = Number(row!['usd']);
      // What could not be written is spent all the same.
      for (const entry of waiting)
        if (entry.status !== 'open' && entry.atMs >= sinceMs && isPaidBy(entry, payer)) usd += entry.costUsd;
      return usd;
    },
    usage(query) {
      flushAll();
      return usageRows(query, (sql, values) => database.prepare(sql).all(...values));
    },
    entriesOf(trace) {
      flushAll();
      return database.prepare('SELECT * FROM calls WHERE trace = ? ORDER BY id').all(trace).map(entryOf);
    },
    fold(nowMs) {
      flushAll();
      const newestOld = database
        .prepare('SELECT max(id) AS id FROM (SELECT id, at FROM calls ORDER BY id LIMIT ?) WHERE at < ?')
        .get(10 * FORGOTTEN_AT_ONCE, nowMs - keepDays * DAY_MS)!['id'];
      if (newestOld !== null) forgetTo(Number(newestOld) + 1);
      foldSums(database, nowMs - keepDays * DAY_MS);
    },
    stats: {
      lost,
      get failing() {
        return failing;
      },
      get dropped() {
        return dropped;
      },
    },
    close() {
      flushAll();
      batch?.resolve();
      isClosed = true;
      database.close();
    },
  };
  return book;

  /** Forgets the single calls with an id below; the sums have them. One that is still open stays. */
  function forgetTo(id: number): void {
    flush();
    try {
      forget.run(id);
      oldestId = id;
    } catch (error) {
      failing = error instanceof Error ? error.message : String(error);
    }
  }
}

function isPaidBy(entry: CallEntry, { kind, id }: Payer): boolean {
  return kind === 'gateway' || (entry[kind] === id && id !== '');
}

/** Books what was under way at the end of the process before: as what was reserved for it. */
function closeLost(database: DatabaseSync): number {
  const oldest = database.prepare("SELECT min(id) AS id FROM calls WHERE status = 'open'").get()!['id'];
  if (oldest === null || oldest === undefined) return 0;
  const from = Number(oldest);
  return transaction(database, () => {
    database
      .prepare(
        `INSERT INTO sums (${SUM_COLUMNS})
         SELECT at - at % ${HOUR_MS}, 'hour', count(*), ${WHO.replace('status', "'lost'")},
           ${AMOUNTS.map((name) => `sum(${name})`).join(', ')}
         FROM calls WHERE id >= ? AND status = 'open' GROUP BY 1, ${WHO} ${ADD_UP}`,
      )
      .run(from);
    return Number(
      database.prepare("UPDATE calls SET status = 'lost' WHERE id >= ? AND status = 'open'").run(from).changes,
    );
  });
}

/** Sums by hour of the oldest day that is over before then become sums by day: one day at a time, so that nobody waits long. */
function foldSums(database: DatabaseSync, beforeMs: number): void {
  const oldest = database
    .prepare("SELECT min(at) AS at FROM sums WHERE at < ? AND span = 'hour'")
    .get(beforeMs - (beforeMs % DAY_MS))!['at'];
  if (oldest === null) return;
  const dayMs = Number(oldest) - (Number(oldest) % DAY_MS);
  const isThatDay = `at >= ${dayMs} AND at < ${dayMs + DAY_MS} AND span = 'hour'`;
  transaction(database, () => {
    database
      .prepare(
        `INSERT INTO sums (${SUM_COLUMNS})
         SELECT ${dayMs}, 'day', sum(calls), ${WHO}, ${AMOUNTS.map((name) => `sum(${name})`).join(', ')}
         FROM sums WHERE ${isThatDay} GROUP BY ${WHO} ${ADD_UP}`,
      )
      .run();
    database.exec(`DELETE FROM sums WHERE ${isThatDay}`);
  });
}

function transaction<T>(database: DatabaseSync, run: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = run();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/**
 * Sums out of the file of a gateway that may be running.
 *
 * @throws {GatewrightError} `GW_STORE_OPEN`
 */
export function readUsage(path: string, query: UsageQuery): UsageRow[] {
  const database = openDatabase(path, STEPS);
  try {
    return usageRows(query, (sql, values) => database.prepare(sql).all(...values));
  } finally {
    database.close();
  }
}

/** What a grouping is in SQL. The names are ours: nothing that a client wrote is put into a statement. */
const EXPRESSION: Readonly<Record<Grouping, string>> = {
  key: 'key',
  user: 'user',
  project: 'project',
  expert: 'expert',
  mode: 'mode',
  dialect: 'dialect',
  kind: 'kind',
  status: 'status',
  day: `at - at % ${DAY_MS}`,
  hour: `at - at % ${HOUR_MS}`,
};

function usageRows(
  { fromMs, toMs, groupBy, filter }: UsageQuery,
  all: (sql: string, values: (string | number)[]) => Record<string, unknown>[],
): UsageRow[] {
  for (const grouping of groupBy)
    if (!GROUPINGS.includes(grouping))
      throw new GatewrightError('GW_REQUEST_TYPE', `Usage cannot be grouped by ${JSON.stringify(grouping)}.`, {
        path: 'group_by',
        fix: `Known: ${GROUPINGS.join(', ')}.`,
      });
  const conditions = ['at >= ?', 'at < ?'];
  const values: (string | number)[] = [fromMs, toMs];
  for (const [column, wanted] of Object.entries(filter)) {
    if (wanted === undefined) continue;
    conditions.push(`${EXPRESSION[column as Grouping]} IN (${wanted.map(() => '?').join(', ')})`);
    values.push(...wanted);
  }
  const where = conditions.join(' AND ');
  const groups = groupBy.map((grouping, place) => `${EXPRESSION[grouping]} AS g${place}`);
  const sql = `SELECT ${[...groups, 'total(calls) AS calls', "total(CASE WHEN status = 'lost' THEN calls ELSE 0 END) AS lost"].join(', ')},
      ${AMOUNTS.map((name) => `total(${name}) AS ${name}`).join(', ')}
    FROM sums WHERE ${where}
    ${groupBy.length === 0 ? '' : `GROUP BY ${groupBy.map((_, place) => `g${place}`).join(', ')} ORDER BY ${groupBy.map((_, place) => `g${place}`).join(', ')}`}`;
  return all(sql, values).map((row) => ({
    group: Object.fromEntries(groupBy.map((grouping, place) => [grouping, shownGroup(grouping, row[`g${place}`])])),
    requests: Number(row['requests']),
    calls: Number(row['calls']),
    promptTokens: Number(row['prompt_tokens']),
    completionTokens: Number(row['completion_tokens']),
    cachedTokens: Number(row['cached_tokens']),
    reasoningTokens: Number(row['reasoning_tokens']),
    costUsd: Number(row['cost_usd']),
    savedUsd: Number(row['saved_usd']),
    lostCalls: Number(row['lost']),
  }));
}

function shownGroup(grouping: Grouping, value: unknown): string | null {
  if (grouping === 'day' || grouping === 'hour') return new Date(Number(value)).toISOString().replace('.000Z', 'Z');
  return value === '' ? null : String(value);
}

/** In the order of `AMOUNTS`. */
function amountsOf(entry: CallEntry): number[] {
  return [
    entry.requests,
    entry.promptTokens,
    entry.completionTokens,
    entry.cachedTokens,
    entry.reasoningTokens,
    entry.costUsd,
    entry.savedUsd,
  ];
}

function entryOf(row: Record<string, unknown>): CallEntry {
  const text = (name: string): string | undefined => (row[name] === '' ? undefined : String(row[name]));
  return {
    id: Number(row['id']),
    atMs: Number(row['at']),
    key: String(row['key']),
    project: text('project'),
    user: text('user'),
    expert: String(row['expert']),
    mode: String(row['mode']),
    dialect: String(row['dialect']),
    kind: row['kind'] as CallKind,
    trace: String(row['trace']),
    requests: Number(row['requests']),
    status: row['status'] as CallEntry['status'],
    promptTokens: Number(row['prompt_tokens']),
    completionTokens: Number(row['completion_tokens']),
    cachedTokens: Number(row['cached_tokens']),
    reasoningTokens: Number(row['reasoning_tokens']),
    costUsd: Number(row['cost_usd']),
    savedUsd: Number(row['saved_usd']),
  };
}
