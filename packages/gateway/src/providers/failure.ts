/** The one error type that a provider's call ends with. */
import { GatewrightError } from '@gatewright/kernel';
import type { Usage } from '../wire/chat.ts';

/** Facts about a failed call that decide what happens next. */
export interface FailureDetails {
  readonly fix: string;
  /**
   * Whether another expert may answer the same request. False when the request itself is at fault (400, 413, 422) or
   * the client has gone: asking elsewhere would only repeat it.
   */
  readonly elsewhere: boolean;
  /** The upstream's HTTP status, if there was one. */
  readonly status?: number;
  /** How long the upstream asked us to stay away, from `Retry-After`, milliseconds. */
  readonly retryAfterMs?: number;
  /** All the time that the call may take is over: it is not made again. */
  readonly isOutOfTime?: boolean;
  /** The server closed a connection that had been idle just as the request went out: nobody has read it. */
  readonly isStaleConnection?: boolean;
  /** The upstream's own error object (`{message, type, code, param}`), already without secrets. */
  readonly upstream?: Readonly<Record<string, unknown>>;
  /** Tokens that the upstream had counted by then, if it said so: the prompt's are whole, the answer's may have gone on. */
  readonly usage?: Usage | undefined;
  /** Structured facts that a program may want. */
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * A provider's call that did not end well. Codes: `GW_UPSTREAM_STATUS`, `GW_UPSTREAM_RATE_LIMIT`,
 * `GW_UPSTREAM_AUTH`, `GW_UPSTREAM_REJECTED` (400, 413, 422: the request is at fault), `GW_UPSTREAM_CONNECT`,
 * `GW_UPSTREAM_RESET`, `GW_UPSTREAM_TIMEOUT`, `GW_UPSTREAM_MALFORMED`, `GW_UPSTREAM_TOO_LARGE`,
 * `GW_UPSTREAM_TRUNCATED` (a stream that ended without a finish), `GW_UPSTREAM_ERROR_EVENT`, `GW_UPSTREAM_BLOCKED`, `GW_REPLAY_MISS`,
 * `GW_BUDGET` and `GW_RATE_LIMIT` (an account does not cover it), `GW_BREAKER_OPEN` (it was not asked), `GW_REQUEST_DEADLINE` (the client's own time limit), `GW_CANCELLED`.
 */
export class ProviderFailure extends GatewrightError {
  readonly elsewhere: boolean;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly isOutOfTime: boolean;
  readonly isStaleConnection: boolean;
  readonly upstream: Readonly<Record<string, unknown>> | undefined;
  /** As in `FailureDetails`. Whoever reads the stream adds it before the call ends. */
  usage: Usage | undefined;

  constructor(code: string, message: string, details: FailureDetails) {
    super(code, message, {
      fix: details.fix,
      ...(details.facts === undefined ? {} : { facts: details.facts }),
      ...(details.cause === undefined ? {} : { cause: details.cause }),
    });
    this.name = 'ProviderFailure';
    this.elsewhere = details.elsewhere;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.isOutOfTime = details.isOutOfTime === true;
    this.isStaleConnection = details.isStaleConnection === true;
    this.upstream = details.upstream;
    this.usage = details.usage;
  }
}
