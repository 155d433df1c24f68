/**
 * The decision trace: one immutable record per request, from which the decision can be explained, replayed and
 * evaluated. It holds every input of the policy and every outcome the composition saw, and no text of the request or the
 * answer (those are separate, optional bodies that the trace names by hash).
 */

import {
  type Composition,
  type GateRecord,
  type RecordedCall,
  type Replay,
  replay,
} from './compositions/composition.ts';
import * as compositions from './compositions/index.ts';
import { GatewrightError } from './errors.ts';
import * as policies from './policies/index.ts';
import type { Candidate, Policy, RequestFacts, Selection } from './policies/policy.ts';
import { seededRandom } from './random.ts';
import { create, type Spec } from './registry.ts';
import { decideInShadow, type ShadowRecord } from './shadow.ts';

/** Version of this format. Readers refuse a higher one. */
export const TRACE_VERSION = 2;

/** What a reader takes: 2 added `request.facts` and optional fields of `Candidate`, so a trace of format 1 reads as it is. */
export type TraceVersion = 1 | typeof TRACE_VERSION;

/** An expert that a hard constraint took out before any score, and which one. */
export interface Removal {
  readonly expert: string;
  /** Name of the constraint: `context`, `capability`, `breaker`, `pinned`, ... */
  readonly constraint: string;
  /** What it needed and what the expert has, one sentence. */
  readonly detail: string;
}

/** What a decision's estimates came from. */
export interface EstimatorRecord {
  /** Name in the configuration. */
  readonly name: string;
  readonly use: string;
  /** Hash that names the estimator's state: the trained one, chained with every observation since. */
  readonly stateId: string;
  /** Learned since it was trained. */
  readonly observations: number;
}

/** A failed attempt at a call that was made again. */
export interface AttemptRecord {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costUsd: number;
  /** As of the call: from the start of the request's first call, milliseconds. */
  readonly startedMs: number;
  readonly latencyMs: number;
  /** From its end to the next attempt, as planned, milliseconds. */
  readonly waitMs: number;
  readonly error: { readonly code: string; readonly message: string; readonly status?: number };
}

/**
 * One call that was made. Tokens, cost and latency are those of all its attempts together: a composition sees one outcome
 * for each rank, and so does a replay.
 */
export interface CallRecord {
  readonly rank: number;
  readonly expert: string;
  readonly status: 'ok' | 'error' | 'cancelled';
  readonly released: boolean;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Of the prompt, read from a cache of the provider; absent where none were. */
  readonly cachedTokens?: number;
  /** Of the prompt, written to one; absent where none were. */
  readonly cacheWriteTokens?: number;
  /** Of the answer, spent on thoughts; absent where none were. */
  readonly reasoningTokens?: number;
  /** Where the token counts come from: the provider said so, or we estimated them. */
  readonly tokensFrom: 'provider' | 'estimate';
  readonly costUsd: number;
  /** From the start of the request's first call to the start of this one, milliseconds. */
  readonly startedMs: number;
  /** To the first content; absent where none came. */
  readonly contentMs?: number;
  readonly latencyMs: number;
  readonly confidence?: number;
  /** How many tokens had come when the composition judged the prefix; absent where it did not. */
  readonly prefixTokens?: number;
  /** Confidence of the first tokens, where the composition decided on them. */
  readonly prefixConfidence?: number;
  /** Hash of what an extractor found the answer to be; absent where it found nothing, or nobody compared answers. */
  readonly answerKey?: string;
  readonly finishReason?: string;
  /** Failed attempts before the last one, in their order; absent where the first was the last. */
  readonly attempts?: readonly AttemptRecord[];
  /**
   * Index in `calls` of the broken call that this one went on with, of the same rank, by this or another expert. To the
   * composition the two are one.
   */
  readonly continues?: number;
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly elsewhere: boolean;
    readonly status?: number;
  };
}

/** Where an answer came from when no call was made for it. */
export interface CacheRecord {
  readonly kind: 'exact' | 'semantic';
  /** The answer of a call under way was waited for; else it lay in the cache. */
  readonly joined: boolean;
  /** Since it was stored, milliseconds. */
  readonly ageMs: number;
  /** Trace of the request that paid for it. */
  readonly source: string;
  /** What that one cost, USD. */
  readonly savedUsd: number;
  /** How long it was waited for, milliseconds; absent where it was there. */
  readonly waitedMs?: number;
  /** 0..1, of a semantic hit. */
  readonly similarity?: number;
}

