/**
 * The hash chain over stored records: one JSON object a line, whose last field is a hash over the line itself and the
 * line before it. A byte that is changed, a line that is taken out or put in, breaks the chain at that place.
 *
 *     {"seq":7,"prev":"<hash of line 6>","kind":"trace","body":{...},"hash":"<sha256 of this line up to here>"}
 *
 * The hash covers the bytes as they are stored, so checking needs no canonical form. Decode them strictly (fatal UTF-8,
 * no byte order mark skipped): a lenient decoder reads several wrong bytes as one U+FFFD. A chain cannot show that its
 * own end was cut off: keep the newest hash elsewhere for that.
 */

/** SHA-256 of a text as UTF-8, in lower-case hex. Passed in: the kernel has no platform of its own. */
export type Digest = (text: string) => string;

/** What `prev` is in the first record. */
export const CHAIN_START = '0'.repeat(64);

/** A line and the hash that the next one will name. */
export interface SealedLine {
  /** Without its newline. */
  readonly line: string;
  readonly hash: string;
}

/**
 * Makes the next line of a chain.
 *
 * @param previous hash of the line before, or `CHAIN_START`
 * @param seq number of this record, one more than the one before
 * @param kind what the body is: `trace`, `feedback`, ...
 * @param bodyJson one JSON value on one line
 */
export function sealLine(digest: Digest, previous: string, seq: number, kind: string, bodyJson: string): SealedLine {
  const open = `{"seq":${seq},"prev":"${previous}","kind":${JSON.stringify(kind)},"body":${bodyJson}`;
  const hash = digest(open);
  return { line: `${open},"hash":"${hash}"}`, hash };
}

/** A place where the chain does not hold. */
export interface ChainFault {
  /** `unreadable`: not the form of a record; `altered`: the line is not what was hashed; `broken`: does not follow the line before. */
  readonly kind: 'unreadable' | 'altered' | 'broken';
  readonly detail: string;
}

/** A record that was checked. */
export interface ChainRecord {
  readonly seq: number;
  readonly kind: string;
  readonly body: unknown;
  readonly hash: string;
}

/** Checks lines one after another. Keeps only the last hash, so a store of any size can be checked. */
export interface ChainVerifier {
  /** @param line without its newline */
  check(line: string): { readonly record?: ChainRecord; readonly fault?: ChainFault };
  /** Hash of the last line whose own hash held, whether or not it followed the one before. */
  head(): string;
}

const TAIL = /^,"hash":"([0-9a-f]{64})"\}$/;
/** `,"hash":"` + 64 hex digits + `"}` */
const TAIL_LENGTH = 9 + 64 + 2;

/**
 * A verifier that begins at a known place.
 *
 * @param previous hash that the first line must name: `CHAIN_START` for a whole chain; undefined accepts whatever
 *   it names (the start of a kept part)
 */
export function chainVerifier(digest: Digest, previous: string | undefined): ChainVerifier {
  let expectedPrev = previous;
  let expectedSeq: number | undefined;
  return {
    check(line) {
      const tail = TAIL.exec(line.slice(-TAIL_LENGTH));
      const open = line.slice(0, -TAIL_LENGTH);
      if (tail === null) return { fault: { kind: 'unreadable', detail: 'the line does not end in a hash' } };
      const hash = tail[1]!;
      const actual = digest(open);
      if (actual !== hash)
        return { fault: { kind: 'altered', detail: `the line hashes to ${actual}, it says ${hash}` } };

      const record = parseRecord(line);
      if (record === undefined) return { fault: { kind: 'unreadable', detail: 'the line is not a record' } };
      const wantedPrev = expectedPrev;
      const wantedSeq = expectedSeq;
      expectedPrev = hash;
      expectedSeq = record.seq + 1;
      if (wantedPrev !== undefined && record.prev !== wantedPrev) {
        return {
          record,
          fault: { kind: 'broken', detail: `record ${record.seq} follows ${record.prev}, expected ${wantedPrev}` },
        };
      }
      if (wantedSeq !== undefined && record.seq !== wantedSeq) {
        return { record, fault: { kind: 'broken', detail: `record ${record.seq} stands where ${wantedSeq} belongs` } };
      }
      return { record };
    },
    head: () => expectedPrev ?? CHAIN_START,
  };
}

function parseRecord(line: string): (ChainRecord & { prev: string }) | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    if (parsed === null || typeof parsed !== 'object') return undefined;
    const { seq, prev, kind, body, hash } = parsed as Record<string, unknown>;
    if (!Number.isSafeInteger(seq) || typeof prev !== 'string' || typeof kind !== 'string' || typeof hash !== 'string')
      return undefined;
    return { seq: seq as number, prev, kind, body, hash };
  } catch {
    return undefined;
  }
}
