/** What went wrong between the gateway and a server, as one `ProviderFailure`: shared by all providers that speak HTTP. */
import { errors } from 'undici';
import { redact } from '../redact.ts';
import { type FailureDetails, ProviderFailure } from './failure.ts';
import type { ProviderContext } from './provider.ts';

/**
 * An answer with a status that is no success.
 *
 * @param body of the answer, or its beginning: its error object is read in the forms of all known servers
 * @param retryAfter the header as it came
 * @param secrets to be kept out of every word
 */
export function statusFailure(
  status: number,
  body: Buffer,
  retryAfter: string | undefined,
  secrets: readonly string[],
): ProviderFailure {
  const error = errorIn(body);
  const upstream = errorFields(error, secrets);
  // The expert's own words may quote the prompt: they go to the client (http-errors.ts), never into traces or logs.
  const said =
    upstream?.['code'] == null && upstream?.['type'] == null ? '' : `: ${upstream['code'] ?? upstream['type']}`;
  const shared = { status, ...(upstream === undefined ? {} : { upstream }), ...retryAfterOf(retryAfter) };
  if (status === 400 || status === 413 || status === 422) {
    const fault = faultOf(error);
    if (fault === 'key') return authFailure(status, said, shared);
    if (fault === 'account') return accountFailure(status, upstream);
    if (fault === 'model') return strangeStatus(status, said, shared, 'Check model of this expert.');
    return new ProviderFailure('GW_UPSTREAM_REJECTED', `The expert rejects the request (${status})${said}.`, {
      ...shared,
      fix: 'Correct the request.',
      // Too long for this model, or a field that it alone does not have.
      elsewhere: fault === 'limits',
    });
  }
  if (status === 401 || status === 403) return authFailure(status, said, shared);
  if (status === 429) {
    return new ProviderFailure('GW_UPSTREAM_RATE_LIMIT', `The expert's rate limit is reached (429)${said}.`, {
      ...shared,
      fix: 'Wait, or add an expert.',
      elsewhere: true,
    });
  }
  return strangeStatus(
    status,
    said,
    shared,
    status === 404 ? 'Check baseUrl and model of this expert.' : 'See the logs of the expert.',
  );
}

type Shared = Omit<FailureDetails, 'fix' | 'elsewhere'>;

function authFailure(status: number, said: string, shared: Shared): ProviderFailure {
  return new ProviderFailure('GW_UPSTREAM_AUTH', `The expert does not accept the gateway's key (${status})${said}.`, {
    ...shared,
    fix: 'Check the environment variable that apiKeyEnv of this expert names.',
    elsewhere: true,
  });
}

function strangeStatus(status: number, said: string, shared: Shared, fix: string): ProviderFailure {
  const message = `The expert answered with status ${status}${said}.`;
  return new ProviderFailure('GW_UPSTREAM_STATUS', message, { ...shared, fix, elsewhere: true });
}

/** The state of the gateway's account, whatever status it came with: never the client's fault. */
export function accountFailure(status: number, upstream: FailureDetails['upstream']): ProviderFailure {
  return new ProviderFailure('GW_UPSTREAM_STATUS', `The expert does not serve this account (${status}).`, {
    fix: "Check billing and region of the expert's account.",
    elsewhere: true,
    status,
    ...(upstream === undefined ? {} : { upstream }),
  });
}

/** Of the gateway's own key or account, said with a status for wrong requests. Only at the beginning: what follows may quote the client. */
const KEY_WORDS = /^(?:incorrect|invalid) api key|^api key (?:not valid|expired|not found)/i;
const ACCOUNT_WORDS =
  /^your credit balance is too low|^this organization has been disabled|^billing hard limit|^insufficient balance/i;
const MODEL_CODES = ['model_not_found', 'invalid_model', 'model_not_exist'];
/** Another model may have more room, or take that field. */
const LIMIT_CODES = ['context_length_exceeded', 'unsupported_parameter', 'unsupported_value'];
const LIMIT_WORDS =
  /maximum context length|^prompt is too long|^input is too long|exceeds? the (?:available context size|maximum number of tokens)/i;

/** Who is at fault behind a status that says the request is: servers have one status for all of it. */
function faultOf(error: unknown): 'key' | 'account' | 'model' | 'limits' | 'request' {
  const { message, code, type } = isObject(error) ? error : { message: error };
  const words = typeof message === 'string' ? message : '';
  const isOneOf = (names: readonly unknown[]): boolean => names.includes(code) || names.includes(type);
  if (isOneOf(['invalid_api_key', 'authentication_error']) || KEY_WORDS.test(words)) return 'key';
  if (isOneOf(['billing_hard_limit_reached', 'billing_error']) || ACCOUNT_WORDS.test(words)) return 'account';
  if (isOneOf(MODEL_CODES) || /^model not exist/i.test(words)) return 'model';
  return isOneOf(LIMIT_CODES) || LIMIT_WORDS.test(words) ? 'limits' : 'request';
}

/** The error object, or text, in an error body; undefined if there is none. */
function errorIn(body: Buffer): unknown {
  try {
    let parsed: unknown = JSON.parse(body.toString('utf8'));
    if (Array.isArray(parsed)) parsed = parsed[0];
    if (!isObject(parsed)) return undefined;
    // With the code beside it, as xAI says it.
    if (typeof parsed['error'] === 'string') return { message: parsed['error'], code: parsed['code'] };
    return parsed['error'] ?? parsed;
  } catch {
    return undefined;
  }
}

