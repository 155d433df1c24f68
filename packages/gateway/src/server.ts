/** The gateway on a socket: routes, limits, streams. The only file that knows `node:http`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { GatewrightError } from '@gatewright/kernel';
import { guard } from './auth.ts';
import type { Route } from './endpoints/endpoint.ts';
import * as endpoints from './endpoints/index.ts';
import type { Gateway } from './gateway.ts';
import { createRouter } from './http/router.ts';
import { sendError } from './http/send.ts';
import { createPace } from './http/sse.ts';
import { toHttpError } from './http-errors.ts';
import { ANYONE } from './identity/principal.ts';
import type { Log } from './log.ts';
import { redact } from './redact.ts';

/** A gateway that listens. */
export interface GatewayServer {
  readonly url: string;
  readonly port: number;
  /**
   * Stops taking requests, lets those under way finish, closes everything.
   * @param graceMs after this the connections still open are cut
   */
  close(graceMs?: number): Promise<void>;
}

/** Headers above this get 431. Node's own default, said here because the error message names it. */
const MAX_HEADER_BYTES = 16_384;
const IDLE_SWEEP_MS = 50;
/** A refused body up to this length is read past. */
const SKIPPED_BYTES = 65_536;
/** Time to read the answer to what was no HTTP. */
const REFUSED_LINGER_MS = 250;

/**
 * Puts a gateway on a socket.
 *
 * @throws {GatewrightError} `GW_UNSAFE_BIND` if it would listen beyond loopback without a key; `GW_PORT_IN_USE`, `GW_LISTEN`
 */
export async function serve(
  gateway: Gateway,
  env: Readonly<Record<string, string | undefined>>,
  log: Log = () => {},
): Promise<GatewayServer> {
  const { server: settings } = gateway.runtime.config;
  const gate = guard(settings, env);
  const context = { gateway, gate, log, pace: createPace() };
  const router = createRouter(Object.values(endpoints).map((endpoint) => endpoint(context)));
  let isDraining = false;
  let closing: Promise<void> | undefined;

  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: 65_000,
      headersTimeout: 30_000,
      requestTimeout: 120_000,
      noDelay: true,
    },
    (request, response) => {
      if (isDraining) response.setHeader('connection', 'close');
      void handle(request, response);
    },
  );
  server.maxConnections = settings.maxConnections;
  server.on('clientError', onClientError);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let route: Route | undefined;
    try {
      const target = request.url ?? '/';
      const question = target.indexOf('?');
      const path = question < 0 ? target : target.slice(0, question);
      const found = router.find(path);
      if (found === undefined)
        throw new GatewrightError('GW_NOT_FOUND', `There is no ${path.slice(0, 100)} here.`, {
          fix: `Known: ${router.paths.join(', ')}.`,
        });
      route = found.route;
      const handler =
        route.methods[request.method ?? ''] ??
        (request.method === 'HEAD' && path !== '/v1/live' ? route.methods['GET'] : undefined);
      if (handler === undefined)
        throw new GatewrightError('GW_METHOD', `${path} does not take ${request.method}.`, {
          fix: `Use ${Object.keys(route.methods).join(' or ')}.`,
          facts: { allow: Object.keys(route.methods).join(', ') },
        });
      const principal = route.isOpen ? ANYONE : gate.check(request);
      // The URL is parsed only where somebody needs its query.
      const url = question < 0 ? NO_QUERY : new URL(target, 'http://gateway');
      await handler({ request, response, url, params: found.params, principal });
    } catch (error) {
      const httpError = toHttpError(error);
      gateway.metrics.refused(httpError.code);
      if (httpError.status >= 500)
        log('error', 'request failed', {
          code: httpError.code,
          error: httpError.code === 'GW_INTERNAL' ? stackOf(error) : undefined,
        });
      const isLeft = !request.complete && !skips(request);
      // Said in time, or a client that keeps connections sends its next request into one that is about to close.
      if (isLeft && !response.headersSent) response.setHeader('connection', 'close');
      sendError(response, route?.error === undefined ? httpError : { ...httpError, body: route.error(httpError) });
      // What is left of a refused body is not read: the connection ends here.
      if (isLeft) request.destroy();
    }
  }

  await listen(server, settings.host, settings.port);
  const { port } = server.address() as AddressInfo;
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;

  return {
    url: `http://${host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host}:${port}`,
    port,
    close(graceMs = 10_000) {
      closing ??= drain(graceMs);
      return closing;
    },
  };

  async function drain(graceMs: number): Promise<void> {
    isDraining = true;
    gateway.live.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // A connection whose last answer began before the end is kept alive by its client: it closes once it is idle.
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
    await gateway.close();
  }
}

/** Faults that Node finds before there is a request: they get a typed answer too. */
function onClientError(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const typed =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new GatewrightError('GW_HEADERS_TOO_LARGE', `The headers are larger than ${MAX_HEADER_BYTES} bytes.`, {
          fix: 'Send fewer or shorter headers.',
        })
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new GatewrightError('GW_REQUEST_TIMEOUT', 'The request did not arrive in time.', { fix: 'Send it faster.' })
        : new GatewrightError('GW_REQUEST_HTTP', 'This is not a valid HTTP request.', { fix: 'Use an HTTP client.' });
  const { status: code, body } = toHttpError(typed);
  socket.end(
    `HTTP/1.1 ${code} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Node counts this connection no more: whoever leaves it open would hold its place, and the end of the server, for ever.
  const cut = setTimeout(() => socket.destroy(), REFUSED_LINGER_MS);
  socket.on('close', () => clearTimeout(cut));
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: Error & { code?: string }) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new GatewrightError('GW_PORT_IN_USE', `Port ${port} on ${host} is taken.`, {
              fix: 'Stop what listens there, or choose another: --port 4181.',
              path: 'server.port',
            })
          : new GatewrightError('GW_LISTEN', `Cannot listen on ${host}:${port}: ${error.message}.`, {
              fix: 'Check server.host and server.port.',
              path: 'server.host',
              cause: error,
            }),
      );
    });
    server.listen({ host, port, backlog: 4096 }, () => resolve());
  });
}

/** Reads past a small body that nobody wants, so that the connection can be used again. */
function skips(request: IncomingMessage): boolean {
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (!(length <= SKIPPED_BYTES)) return false;
  request.resume();
  return true;
}

function stackOf(error: unknown): string {
  // A stranger's message may hold anything.
  return redact(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

const NO_QUERY = new URL('http://gateway/');
