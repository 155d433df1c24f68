/**
 * Virtual keys, kept as hashes. Whoever reads the file learns who has keys and what they may do, never a key.
 *
 * Every request asks the database: one prepared SELECT is a few microseconds, and a revocation by another process on the
 * same file counts from the next request on.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { GatewrightError, isGatewrightError } from '@gatewright/kernel';
import type { KeyRequirements } from '../requirements.ts';
import { openDatabase } from '../stores/database.ts';
import { checkKeyFields, type KeyFields, type KeyRecord, wrong } from './key-fields.ts';
import { digestOf, keyIdIn, newKeyId, newKeyText } from './key-text.ts';
import type { AccountLimits, Principal, Role, Scope } from './principal.ts';

/** A key that was made just now. */
export interface NewKey {
  readonly record: KeyRecord;
  /** The key itself. This is the one time that it is there. */
  readonly key: string;
}

/** What a look-up finds. */
export type FoundKey =
  | { readonly state: 'unknown' }
  | { readonly state: 'expired' | 'revoked' | 'rotated'; readonly id: string; readonly atMs: number }
  | { readonly state: 'active'; readonly principal: Principal };

/** Keeps virtual keys. All but `find` are for whoever manages keys. */
export interface KeyStore {
  /** True while there is any key, also a revoked or expired one: a gateway does not open because its last key ended. */
  /** Whether there is a key. The first one that another process makes is seen within 20 ms. */
  hasAny(): boolean;
  /** Whether there is a key of that role that works. */
  hasRole(role: Role): boolean;
  /** Who a key belongs to. @throws {GatewrightError} `GW_KEYS_UNAVAILABLE`: then nobody gets in */
  find(text: string): FoundKey;
  /** @throws {GatewrightError} `GW_KEY_FIELD` */
  create(fields: KeyFields): NewKey;
  /** Newest first. */
  list(): KeyRecord[];
  /** @throws {GatewrightError} `GW_KEY_UNKNOWN` */
  show(id: string): KeyRecord;
  /** Changes the fields that are named. @throws {GatewrightError} `GW_KEY_UNKNOWN`, `GW_KEY_FIELD`, `GW_KEY_ENDED` */
  change(id: string, fields: KeyFields): KeyRecord;
  /**
   * A new key under the same id. The one before works for `overlapMs` more, those before it no longer.
   * @throws {GatewrightError} `GW_KEY_UNKNOWN`, `GW_KEY_ENDED`
   */
  rotate(id: string, overlapMs: number): NewKey;
  /** Ends a key for good, at once, in every process. Twice is as good as once. @throws {GatewrightError} `GW_KEY_UNKNOWN` */
  revoke(id: string): KeyRecord;
  /** Forgets a key: from then on it is unknown. @throws {GatewrightError} `GW_KEY_UNKNOWN` */
  delete(id: string): KeyRecord;
  /**
   * Runs work while no other process may write, and undoes its changes if it throws. May be nested.
   * @throws what the work throws; {GatewrightError} `GW_KEYS_UNAVAILABLE`
   */
  exclusively<T>(work: () => T): T;
  /** Writes down when keys were used last. Never throws: what cannot be written waits. */
  flush(): void;
  close(): void;
}

/** The file in the storage directory. */
export const KEYS_FILE = 'keys.sqlite';
/** Longest time that two keys of one id work. */
export const LONGEST_OVERLAP_MS = 30 * 86_400_000;

/** When a key was used last may be so much behind. */
const FLUSH_EVERY_MS = 5_000;
/** Principals that are kept ready-made, by digest. The database still says of each request whether the key works. */
const MOST_CACHED = 10_000;
/** A gateway without keys looks again after so long whether another process has made one: each look takes locks of the file. */
const NONE_MS = 20;
/** Earlier keys of one id that are remembered, so that whoever sends one is told that it was rotated. */
const MOST_SECRETS = 10;

