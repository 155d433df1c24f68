/** Which modes and experts a key may ask for, under all the names that a request can give them. */
import { UnknownNameError } from '@gatewright/kernel';
import { meantModel, type Runtime } from '../pipeline.ts';
import { isAllowed, type Principal, requireModel } from './principal.ts';

/**
 * Refuses a request that names what its key may not ask for, as model or among others. What is allowed by a pattern and not
 * there is refused here too: the key learns of no names but its own.
 *
 * @param others `models` of the body
 * @throws {GatewrightError} `GW_MODEL_FORBIDDEN`, `GW_UNKNOWN_MODEL`
 */
export function requireModels(
  runtime: Runtime,
  principal: Principal,
  model: string,
  others: readonly string[] | undefined,
): void {
  if (principal.models === undefined) return;
  requireOne(runtime, principal, model, 'model');
  others?.forEach((name, index) => {
    requireOne(runtime, principal, name, `models[${index}]`);
  });
}

function requireOne(runtime: Runtime, principal: Principal, name: string, path: string): void {
  const meant = meantModel(runtime, name);
  requireModel(principal, meant);
  if (runtime.modes.has(meant) || runtime.config.experts.some(({ id }) => id === meant)) return;
  const known = [...runtime.modes.keys()].filter((id) => isAllowed(principal, id));
  throw new UnknownNameError('mode or expert', name, known, { code: 'GW_UNKNOWN_MODEL', path });
}
