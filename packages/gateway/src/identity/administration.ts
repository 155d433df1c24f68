/**
 * What managers of a gateway may do, each act written to the audit log before it is acknowledged. The admin listener and
 * `gatewright keys` both go through here.
 */
import { join } from 'node:path';
import { GatewrightError, isGatewrightError } from '@gatewright/kernel';
import { type Actor, AUDIT_FILE, type AuditEntry, type AuditLog, memoryAudit, openAudit } from './audit.ts';
import type { KeyFields, KeyRecord } from './key-fields.ts';
import { KEYS_FILE, type KeyStore, type NewKey, openKeys } from './keys.ts';

/** Keys and the log of what was done to them. */
export interface Identity {
  readonly keys: KeyStore;
  readonly audit: AuditLog;
  close(): void;
}

/** Acts of one manager. All throw what the key store throws, and `GW_AUDIT_WRITE`: then nothing was done. */
export interface Administration {
  createKey(fields: KeyFields): NewKey;
  changeKey(id: string, fields: KeyFields): KeyRecord;
  rotateKey(id: string, overlapMs: number): NewKey;
  revokeKey(id: string): KeyRecord;
  deleteKey(id: string): KeyRecord;
  /** Any other act: what it was is written down before it is done, and again if it fails. */
  act<T>(entry: Pick<AuditEntry, 'action' | 'target' | 'before' | 'after'>, work: () => T): T;
}

/** Opens the keys and the audit log of a storage directory. @throws {GatewrightError} `GW_STORE_OPEN` */
export function openIdentity(directory: string, now: () => number = Date.now): Identity {
  const keys = openKeys(join(directory, KEYS_FILE), now);
  return {
    keys,
    audit: openAudit(join(directory, AUDIT_FILE), keys.exclusively, now),
    close: keys.close,
  };
}

/** Keys and audit log in memory. */
export function memoryIdentity(now: () => number = Date.now): Identity {
  const keys = openKeys(':memory:', now);
  return { keys, audit: memoryAudit(now), close: keys.close };
}

/** What somebody may do. Whether they may do it at all was asked before. */
export function administration({ keys, audit }: Identity, actor: Actor): Administration {
  /**
   * Act and entry are one: the entry is on the disk before the transaction is committed. If the commit fails after all, a
   * second entry says so.
   */
  const write = <T>(action: string, target: string | undefined, work: () => T, told: (result: T) => Told): T => {
    let isWritten = false;
    try {
      return keys.exclusively(() => {
        const result = work();
        const { id, before, after } = told(result);
        audit.append({
          actor,
          action,
          target: id,
          ...(before === undefined ? {} : { before }),
          ...(after === undefined ? {} : { after }),
          result: 'ok',
        });
        isWritten = true;
        return result;
      });
    } catch (error) {
      const code = isGatewrightError(error) ? error.code : 'GW_INTERNAL';
      if (code !== 'GW_AUDIT_WRITE')
        audit.append({
          actor,
          action,
          ...(target === undefined ? {} : { target: target.slice(0, 60) }),
          result: isWritten ? 'failed' : 'refused',
          code,
        });
      throw error;
    }
  };

  return {
    createKey: (fields) =>
      write(
        'key.create',
        undefined,
        () => keys.create(fields),
        ({ record }) => ({ id: record.id, after: record }),
      ),
    changeKey(id, fields) {
      let before: KeyRecord | undefined;
      return write(
        'key.change',
        id,
        () => {
          before = keys.show(id);
          return keys.change(id, fields);
        },
        (after) => ({ id, ...difference(before!, after) }),
      );
    },
    rotateKey: (id, overlapMs) =>
      write(
        'key.rotate',
        id,
        () => keys.rotate(id, overlapMs),
        ({ record }) => ({ id, after: { overlapUntil: record.overlapUntil } }),
      ),
    revokeKey: (id) =>
      write(
        'key.revoke',
        id,
        () => keys.revoke(id),
        ({ revokedAt }) => ({ id, after: { revokedAt } }),
      ),
    deleteKey: (id) =>
      write(
        'key.delete',
        id,
        () => keys.delete(id),
        (before) => ({ id, before }),
      ),
    act(entry, work) {
      audit.append({ actor, ...entry, result: 'ok' });
      try {
        return work();
      } catch (error) {
        const code = isGatewrightError(error) ? error.code : 'GW_INTERNAL';
        audit.append({ actor, ...entry, result: 'failed', code });
        throw error;
      }
    },
  };
}

interface Told {
  readonly id: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** The fields that changed, as they were and as they are. */
function difference(before: KeyRecord, after: KeyRecord): Omit<Told, 'id'> {
  const changed = (Object.keys(after) as (keyof KeyRecord)[]).filter(
    (field) => field !== 'lastUsedAt' && JSON.stringify(before[field]) !== JSON.stringify(after[field]),
  );
  const of = (record: KeyRecord): object => Object.fromEntries(changed.map((field) => [field, record[field]]));
  return { before: of(before), after: of(after) };
}

/** A limited number of refused attempts a minute is written down one by one, the rest as one count: a flood fills no disk. */
export interface RefusalLog {
  refused(actor: Actor, action: string, code: string): void;
  /** Writes down the count that waits. */
  flush(): void;
}

const REFUSALS_A_MINUTE = 30;
const MINUTE_MS = 60_000;

/** Never throws: an attempt is refused, whether it can be written down or not. */
export function refusalLog(audit: AuditLog, now: () => number = Date.now): RefusalLog {
  let sinceMs = -Infinity;
  let written = 0;
  let waiting = 0;
  const append = (entry: Omit<AuditEntry, 'at'>): void => {
    try {
      audit.append(entry);
    } catch {
      // The disk is full or busy. What matters was refused all the same.
    }
  };
  const flush = (): void => {
    if (waiting === 0) return;
    const count = waiting;
    waiting = 0;
    append({
      actor: { key: 'unknown', name: 'unknown', from: 'public' },
      action: 'admin.request',
      result: 'refused',
      code: 'GW_MANY',
      count,
    });
  };
  return {
    refused(actor, action, code) {
      const nowMs = now();
      if (nowMs - sinceMs >= MINUTE_MS) {
        flush();
        sinceMs = nowMs;
        written = 0;
      }
      if (written < REFUSALS_A_MINUTE) {
        written++;
        append({ actor, action, result: 'refused', code });
      } else waiting++;
    },
    flush,
  };
}

/** What kind of address that is; the address itself is not kept. */
export function addressClass(address: string | undefined): Actor['from'] {
  const plain = (address ?? '').replace(/^::ffff:/i, '');
  if (plain === '::1' || plain.startsWith('127.')) return 'loopback';
  const isPrivate = /^(?:10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/i;
  return isPrivate.test(plain) ? 'private' : 'public';
}

/** @throws {GatewrightError} `GW_FORBIDDEN` */
export function requireAdmin(roles: readonly string[], name: string): void {
  if (roles.includes('admin')) return;
  throw new GatewrightError(
    'GW_FORBIDDEN',
    `The key ${JSON.stringify(name)} lacks the role that is needed here: admin.`,
    {
      fix: 'Create one with `gatewright keys create --name NAME --role admin`.',
    },
  );
}