const STEPS = [
  `CREATE TABLE keys (
     id TEXT PRIMARY KEY, name TEXT NOT NULL, project TEXT, user TEXT, roles TEXT NOT NULL, scopes TEXT, models TEXT,
     limits TEXT NOT NULL, metadata TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER, used_ms INTEGER,
     revoked_ms INTEGER, revision INTEGER NOT NULL DEFAULT 1
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE secrets (
     digest TEXT PRIMARY KEY, key TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE, created_ms INTEGER NOT NULL, ends_ms INTEGER
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX secrets_of_key ON secrets (key);`,
  'ALTER TABLE keys ADD COLUMN requires TEXT',
];

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly project: string | null;
  readonly user: string | null;
  readonly roles: string;
  readonly scopes: string | null;
  readonly models: string | null;
  readonly limits: string;
  readonly requires: string | null;
  readonly metadata: string;
  readonly created_ms: number;
  readonly expires_ms: number | null;
  readonly used_ms: number | null;
  readonly revoked_ms: number | null;
}

interface FoundRow {
  readonly id: string;
  readonly revision: number;
  readonly expires_ms: number | null;
  readonly revoked_ms: number | null;
  readonly ends_ms: number | null;
}

/**
 * Opens the keys.
 *
 * @param path of the file, or `:memory:`
 * @param now milliseconds since 1970
 * @throws {GatewrightError} `GW_STORE_OPEN`
 */
