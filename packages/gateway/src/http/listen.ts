/** What every listener of the gateway does the same: beginning to listen, and answering what is no HTTP. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { GatewrightError } from '@gatewright/kernel';
import { toHttpError } from '../http-errors.ts';

/** Headers above this get 431. Node's own default, said here because the error message names it. */
export const MAX_HEADER_BYTES = 16_384;
/** Time to read the answer to what was no HTTP. */
const REFUSED_LINGER_MS = 250;

/** Faults that Node finds before there is a request: they get a typed answer too. */
export function onClientError(error: Error & { code?: string }, socket: Socket): void {
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

/**
 * Begins to listen.
 *
 * @param settings where host and port stand in the configuration
 * @throws {GatewrightError} `GW_PORT_IN_USE`, `GW_LISTEN`
 */
export async function listen(server: Server, host: string, port: number, settings: 'server' | 'admin'): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: Error & { code?: string }) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new GatewrightError('GW_PORT_IN_USE', `Port ${port} on ${host} is taken.`, {
              fix:
                settings === 'server'
                  ? 'Stop what listens there, or choose another: --port 4181.'
                  : 'Stop what listens there, or choose another admin.port.',
              path: `${settings}.port`,
            })
          : new GatewrightError('GW_LISTEN', `Cannot listen on ${host}:${port}: ${error.message}.`, {
              fix: `Check ${settings}.host and ${settings}.port.`,
              path: `${settings}.host`,
              cause: error,
            }),
      );
    });
    server.listen({ host, port, backlog: 4096 }, () => resolve());
  });
}
