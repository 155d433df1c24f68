/** Hard constraints: who cannot answer this request at all, before anybody is scored. Each removal says why. */
import type { Removal } from '@gatewright/kernel';
import type { Capability } from './config/schema.ts';
import type { LiveExpert } from './experts.ts';
import { offers } from './features/needs.ts';
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
  /** What an expert's card says against it for this request; undefined where there are no cards. */
  readonly lackOf?: ((expertId: string) => Removal | undefined) | undefined;
}

/** Who may answer, and who was taken out by what. */
export interface Admission {
  readonly admitted: readonly LiveExpert[];
  readonly removed: readonly Removal[];
}

/**
 * Applies the constraints in a fixed order: what client and mode demand (`requirements.ts`), flag, capability (as declared, then as probed), context, breaker.
 *
 * The breaker is the only one that gives way: when it would leave nobody, those it holds back are asked all the same, the
 * one that opens its door soonest first, since a likely failure is better than a certain one.
 */
export function admit(experts: readonly LiveExpert[], demands: Demands): Admission {
  const { nowMs } = demands;
  const admitted: LiveExpert[] = [];
  const heldBack: LiveExpert[] = [];
  const removed: Removal[] = [];
  for (const live of experts) {
    const lack = permanentLack(live, demands);
    if (lack !== undefined) removed.push(lack);
    else if (!live.breaker.admits(nowMs)) heldBack.push(live);
    else admitted.push(live);
  }
  if (admitted.length === 0) {
    const opensAtMs = (live: LiveExpert): number => live.breaker.status(nowMs).untilMs;
    return { admitted: heldBack.sort((a, b) => opensAtMs(a) - opensAtMs(b)), removed };
  }
  for (const live of heldBack) removed.push(heldBackBy(live, nowMs));
  return { admitted, removed };
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
