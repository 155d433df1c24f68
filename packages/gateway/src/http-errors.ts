/** The one place where an error becomes an HTTP answer, in OpenAI's form. */
import { GatewrightError, isGatewrightError } from '@gatewright/kernel';
import { ProviderFailure } from './providers/failure.ts';
import { redact } from './redact.ts';

/** An error as HTTP. */
export interface HttpError {
  readonly status: number;
  readonly headers: readonly string[];
  /** JSON text: `{"error": {...}}`. */
  readonly body: string;
  readonly code: string;
  /** The same as `body`, for dialects with an error form of their own. */
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: unknown;
    readonly code: unknown;
    readonly gateway: Readonly<Record<string, unknown>>;
  };
}

const STATUS: Readonly<Record<string, number>> = {
  GW_NO_CANDIDATE: 400,
  GW_UNKNOWN_TASK: 400,
  GW_AUTH: 401,
  GW_KEY_EXPIRED: 401,
  GW_KEY_REVOKED: 401,
  GW_FORBIDDEN: 403,
  GW_MODEL_FORBIDDEN: 403,
  GW_AUTH_PAUSED: 429,
  GW_BUDGET: 402,
  GW_RATE_LIMIT: 429,
  GW_KEYS_UNAVAILABLE: 503,
  GW_KEY_FIELD: 400,
  GW_KEY_UNKNOWN: 404,
  GW_KEY_ENDED: 409,
  GW_EXPERT_UNKNOWN: 404,
  GW_ADMIN_NO_FILE: 409,
  GW_CONFIG: 422,
  GW_AUDIT_WRITE: 503,
  GW_HOST: 403,
  GW_NOT_FOUND: 404,
  GW_UNKNOWN_MODEL: 404,
  GW_TRACE_UNKNOWN: 404,
  GW_RESPONSE_UNKNOWN: 404,
  GW_RESPONSE_CHAIN: 400,
  GW_METHOD: 405,
  GW_TRACE_UNSERVED: 409,
  GW_FEEDBACK_LIMIT: 409,
  GW_REQUEST_TOO_LARGE: 413,
  GW_REQUEST_MEDIA: 415,
  GW_HEADERS_TOO_LARGE: 431,
  GW_REQUEST_TIMEOUT: 408,
  GW_CANCELLED: 499,
  GW_STORE_WRITE: 503,
  GW_TOO_MANY_WATCHERS: 503,
  GW_UPSTREAM_BLOCKED: 400,
  GW_UPSTREAM_AUTH: 502,
  GW_UPSTREAM_CONNECT: 502,
  GW_UPSTREAM_RESET: 502,
  GW_UPSTREAM_STATUS: 502,
  GW_UPSTREAM_MALFORMED: 502,
  GW_UPSTREAM_TOO_LARGE: 502,
  GW_UPSTREAM_TRUNCATED: 502,
  GW_UPSTREAM_ERROR_EVENT: 502,
  GW_UPSTREAM_RATE_LIMIT: 429,
  GW_UPSTREAM_TIMEOUT: 504,
  GW_BREAKER_OPEN: 503,
  GW_REQUEST_DEADLINE: 504,
  GW_REPLAY_MISS: 404,
  GW_CACHE_MISS: 504,
  GW_INTERNAL: 500,
};

/**
 * Maps an error. What is not ours becomes `GW_INTERNAL` without its text: a stranger's message may hold anything.
 *
 * @param traceId of the request, if it has one by now
 */
export function toHttpError(error: unknown, traceId?: string): HttpError {
  const known = isGatewrightError(error)
    ? error
    : new GatewrightError('GW_INTERNAL', 'The gateway failed while it handled the request.', {
        fix: 'See its log; report it if it repeats.',
        cause: error,
      });
  const failure = error instanceof ProviderFailure ? error : undefined;
  const status = failure?.code === 'GW_UPSTREAM_REJECTED' ? (failure.status ?? 400) : statusOf(known.code);
  const relayed = failure?.code === 'GW_UPSTREAM_REJECTED' ? failure.upstream : undefined;
  const content = {
    message: redact(messageOf(known, failure)),
    type: textOf(relayed?.['type']) ?? typeOf(status),
    param: relayed?.['param'] ?? known.path ?? null,
    code: relayed?.['code'] ?? known.code,
    gateway: {
      code: known.code,
      fix: known.fix,
      ...(traceId === undefined ? {} : { trace: traceId }),
      ...(failure?.status === undefined ? {} : { upstream_status: failure.status }),
      ...publicFacts(known),
    },
  };
  const headers: string[] = [];
  const retryAfterMs = failure?.retryAfterMs ?? known.facts['retryAfterMs'];
  if (typeof retryAfterMs === 'number')
    headers.push('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  const told = known.facts['headers'];
  if (Array.isArray(told)) headers.push(...told.map(String));
  if (typeof known.facts['allow'] === 'string') headers.push('allow', known.facts['allow']);
  if (status === 401) headers.push('www-authenticate', 'Bearer');
  return { status, headers, body: JSON.stringify({ error: content }), code: known.code, error: content };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** What is wrong with the request says so in its code; anything else that is not listed is ours to mend. */
function statusOf(code: string): number {
  return STATUS[code] ?? (code.startsWith('GW_REQUEST_') ? 400 : 500);
}

/** What helps a program: the known names, the nearest one, the removals. */
function publicFacts(error: GatewrightError): Record<string, unknown> {
  const { known, nearest, removed, limit } = error.facts;
  return {
    ...(known === undefined ? {} : { known }),
    ...(nearest === undefined ? {} : { nearest }),
    ...(removed === undefined ? {} : { removed }),
    ...(limit === undefined ? {} : { limit }),
  };
}

/**
 * The expert's own words about a request that it rejects are what the caller needs to mend it; about its own troubles they
 * stand beside ours.
 */
function messageOf(error: GatewrightError, failure: ProviderFailure | undefined): string {
  const said = failure?.upstream?.['message'];
  if (typeof said !== 'string') return `${error.message} ${error.fix}`;
  return failure!.code === 'GW_UPSTREAM_REJECTED' ? said : `${error.message} It says: ${said} ${error.fix}`;
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'api_error';
}
