/** JSON as clients and experts send it: nobody has looked at it yet. */
import { GatewrightError } from '@gatewright/kernel';

/** True for what JSON calls an object. */
export function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * JSON text of a value of the request.
 *
 * @param path of the value, as the client named it; empty for the whole body
 * @throws {GatewrightError} `GW_REQUEST_DEPTH`: JSON.parse takes deeper nesting than JSON.stringify
 */
export function jsonOf(value: unknown, path: string): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new GatewrightError('GW_REQUEST_DEPTH', `${path === '' ? 'The body' : path} is nested too deeply.`, {
      fix: 'Send a flatter body.',
      cause,
      ...(path === '' ? {} : { path }),
    });
  }
}
