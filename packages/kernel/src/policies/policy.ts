/** What a policy is: candidates in, an order to try them out, with the reason. Pure: the same input gives the same order. */

import { OptionError } from '../errors.ts';
import type { Random } from '../random.ts';

/** An expert that may answer the request at hand, with what is known of it before the call. */
export interface Candidate {
  /** The expert's id, unique among the candidates. */
  readonly expert: string;
  /** Predicted chance of an acceptable answer, 0..1. */
  readonly quality: number;
  /** Expected price of this request, USD, 0 or more: an estimate, since the answer's length is not known yet. */
  readonly costUsd: number;
  /** Expected time to the whole answer, milliseconds, 0 or more. */
  readonly latencyMs: number;
  /** Calls under way over the expert's concurrency limit (or over a nominal one), 0 or more; above 1 is queueing. */
  readonly load: number;
  /** Sum of the expert's shadow prices (load, rate, budget), score units, 0 when nothing is scarce. */
  readonly price: number;
  /** Standard deviation of the belief about `quality` (of the mean, not of one answer), 0..0.5. Absent: nobody said. */
  readonly qualitySd?: number;
  /** Observations behind `quality`, 0 or more. */
  readonly observations?: number;
  /** What soft flags weigh, 0..1 each, more being worse: size, age, verbosity, ... */
  readonly attributes?: Readonly<Record<string, number>>;
  /** Weight that a learner gives it for this request, 0 or more: `groupRegret` for the policy `sleeping`. */
  readonly weight?: number;
}

/**
 * What is known of the request itself, for the policies that look at it. In the trace, so that they replay. Hard flags are
 * not here: they are constraints, applied before any policy.
 */
export interface RequestFacts {
  /** Task, route tag or skill; the one that the estimates were made for. */
  readonly task?: string;
  /** Estimated prompt tokens, 0 or more. */
  readonly promptTokens?: number;
  /** Share of the recent prompts that are shorter than this one, those as long counting half, 0..1 (`lengthRank`). */
  readonly promptRank?: number;
  /** Groups that the request belongs to, overlapping: `all`, `task:code`, `user:7`, ... */
  readonly groups?: readonly string[];
  /** What its user is known to want: weight of quality against cost, 0..1, and how many choices it was learned from. */
  readonly preference?: { readonly qualityWeight: number; readonly count: number };
  /** The conversation that the request goes on with, and who answered in it last. */
  readonly session?: {
    readonly expert: string;
    /** What the prompt costs more, USD, where no cache holds the beginning of it, 0 or more. */
    readonly switchCostUsd: number;
    /** The request brings results of tools that this expert called. */
    readonly awaitsTools: boolean;
  };
  /** Soft flags: attribute -> what one unit of it costs, in quality, 0 or more. */
  readonly flags?: Readonly<Record<string, number>>;
}

/** What a policy may use beside the candidates. */
export interface PolicyContext {
  /** The only source of chance. Seeded per decision, so a trace's seed replays it. */
  readonly random: Random;
  /** What is known of the request. A policy that needs a fact which is absent says in its documentation what it does then. */
  readonly request?: RequestFacts;
}

/** The order in which to try the candidates, and why. */
export interface Selection {
  /** Indices into the candidates, best first, each at most once, at least one. */
  readonly ranked: readonly number[];
  /** Terms of each candidate's score, indexed like the candidates; the score is their sum. Empty where there is none. */
  readonly terms: readonly Readonly<Record<string, number>>[];
  /** Probability, given the candidates, that this policy puts `ranked[0]` first: (0, 1]. For off-policy estimates. */
  readonly propensity: number;
  /** One sentence for the trace and the page. */
  readonly reason: string;
}

/** What a policy reads that no single request holds, so that it is looked up only for policies that do. */
export type PolicyRead = 'weight' | 'preference' | 'promptRank' | 'session';

/** Decides the order in which candidates are tried. A composition decides how the order is walked. */
export interface Policy {
  /** Experts that its options name, for a configuration to check that they exist: option path -> expert id. */
  readonly expertsNamed?: Readonly<Record<string, string>>;
  /** What it reads of `Candidate` and `RequestFacts` beyond the request itself. Default: nothing. */
  readonly reads?: readonly PolicyRead[];
  /** @param candidates at least one; not mutated */
  select(candidates: readonly Candidate[], context: PolicyContext): Selection;
  /**
   * The probability with which `select` puts each candidate first, `[candidates]`, sum 1; `select` reports the one of its
   * first choice as propensity. For off-policy estimates, which ask for the chance of a choice that another policy made.
   * Left out where it is not known in closed form: `choiceProbabilities` then draws it.
   *
   * @param candidates at least one; not mutated
   */
  probabilities?(candidates: readonly Candidate[], context: PolicyContext): Float64Array;
}

/**
 * Candidate indices sorted by a key, smallest first; equal keys keep the lower index first.
 */
export function orderBy(
  candidates: readonly Candidate[],
  key: (candidate: Candidate, index: number) => number,
): number[] {
  return candidates.map((_, index) => index).sort((a, b) => key(candidates[a]!, a) - key(candidates[b]!, b) || a - b);
}

/**
 * @throws {OptionError} if there is no candidate: a constraint that removed everybody is the caller's to report
 */
export function requireCandidates(candidates: readonly Candidate[]): void {
  if (candidates.length === 0) {
    throw new OptionError(
      'candidates',
      'at least one candidate',
      candidates,
      'Report which constraint removed all of them before calling a policy.',
    );
  }
}
