/** What happens now, for everybody who watches: the page's event stream. */
import type { ServerResponse } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';

/** Sends events to watchers. Costs nothing while nobody watches. */
export interface LiveFeed {
  readonly watchers: number;
  /**
   * @param event any JSON value
   * @param account whose it is; undefined: shown only to those who watch all
   */
  publish(name: string, event: unknown, account?: string): void;
  /**
   * Makes a response a watcher until it closes.
   *
   * @param mayWatch asked before each event; once it says no, the watcher is cut off
   * @param only the account whose events are shown; undefined: all
   * @throws {GatewrightError} `GW_TOO_MANY_WATCHERS`
   */
  watch(response: ServerResponse, mayWatch?: () => boolean, only?: string): void;
  close(): void;
}

/** A watcher that does not read is skipped above this, and sees that it missed something. */
const MOST_WAITING_BYTES = 1_048_576;
/** Keeps proxies from closing a silent stream. */
const HEARTBEAT_MS = 15_000;
const MOST_WATCHERS = 100;

/** A feed without watchers. */
export function liveFeed(): LiveFeed {
  const watchers = new Map<ServerResponse, { readonly mayWatch: () => boolean; readonly only: string | undefined }>();
  const write = (watcher: ServerResponse, mayWatch: () => boolean, text: string): void => {
    if (!mayWatch()) {
      watchers.delete(watcher);
      watcher.end();
    } else if (watcher.writableLength < MOST_WAITING_BYTES) watcher.write(text);
  };
  const heartbeat = setInterval(() => {
    for (const [watcher, { mayWatch }] of watchers) write(watcher, mayWatch, ': still here\n\n');
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return {
    get watchers() {
      return watchers.size;
    },
    publish(name, event, account) {
      if (watchers.size === 0) return;
      const text = `event: ${name}\ndata: ${JSON.stringify(event)}\n\n`;
      for (const [watcher, { mayWatch, only }] of watchers)
        if (only === undefined || only === account) write(watcher, mayWatch, text);
    },
    watch(response, mayWatch = () => true, only) {
      if (watchers.size >= MOST_WATCHERS) {
        throw new GatewrightError('GW_TOO_MANY_WATCHERS', `${MOST_WATCHERS} clients watch already.`, {
          fix: 'Close a page that watches this gateway.',
        });
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(': watching\n\n');
      watchers.set(response, { mayWatch, only });
      response.on('close', () => watchers.delete(response));
    },
    close() {
      clearInterval(heartbeat);
      for (const watcher of watchers.keys()) watcher.end();
    },
  };
}
