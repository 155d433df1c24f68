/** Whole answers: JSON, bytes, errors. */
import type { ServerResponse } from 'node:http';
import type { HttpError } from '../http-errors.ts';

/** An answer as JSON. */
export function sendJson(response: ServerResponse, code: number, value: unknown): void {
  send(response, code, 'application/json', JSON.stringify(value));
}

/** An answer of any type. */
export function send(response: ServerResponse, code: number, type: string, body: string | Buffer): void {
  response.writeHead(code, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}

/** An error, unless a part of an answer is out already: then the connection is cut. */
export function sendError(response: ServerResponse, error: HttpError, headers: readonly string[] = []): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  response.writeHead(error.status, [
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(error.body)),
    ...error.headers,
    ...headers,
  ]);
  response.end(error.body);
}
