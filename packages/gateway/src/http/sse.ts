/** Server-sent events: pacing, backpressure, ends. */
import type { ServerResponse } from 'node:http';

/** Writes one answer as server-sent events. */
export interface SseWriter {
  readonly hasBegun: boolean;
  begin(headers: readonly string[]): void;
  /**
   * Resolves when the client has read enough to go on; returns nothing when it keeps up.
   *
   * @param text one or more events with their empty lines
   */
  event(text: string): void | Promise<void>;
  /** The last events, and what is known only now as trailers. */
  end(text: string, trailers: Readonly<Record<string, string>>): void;
  /** A broken end: a typed error event. */
  fail(text: string): void;
}

/**
 * A stream is written at most once in this time. Tokens of today's models come slower than that and go out at once; a
 * burst, or a server of a thousand tokens a second, costs one write a millisecond instead of one a token.
 */
const PACE_MS = 4;

/** Runs what is added once, together, after `PACE_MS`: one timer for all streams. */
export interface Pace {
  add(flush: () => void): void;
}

/** The pace of one server. */
export function createPace(): Pace {
  let waiting: (() => void)[] = [];
  return {
    add(flush) {
      waiting.push(flush);
      if (waiting.length > 1) return;
      setTimeout(() => {
        const due = waiting;
        waiting = [];
        for (const run of due) run();
      }, PACE_MS);
    },
  };
}

/**
 * Writes to a response.
 *
 * @param clientStallMs how long the client may stop reading before it is cut off
 */
export function sseWriter(response: ServerResponse, clientStallMs: number, pace: Pace): SseWriter {
  let waiting = '';
  let isFlushing = false;
  let hasBegun = false;
  let wroteMs = -Infinity;
  const flush = (): void => {
    isFlushing = false;
    if (waiting === '' || response.destroyed) return;
    const text = waiting;
    waiting = '';
    wroteMs = performance.now();
    response.write(text);
  };
  return {
    get hasBegun() {
      return hasBegun;
    },
    begin(headers) {
      hasBegun = true;
      response.writeHead(200, [
        'content-type',
        'text/event-stream; charset=utf-8',
        'cache-control',
        'no-cache',
        'x-accel-buffering',
        'no',
        // HTTP/1.0, which proxies still speak, has no chunks and so no trailers.
        ...(response.req.httpVersion === '1.0' ? [] : ['trailer', 'x-gw-cost-usd, x-gw-confidence, x-gw-overhead-ms']),
        ...headers,
      ]);
    },
    event(text) {
      if (text === '') return undefined;
      waiting += text;
      if (!isFlushing) {
        isFlushing = true;
        // All events of one read from the upstream go out in one write.
        if (performance.now() - wroteMs >= PACE_MS) queueMicrotask(flush);
        else pace.add(flush);
      }
      if (response.writableLength + waiting.length < response.writableHighWaterMark) return undefined;
      flush();
      return response.writableNeedDrain ? drained(response, clientStallMs) : undefined;
    },
    end(text, trailers) {
      response.addTrailers(trailers);
      response.end(waiting + text);
      waiting = '';
    },
    fail(text) {
      response.end(waiting + text);
      waiting = '';
    },
  };
}

/** Whoever does not take what is left of an answer must not hold it for ever. Progress starts the time anew. */
export function cutWhenStalled(response: ServerResponse, clientStallMs: number): void {
  if (response.writableLength > 0) response.setTimeout(clientStallMs, () => response.destroy());
}

/** Waits for a slow client; one that does not read at all is cut off, which cancels the upstream calls. */
function drained(response: ServerResponse, clientStallMs: number): Promise<void> {
  return new Promise((resolve) => {
    const stalled = setTimeout(() => response.destroy(), clientStallMs);
    const done = (): void => {
      clearTimeout(stalled);
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
