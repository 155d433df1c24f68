/** A gateway on loopback for one test, and the few calls that tests make of it. */
import { connect, type Socket } from 'node:net';
import type { DecisionTrace } from '@gatewright/kernel';
import { checkConfig } from '../src/config/config.ts';
import { createGateway, type Gateway } from '../src/gateway.ts';
import type { Identity } from '../src/identity/administration.ts';
import type { Book } from '../src/money/book.ts';
import { type GatewayServer, serve } from '../src/server.ts';
import { memory } from '../src/stores/memory.ts';
import type { ResponseStore } from '../src/stores/responses.ts';
import type { StateStore } from '../src/stores/states.ts';
import type { TraceStore } from '../src/stores/store.ts';

/** What a test may set beside the configuration. */
export interface StartOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly store?: TraceStore;
  readonly states?: StateStore;
  readonly identity?: Identity;
  readonly book?: Book;
  readonly responses?: ResponseStore;
}

/** One line of the server's log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

/** A gateway that listens. */
export interface TestGateway {
  readonly url: string;
  readonly port: number;
  readonly gateway: Gateway;
  readonly server: GatewayServer;
  readonly logs: LogLine[];
  close(graceMs?: number): Promise<void>;
}

/** Starts a gateway on a free port. `config` as in the file, parsed; version and port are filled in. */
export async function startGateway(
  config: Readonly<Record<string, unknown>>,
  options: StartOptions = {},
): Promise<TestGateway> {
  const { env = {}, store = memory(), states, identity, book, responses } = options;
  const logs: LogLine[] = [];
  const checked = checkConfig({
    version: 1,
    ...config,
    server: { port: 0, ...(config['server'] as object | undefined) },
  });
  const gateway = createGateway({
    config: checked,
    store,
    env,
    ...(states === undefined ? {} : { states }),
    ...(identity === undefined ? {} : { identity }),
    ...(book === undefined ? {} : { book }),
    ...(responses === undefined ? {} : { responses }),
  });
  const server = await serve(gateway, env, (level, message, fields) => logs.push({ level, message, fields }));
  return {
    url: server.url,
    port: server.port,
    gateway,
    server,
    logs,
    close: (graceMs = 500) => server.close(graceMs),
  };
}

/** An expert of kind `openai` at that address. */
export function expertAt(
  id: string,
  baseUrl: string,
  more: object = {},
  provider: object = {},
): Record<string, unknown> {
  return {
    id,
    provider: { use: 'openai', baseUrl, model: `${id}-model`, ...provider },
    price: { inputUsdPerMTok: 1, outputUsdPerMTok: 2 },
    ...more,
  };
}

/** `gw/first` asks the experts in their order until one answers; `gw/alone` asks the first only. */
export function pool(...experts: Record<string, unknown>[]): Record<string, unknown> {
  return {
    timeouts: { connectMs: 400, firstByteMs: 200, firstContentMs: 500, idleMs: 200, totalMs: 8_000 },
    // One attempt a call: what a failure comes to is not hidden by a second one.
    retries: { attempts: 1 },
    experts,
    modes: {
      first: { policy: { use: 'static' }, composition: { use: 'fallback' } },
      alone: { experts: [experts[0]!['id']], policy: { use: 'static' }, composition: { use: 'single' } },
    },
  };
}

/** A chat request's body. */
export function chatBody(model: string, more: object = {}, text = 'What is the answer?'): Record<string, unknown> {
  return { model, messages: [{ role: 'user', content: text }], ...more };
}

/** Sends JSON. */
export function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    ...init,
    headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string> | undefined) },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  });
}

/** Sends a chat request. */
export function chat(url: string, body: object, init: RequestInit = {}): Promise<Response> {
  return post(`${url}/v1/chat/completions`, body, init);
}

/** The error object of an answer in OpenAI's form. */
export interface WireError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string;
  readonly gateway: { readonly code: string; readonly fix: string; readonly [fact: string]: unknown };
}

/** The error of a parsed body; undefined if it is not exactly OpenAI's form. */
export function wireError(body: unknown): WireError | undefined {
  const error = (body as { error?: Record<string, unknown> } | null)?.error;
  if (error === undefined || typeof error['message'] !== 'string' || typeof error['type'] !== 'string')
    return undefined;
  if (typeof error['code'] !== 'string' || !(error['param'] === null || typeof error['param'] === 'string'))
    return undefined;
  return error as unknown as WireError;
}

/** The events of a stream's text, parsed; `[DONE]` stays a text. */
export function eventsOf(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((part) => part.startsWith('data: '))
    .map((part) => (part === 'data: [DONE]' ? '[DONE]' : (JSON.parse(part.slice(6)) as unknown)));
}

/** The text that a stream's events say. */
export function streamText(events: readonly unknown[]): string {
  return events
    .flatMap((event) => (event as { choices?: { delta?: { content?: string } }[] }).choices ?? [])
    .map((choice) => choice.delta?.content ?? '')
    .join('');
}

/** The newest trace, once there is one that passes. */
export async function traceOf(store: TraceStore, id?: string | null): Promise<DecisionTrace> {
  return until(async () => {
    if (id != null) return (await store.find(id))?.trace;
    return (await store.list({ limit: 1 }))[0];
  }, 'a trace');
}

/** Asks again every few milliseconds until there is a value. Throws after `withinMs`. */
export async function until<T>(
  read: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
  withinMs = 5_000,
): Promise<T> {
  const endMs = Date.now() + withinMs;
  for (;;) {
    const value = await read();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > endMs) throw new Error(`Not within ${withinMs} ms: ${what}.`);
    await pause(5);
  }
}

export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** The value of a metric without labels, or with exactly these. */
export async function metric(gateway: Gateway, name: string): Promise<number> {
  const line = (await gateway.metrics.text()).split('\n').find((text) => text.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** What came of bytes on a plain connection. */
export interface RawAnswer {
  readonly text: string;
  /** The other side ended or cut the connection. */
  readonly isClosed: boolean;
}

/** Sends bytes on a connection of their own and reads until the other side closes, or `waitMs` pass. */
export function raw(port: number, bytes: string | Buffer, waitMs = 250): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const done = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, isClosed });
    };
    const timer = setTimeout(() => done(false), waitMs);
    socket.on('data', (part: Buffer) => (text += part.toString('utf8')));
    socket.on('end', () => done(true));
    socket.on('close', () => done(true));
    socket.on('error', () => {});
    socket.write(bytes);
  });
}

/** A chat request as bytes of HTTP/1.1. */
export function rawChat(body: object, headers = ''): string {
  const json = JSON.stringify(body);
  return `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n${headers}\r\n${json}`;
}

/** An open connection that reads nothing until it is told to. */
export async function silentSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return socket;
}