/** Everything that one request's decision was made of. */
export interface DecisionTrace {
  readonly version: TraceVersion;
  readonly id: string;
  /** Milliseconds since 1970 UTC, when the request had been read. */
  readonly atMs: number;
  /** Hash of the configuration in force, secrets never part of it. */
  readonly configHash: string;
  /** Seed of the decision's generator. */
  readonly seed: number;
  readonly request: {
    /** What the client asked for: a mode such as `gw/auto`, or an expert's id. */
    readonly model: string;
    readonly stream: boolean;
    /** Estimate before the call. */
    readonly promptTokens: number;
    readonly skill: string;
    /** Capabilities the request needs, e.g. `tools`. */
    readonly needs: readonly string[];
    /** SHA-256 of the body as received, hex. */
    readonly bodyHash: string;
    /** What the policy was told of the request; absent where it was told nothing. */
    readonly facts?: RequestFacts;
  };
  /** Whose account paid: the key's id, its project, a digest of the user's name; absent in old traces. */
  readonly account?: { readonly key: string; readonly project?: string; readonly user?: string };
  readonly removed: readonly Removal[];
  /** Where the candidates' quality came from; absent where it is the declared one. */
  readonly estimator?: EstimatorRecord;
  /** Input of the policy, in its order. */
  readonly candidates: readonly Candidate[];
  readonly policy: Spec;
  readonly selection: Selection;
  /** What a second policy would have done; absent where the mode names none, or where it failed. */
  readonly shadow?: ShadowRecord;
  readonly composition: Spec;
  /** How the calls' confidence was measured; absent: the geometric mean of the token probabilities. */
  readonly confidence?: Spec;
  readonly calls: readonly CallRecord[];
  readonly gates: readonly GateRecord[];
  /** Second calls of races: how many were made, and how many the budget refused; absent where none was due. */
  readonly hedges?: { readonly started: number; readonly refused: number };
  /** Absent where calls were made for the answer. */
  readonly cache?: CacheRecord;
  readonly result: {
    readonly status: 'ok' | 'error' | 'cancelled';
    /** Whose answer it was; absent when there was none. */
    readonly expert?: string;
    readonly rank?: number;
    readonly reason: string;
    readonly confidence?: number;
    /** Sum over all calls, in the order they are listed. */
    readonly costUsd: number;
    readonly latencyMs: number;
    readonly httpStatus: number;
    readonly errorCode?: string;
  };
}

/** A recorded decision made again. */
export interface ReplayedDecision {
  readonly selection: Selection;
  readonly matches: boolean;
  /** What differs, empty when it matches. */
  readonly differences: readonly string[];
}

/**
 * Makes a recorded decision again from the trace alone: policy, candidates, facts of the request and seed.
 *
 * @throws {GatewrightError} `GW_TRACE_VERSION` if a newer format wrote the trace; `GW_UNKNOWN_NAME` if its policy is gone
 */
export function replayDecision(trace: DecisionTrace): ReplayedDecision {
  requireVersion(trace);
  const policy: Policy = create('policy', policies, trace.policy, 'trace.policy');
  const { facts } = trace.request;
  const selection = policy.select(trace.candidates, {
    random: seededRandom(trace.seed),
    ...(facts === undefined ? {} : { request: facts }),
  });
  const differences: string[] = [];
  const expertsOf = (ranked: readonly number[]): string =>
    ranked.map((index) => trace.candidates[index]?.expert ?? '?').join(' > ');
  if (expertsOf(selection.ranked) !== expertsOf(trace.selection.ranked)) {
    differences.push(`order: recorded ${expertsOf(trace.selection.ranked)}, now ${expertsOf(selection.ranked)}`);
  }
  if (selection.propensity !== trace.selection.propensity) {
    differences.push(`propensity: recorded ${trace.selection.propensity}, now ${selection.propensity}`);
  }
  if (JSON.stringify(selection.terms) !== JSON.stringify(trace.selection.terms)) differences.push('score terms differ');
  if (trace.shadow !== undefined && !shadowMatches(trace, trace.shadow))
    differences.push('the shadow decides otherwise');
  return { selection, matches: differences.length === 0, differences };
}

