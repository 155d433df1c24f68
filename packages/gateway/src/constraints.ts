/** Hard constraints: who cannot answer this request at all, before anybody is scored. Each removal says why. */
import type { Removal } from '@gatewright/kernel';
import type { Capability } from './config/schema.ts';
import type { LiveExpert } from './experts.ts';
import { offers } from './features/needs.ts';
import { usd } from './money/refusal.ts';
import { type Requirements, unmetRequirement } from './requirements.ts';

/** What a request demands. */
export interface Demands {
  readonly needs: readonly Capability[];
  /** Estimated prompt tokens. */
  readonly promptTokens: number;
  /** Tokens that the client wants room for in the answer, 0 if it did not say. */
  readonly answerTokens: number;
  readonly nowMs: number;
  /** Flags that an expert must grant. */
  readonly hardFlags: readonly string[];
  /** What the client demands beside. */
  readonly requires?: Requirements | undefined;
  /** Whom the mode keeps out, as ids or `provider:NAME`. */
  readonly deny?: readonly string[] | undefined;
  /** Estimated cost of one call, USD; needed where a cost is demanded. */
  readonly costOf?: (live: LiveExpert) => number;
  /** What is left to spend on a call, and what one would be reserved for, USD; undefined: nothing limits it. */
  readonly budget?: { readonly leftUsd: number; readonly reserveUsd: (live: LiveExpert) => number } | undefined;
  /** What an expert's card says against it for this request; undefined where there are no cards. */
  readonly lackOf?: ((expertId: string) => Removal | undefined) | undefined;
}

/** Who may answer, and who was taken out by what. */
export interface Admission {
  readonly admitted: readonly LiveExpert[];
  readonly removed: readonly Removal[];
}

/**
 * Applies the constraints in a fixed order: what client and mode demand (`requirements.ts`), flag, capability (as declared,
 * then as probed), context, budget, breaker.
 *
 * The last two give way. Where no expert is affordable, none is removed for it: the account that refuses the call says why.
 * Where the breakers would leave nobody, those they hold back are asked all the same, the one that opens its door soonest
 * first, since a likely failure is better than a certain one.
 */
export function admit(experts: readonly LiveExpert[], demands: Demands): Admission {
  const { nowMs } = demands;
  const admitted: LiveExpert[] = [];
  const heldBack: LiveExpert[] = [];
  const removed: Removal[] = [];
  const able: LiveExpert[] = [];
  for (const live of experts) {
    const lack = permanentLack(live, demands);
    if (lack === undefined) able.push(live);
    else removed.push(lack);
  }
  for (const live of affordable(able, demands.budget, removed)) {
    if (live.breaker.admits(nowMs)) admitted.push(live);
    else heldBack.push(live);
  }
  if (admitted.length === 0) {
    const opensAtMs = (live: LiveExpert): number => live.breaker.status(nowMs).untilMs;
    return { admitted: heldBack.sort((a, b) => opensAtMs(a) - opensAtMs(b)), removed };
  }
  for (const live of heldBack) removed.push(heldBackBy(live, nowMs));
  return { admitted, removed };
}

/** Those whose call the budget covers; all of them where it covers none. */
function affordable(
  experts: readonly LiveExpert[],
  budget: Demands['budget'],
  removed: Removal[],
): readonly LiveExpert[] {
  if (budget === undefined) return experts;
  const { leftUsd, reserveUsd } = budget;
  const covered = experts.filter((live) => reserveUsd(live) <= leftUsd);
  if (covered.length === 0) return experts;
  for (const live of experts)
    if (!covered.includes(live))
      removed.push({
        expert: live.expert.id,
        constraint: 'budget',
        detail: `the call may come to up to ${usd(reserveUsd(live))}, the budget has ${usd(leftUsd)} left`,
      });
  return covered;
}

function heldBackBy({ expert, breaker, lastFailure }: LiveExpert, nowMs: number): Removal {
  const { state, reason, untilMs, probes } = breaker.status(nowMs);
  const why = reason === 'latency' ? 'being far slower than the pool' : (lastFailure?.code ?? 'a failure');
  return {
    expert: expert.id,
    constraint: 'breaker',
    detail:
      state === 'halfOpen'
        ? `half open: ${probes} ${probes === 1 ? 'call is' : 'calls are'} finding out whether it is well again after ${why}`
        : `left alone for another ${Math.ceil(untilMs - nowMs)} ms after ${why}`,
  };
}

function permanentLack(live: LiveExpert, demands: Demands): Removal | undefined {
  const { expert, isDrained } = live;
  const { needs, promptTokens, answerTokens, hardFlags, requires, deny, costOf, lackOf } = demands;
  if (isDrained) return { expert: expert.id, constraint: 'drained', detail: 'taken out by a manager' };
  const unmet = unmetRequirement(expert, requires, deny, () => costOf?.(live) ?? 0);
  if (unmet !== undefined) return unmet;
  for (const flag of hardFlags) {
    if (!(expert.grants ?? []).includes(flag)) {
      return {
        expert: expert.id,
        constraint: 'flag',
        detail: `the request insists on ${flag}, the expert grants ${expert.grants?.join(', ') || 'nothing'}`,
      };
    }
  }
  for (const need of needs) {
    if (!offers(expert.capabilities, need)) {
      return {
        expert: expert.id,
        constraint: 'capability',
        detail: `the request needs ${need}, the expert offers ${expert.capabilities.join(', ') || 'nothing'}`,
      };
    }
  }
  const probed = lackOf?.(expert.id);
  if (probed !== undefined) return probed;
  const tokens = promptTokens + answerTokens;
  if (expert.contextTokens !== undefined && tokens > expert.contextTokens) {
    return {
      expert: expert.id,
      constraint: 'context',
      detail: `about ${tokens} tokens do not fit into ${expert.contextTokens}`,
    };
  }
  return undefined;
}
