/** What went wrong between the gateway and a server, as one `ProviderFailure`: shared by all providers that speak HTTP. */
import { errors } from 'undici';
import { redact } from '../redact.ts';
import { ProviderFailure } from './failure.ts';
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
  const upstream = upstreamError(body, secrets);
  // The expert's own words may quote the prompt: they go to the client (http-errors.ts), never into traces or logs.
  const said =
    upstream?.['code'] == null && upstream?.['type'] == null ? '' : `: ${upstream['code'] ?? upstream['type']}`;
  const shared = { status, ...(upstream === undefined ? {} : { upstream }), ...retryAfterOf(retryAfter) };
  if (status === 400 || status === 413 || status === 422) {
    return new ProviderFailure('GW_UPSTREAM_REJECTED', `The expert rejects the request (${status})${said}.`, {
      ...shared,
      fix: 'Correct the request.',
      elsewhere: false,
    });
  }
  if (status === 401 || status === 403) {
    return new ProviderFailure('GW_UPSTREAM_AUTH', `The expert does not accept the gateway's key (${status})${said}.`, {
      ...shared,
      fix: 'Check the environment variable that apiKeyEnv of this expert names.',
      elsewhere: true,
    });
  }
  if (status === 429) {
    return new ProviderFailure('GW_UPSTREAM_RATE_LIMIT', `The expert's rate limit is reached (429)${said}.`, {
      ...shared,
      fix: 'Wait, or add an expert.',
      elsewhere: true,
    });
  }
  return new ProviderFailure('GW_UPSTREAM_STATUS', `The expert answered with status ${status}${said}.`, {
    ...shared,
    fix: status === 404 ? 'Check baseUrl and model of this expert.' : 'See the logs of the expert.',
    elsewhere: true,
  });
}

/** `{message, type, code, param}` out of an error body, redacted and clipped; undefined if there is no message. */
function upstreamError(body: Buffer, secrets: readonly string[]): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const error = isObject(parsed) ? (parsed['error'] ?? parsed) : undefined;
    return errorFields(error, secrets);
  } catch {
    return undefined;
  }
}

function errorFields(error: unknown, secrets: readonly string[]): Record<string, unknown> | undefined {
  // Redacted before it is clipped: half a key is not recognised as one.
  if (typeof error === 'string') return { message: redact(error, secrets).slice(0, 1000) };
  if (!isObject(error) || typeof error['message'] !== 'string') return undefined;
  const fields: Record<string, unknown> = { message: redact(error['message'], secrets).slice(0, 1000) };
  for (const name of ['type', 'code', 'param', 'status']) {
    const value = error[name];
    if (typeof value === 'string') fields[name] = redact(value, secrets).slice(0, 200);
    else if (typeof value === 'number') fields[name] = value;
  }
  return fields;
}

/**
 * An error that came as an event of a stream.
 *
 * @param error the error object: `{message, type, code, param}`, or a text
 */
export function errorEvent(error: unknown, secrets: readonly string[]): ProviderFailure {
  const upstream = errorFields(error, secrets) ?? { message: 'no message' };
  const isRejected = upstream['type'] === 'invalid_request_error';
  return new ProviderFailure(
    'GW_UPSTREAM_ERROR_EVENT',
    `The expert sent an error in its stream${upstream['code'] == null && upstream['type'] == null ? '' : `: ${upstream['code'] ?? upstream['type']}`}.`,
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

/** True for what JSON calls an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
