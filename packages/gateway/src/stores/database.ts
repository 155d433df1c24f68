/** SQLite files of the gateway: keys, money, kept answers. One file each, so that one that is damaged harms no other. */
import { DatabaseSync } from 'node:sqlite';
import { GatewrightError } from '@gatewright/kernel';

/**
 * Opens a database and brings its tables up to date.
 *
 * What a statement has written survives a kill of the process: the log is written ahead, and synced at checkpoints. Other
 * processes may read and write the same file.
 *
 * @param path of the file, or `:memory:`
 * @param steps SQL that makes the tables, oldest first; a step that has run is never changed, new ones come behind
 * @throws {GatewrightError} `GW_STORE_OPEN` if the file cannot be opened, is damaged, or is newer than this program
 */
export function openDatabase(path: string, steps: readonly string[]): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
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
