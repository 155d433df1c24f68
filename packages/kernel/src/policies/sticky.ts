import { OptionError } from '../errors.ts';
import { numberOption, onlyOptions } from '../options.ts';
import { create, type Spec } from '../registry.ts';
import * as policies from './index.ts';
import type { Candidate, Policy, PolicyContext, Selection } from './policy.ts';

/**
 * Another policy that stays with a session's expert while leaving it is not worth it:
 *
 *     leaves if   gain >= margin + stability x switch cost
 *
 * where the gain is what the other policy's first choice scores above the session's expert, and the switch cost is what the
 * prompt costs more where no cache holds it (`request.session.switchCostUsd`), as a share of the dearest candidate's cost.
 * Scores are those of the other policy; of one that states no terms, the qualities.
 *
 * A session that waits for the results of tools stays whatever the gain: another model would read calls that it never made.
 * An expert that is no candidate any more (its breaker is open, the request needs what it lacks) holds nobody.
 *
 * A policy that draws (`propensity` below 1) draws as ever outside such waits: what it explores must keep its chances.
 * Without `request.session` it is the other policy.
 *
 * @throws {OptionError} if `margin` or `stability` is negative, or `of` is no policy
 * @throws {UnknownNameError} `GW_UNKNOWN_NAME` if `of` names no policy
 */
export function sticky(options: {
  /** The policy that decides otherwise: a spec, as in a configuration. */
  of: Spec;
  /** Gain that a switch must bring even where it costs nothing, score units, 0 or more. Default 0.02. */
  margin?: number;
  /** Score units that a switch cost of the whole dearest call is worth, 0 or more. Default 0.3. */
  stability?: number;
}): Policy {
  onlyOptions(options, ['of', 'margin', 'stability']);
  const margin = numberOption('margin', options.margin ?? 0.02, { min: 0 }, 'Use 0 to weigh the switch cost alone.');
  const stability = numberOption(
    'stability',
    options.stability ?? 0.3,
    { min: 0 },
    'Use the cost weight of the policy, 0 to ignore what a switch costs.',
  );
  if (options.of === null || typeof options.of !== 'object' || typeof options.of.use !== 'string')
    throw new OptionError('of', 'a policy', options.of, 'For example { use: bestOf }.');
  const other = create<Policy>('policy', policies, options.of, 'of');

  const select = (candidates: readonly Candidate[], context: PolicyContext): Selection => {
    const selection = other.select(candidates, context);
    const session = context.request?.session;
    if (session === undefined) return selection;
    const kept = candidates.findIndex(({ expert }) => expert === session.expert);
    if (kept < 0) return selection;
    if (session.awaitsTools) return stay(selection, kept, `${session.expert} made the calls whose results came`);
    const first = selection.ranked[0]!;
    if (first === kept || selection.propensity < 1) return selection;
    const gain = scoreOf(candidates, selection, first) - scoreOf(candidates, selection, kept);
    const needed = margin + stability * switchShare(candidates, session.switchCostUsd);
    const figures = `gain ${gain.toFixed(3)}, needed ${needed.toFixed(3)}`;
    return gain >= needed
      ? { ...selection, reason: `${selection.reason}; leaves ${session.expert}: ${figures}` }
      : stay(selection, kept, `stays with ${session.expert}: ${figures}`);
  };

  return {
    ...(other.expertsNamed === undefined ? {} : { expertsNamed: underOf(other.expertsNamed) }),
    reads: [...(other.reads ?? []), 'session'],
    select,
    ...(other.probabilities === undefined
      ? {}
      : {
          probabilities(candidates, context) {
            const drawn = other.probabilities!(candidates, context);
            const isDrawn = drawn.every((chance) => chance < 1);
            const session = context.request?.session;
            if (session === undefined || (isDrawn && !session.awaitsTools)) return drawn;
            const chances = new Float64Array(candidates.length);
            chances[select(candidates, context).ranked[0]!] = 1;
            // A session whose expert is gone is held by nobody.
            return isDrawn && !candidates.some(({ expert }) => expert === session.expert) ? drawn : chances;
          },
        }),
  };
}

function stay(selection: Selection, kept: number, reason: string): Selection {
  return {
    ...selection,
    ranked: [kept, ...selection.ranked.filter((index) => index !== kept)],
    propensity: 1,
    reason,
  };
}

function scoreOf(candidates: readonly Candidate[], { terms }: Selection, index: number): number {
  const own = Object.values(terms[index] ?? {});
  return own.length === 0 ? candidates[index]!.quality : own.reduce((sum, term) => sum + term, 0);
}

function switchShare(candidates: readonly Candidate[], switchCostUsd: number): number {
  let dearestUsd = 0;
  for (const { costUsd } of candidates) dearestUsd = Math.max(dearestUsd, costUsd);
  return dearestUsd > 0 ? Math.max(0, switchCostUsd) / dearestUsd : 0;
}

function underOf(named: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(named).map(([place, id]) => [`of.${place}`, id]));
}
