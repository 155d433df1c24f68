/** Answers of the Responses API that a later request may refer to: one row a turn, each of its own key. */
import { GatewrightError, OptionError, onlyOptions } from '@gatewright/kernel';
import { openDatabase } from './database.ts';

/** One turn: what the request added to the conversation, and the answer. */
export interface KeptResponse {
  /** `resp_...` */
  readonly id: string;
  /** Whose it is: nobody else finds it. */
  readonly owner: string;
  /** When it was answered, milliseconds since 1970. */
  readonly atMs: number;
  /** The turn before. */
  readonly previousId: string | undefined;
  /** The Response without its output, JSON text. */
  readonly response: string;
  /** Items of the request alone, without those of the turns before: a JSON list. */
  readonly input: string;
  /** Items of the answer, a JSON list. */
  readonly output: string;
}

/** Keeps turns within bounds; the oldest go first. */
export interface ResponseStore {
  /**
   * Keeps a turn.
   *
   * @throws {GatewrightError} `GW_STORE_WRITE` if it is larger than everything that may be kept, or cannot be written
   */
  add(response: KeptResponse): void;
  /** A turn of that owner; undefined where there is none, it is another's, or it has grown too old. */
  find(owner: string, id: string): KeptResponse | undefined;
  /** Deletes a turn. @returns false where `find` would find nothing */
  remove(owner: string, id: string): boolean;
  stats(): { readonly responses: number; readonly bytes: number };
  close(): void;
}

/** How much is kept. */
export interface ResponseBounds {
  /** Turns. */
  readonly most?: number;
  /** Bytes of JSON text in all. */
  readonly keepBytes?: number;
  /** Age in milliseconds at which a turn is no more there. Default 30 days. */
  readonly keepMs?: number;
  /** Milliseconds since 1970. Default the clock. */
  readonly now?: () => number;
}

const THIRTY_DAYS_MS = 30 * 86_400_000;
/** Old turns are looked for this often, when something is added. */
const SWEEP_EVERY_MS = 600_000;

const STEPS = [
  `CREATE TABLE response (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     owner TEXT NOT NULL,
     at_ms INTEGER NOT NULL,
     previous_id TEXT,
     response TEXT NOT NULL,
     input TEXT NOT NULL,
     output TEXT NOT NULL,
     bytes INTEGER NOT NULL
   ) STRICT`,
];

/** A store that forgets everything when the process ends. Default: 1,000 turns, 64 MiB. */
export function memoryResponses(bounds: ResponseBounds = {}): ResponseStore {
  const { most, keepBytes, keepMs, now } = checked(bounds, 1_000, 67_108_864);
  const kept = new Map<string, KeptResponse>();
  let bytes = 0;
  const drop = (response: KeptResponse): void => {
    kept.delete(response.id);
    bytes -= bytesOf(response);
  };
  const find = (owner: string, id: string): KeptResponse | undefined => {
    const found = kept.get(id);
    return found === undefined || found.owner !== owner || found.atMs < now() - keepMs ? undefined : found;
  };
  return {
    add(response) {
      const more = bytesOf(response);
      if (more > keepBytes) throw tooLarge(more, keepBytes);
      kept.set(response.id, response);
      bytes += more;
      for (const oldest of kept.values()) {
        if (kept.size <= most && bytes <= keepBytes && oldest.atMs >= now() - keepMs) break;
        drop(oldest);
      }
    },
    find,
    remove(owner, id) {
      const found = find(owner, id);
      if (found !== undefined) drop(found);
      return found !== undefined;
    },
    stats: () => ({ responses: kept.size, bytes }),
    close() {
      kept.clear();
      bytes = 0;
    },
  };
}

/**
 * A store in a SQLite file, readable by its owner alone. Default: 100,000 turns, 1 GiB. What is deleted is overwritten in
 * the file; the log beside it holds it until the next checkpoint.
 *
 * @param path of the file, in a folder that is made if it is missing
 * @throws {GatewrightError} `GW_STORE_OPEN`
 */
