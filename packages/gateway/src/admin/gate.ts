/** Who may manage the gateway: nobody without a key, whatever the address. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';
import {
  credential,
  hostName,
  isLoopback,
  refuseKeyInUrl,
  refuseWhilePaused,
  unknownKey,
  virtualKey,
} from '../auth.ts';
import type { Config } from '../config/config.ts';
import { type FailureCounter, failureCounter } from '../identity/failures.ts';
import { digestBytes } from '../identity/key-text.ts';
import type { KeyStore } from '../identity/keys.ts';
import { ANYONE, type Principal } from '../identity/principal.ts';

/** Checks credentials on the admin listener. */
export interface AdminGate {
  /** Whether there is anybody who could get in, at the moment. */
  readonly isUsable: boolean;
  /** @throws {GatewrightError} `GW_HOST`, `GW_REQUEST_KEY`, `GW_AUTH`, `GW_AUTH_PAUSED`, `GW_KEY_EXPIRED`, `GW_KEY_REVOKED` */
  check(request: IncomingMessage): Principal;
}

/** A token shorter than this can be tried out, and opens everything. */
const SHORTEST_TOKEN = 24;

/**
 * A gate for where the admin listener listens.
 *
 * @throws {GatewrightError} `GW_UNSAFE_BIND` if it would listen beyond loopback with nobody there to use it, or with a token
 *   that can be guessed
 */
export function adminGate(
  { host, tokenEnv }: NonNullable<Config['admin']>,
  env: Readonly<Record<string, string | undefined>>,
  keys: Pick<KeyStore, 'find' | 'hasRole'>,
  failures: FailureCounter = failureCounter(),
): AdminGate {
  const token = env[tokenEnv]?.trim() ?? '';
  if (token !== '' && token.length < SHORTEST_TOKEN)
    throw new GatewrightError(
      'GW_UNSAFE_BIND',
      `The token in ${tokenEnv} has ${token.length} characters, ${SHORTEST_TOKEN} are the least.`,
      { fix: `export ${tokenEnv}=$(openssl rand -hex 24)`, path: 'admin.tokenEnv' },
    );
  const isExposed = !isLoopback(host);
  if (isExposed && token === '' && !keys.hasRole('admin'))
    throw new GatewrightError('GW_UNSAFE_BIND', `The admin listener on ${host} would have nobody who may use it.`, {
      fix: `Create a key first: gatewright keys create --name NAME --role admin. Or set ${tokenEnv}.`,
      path: 'admin.host',
    });
  const digest = token === '' ? undefined : digestBytes(token);
  const holder: Principal = {
    ...ANYONE,
    keyId: 'token',
    name: `the token of ${tokenEnv}`,
    keyDigest: digest?.toString('hex') ?? '',
    roles: ['admin'],
  };
  return {
    get isUsable() {
      return token !== '' || keys.hasRole('admin');
    },
    check(request) {
      refuseKeyInUrl(request.url);
      // A web page that points its own host name at this machine gets nothing, not even the question for a key.
      if (!isExposed && !isLoopback(hostName(request.headers.host ?? '')))
        throw new GatewrightError('GW_HOST', 'The admin listener on loopback serves loopback host names only.', {
          fix: 'Use http://127.0.0.1.',
        });
      const sent = credential(request);
      const address = request.socket.remoteAddress ?? '';
      const principal = sent === '' ? undefined : virtualKey(keys, sent);
      if (principal !== undefined) return principal;
      if (sent !== '' && digest !== undefined && timingSafeEqual(digestBytes(sent), digest)) return holder;
      if (sent !== '') {
        refuseWhilePaused(failures, address);
        failures.failed(address);
      }
      throw unknownKey(
        request,
        `Send "Authorization: Bearer <key>" with a virtual key of role admin (gatewright keys create --role admin) or the token of ${tokenEnv}.`,
      );
    },
  };
}
