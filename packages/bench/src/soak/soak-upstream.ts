/**
 * The experts of a mixed soak, as one process: the first part of the path says how a request is answered, as in
 * `/flaky/v1/chat/completions`. `node packages/bench/src/soak/soak-upstream.ts` prints its address.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMockUpstream } from '../mock-upstream.ts';
import { jsonAnswer, streamEvents } from '../traffic.ts';

const EVENTS = streamEvents({ includeUsage: true });
const ANSWER = jsonAnswer();
const SSE = { 'content-type': 'text/event-stream' };

/** What is not listed is answered well. */
const faults: Readonly<Record<string, (response: ServerResponse, isStream: boolean, count: number) => void>> = {
  // Every third call fails, so that no breaker takes the expert out for good.
  flaky(response, isStream, count) {
    if (count % 3 === 0) fail(response);
    else good(response, isStream);
  },
  breaks(response, isStream, count) {
    if (!isStream || count % 3 > 0) {
      good(response, isStream);
      return;
    }
    response.writeHead(200, SSE);
    response.write(EVENTS.slice(0, 6).join(''));
    setImmediate(() => response.end('data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'));
  },
  // Until its client goes.
  endless(response, isStream) {
    if (!isStream) {
      good(response, isStream);
      return;
    }
    response.writeHead(200, SSE);
    response.write(EVENTS.slice(0, 3).join(''));
    const timer = setInterval(() => response.write(EVENTS[2]!), 20);
    response.on('close', () => clearInterval(timer));
  },
};

const mock = createMockUpstream();
const [answer] = mock.listeners('request') as [(request: unknown, response: unknown) => void];
const counts = new Map<string, number>();

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  response.on('error', () => {});
  const name = request.url?.split('/')[1] ?? '';
  const fault = faults[name];
  if (fault === undefined) {
    answer(request, response);
    return;
  }
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    fault(response, body.includes('"stream":true'), count);
  });
});

function good(response: ServerResponse, isStream: boolean): void {
  response.writeHead(200, isStream ? SSE : { 'content-type': 'application/json' });
  response.end(isStream ? EVENTS.join('') : ANSWER);
}

function fail(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/json' });
  response.end('{"error":{"message":"overloaded","type":"server_error"}}');
}

server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
  process.stdout.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
