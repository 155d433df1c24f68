/** Who may talk to the gateway. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';
import type { Config } from './config/config.ts';
import { type FailureCounter, failureCounter } from './identity/failures.ts';
import { digestBytes } from './identity/key-text.ts';
import type { KeyStore } from './identity/keys.ts';
import { ANYONE, type Principal } from './identity/principal.ts';

/** Checks a request's credentials. */
export interface Guard {
  /** Whether a key is asked for at the moment: the first virtual key closes an open gateway at once. */
  readonly isKeyed: boolean;
  /**
   * @returns who asks
   * @throws {GatewrightError} `GW_AUTH`, `GW_KEY_EXPIRED`, `GW_KEY_REVOKED`, `GW_AUTH_PAUSED`, `GW_HOST`, `GW_REQUEST_KEY`,
   *   `GW_KEYS_UNAVAILABLE`
   */
  check(request: IncomingMessage): Principal;
}

/** A key of the environment, as its digest. */
interface StaticKey {
  readonly digest: Buffer;
  /** So long that nobody guesses it. */
  readonly isLong: boolean;
  readonly principal: Principal;
}

/** From so many characters on a key of the environment cannot be tried out. */
const LONG_KEY = 24;

/**
 * A guard for where the gateway listens: with a key, the key decides; without one only loopback is served, and only under
 * a loopback name, so that a web page that points its own host name at this machine gets nothing.
 *
 * @param keys virtual keys; default none
 * @throws {GatewrightError} `GW_UNSAFE_BIND` if it would listen beyond loopback without a key
 */
export function guard(
  server: Config['server'],
  env: Readonly<Record<string, string | undefined>>,
  keys?: Pick<KeyStore, 'hasAny' | 'find'>,
  failures: FailureCounter = failureCounter(),
): Guard {
  const usual = keysIn(env[server.apiKeyEnv]).map((key) => staticKey(key, ['use']));
  const verifiers = keysIn(env[server.verifierKeyEnv]).map((key) => staticKey(key, ['use', 'verifier']));
  const isExposed = !isLoopback(server.host);
  if (isExposed && usual.length === 0 && keys?.hasAny() !== true) {
    throw new GatewrightError(
      'GW_UNSAFE_BIND',
      `Listening on ${server.host} without an API key would let anybody spend your money.`,
      {
        fix: `Set a key: export ${server.apiKeyEnv}=$(openssl rand -hex 24), and send it as "Authorization: Bearer ...". Or create one with \`gatewright keys create\`, or listen on 127.0.0.1.`,
        path: 'server.host',
      },
    );
  }
  // A verifier is let in with its own key, also where it is one of the others; it closes no gateway that is open without one.
  const known = [...verifiers, ...usual];
  // Beyond loopback a gateway never opens again, whatever happens to its keys.
  const isKeyed = (): boolean => usual.length > 0 || isExposed || keys?.hasAny() === true;
  return {
    get isKeyed() {
      return isKeyed();
    },
    check(request) {
      refuseKeyInUrl(request.url);
      const sent = credential(request);
      const address = request.socket?.remoteAddress ?? '';
      if (sent !== '') {
        const principal = keys === undefined ? undefined : virtualKey(keys, sent);
        if (principal !== undefined) return principal;
        const found = among(digestBytes(sent), known);
        if (found !== undefined) {
          if (!found.isLong) refuseWhilePaused(failures, address);
          return found.principal;
        }
      }
      if (!isKeyed()) {
        const host = request.headers.host ?? '';
        if (!isLoopback(hostName(host))) {
          throw new GatewrightError('GW_HOST', 'Without an API key only loopback host names are served.', {
            fix: `Use http://127.0.0.1, or set ${server.apiKeyEnv}.`,
          });
        }
        return ANYONE;
      }
      if (sent !== '') {
        refuseWhilePaused(failures, address);
        failures.failed(address);
      }
      throw unknownKey(
        request,
        `Send "Authorization: Bearer <key>" with a key from the gateway's ${server.apiKeyEnv}, or one that \`gatewright keys create\` made.`,
      );
    },
  };
}