export function openKeys(path: string, now: () => number = Date.now): KeyStore {
  const database = openDatabase(path, STEPS);
  const statements = prepare(database);
  const cache = new Map<string, { readonly revision: number; readonly principal: Principal }>();
  const used = new Map<string, number>();
  let depth = 0;
  /** When the file was last seen without keys. */
  let noneFromMs = Number.NaN;
  const flushing = setInterval(() => store.flush(), FLUSH_EVERY_MS);
  flushing.unref();

  const rowOf = (id: string): KeyRow => {
    const row = statements.show.get(id) as KeyRow | undefined;
    if (row !== undefined) return row;
    throw new GatewrightError('GW_KEY_UNKNOWN', `There is no key ${JSON.stringify(id.slice(0, 60))}.`, {
      fix: 'Ids begin with vk_; `gatewright keys list` shows them.',
    });
  };
  const recordOf = (row: KeyRow): KeyRecord => toRecord(row, statements.overlap.get(row.id, now()), used, now());
  const unended = (id: string): KeyRow => {
    const row = rowOf(id);
    if (row.revoked_ms === null) return row;
    throw new GatewrightError('GW_KEY_ENDED', `The key ${id} was revoked at ${iso(row.revoked_ms)}.`, {
      fix: 'A revoked key stays revoked: create another one.',
    });
  };
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw isGatewrightError(error) ? error : unavailable(error);
    }
  };
  const addSecret = (id: string): string => {
    const key = newKeyText(id);
    statements.addSecret.run(digestOf(key), id, now());
    return key;
  };

  const store: KeyStore = {
    hasAny() {
      const atMs = now();
      if (atMs >= noneFromMs && atMs < noneFromMs + NONE_MS) return false;
      if (guarded(() => statements.any.get() !== undefined)) return true;
      noneFromMs = atMs;
      return false;
    },
    hasRole: (role) =>
      guarded(() =>
        (statements.roles.all(now()) as { roles: string }[]).some(({ roles }) =>
          (JSON.parse(roles) as Role[]).includes(role),
        ),
      ),
    find: (text) =>
      guarded(() => {
        if (keyIdIn(text) === undefined) return UNKNOWN;
        // The digest is looked for, not the key: how long that takes tells nothing about a key.
        const digest = digestOf(text);
        const row = statements.find.get(digest) as FoundRow | undefined;
        if (row === undefined) return UNKNOWN;
        const { id, revision, revoked_ms, expires_ms, ends_ms } = row;
        const nowMs = now();
        if (revoked_ms !== null) return { state: 'revoked', id, atMs: revoked_ms };
        if (expires_ms !== null && expires_ms <= nowMs) return { state: 'expired', id, atMs: expires_ms };
        if (ends_ms !== null && ends_ms <= nowMs) return { state: 'rotated', id, atMs: ends_ms };
        used.set(id, nowMs);
        const known = cache.get(digest);
        if (known?.revision === revision) return { state: 'active', principal: known.principal };
        const principal = toPrincipal(rowOf(id), digest);
        if (cache.size >= MOST_CACHED) cache.delete(cache.keys().next().value!);
        cache.set(digest, { revision, principal });
        return { state: 'active', principal };
      }),
    create: (fields) =>
      store.exclusively(() => {
        checkKeyFields(fields);
        const { name, project = null, user = null, roles = ['use'], scopes = null, models = null } = fields;
        if (name === undefined) throw wrong('name', 'it has no name', 'Say what the key is for: "name": "...".');
        const id = newKeyId();
        noneFromMs = Number.NaN;
        statements.add.run(
          id,
          name,
          project,
          user,
          JSON.stringify(roles),
          json(scopes),
          json(models),
          JSON.stringify(fields.limits ?? {}),
          JSON.stringify(fields.metadata ?? {}),
          now(),
          expiryOf(fields.expiresAt, now()),
          json(fields.requires ?? null),
        );
        const key = addSecret(id);
        return { record: recordOf(rowOf(id)), key };
      }),
    list: () => guarded(() => (statements.list.all() as unknown as KeyRow[]).map(recordOf)),
    show: (id) => guarded(() => recordOf(rowOf(id))),
    change: (id, fields) =>
      store.exclusively(() => {
        checkKeyFields(fields);
        const row = unended(id);
        const changed: SQLInputValue[] = [
          fields.name ?? row.name,
          fields.project === undefined ? row.project : fields.project,
          fields.user === undefined ? row.user : fields.user,
          fields.roles === undefined ? row.roles : JSON.stringify(fields.roles),
          fields.scopes === undefined ? row.scopes : json(fields.scopes),
          fields.models === undefined ? row.models : json(fields.models),
          fields.limits === undefined ? row.limits : JSON.stringify(fields.limits),
          fields.metadata === undefined ? row.metadata : JSON.stringify(fields.metadata),
          fields.expiresAt === undefined ? row.expires_ms : expiryOf(fields.expiresAt, now()),
          fields.requires === undefined ? row.requires : json(fields.requires),
        ];
        statements.change.run(...changed, id);
        return recordOf(rowOf(id));
      }),
    rotate: (id, overlapMs) =>
      store.exclusively(() => {
        if (!(overlapMs >= 0 && overlapMs <= LONGEST_OVERLAP_MS))
          throw wrong('overlapMs', `overlapMs is ${overlapMs}`, `Use 0 to ${LONGEST_OVERLAP_MS} (30 days).`);
        unended(id);
        const atMs = now();
        // What a rotation before this one left working ends here: two keys of one id at a time, no more.
        statements.endSecrets.run(atMs, id, atMs);
        statements.endSecret.run(Math.round(atMs + overlapMs), id);
        const key = addSecret(id);
        statements.forget.run(id, id, MOST_SECRETS);
        return { record: recordOf(rowOf(id)), key };
      }),
    revoke: (id) =>
      store.exclusively(() => {
        rowOf(id);
        statements.revoke.run(now(), id);
        return recordOf(rowOf(id));
      }),
    delete: (id) =>
      store.exclusively(() => {
        const record = recordOf(rowOf(id));
        statements.remove.run(id);
        used.delete(id);
        return record;
      }),
    exclusively(work) {
      if (depth > 0) return work();
      guarded(() => database.exec('BEGIN IMMEDIATE'));
      depth++;
      try {
        const result = work();
        database.exec('COMMIT');
        return result;
      } catch (error) {
        // A commit that failed for want of space has rolled back by itself.
        if (database.isTransaction) database.exec('ROLLBACK');
        throw isGatewrightError(error) ? error : unavailable(error);
      } finally {
        depth--;
      }
    },
    flush() {
      if (used.size === 0 || depth > 0) return;
      try {
        store.exclusively(() => {
          for (const [id, atMs] of used) statements.used.run(atMs, id, atMs);
        });
        used.clear();
      } catch {
        // Busy or full: the times are kept, one for each key, and written the next time.
      }
    },
    close() {
      clearInterval(flushing);
      if (!database.isOpen) return;
      store.flush();
      database.close();
    },
  };
  return store;
}

const UNKNOWN: FoundKey = { state: 'unknown' };

