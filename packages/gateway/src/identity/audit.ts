/**
 * The record of what managers did: one line for each act, sealed into a chain (kernel `chain.ts`), appended and synced before
 * the act is acknowledged. Several processes append to one file: they take turns by the write lock of the keys' database,
 * which ends with the process that holds it.
 */
import { hash } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CHAIN_START, type ChainFault, chainVerifier, GatewrightError, sealLine } from '@gatewright/kernel';
import { redact } from '../redact.ts';

/** Who did something, as far as it may be written down. */
export interface Actor {
  /** Id of the key, `token` for the token of the environment, `cli` for whoever has the storage directory. */
  readonly key: string;
  readonly name: string;
  /** What kind of address it came from; `local` for a command on the machine itself. Never the address. */
  readonly from: 'local' | 'loopback' | 'private' | 'public';
}

/** One act, done or refused. */
export interface AuditEntry {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly actor: Actor;
  /** `key.create`, `config.reload`, ... */
  readonly action: string;
  /** Id of what it was done to. */
  readonly target?: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly result: 'ok' | 'refused' | 'failed';
  /** Why not, as a code. */
  readonly code?: string;
  /** How many attempts this entry stands for, where they were too many for one each. */
  readonly count?: number;
}

/** An entry with its place in the chain. */
export interface AuditRecord extends AuditEntry {
  readonly seq: number;
  readonly hash: string;
}

/** Appends to the log and reads it. */
export interface AuditLog {
  /** Resolves nothing: when it returns, the entry is on the disk. @throws {GatewrightError} `GW_AUDIT_WRITE` */
  append(entry: Omit<AuditEntry, 'at'>): void;
  /** The newest entries, the newest first; with `before` those older than that number. `limit` is 1..1000. */
  list(options: { limit: number; before?: number }): AuditRecord[];
}

/** What a check of the whole file found. */
export interface AuditReport {
  readonly records: number;
  /** Hash of the last record: kept elsewhere, it also shows that nothing was cut off. */
  readonly head: string;
  /** Line from 1 on -> what is wrong there. The first hundred. */
  readonly faults: readonly (ChainFault & { readonly line: number })[];
  /** Bytes behind the last whole line: a write that a kill cut off. */
  readonly tornBytes: number;
}

/** The file in the storage directory. */
export const AUDIT_FILE = 'audit.jsonl';

/** Longest line that is written. Fields of keys are bounded; this is the bound of the rest. */
const LONGEST_LINE = 65_536;
const BLOCK_BYTES = 65_536;
const MOST_FAULTS = 100;

/**
 * Opens the log of a folder; the file is made with the first entry.
 *
 * @param exclusively runs work while no other process appends
 */
export function openAudit(path: string, exclusively: <T>(work: () => T) => T, now: () => number = Date.now): AuditLog {
  return {
    append(entry) {
      const body = bodyOf({ at: new Date(now()).toISOString(), ...entry });
      exclusively(() => {
        try {
          appendTo(path, body, () => new Date(now()).toISOString());
        } catch (cause) {
          throw new GatewrightError(
            'GW_AUDIT_WRITE',
            `The audit log cannot be written: ${cause instanceof Error ? cause.message : String(cause)}.`,
            { fix: 'Nothing was done. Check the disk and the rights of audit.jsonl in storage.directory.', cause },
          );
        }
      });
    },
    list({ limit, before = Infinity }) {
      const found: AuditRecord[] = [];
      for (const line of linesFromEnd(path)) {
        const record = parse(line);
        if (record === undefined || record.seq >= before) continue;
        found.push(record);
        if (found.length >= limit) break;
      }
      return found;
    },
  };
}

/** A log in memory, of the newest thousand entries. */
export function memoryAudit(now: () => number = Date.now): AuditLog {
  const kept: AuditRecord[] = [];
  let head = CHAIN_START;
  let seq = 0;
  return {
    append(entry) {
      const { line, hash: next } = sealLine(
        sha256,
        head,
        seq++,
        'audit',
        bodyOf({ at: new Date(now()).toISOString(), ...entry }),
      );
      head = next;
      kept.push(parse(line)!);
      if (kept.length > 1_000) kept.shift();
    },
    list: ({ limit, before = Infinity }) =>
      kept
        .filter(({ seq: place }) => place < before)
        .slice(-limit)
        .reverse(),
  };
}

