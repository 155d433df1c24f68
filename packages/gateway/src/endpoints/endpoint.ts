/** What an endpoint is: a file beside this one that maps paths to handlers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Guard } from '../auth.ts';
import type { Gateway } from '../gateway.ts';
import type { Pace } from '../http/sse.ts';
import type { HttpError } from '../http-errors.ts';
import type { Principal, Scope } from '../identity/principal.ts';
import type { Log } from '../log.ts';

/** What the endpoints of one server share. */
export interface EndpointContext {
  readonly gateway: Gateway;
  readonly gate: Guard;
  readonly log: Log;
  readonly pace: Pace;
}

/** One request as a handler gets it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Parsed only where there is a query; else without one. */
  readonly url: URL;
  /** What stands for the `:name` parts of the path. */
  readonly params: Readonly<Record<string, string>>;
  /** Who asks. */
  readonly principal: Principal;
  /** What the request's line in the log says beside method, path, status and time. */
  readonly notes?: RequestNotes;
}

/** Facts for the log, filled in as they become known. No text of the request. */
export interface RequestNotes {
  trace?: string;
  mode?: string;
  expert?: string;
  code?: string;
}

/** Answers one request. What it throws is sent as an error. */
export type Handler = (exchange: Exchange) => void | Promise<void>;

/** One path. */
export interface Route {
  /** Needs no key: liveness checks and the page itself, which holds nothing. */
  readonly isOpen: boolean;
  /** What a key must be allowed to do. Without one only keys that may do everything get in. */
  readonly scope?: Scope;
  readonly methods: Readonly<Record<string, Handler>>;
  /** How an error is told here; default OpenAI's form. */
  readonly error?: (error: HttpError) => string;
}

/** The routes of one endpoint file: path -> route. A part of a path that begins with `:` stands for anything. */
export type Endpoints = (context: EndpointContext) => Readonly<Record<string, Route>>;

/** A path that needs a key where the gateway has keys. */
export function closed(methods: Readonly<Record<string, Handler>>, error?: Route['error']): Route {
  return { isOpen: false, methods, ...(error === undefined ? {} : { error }) };
}

/** A path that needs a key with that scope where the gateway has keys. */
export function scoped(scope: Scope, methods: Readonly<Record<string, Handler>>, error?: Route['error']): Route {
  return { ...closed(methods, error), scope };
}

/** A path for everybody. */
export function open(methods: Readonly<Record<string, Handler>>): Route {
  return { isOpen: true, methods };
}
