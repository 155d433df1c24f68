/** Who may talk to the gateway. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';
import type { Config } from './config/config.ts';
import type { Speaker } from './feedback-desk.ts';
import { ANYONE, type Principal } from './identity/principal.ts';

/** Checks a request's credentials. */
export interface Guard {
  readonly isKeyed: boolean;
  /** @returns who asks. @throws {GatewrightError} `GW_AUTH` or `GW_HOST` */
  check(request: IncomingMessage): Principal;
  /** Whose key a request carries. Call after `check`. */
  speaker(request: IncomingMessage): Speaker;
}

/**
 * A guard for where the gateway listens: with a key, the key decides; without one only loopback is served, and only under
 * a loopback name, so that a web page that points its own host name at this machine gets nothing.
 *
 * @throws {GatewrightError} `GW_UNSAFE_BIND` if it would listen beyond loopback without a key
 */
export function guard(server: Config['server'], env: Readonly<Record<string, string | undefined>>): Guard {
  const keys = keysIn(env[server.apiKeyEnv]);
  const verifierDigests = keysIn(env[server.verifierKeyEnv]).map(digest);
  if (keys.length === 0 && !isLoopback(server.host)) {
    throw new GatewrightError(
      'GW_UNSAFE_BIND',
      `Listening on ${server.host} without an API key would let anybody spend your money.`,
      {
        fix: `Set a key: export ${server.apiKeyEnv}=$(openssl rand -hex 24), and send it as "Authorization: Bearer ...". Or listen on 127.0.0.1.`,
        path: 'server.host',
      },
    );
  }
  // Compared by digest: equal lengths for timingSafeEqual, and no early end at the first wrong byte.
  const keyDigests = keys.map(digest);
  // A verifier is let in with its own key; it closes no gateway that is open without one.
  const digests = keyDigests.length === 0 ? [] : [...keyDigests, ...verifierDigests];
  return {
    isKeyed: keys.length > 0,
    check(request) {
      if (digests.length === 0) {
        const host = request.headers.host ?? '';
        if (!isLoopback(hostName(host))) {
          throw new GatewrightError('GW_HOST', 'Without an API key only loopback host names are served.', {
            fix: `Use http://127.0.0.1, or set ${server.apiKeyEnv}.`,
          });
        }
        return ANYONE;
      }
      const sent = digest(credential(request));
      if (!isAmong(sent, digests)) {
        throw new GatewrightError(
          'GW_AUTH',
          request.headers.authorization === undefined && request.headers['x-api-key'] === undefined
            ? 'An API key is needed.'
            : 'The API key is not known.',
          {
            fix: `Send "Authorization: Bearer <key>" with a key from the gateway's ${server.apiKeyEnv}.`,
          },
        );
      }
      const isVerifier = isAmong(sent, verifierDigests);
      return {
        ...ANYONE,
        keyId: 'static',
        name: 'a key of the environment',
        keyDigest: sent.toString('hex'),
        roles: isVerifier ? ['use', 'verifier'] : ['use'],
      };
    },
    speaker(request) {
      const sent = digest(credential(request));
      const isVerifier = isAmong(sent, verifierDigests);
      const isKeyed = isVerifier || digests.length > 0;
      return { keyDigest: isKeyed ? sent.toString('hex') : '', isVerifier };
    },
  };
}

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

function credential(request: IncomingMessage): string {
  const { authorization } = request.headers;
  if (authorization !== undefined) return /^Bearer\s+(.+)$/i.exec(authorization)?.[1]?.trim() ?? '';
  const key = request.headers['x-api-key'];
  return (Array.isArray(key) ? key[0] : key) ?? '';
}

/** Looks at all of them, so that the time says nothing about which one it is. */
function isAmong(sent: Buffer, digests: readonly Buffer[]): boolean {
  let isKnown = false;
  for (const known of digests) isKnown = timingSafeEqual(sent, known) || isKnown;
  return isKnown;
}

function keysIn(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, '');
}