/**
 * Whose virtual key that is; undefined where it is none, or none that is known.
 *
 * @throws {GatewrightError} `GW_KEY_EXPIRED`, `GW_KEY_REVOKED`: only whoever has the key itself is told
 */
export function virtualKey(keys: Pick<KeyStore, 'find'>, sent: string): Principal | undefined {
  const found = keys.find(sent);
  if (found.state === 'active') return found.principal;
  if (found.state === 'unknown') return undefined;
  const at = new Date(found.atMs).toISOString();
  if (found.state === 'revoked')
    throw new GatewrightError('GW_KEY_REVOKED', `The key ${found.id} was revoked at ${at}.`, {
      fix: 'Ask whoever manages the keys for another one.',
    });
  throw new GatewrightError(
    'GW_KEY_EXPIRED',
    found.state === 'rotated'
      ? `The key ${found.id} was replaced by another one; this one ended at ${at}.`
      : `The key ${found.id} expired at ${at}.`,
    { fix: 'Ask whoever manages the keys for the new one.' },
  );
}

/** The error about a credential that is missing or not known. */
export function unknownKey(request: IncomingMessage, fix: string): GatewrightError {
  const isMissing = request.headers.authorization === undefined && request.headers['x-api-key'] === undefined;
  return new GatewrightError('GW_AUTH', isMissing ? 'An API key is needed.' : 'The API key is not known.', { fix });
}

/** @throws {GatewrightError} `GW_AUTH_PAUSED` */
export function refuseWhilePaused(failures: FailureCounter, address: string): void {
  const waitMs = failures.waitMs(address);
  if (waitMs === 0) return;
  throw new GatewrightError('GW_AUTH_PAUSED', 'Too many wrong keys came from this address.', {
    fix: `Wait ${Math.ceil(waitMs / 1000)} s, and mend the key. Keys of ${LONG_KEY} characters or more are not affected.`,
    facts: { retryAfterMs: waitMs },
  });
}

/**
 * URLs end up in logs and histories: a key in one is not taken, also not beside a right header.
 *
 * @throws {GatewrightError} `GW_REQUEST_KEY`
 */
export function refuseKeyInUrl(url: string | undefined): void {
  if (url === undefined || !url.includes('?') || !KEY_IN_URL.test(url)) return;
  throw new GatewrightError('GW_REQUEST_KEY', 'The URL carries a key.', {
    fix: 'Send it as "Authorization: Bearer <key>"; take the one from the URL for known, and replace it.',
  });
}

const KEY_IN_URL = /[?&](?:api[-_]?key|x-api-key|key|access[-_]?token|token|authorization)=|gw-[0-9A-Za-z]{12}_/i;

/** True for addresses and names of this machine alone. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    host === '[::1]' ||
    /^127(?:\.\d{1,3}){3}$/.test(host) ||
    host.endsWith('.localhost')
  );
}

/** The key that a request carries; empty where it carries none. */
export function credential(request: IncomingMessage): string {
  const { authorization } = request.headers;
  if (authorization !== undefined) return /^Bearer\s+(.+)$/i.exec(authorization)?.[1]?.trim() ?? '';
  const key = request.headers['x-api-key'];
  return (Array.isArray(key) ? key[0] : key) ?? '';
}

/** Looks at all of them, so that the time says nothing about which one it is. Compared by digest: equal lengths. */
function among(sent: Buffer, keys: readonly StaticKey[]): StaticKey | undefined {
  let found: StaticKey | undefined;
  for (const key of keys) if (timingSafeEqual(sent, key.digest)) found ??= key;
  return found;
}

function staticKey(key: string, roles: Principal['roles']): StaticKey {
  const digest = digestBytes(key);
  const keyDigest = digest.toString('hex');
  const principal = { ...ANYONE, keyId: 'static', name: 'a key of the environment', keyDigest, roles };
  return { digest, isLong: key.length >= LONG_KEY, principal };
}

function keysIn(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '');
}

/** The host of a `Host` header, without its port. */
export function hostName(host: string): string {
  return host.replace(/:\d+$/, '');
}