function shadowMatches(
  { seed, candidates, selection, request: { facts } }: DecisionTrace,
  recorded: ShadowRecord,
): boolean {
  const policy: Policy = create('policy', policies, recorded.policy, 'trace.shadow.policy');
  const again = decideInShadow(recorded.policy, policy, { seed, candidates, selection, facts });
  return JSON.stringify(again.selection) === JSON.stringify(recorded.selection) && again.agrees === recorded.agrees;
}

/**
 * Walks the trace's composition again over its recorded calls.
 *
 * A rank that the recorded run never called has no outcome; if the replay asks for one, the two have parted.
 *
 * @param composition another one to try on the same calls; default the recorded one
 * @throws {GatewrightError} `GW_REPLAY_MISS` if the composition asks for a call that was not recorded
 */
export function replayCalls(trace: DecisionTrace, composition?: Composition): Replay {
  requireVersion(trace);
  const chosen = composition ?? create('composition', compositions, trace.composition, 'trace.composition');
  const view = trace.selection.ranked.map((index) => trace.candidates[index]!);
  return replay(chosen, view.length, (rank) => recordedCall(trace, rank), view);
}

function recordedCall(trace: DecisionTrace, rank: number): RecordedCall {
  const first = trace.calls.find((known) => known.rank === rank && known.continues === undefined);
  const call = first === undefined ? undefined : withContinuations(trace, first);
  if (call === undefined) {
    throw new GatewrightError('GW_REPLAY_MISS', `Trace ${trace.id} has no call of rank ${rank}.`, {
      fix: 'Replay with a composition that asks no more experts than the recorded one.',
    });
  }
  if (call.status === 'cancelled') {
    // It would have gone on, nobody knows for how long: it can lose a race again, but never win one.
    return {
      status: 'ok',
      confidence: undefined,
      prefixConfidence: call.prefixConfidence,
      contentTokens: call.prefixTokens ?? 0,
      ...(call.prefixTokens === undefined ? {} : { isPaused: true }),
      startedMs: call.startedMs,
      costUsd: call.costUsd,
      latencyMs: Infinity,
    };
  }
  return {
    status: call.status,
    confidence: call.confidence,
    prefixConfidence: call.prefixConfidence,
    startedMs: call.startedMs,
    costUsd: call.costUsd,
    latencyMs: call.latencyMs,
    answer: { key: call.answerKey, tokens: call.completionTokens },
    ...(call.contentMs === undefined ? {} : { contentMs: call.contentMs }),
    ...(call.error === undefined ? {} : { elsewhere: call.error.elsewhere }),
    ...(call.prefixTokens === undefined ? {} : { isPaused: true }),
    ...(call.status === 'error' ? { brokeOff: call.released } : { contentTokens: tokensBeforeJudged(trace, call) }),
  };
}

/** A broken call and what went on with it, as the one call that they were to the composition. */
function withContinuations({ calls }: DecisionTrace, first: CallRecord): CallRecord {
  let merged = first;
  let last = first;
  for (;;) {
    const index = calls.indexOf(last);
    const next = calls.find(({ continues }) => continues === index);
    if (next === undefined) return merged;
    const { error: _, ...rest } = merged;
    merged = {
      ...rest,
      status: next.status,
      costUsd: merged.costUsd + next.costUsd,
      latencyMs: next.startedMs + next.latencyMs - first.startedMs,
      // What failed at last is told by the one that broke first: its failure is the client's.
      ...(next.status === 'error' && first.error !== undefined ? { error: first.error } : {}),
    };
    last = next;
  }
}

/** An answer that a prefix composition did not pause had ended before; elsewhere its whole length counts. */
function tokensBeforeJudged(trace: DecisionTrace, call: CallRecord): number {
  return call.prefixTokens ?? ('prefixTokens' in trace.composition ? 0 : call.completionTokens);
}

function requireVersion(trace: DecisionTrace): void {
  if (trace.version !== 1 && trace.version !== TRACE_VERSION) {
    throw new GatewrightError(
      'GW_TRACE_VERSION',
      `Trace ${trace.id} has format ${trace.version}; this is a reader of formats 1 to ${TRACE_VERSION}.`,
      {
        fix: 'Read it with the Gatewright that wrote it, or a newer one.',
      },
    );
  }
}
