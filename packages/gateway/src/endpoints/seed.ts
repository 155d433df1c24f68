/** What every endpoint that decides reads of a request's headers. */
import type { IncomingMessage } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';

/** `x-gw-seed` makes a decision repeatable. */
export function seedOf(request: IncomingMessage): number | undefined {
  const header = request.headers['x-gw-seed'];
  if (header === undefined) return undefined;
  const seed = Number(header);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new GatewrightError('GW_REQUEST_TYPE', 'x-gw-seed is not a whole number from 0 to 4294967295.', {
      path: 'x-gw-seed',
      fix: 'Send a number such as 7, or leave the header out.',
    });
  }
  return seed;
}
