/**
 * A model provider that costs as little as possible: prebuilt answers over plain `node:http`. Runs as its own process,
 * so that its CPU time is not the gateway's: `node packages/bench/src/mock-upstream.ts --port 9901 --chunk-delay 5`.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { jsonAnswer, streamEvents } from './traffic.ts';

export interface MockUpstreamOptions {
  /** Pause before each chunk after the first. 0 = the next turn of the event loop. */
  readonly chunkDelayMs?: number;
  /** Events per write, i.e. about per TCP segment. Providers send tokens as they come: 1. */
  readonly chunksPerWrite?: number;
}

/** The server, not listening yet. Answers every POST; `stream` in the body decides how. */
export function createMockUpstream({ chunkDelayMs = 0, chunksPerWrite = 1 }: MockUpstreamOptions = {}): Server {
  const answer = Buffer.from(jsonAnswer());
  const jsonHeaders = { 'content-type': 'application/json', 'content-length': answer.length };
  const streams = {
    withUsage: grouped(streamEvents({ includeUsage: true }), chunksPerWrite),
    plain: grouped(streamEvents({ includeUsage: false }), chunksPerWrite),
  };

  function reply(body: string, response: ServerResponse): void {
    const request = parseRequest(body);
    if (request === undefined) {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end('{"error":{"message":"body is not JSON","type":"invalid_request_error"}}');
    } else if (request.stream === true) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
      sendStream(response, request.stream_options?.include_usage === true ? streams.withUsage : streams.plain);
    } else {
      response.writeHead(200, jsonHeaders);
      response.end(answer);
    }
  }

  function sendStream(response: ServerResponse, writes: readonly Buffer[]): void {
    let next = 0;
    const step = () => {
      if (response.destroyed) return;
      const bytes = writes[next++]!;
      if (next === writes.length) response.end(bytes);
      else {
        response.write(bytes);
        // One turn later even without delay: writes of the same turn would leave as one segment.
        if (chunkDelayMs > 0) setTimeout(step, chunkDelayMs);
        else setImmediate(step);
      }
    };
    step();
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => reply(body, response));
  });
  return server;
}

function grouped(events: readonly string[], size: number): readonly Buffer[] {
  const groups: Buffer[] = [];
  for (let at = 0; at < events.length; at += size) groups.push(Buffer.from(events.slice(at, at + size).join('')));
  return groups;
}

function parseRequest(body: string): { stream?: unknown; stream_options?: { include_usage?: unknown } } | undefined {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'chunk-delay': { type: 'string', default: '0' },
      'chunks-per-write': { type: 'string', default: '1' },
    },
  });
  const server = createMockUpstream({
    chunkDelayMs: Number(values['chunk-delay']),
    chunksPerWrite: Math.max(1, Number(values['chunks-per-write'])),
  });
  server.listen(Number(values.port), '127.0.0.1', () => {
    console.log(`mock upstream: http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  });
  // Started by a suite, it must not outlive the suite.
  process.on('disconnect', () => process.exit(0));
}

if (import.meta.main) main();
