/** What the scripted servers of each provider share: a server on loopback that answers by a chosen behaviour. For tests. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the server got it. */
export interface ScriptedRequest {
  /** Path with query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

/** Answers one request. */
export type Answer = (request: ScriptedRequest, reply: Reply) => void;

/** What an answer may do. */
export interface Reply {
  /** A whole answer as JSON. */
  json(content: unknown, status?: number, headers?: Record<string, string>): void;
  /** Begins an answer of that content type. */
  begin(contentType: string, status?: number): void;
  send(text: string | Buffer): void;
  end(text?: string | Buffer): void;
  /** Sends the parts as TCP chunks of their own, and then goes on. */
  trickle(parts: readonly (string | Buffer)[], then: () => void): void;
  /** Cuts the connection once what was sent has left. */
  cut(): void;
}

/** A server that listens. */
export interface ScriptedServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly requests: ScriptedRequest[];
  /** What the next requests are answered with. */
  answer: Answer;
  close(): Promise<void>;
}

/** Starts a server on a free port. */
export async function scriptedServer(answer: Answer): Promise<ScriptedServer> {
  const requests: ScriptedRequest[] = [];
  const scripted = { answer };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8');
      const received = {
        url: request.url ?? '',
        headers: request.headers,
        body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
      };
      requests.push(received);
      scripted.answer(received, replyTo(response));
    });
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get answer() {
      return scripted.answer;
    },
    set answer(next: Answer) {
      scripted.answer = next;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function replyTo(response: ServerResponse): Reply {
  const trickle = (parts: readonly (string | Buffer)[], then: () => void): void => {
    const [part, ...rest] = parts;
    if (part === undefined) {
      then();
      return;
    }
    response.write(part, () => setImmediate(() => trickle(rest, then)));
  };
  return {
    json(content, status = 200, headers = {}) {
      response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8', ...headers });
      response.end(JSON.stringify(content));
    },
    begin: (contentType, status = 200) => void response.writeHead(status, { 'content-type': contentType }),
    send: (text) => void response.write(text),
    end: (text) => void response.end(text),
    trickle,
    cut: () => setTimeout(() => response.socket?.resetAndDestroy(), 15),
  };
}

/** The bytes of a text in pieces of that length. */
export function pieces(text: string, length: number): Buffer[] {
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += length) parts.push(bytes.subarray(start, start + length));
  return parts;
}
