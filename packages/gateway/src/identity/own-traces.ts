/** Whose traces a key may read. */
import { keyAccountId } from '../money/accounts.ts';
import type { Principal } from './principal.ts';

/**
 * The one account whose traces may be read; undefined: all of them, by administrators, by keys of the environment, and where
 * no key is asked for. A trace without an account is from before there were keys, and nobody's own.
 */
export function onlyAccountOf(principal: Principal): string | undefined {
  const { keyId, roles } = principal;
  return keyId === 'static' || keyId === 'open' || roles.includes('admin') ? undefined : keyAccountId(principal);
}
