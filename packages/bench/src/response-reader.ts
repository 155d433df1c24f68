/**
 * Reads HTTP/1.1 responses from raw bytes: fixed length, chunked, or until the connection closes. Only what a load
 * generator on loopback needs, because every microsecond that it spends is taken from what it measures.
 */

/** Told what arrives; `onBody` gets views of the input, valid during the call only. */
export interface ResponseHandler {
  onHead(status: number): void;
  onBody(bytes: Buffer): void;
  /** The answer is whole; `keepsAlive` says whether the connection can take another request. */
  onEnd(keepsAlive: boolean): void;
}

/** Fed with the bytes of one connection. */
export interface ResponseReader {
  /** @throws {Error} if the bytes are not HTTP/1.1 */
  feed(bytes: Buffer): void;
  /** The other side closed. @returns whether that ended an answer, rather than cutting it */
  close(): boolean;
}

type State = 'head' | 'length' | 'untilClose' | 'chunkSize' | 'chunk' | 'chunkEnd' | 'trailer';

const EMPTY: Buffer = Buffer.alloc(0);
const LINE_END = '\r\n';
/** A head longer than this is a fault, not a head. */
const MAX_HEAD_BYTES = 65_536;

/** A reader for one connection, for any number of answers after each other. */
export function createResponseReader(handler: ResponseHandler): ResponseReader {
  let state: State = 'head';
  let rest = EMPTY;
  /** Bytes still to come of the body or of the chunk. */
  let remaining = 0;
  let keepsAlive = true;

  function finish(): void {
    state = 'head';
    handler.onEnd(keepsAlive);
  }

  function readHead(head: string): void {
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
    if (status === undefined) throw new Error('the answer is not HTTP/1.1');
    if (status === '100') return; // An interim answer; the real one follows.
    keepsAlive = !/\r\nconnection: *close/i.test(head);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    handler.onHead(Number(status));
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
      state = 'chunkSize';
    } else if (length === undefined) {
      keepsAlive = false;
      state = 'untilClose';
    } else {
      remaining = Number(length);
      state = 'length';
      if (remaining === 0) finish();
    }
  }

  /** Takes one step at `at`. @returns where to go on, or -1 when more bytes are needed */
  function step(bytes: Buffer, at: number): number {
    switch (state) {
      case 'head': {
        const end = bytes.indexOf('\r\n\r\n', at);
        if (end === -1) {
          if (bytes.length - at > MAX_HEAD_BYTES) throw new Error('the head of the answer does not end');
          return -1;
        }
        readHead(bytes.toString('latin1', at, end));
        return end + 4;
      }
      case 'length':
      case 'chunk': {
        const end = Math.min(bytes.length, at + remaining);
        handler.onBody(bytes.subarray(at, end));
        remaining -= end - at;
        if (remaining === 0) {
          if (state === 'length') finish();
          else state = 'chunkEnd';
        }
        return end;
      }
      case 'untilClose':
        handler.onBody(bytes.subarray(at));
        return bytes.length;
      case 'chunkEnd':
        if (bytes.length - at < LINE_END.length) return -1;
        state = 'chunkSize';
        return at + LINE_END.length;
      case 'chunkSize': {
        const end = bytes.indexOf(LINE_END, at);
        if (end === -1) return -1;
        remaining = Number.parseInt(bytes.toString('latin1', at, end), 16);
        if (!(remaining >= 0)) throw new Error('a chunk has no size');
        state = remaining === 0 ? 'trailer' : 'chunk';
        return end + LINE_END.length;
      }
      case 'trailer': {
        const end = bytes.indexOf(LINE_END, at);
        if (end === -1) return -1;
        if (end === at) finish();
        return end + LINE_END.length;
      }
    }
  }

  return {
    feed(bytes) {
      const input = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let at = 0;
      while (at < input.length) {
        const next = step(input, at);
        if (next === -1) break;
        at = next;
      }
      rest = at === input.length ? EMPTY : Buffer.from(input.subarray(at));
    },
    close() {
      if (state !== 'untilClose') return false;
      finish();
      return true;
    },
  };
}
