/** SQLite files of the gateway: keys, money, kept answers. One file each, so that one that is damaged harms no other. */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { GatewrightError } from '@gatewright/kernel';

/**
 * Opens a database and brings its tables up to date.
 *
 * What a statement has written survives a kill of the process: the log is written ahead, and synced at checkpoints. Other
 * processes may read and write the same file. Nobody else on the machine may: what people wrote and what it cost is theirs.
 *
 * @param path of the file, or `:memory:`
 * @param steps SQL that makes the tables, oldest first; a step that has run is never changed, new ones come behind
 * @throws {GatewrightError} `GW_STORE_OPEN` if the file cannot be opened, is damaged, or is newer than this program
 */
export function openDatabase(path: string, steps: readonly string[]): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (path !== ':memory:') reservePrivately(path);
    database = new DatabaseSync(path, { timeout: 5_000 });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
    database.exec('BEGIN IMMEDIATE');
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > steps.length)
      throw new GatewrightError('GW_STORE_OPEN', `${path} has format ${version}, this program knows ${steps.length}.`, {
        fix: 'Use the newer program, or another storage.directory.',
      });
    for (const step of steps.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${steps.length}`);
    database.exec('COMMIT');
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof GatewrightError) throw error;
    throw new GatewrightError(
      'GW_STORE_OPEN',
      `${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}.`,
      { fix: 'Check the folder and its rights; move the file away to begin anew.', cause: error },
    );
  }
}

/** Makes the file before SQLite does, or narrows one of an earlier version; the files that SQLite puts beside it take its rights. */
function reservePrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  for (const end of ['', '-wal', '-shm']) {
    try {
      chmodSync(path + end, 0o600);
    } catch {
      // Not there, or another user's who lets us write: then its rights are that user's business.
    }
  }
}
