/** What happens now, for everybody who watches: the page's event stream. */
import type { ServerResponse } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';

/** Sends events to watchers. Costs nothing while nobody watches. */
export interface LiveFeed {
  readonly watchers: number;
  /** @param event any JSON value */
  publish(name: string, event: unknown): void;
  /** Makes a response a watcher until it closes. @throws {GatewrightError} `GW_TOO_MANY_WATCHERS` */
  watch(response: ServerResponse): void;
  close(): void;
}

/** A watcher that does not read is skipped above this, and sees that it missed something. */
const MOST_WAITING_BYTES = 1_048_576;
/** Keeps proxies from closing a silent stream. */
const HEARTBEAT_MS = 15_000;
const MOST_WATCHERS = 100;

/** A feed without watchers. */
export function liveFeed(): LiveFeed {
  const watchers = new Set<ServerResponse>();
  const heartbeat = setInterval(() => {
    for (const watcher of watchers) watcher.write(': still here\n\n');
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return {
    get watchers() {
      return watchers.size;
    },
    publish(name, event) {
      if (watchers.size === 0) return;
      const text = `event: ${name}\ndata: ${JSON.stringify(event)}\n\n`;
      for (const watcher of watchers) if (watcher.writableLength < MOST_WAITING_BYTES) watcher.write(text);
    },
    watch(response) {
      if (watchers.size >= MOST_WATCHERS) {
        throw new GatewrightError('GW_TOO_MANY_WATCHERS', `${MOST_WATCHERS} clients watch already.`, {
          fix: 'Close a page that watches this gateway.',
        });
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(': watching\n\n');
      watchers.add(response);
      response.on('close', () => watchers.delete(response));
    },
    close() {
      clearInterval(heartbeat);
      for (const watcher of watchers) watcher.end();
    },
  };
}
