import { OptionError } from '../errors.ts';
import { onlyOptions } from '../options.ts';
import { type Policy, requireCandidates } from './policy.ts';

/**
 * A fixed order: the listed experts first, in that order, the others behind them in the order of the configuration.
 * Exported to configurations as `static`.
 *
 * @throws {OptionError} if `order` is not a list of distinct expert ids
 */
export function staticOrder(
  options: {
    /** Expert ids, first choice first. Default: the configuration's order. */ order?: readonly string[];
  } = {},
): Policy {
  onlyOptions(options, ['order']);
  const { order = [] } = options;
  if (!Array.isArray(order) || order.some((id) => typeof id !== 'string') || new Set(order).size !== order.length) {
    throw new OptionError('order', 'a list of distinct expert ids', order, 'List each expert id once.');
  }
  const place = new Map(order.map((expert, index) => [expert, index]));
  return {
    expertsNamed: Object.fromEntries(order.map((expert, index) => [`order[${index}]`, expert])),
    select(candidates) {
      requireCandidates(candidates);
      const ranked = candidates
        .map((candidate, index) => ({ index, place: place.get(candidate.expert) ?? order.length }))
        .sort((a, b) => a.place - b.place || a.index - b.index)
        .map(({ index }) => index);
      return { ranked, terms: candidates.map(() => ({})), propensity: 1, reason: 'fixed order' };
    },
  };
}
