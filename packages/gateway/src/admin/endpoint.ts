/** What the endpoints of the admin listener share. They look like those of the main one: paths to handlers. */
import { GatewrightError } from '@gatewright/kernel';
import type { Exchange, Route } from '../endpoints/endpoint.ts';
import type { Gateway } from '../gateway.ts';
import { readBody } from '../http/body.ts';
import { type Administration, addressClass, administration } from '../identity/administration.ts';
import type { Actor } from '../identity/audit.ts';
import type { Log } from '../log.ts';
import { parseJsonBody } from '../wire/request.ts';

/** What the admin endpoints work on. */
export interface AdminContext {
  readonly gateway: Gateway;
  readonly log: Log;
}

/** The routes of one endpoint file. */
export type AdminEndpoints = (context: AdminContext) => Readonly<Record<string, Route>>;

/** Bodies here are small. */
const MOST_BODY_BYTES = 65_536;

/** Who asks, as the audit log tells it. */
export function actorOf({ principal, request }: Pick<Exchange, 'principal' | 'request'>): Actor {
  return { key: principal.keyId, name: principal.name, from: addressClass(request.socket.remoteAddress) };
}

/** The acts of whoever asks. */
export function actsOf({ gateway }: AdminContext, exchange: Exchange): Administration {
  return administration(gateway.identity, actorOf(exchange));
}

/**
 * A JSON object out of the body; an empty body is an empty one. Its type must be JSON all the same: no form of a web page
 * sends that.
 *
 * @throws {GatewrightError} `GW_REQUEST_MEDIA`, `GW_REQUEST_TOO_LARGE`, `GW_REQUEST_JSON`, `GW_REQUEST_TYPE`
 */
export async function readObject({ request }: Exchange): Promise<Record<string, unknown>> {
  const body = await readBody(request, MOST_BODY_BYTES);
  const content: unknown = body.length === 0 ? {} : parseJsonBody(body);
  if (content !== null && typeof content === 'object' && !Array.isArray(content))
    return content as Record<string, unknown>;
  throw new GatewrightError('GW_REQUEST_TYPE', 'The body is not a JSON object.', { fix: 'Send {...}.' });
}

/**
 * A whole number out of a query or a body.
 *
 * @throws {GatewrightError} `GW_REQUEST_TYPE`
 */
export function wholeNumber(name: string, value: unknown, standard: number, min: number, max: number): number {
  if (value === null || value === undefined) return standard;
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (Number.isInteger(number) && (number as number) >= min && (number as number) <= max) return number as number;
  throw new GatewrightError('GW_REQUEST_TYPE', `${name} is ${JSON.stringify(value).slice(0, 60)}.`, {
    path: name,
    fix: `Use a whole number from ${min} to ${max}.`,
  });
}