export function fileResponses(path: string, bounds: ResponseBounds = {}): ResponseStore {
  const { most, keepBytes, keepMs, now } = checked(bounds, 100_000, 1_073_741_824);
  const database = openDatabase(path, STEPS);
  database.exec('PRAGMA secure_delete = ON');
  const insert = database.prepare(
    'INSERT INTO response (id, owner, at_ms, previous_id, response, input, output, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const select = database.prepare(
    'SELECT id, owner, at_ms, previous_id, response, input, output FROM response WHERE id = ? AND owner = ? AND at_ms >= ?',
  );
  const remove = database.prepare('DELETE FROM response WHERE id = ? AND owner = ? AND at_ms >= ? RETURNING bytes');
  const oldest = database.prepare('SELECT number, bytes FROM response ORDER BY number LIMIT 1');
  const removeNumber = database.prepare('DELETE FROM response WHERE number = ?');
  const removeOlder = database.prepare('DELETE FROM response WHERE at_ms < ?');
  const totals = database.prepare('SELECT count(*) AS responses, coalesce(sum(bytes), 0) AS bytes FROM response');
  let count = 0;
  let bytes = 0;
  let sweptMs = -Infinity;

  const sweep = (): void => {
    sweptMs = now();
    removeOlder.run(sweptMs - keepMs);
    const row = totals.get()!;
    count = Number(row['responses']);
    bytes = Number(row['bytes']);
  };
  const makeRoom = (): void => {
    while (count > most || bytes > keepBytes) {
      const row = oldest.get();
      if (row === undefined) return;
      removeNumber.run(row['number']!);
      count--;
      bytes -= Number(row['bytes']);
    }
  };
  sweep();
  makeRoom();

  return {
    add(response) {
      const more = bytesOf(response);
      if (more > keepBytes) throw tooLarge(more, keepBytes);
      const { id, owner, atMs, previousId, input, output } = response;
      try {
        insert.run(id, owner, Math.floor(atMs), previousId ?? null, response.response, input, output, more);
        count++;
        bytes += more;
        if (now() - sweptMs >= SWEEP_EVERY_MS) sweep();
        makeRoom();
      } catch (cause) {
        throw new GatewrightError('GW_STORE_WRITE', `A response cannot be written to ${path}.`, {
          fix: 'Check the disk and the rights of the folder.',
          cause,
        });
      }
    },
    find(owner, id) {
      const row = select.get(id, owner, Math.floor(now() - keepMs));
      if (row === undefined) return undefined;
      return {
        id: row['id'] as string,
        owner: row['owner'] as string,
        atMs: Number(row['at_ms']),
        previousId: (row['previous_id'] as string | null) ?? undefined,
        response: row['response'] as string,
        input: row['input'] as string,
        output: row['output'] as string,
      };
    },
    remove(owner, id) {
      const row = remove.get(id, owner, Math.floor(now() - keepMs));
      if (row === undefined) return false;
      count--;
      bytes -= Number(row['bytes']);
      return true;
    },
    stats: () => ({ responses: count, bytes }),
    close: () => database.close(),
  };
}

function checked(bounds: ResponseBounds, mostDefault: number, bytesDefault: number): Required<ResponseBounds> {
  onlyOptions(bounds as Record<string, unknown>, ['most', 'keepBytes', 'keepMs', 'now']);
  const { most = mostDefault, keepBytes = bytesDefault, keepMs = THIRTY_DAYS_MS, now = Date.now } = bounds;
  for (const [name, value] of Object.entries({ most, keepBytes, keepMs }))
    if (!(value >= 1)) throw new OptionError(name, 'a number of at least 1', value, 'Leave it out for the default.');
  return { most, keepBytes, keepMs, now };
}

function bytesOf({ response, input, output }: KeptResponse): number {
  return Buffer.byteLength(response) + Buffer.byteLength(input) + Buffer.byteLength(output);
}

function tooLarge(bytes: number, keepBytes: number): GatewrightError {
  return new GatewrightError(
    'GW_STORE_WRITE',
    `A response of ${bytes} bytes is larger than all that may be kept (${keepBytes}).`,
    {
      fix: 'Send less in one request, or send "store": false.',
    },
  );
}
