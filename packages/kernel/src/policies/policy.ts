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
}

/** What a policy may use beside the candidates. */
export interface PolicyContext {
  /** The only source of chance. Seeded per decision, so a trace's seed replays it. */
  readonly random: Random;
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

/** Decides the order in which candidates are tried. A composition decides how the order is walked. */
export interface Policy {
  /** Experts that its options name, for a configuration to check that they exist: option path -> expert id. */
  readonly expertsNamed?: Readonly<Record<string, string>>;
  /** @param candidates at least one; not mutated */
  select(candidates: readonly Candidate[], context: PolicyContext): Selection;
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
