import { OptionError } from '../errors.ts';
import { numberOption, onlyOptions } from '../options.ts';
import { orderBy, type Policy, requireCandidates } from './policy.ts';

/**
 * The cheapest candidate that is predicted good enough, with the others behind it as fallbacks. When none is good
 * enough, the best come first.
 *
 * Good enough means quality minus shadow price: an expert that is running out of its limit fails the bar before it fails
 * requests.
 *
 * @throws {OptionError} if `minQuality` is outside 0..1
 */
export function cheapestAbove(options: {
  /** Least acceptable quality, 0..1. */
  minQuality: number;
  /** What stands behind the chosen one: `best` (highest quality first, for fallbacks) or `cheapest` (next in cost, for cascades). Default `best`. */
  behind?: 'best' | 'cheapest';
}): Policy {
  onlyOptions(options, ['minQuality', 'behind']);
  const minQuality = numberOption(
    'minQuality',
    options.minQuality,
    { min: 0, max: 1 },
    'Quality is a share of acceptable answers, 0..1.',
  );
  const { behind = 'best' } = options;
  if (behind !== 'best' && behind !== 'cheapest')
    throw new OptionError('behind', '"best" or "cheapest"', behind, 'Leave it out for "best".');
  return {
    select(candidates) {
      requireCandidates(candidates);
      const byQuality = orderBy(candidates, (candidate) => candidate.price - candidate.quality);
      const byCost = orderBy(candidates, (candidate) => candidate.costUsd);
      // 0 - x rather than -x: JSON has no -0.
      const terms = candidates.map(({ quality, price }) => ({ quality, price: 0 - price }));

      const chosen = byCost.find((index) => candidates[index]!.quality - candidates[index]!.price >= minQuality);
      if (chosen === undefined) {
        return { ranked: byQuality, terms, propensity: 1, reason: `none reaches quality ${minQuality}; best first` };
      }
      const rest = (behind === 'best' ? byQuality : byCost).filter((index) => index !== chosen);
      return { ranked: [chosen, ...rest], terms, propensity: 1, reason: `cheapest of quality ${minQuality} or more` };
    },
  };
}