function prepare(database: DatabaseSync) {
  return {
    any: database.prepare('SELECT 1 FROM keys LIMIT 1'),
    roles: database.prepare(
      'SELECT DISTINCT roles FROM keys WHERE revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?)',
    ),
    find: database.prepare(
      `SELECT k.id, k.revision, k.expires_ms, k.revoked_ms, s.ends_ms
       FROM secrets s JOIN keys k ON k.id = s.key WHERE s.digest = ?`,
    ),
    show: database.prepare('SELECT * FROM keys WHERE id = ?'),
    list: database.prepare('SELECT * FROM keys ORDER BY created_ms DESC, id'),
    overlap: database.prepare('SELECT max(ends_ms) AS ends FROM secrets WHERE key = ? AND ends_ms > ?'),
    add: database.prepare(
      `INSERT INTO keys (id, name, project, user, roles, scopes, models, limits, metadata, created_ms, expires_ms, requires)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    change: database.prepare(
      `UPDATE keys SET name = ?, project = ?, user = ?, roles = ?, scopes = ?, models = ?, limits = ?, metadata = ?,
       expires_ms = ?, requires = ?, revision = revision + 1 WHERE id = ?`,
    ),
    addSecret: database.prepare('INSERT INTO secrets (digest, key, created_ms) VALUES (?, ?, ?)'),
    endSecrets: database.prepare('UPDATE secrets SET ends_ms = ? WHERE key = ? AND ends_ms > ?'),
    endSecret: database.prepare('UPDATE secrets SET ends_ms = ? WHERE key = ? AND ends_ms IS NULL'),
    forget: database.prepare(
      `DELETE FROM secrets WHERE key = ? AND ends_ms IS NOT NULL AND digest NOT IN
       (SELECT digest FROM secrets WHERE key = ? ORDER BY ends_ms IS NOT NULL, ends_ms DESC, created_ms DESC LIMIT ?)`,
    ),
    revoke: database.prepare('UPDATE keys SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL'),
    remove: database.prepare('DELETE FROM keys WHERE id = ?'),
    used: database.prepare('UPDATE keys SET used_ms = ? WHERE id = ? AND (used_ms IS NULL OR used_ms < ?)'),
  };
}

function toPrincipal(row: KeyRow, keyDigest: string): Principal {
  return {
    keyId: row.id,
    name: row.name,
    keyDigest,
    project: row.project ?? undefined,
    user: row.user ?? undefined,
    roles: JSON.parse(row.roles) as Role[],
    models: row.models === null ? undefined : (JSON.parse(row.models) as string[]),
    scopes: row.scopes === null ? undefined : (JSON.parse(row.scopes) as Scope[]),
    limits: JSON.parse(row.limits) as AccountLimits,
    ...(row.requires === null ? {} : { requires: JSON.parse(row.requires) as KeyRequirements }),
  };
}

function toRecord(row: KeyRow, overlap: unknown, used: ReadonlyMap<string, number>, nowMs: number): KeyRecord {
  const overlapMs = (overlap as { ends: number | null } | undefined)?.ends ?? null;
  const usedMs = Math.max(row.used_ms ?? 0, used.get(row.id) ?? 0);
  const isExpired = row.expires_ms !== null && row.expires_ms <= nowMs;
  return {
    id: row.id,
    name: row.name,
    project: row.project,
    user: row.user,
    roles: JSON.parse(row.roles) as Role[],
    scopes: row.scopes === null ? null : (JSON.parse(row.scopes) as Scope[]),
    models: row.models === null ? null : (JSON.parse(row.models) as string[]),
    limits: JSON.parse(row.limits) as AccountLimits,
    requires: row.requires === null ? null : (JSON.parse(row.requires) as KeyRequirements),
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    createdAt: iso(row.created_ms),
    expiresAt: row.expires_ms === null ? null : iso(row.expires_ms),
    lastUsedAt: usedMs === 0 ? null : iso(usedMs),
    revokedAt: row.revoked_ms === null ? null : iso(row.revoked_ms),
    overlapUntil: overlapMs === null ? null : iso(overlapMs),
    state: row.revoked_ms !== null ? 'revoked' : isExpired ? 'expired' : 'active',
  };
}

function expiryOf(text: string | null | undefined, nowMs: number): number | null {
  if (text === null || text === undefined) return null;
  const atMs = Date.parse(text);
  if (atMs <= nowMs) throw wrong('expiresAt', `expiresAt ${text} is over`, 'Name a time to come; or revoke the key.');
  return atMs;
}

function json(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}

function unavailable(cause: unknown): GatewrightError {
  return new GatewrightError(
    'GW_KEYS_UNAVAILABLE',
    `The keys cannot be read or written: ${cause instanceof Error ? cause.message : String(cause)}.`,
    { fix: 'Check the disk and the rights of keys.sqlite in storage.directory; until then nobody is let in.', cause },
  );
}