/** Checks every byte of a log. A file that is not there has no records and no faults. */
export async function verifyAudit(path: string): Promise<AuditReport> {
  const verifier = chainVerifier(sha256, CHAIN_START);
  const faults: (ChainFault & { line: number })[] = [];
  let records = 0;
  let line = 0;
  const tornBytes = await eachLine(path, (bytes) => {
    line++;
    const text = strictText(bytes);
    const { record, fault } =
      text === undefined
        ? { record: undefined, fault: { kind: 'unreadable', detail: 'the line is not UTF-8' } as const }
        : verifier.check(text);
    if (record !== undefined) records++;
    if (fault !== undefined && faults.length < MOST_FAULTS) faults.push({ ...fault, line });
  });
  return { records, head: verifier.head(), faults, tornBytes };
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** What a manager wrote into a name or a note may hold a key by mistake. */
function bodyOf(entry: AuditEntry): string {
  const body = JSON.stringify(entry, (_, value: unknown) => (typeof value === 'string' ? redact(value) : value));
  if (Buffer.byteLength(body) < LONGEST_LINE - 256) return body;
  const { before: _before, after: _after, ...rest } = entry;
  return JSON.stringify({ ...rest, after: { tooLong: true } });
}

function appendTo(path: string, body: string, at: () => string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const size = fstatSync(file).size;
    const { previous, seq, wholeBytes } = tailOf(file, size);
    let head = previous;
    let place = seq;
    let lines = '';
    const add = (json: string): void => {
      const sealed = sealLine(sha256, head, place++, 'audit', json);
      head = sealed.hash;
      lines += `${sealed.line}\n`;
    };
    if (wholeBytes < size) {
      // What a kill cut off was never acknowledged; the log says that it was there.
      ftruncateSync(file, wholeBytes);
      const actor: Actor = { key: 'gatewright', name: 'gatewright', from: 'local' };
      add(
        JSON.stringify({
          at: at(),
          actor,
          action: 'audit.repair',
          after: { tornBytes: size - wholeBytes },
          result: 'ok',
        }),
      );
    }
    add(body);
    appendAll(file, lines, wholeBytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Whole or not at all: what was written of it is taken back when the disk is full. */
function appendAll(file: number, lines: string, at: number): void {
  const bytes = Buffer.from(lines);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
  } catch (error) {
    ftruncateSync(file, at);
    throw error;
  }
}

/** Where the next line goes and what it follows. A last line that cannot be read is followed all the same: a check shows it. */
function tailOf(file: number, size: number): { previous: string; seq: number; wholeBytes: number } {
  const length = Math.min(size, 2 * LONGEST_LINE);
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, size - length);
  const end = bytes.lastIndexOf(0x0a);
  const wholeBytes = end < 0 ? (length === size ? 0 : size) : size - length + end + 1;
  if (end < 0) return { previous: CHAIN_START, seq: 0, wholeBytes };
  const record = parse(bytes.toString('utf8', bytes.lastIndexOf(0x0a, end - 1) + 1, end));
  return { previous: record?.hash ?? CHAIN_START, seq: (record?.seq ?? -1) + 1, wholeBytes };
}

function parse(line: string): AuditRecord | undefined {
  try {
    const { seq, hash: own, body } = JSON.parse(line) as { seq: number; hash: string; body: AuditEntry };
    if (!Number.isSafeInteger(seq) || !/^[0-9a-f]{64}$/.test(own) || typeof body !== 'object') return undefined;
    return { seq, ...body, hash: own };
  } catch {
    return undefined;
  }
}

/** Whole lines, the last first, read in blocks: a long log is not read for its newest entries. */
function* linesFromEnd(path: string): Generator<string> {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    let at = fstatSync(file).size;
    let rest = Buffer.alloc(0);
    let isLast = true;
    while (at > 0) {
      const length = Math.min(BLOCK_BYTES, at);
      at -= length;
      const block = Buffer.alloc(length);
      readSync(file, block, 0, length, at);
      rest = Buffer.concat([block, rest]);
      for (let end = rest.lastIndexOf(0x0a); end >= 0; end = rest.lastIndexOf(0x0a)) {
        const line = rest.toString('utf8', end + 1);
        // Behind the last newline stands nothing, or a line that a kill cut off.
        if (!isLast) yield line;
        isLast = false;
        rest = rest.subarray(0, end);
      }
    }
    if (!isLast) yield rest.toString('utf8');
  } finally {
    closeSync(file);
  }
}

/** @returns how many bytes stand behind the last newline */
async function eachLine(path: string, use: (line: Buffer) => void): Promise<number> {
  if (!existsSync(path)) return 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const part of createReadStream(path)) {
    let bytes: Buffer = rest.length === 0 ? (part as Buffer) : Buffer.concat([rest, part as Buffer]);
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      use(bytes.subarray(0, end));
      bytes = bytes.subarray(end + 1);
    }
    rest = bytes;
  }
  return rest.length;
}

function strictText(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
