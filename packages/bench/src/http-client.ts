/**
 * The generator's HTTP client: kept-alive connections on raw sockets, one request at a time on each, and every answer
 * checked for being whole. What waits for a connection waits inside `send`, so the caller's clock sees it.
 */
import { connect, type Socket } from 'node:net';
import { type AnswerCheck, checkAnswer } from './answer-check.ts';
import { nowMs } from './clock.ts';
import { createResponseReader } from './response-reader.ts';
import { ANSWER_TEXT, type AnswerKind, requestBody, SERIAL_PLACEHOLDER } from './traffic.ts';

/** How one request went. Times are of `nowMs`. */
export interface Exchange {
  /** Undefined when the answer was whole, else what went wrong, in few words. */
  readonly failure: string | undefined;
  /** First byte of the body, not of the head: some send the head before they know anything. */
  readonly firstByteAtMs: number;
  readonly endAtMs: number;
}

export interface Client {
  /** Opens connections until there are `count`. @throws {Error} if one is refused */
  warm(count: number): Promise<void>;
  /** Sends the next request. Never rejects. */
  send(): Promise<Exchange>;
  /** Drops all connections; what is under way ends as a failure. */
  close(): void;
}

export interface ClientOptions {
  /** Up to and including `/v1`. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly modelName: string;
  readonly kind: AnswerKind;
  /** Most connections at a time; further requests wait. */
  readonly maxConnections: number;
  /** A connection that is silent for so long during a request has failed. */
  readonly silenceLimitMs?: number;
}

interface Connection {
  exchange(): Promise<Exchange>;
  readonly isOpen: () => boolean;
  destroy(): void;
}

/** A client for one target and one kind of answer. */
export function createClient(options: ClientOptions): Client {
  const url = new URL(`${options.baseUrl}/chat/completions`);
  const template = requestTemplate(url, options);
  const idle: Connection[] = [];
  const all = new Set<Connection>();
  const waiting: ((connection: Connection | undefined) => void)[] = [];
  let serial = 0;
  let isClosed = false;

  async function open(): Promise<Connection> {
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    const connection = createConnection(socket, options, () => template.next(serial++));
    all.add(connection);
    socket.on('close', () => {
      all.delete(connection);
      const at = idle.indexOf(connection);
      if (at !== -1) idle.splice(at, 1);
      waiting.shift()?.(undefined); // There is room for another connection.
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error: NodeJS.ErrnoException) => reject(new Error(`no connection: ${error.code}`)));
      socket.once('close', () => reject(new Error('no connection')));
    });
    return connection;
  }

  function release(connection: Connection): void {
    const isOpen = connection.isOpen();
    const next = waiting.shift();
    if (next !== undefined) next(isOpen ? connection : undefined);
    else if (isOpen) idle.push(connection);
  }

  /** Oldest first: every connection is used in turn, so that none is closed by the server for being idle. */
  async function acquire(): Promise<Connection> {
    const ready = idle.shift();
    if (ready !== undefined) return ready;
    if (all.size < options.maxConnections) return open();
    const handed = await new Promise<Connection | undefined>((resolve) => waiting.push(resolve));
    return handed ?? acquire();
  }

  return {
    async warm(count) {
      const missing = Math.max(0, Math.min(count, options.maxConnections) - all.size);
      idle.push(...(await Promise.all(Array.from({ length: missing }, open))));
    },
    async send() {
      let connection: Connection;
      try {
        if (isClosed) throw new Error('client closed');
        connection = await acquire();
      } catch (error) {
        const at = nowMs();
        waiting.shift()?.(undefined);
        return { failure: (error as Error).message, firstByteAtMs: at, endAtMs: at };
      }
      const exchange = await connection.exchange();
      release(connection);
      return exchange;
    },
    close() {
      isClosed = true;
      for (const connection of all) connection.destroy();
      for (const next of waiting.splice(0)) next(undefined);
    },
  };
}

function createConnection(socket: Socket, options: ClientOptions, nextRequest: () => Buffer): Connection {
  let isOpen = true;
  let closeReason = 'connection closed';
  let status = 0;
  let firstByteAtMs = 0;
  let check: AnswerCheck | undefined;
  let settle: ((exchange: Exchange) => void) | undefined;

  function finish(failure: string | undefined): void {
    const endAtMs = nowMs();
    const resolve = settle;
    settle = undefined;
    resolve?.({ failure, firstByteAtMs: firstByteAtMs || endAtMs, endAtMs });
  }
  function fail(reason: string): void {
    isOpen = false;
    socket.destroy();
    finish(reason);
  }

  const reader = createResponseReader({
    onHead(code) {
      status = code;
    },
    onBody(bytes) {
      if (firstByteAtMs === 0) firstByteAtMs = nowMs();
      // Latin-1 is the cheapest decoding and exact here: the expected text is ASCII.
      check?.feed(bytes.toString('latin1'));
    },
    onEnd(keepsAlive) {
      if (!keepsAlive) {
        isOpen = false;
        socket.end();
      }
      finish(status === 200 ? check?.failure() : `HTTP ${status}`);
    },
  });

  socket.setTimeout(options.silenceLimitMs ?? 30_000, () => fail('silent for too long'));
  socket.on('data', (bytes) => {
    if (settle === undefined) return fail('bytes without a request');
    try {
      reader.feed(bytes);
    } catch (error) {
      fail((error as Error).message);
    }
  });
  // `close` follows, which is where a request under way is settled.
  socket.on('error', (error: NodeJS.ErrnoException) => {
    closeReason = `connection closed: ${error.code}`;
  });
  socket.on('close', () => {
    isOpen = false;
    if (settle !== undefined && !reader.close()) finish(closeReason);
  });

  return {
    isOpen: () => isOpen,
    exchange() {
      return new Promise((resolve) => {
        settle = resolve;
        firstByteAtMs = 0;
        check = checkAnswer(options.kind, ANSWER_TEXT);
        if (isOpen) socket.write(nextRequest());
        else finish(closeReason);
      });
    },
    destroy: () => fail('client closed'),
  };
}

/** The whole request as bytes, with a serial number that changes from one to the next. */
function requestTemplate(url: URL, { headers, kind, modelName }: ClientOptions): { next(serial: number): Buffer } {
  const body = requestBody(kind, modelName);
  const head = [
    `POST ${url.pathname} HTTP/1.1`,
    `host: ${url.host}`,
    'content-type: application/json',
    `accept: ${kind === 'sse' ? 'text/event-stream' : 'application/json'}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ].join('\r\n');
  const [before, after] = `${head}\r\n\r\n${body}`.split(SERIAL_PLACEHOLDER) as [string, string];
  return {
    next: (serial) => Buffer.from(before + String(serial).padStart(SERIAL_PLACEHOLDER.length, '0') + after, 'latin1'),
  };
}
