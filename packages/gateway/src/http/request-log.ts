/** One line in the log for each request. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestNotes } from '../endpoints/endpoint.ts';
import type { Log } from '../log.ts';
import { shownPath } from './router.ts';

/** Writes the line when the connection is done with the request. Without body and query; @returns what else it will say */
export function noteRequest(request: IncomingMessage, response: ServerResponse, log: Log): RequestNotes {
  const startedMs = performance.now();
  const notes: RequestNotes = {};
  response.on('close', () => {
    const { trace, mode, expert, code } = notes;
    log('info', 'request', {
      method: request.method,
      path: shownPath((request.url ?? '').split('?')[0]!),
      // An answer that did not get out whole is as the client's own absence: 499.
      status: response.writableFinished ? response.statusCode : 499,
      ms: Math.round((performance.now() - startedMs) * 10) / 10,
      trace,
      mode,
      expert,
      code,
    });
  });
  return notes;
}