/** `{message, type, code, param}` of an error, redacted and clipped; undefined if there is no message. */
function errorFields(error: unknown, secrets: readonly string[]): Record<string, unknown> | undefined {
  // Redacted before it is clipped: half a key is not recognised as one. Nor is what a server left of it behind stars.
  const words = (text: string): string =>
    redact(text, secrets)
      .replace(/\S*\*{3,}\S*/g, '[redacted]')
      .slice(0, 1000);
  if (typeof error === 'string') return { message: words(error) };
  if (!isObject(error) || typeof error['message'] !== 'string') return undefined;
  const fields: Record<string, unknown> = { message: words(error['message']) };
  for (const name of ['type', 'code', 'param', 'status']) {
    const value = error[name];
    if (typeof value === 'string') fields[name] = redact(value, secrets).slice(0, 200);
    else if (typeof value === 'number') fields[name] = value;
  }
  return fields;
}

/**
 * An error that came as an event of a stream, or in place of an answer though the status says success.
 *
 * @param error the error object: `{message, type, code, param}`, or a text
 */
export function errorEvent(error: unknown, secrets: readonly string[]): ProviderFailure {
  const upstream = errorFields(error, secrets) ?? { message: 'no message' };
  const isRejected = upstream['type'] === 'invalid_request_error' && faultOf(error) === 'request';
  return new ProviderFailure(
    'GW_UPSTREAM_ERROR_EVENT',
    `The expert sent an error in its answer${upstream['code'] == null && upstream['type'] == null ? '' : `: ${upstream['code'] ?? upstream['type']}`}.`,
    {
      fix: isRejected ? 'Correct the request.' : 'See the logs of the expert.',
      elsewhere: !isRejected,
      upstream,
    },
  );
}

/**
 * A connection that could not be made, stalled or broke.
 *
 * @param hasContent whether content had come: then the stream was cut
 * @param isUnanswered whether not even a status had come
 */
export function transportFailure(
  error: Error,
  hasContent: boolean,
  { timeouts, secrets }: { readonly timeouts: ProviderContext['timeouts']; readonly secrets: readonly string[] },
  isUnanswered = false,
): ProviderFailure {
  const why = redact(error.message, secrets).slice(0, 300);
  if (error instanceof errors.HeadersTimeoutError) {
    return new ProviderFailure('GW_UPSTREAM_TIMEOUT', `No answer began within ${timeouts.firstByteMs} ms.`, {
      fix: 'Raise timeouts.firstByteMs, or check the expert.',
      elsewhere: true,
    });
  }
  if (error instanceof errors.BodyTimeoutError) {
    return new ProviderFailure('GW_UPSTREAM_TIMEOUT', `The answer stalled for ${timeouts.idleMs} ms.`, {
      fix: 'Raise timeouts.idleMs, or check the expert.',
      elsewhere: true,
    });
  }
  const code = (error as { code?: string }).code;
  const isConnect =
    error instanceof errors.ConnectTimeoutError ||
    code === 'ECONNREFUSED' ||
    code === 'ENOTFOUND' ||
    code === 'EHOSTUNREACH' ||
    code === 'ENETUNREACH' ||
    code === 'EAI_AGAIN' ||
    (code ?? '').startsWith('ERR_TLS') ||
    (code ?? '').includes('CERT');
  if (isConnect) {
    return new ProviderFailure('GW_UPSTREAM_CONNECT', `No connection to the expert: ${why || code}.`, {
      fix: 'Check baseUrl and that the server runs.',
      elsewhere: true,
    });
  }
  if (hasContent) return truncated(`the connection broke (${why})`);
  return new ProviderFailure('GW_UPSTREAM_RESET', `The connection to the expert broke: ${why}.`, {
    fix: 'See the logs of the expert.',
    elsewhere: true,
    // The socket had brought other answers before: the server closed it between two requests.
    isStaleConnection: isUnanswered && error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0,
  });
}

/** An answer that is not what the format says. @param why as in "the answer has no choices" */
export function malformed(why: string): ProviderFailure {
  return new ProviderFailure('GW_UPSTREAM_MALFORMED', `The expert's answer cannot be read: ${why}.`, {
    fix: 'Check that baseUrl is a server of the kind that the provider speaks to.',
    elsewhere: true,
  });
}

/** A stream that ended before its end. @param why as in "the connection closed before a finish reason" */
export function truncated(why: string): ProviderFailure {
  return new ProviderFailure('GW_UPSTREAM_TRUNCATED', `The expert's stream was cut: ${why}.`, {
    fix: 'Ask again; see the logs of the expert if it repeats.',
    elsewhere: true,
  });
}

function retryAfterOf(header: string | undefined): { retryAfterMs: number } | Record<never, never> {
  if (header === undefined) return {};
  const seconds = Number(header);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  // An hour at most: a wrong clock must not bench an expert for good.
  return Number.isFinite(waitMs) ? { retryAfterMs: Math.min(3_600_000, Math.max(0, Math.round(waitMs))) } : {};
}

/** The first value of a header. */
export function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/**
 * An answer, or an event of one.
 *
 * @param what it is, as in "the answer"
 * @throws {ProviderFailure} `GW_UPSTREAM_MALFORMED` if it is no JSON object
 */
export function parsedObject(text: string, what: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw malformed(`${what} is not JSON (${Buffer.byteLength(text)} bytes)`);
  }
  if (!isObject(parsed)) throw malformed(`${what} is not an object`);
  return parsed;
}

/** True for what JSON calls an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
