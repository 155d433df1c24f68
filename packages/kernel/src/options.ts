/** Checks that factories share. Options come from files and requests: each factory checks its own, once. */
import { OptionError, WITHHELD } from './errors.ts';

/**
 * A finite number within bounds.
 * @throws {OptionError} otherwise
 */
export function numberOption(
  name: string,
  value: unknown,
  { min = -Infinity, max = Infinity, whole = false }: { min?: number; max?: number; whole?: boolean },
  fix: string,
): number {
  if (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value >= min &&
    value <= max &&
    (!whole || Number.isInteger(value))
  ) {
    return value;
  }
  const range = max === Infinity ? (min === -Infinity ? '' : ` of at least ${min}`) : ` between ${min} and ${max}`;
  throw new OptionError(name, `a ${whole ? 'whole' : 'finite'} number${range}`, value, fix);
}

/**
 * Refuses options that a factory does not know, so that a misspelt one is not silently without effect.
 * @throws {OptionError} naming the first unknown option and the known ones
 */
export function onlyOptions(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new OptionError(
        name,
        known.length === 0 ? 'left out (this takes no options)' : `one of the known options (${known.join(', ')})`,
        // Nobody knows what an unknown option holds: it may be a key.
        WITHHELD,
        'Correct its spelling or remove it.',
      );
    }
  }
}
