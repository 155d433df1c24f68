/**
 * Where feedback arrives: who is it from, does it count, and how much. What is refused is written down too, one by one
 * where it is about a served answer, and as counts where it is not: a flood must not push traces out of the journal.
 */
import { hash } from 'node:crypto';
import {
  type Admission,
  type EstimatorState,
  type FeedbackTrust,
  type FeedbackTrustOptions,
  type FeedbackTrustState,
  feedbackTrust,
  type Standing,
  type Vote,
} from '@gatewright/kernel';
import { onlyAccountOf } from './identity/own-traces.ts';
import type { Principal } from './identity/principal.ts';
import type { StateStore } from './stores/states.ts';
import type { Feedback, StoredTrace, TraceStore } from './stores/store.ts';

/** Who says something, as far as the connection shows. */
export interface Speaker {
  /** SHA-256 of the API key, hex; empty where the gateway takes none. */
  readonly keyDigest: string;
  /** The key is one of the verifiers'. */
  readonly isVerifier: boolean;
  /** The one account on whose answers it may speak; undefined: on all. */
  readonly account?: string;
}

/** Feedback as it is sent. */
export interface GivenFeedback {
  readonly trace: string;
  readonly score: number;
  readonly source: string;
  readonly comment?: string;
  /** Whom the client speaks for. Kept as a part of a digest only. */
  readonly user?: string;
}

/** Somebody without a key, on a gateway that takes none. */
export const ANYBODY: Speaker = { keyDigest: '', isVerifier: false };

/** What the desk needs to know of whoever asks. */
export function speakerOf(principal: Principal): Speaker {
  const { keyDigest, roles } = principal;
  const isVerifier = roles.includes('verifier');
  const account = isVerifier ? undefined : onlyAccountOf(principal);
  return { keyDigest, isVerifier, ...(account === undefined ? {} : { account }) };
}

/** The desk. */
export interface FeedbackDesk {
  /** Weighs feedback on a served answer; from here on it counts. */
  admit(given: GivenFeedback, speaker: Speaker, stored: StoredTrace, atMs: number): Judged;
  /** Counts what was refused without a served answer. */
  refuse(code: string, atMs: number): void;
  /** Other limits, from now on; what is known of voters stays. */
  reconfigure(options: FeedbackTrustOptions): void;
  /**
   * Writes down the refusals that wait, and now and then what is known of voters. Never throws: a fault is in `fault`.
   * @param isLast whatever has changed must be written now
   */
  save(atMs: number, isLast?: boolean): Promise<void>;
  readonly fault: string | undefined;
}

/** Weighed feedback. */
export interface Judged {
  /** As it is kept. */
  readonly feedback: Feedback;
  readonly admission: Admission;
  /** Undoes it: it could not be kept. */
  withdraw(): void;
}

const STATE_NAME = 'feedback-trust';
/** Sources whose word counts as verified where the key is a verifier's. */
const VERIFYING_SOURCES: readonly string[] = ['verifier', 'judge'];
/** What is known of voters is a few megabytes where they are many. What a kill loses, later votes bring back. */
const SAVE_EVERY_MS = 300_000;
/** Refusals are counted so long before they are written down together. */
const REFUSALS_EVERY_MS = 10_000;

/**
 * Opens the desk with what was known of voters when it was saved last.
 *
 * @throws {GatewrightError} `GW_OPTION` if an option is out of range
 */
export function createFeedbackDesk(options: FeedbackTrustOptions, states: StateStore, store: TraceStore): FeedbackDesk {
  let trust = feedbackTrust(options);
  restore(trust, states);
  let votes = 0;
  let savedVotes = 0;
  let savedAtMs = -Infinity;
  let fault: string | undefined;
  let refusals: { sinceMs: number; counts: Record<string, number> } | undefined;

  const writeRefusals = (atMs: number): void => {
    if (refusals === undefined) return;
    store.addRefusals({ ...refusals, atMs });
    refusals = undefined;
  };

  return {
    admit(given, speaker, { trace, feedback: earlier }, atMs) {
      const { source, score, comment } = given;
      const vote: Vote = {
        voter: voterOf(speaker, given),
        standing: standingOf(speaker, given),
        trace: trace.id,
        cell: JSON.stringify([trace.result.expert, trace.request.skill]),
        score,
        atMs,
      };
      const used = trust;
      // What the journal knows outlives what is remembered of voters.
      const isRepeated = earlier.some(({ voter, admitted }) => voter === vote.voter && admitted === true);
      const admission = isRepeated ? repeated(used.reliabilityOf(vote.voter).mean) : used.admit(vote);
      votes++;
      return {
        admission,
        feedback: {
          trace: trace.id,
          atMs,
          score,
          source,
          ...(comment === undefined ? {} : { comment }),
          voter: vote.voter,
          admitted: admission.admitted,
          weight: admission.weight,
          reason: admission.reason,
        },
        withdraw: () => used.withdraw(vote, admission),
      };
    },
    refuse(code, atMs) {
      refusals ??= { sinceMs: atMs, counts: {} };
      refusals.counts[code] = (refusals.counts[code] ?? 0) + 1;
      if (atMs - refusals.sinceMs >= REFUSALS_EVERY_MS) writeRefusals(atMs);
    },
    reconfigure(changed) {
      const next = feedbackTrust(changed);
      next.restore(trust.snapshot());
      trust = next;
    },
    async save(atMs, isLast = false) {
      writeRefusals(atMs);
      if (votes === savedVotes || (!isLast && atMs - savedAtMs < SAVE_EVERY_MS)) return;
      savedAtMs = atMs;
      const saving = votes;
      try {
        await states.save(STATE_NAME, {
          version: 1,
          spec: { use: 'feedbackTrust' },
          observations: votes,
          stateId: '',
          state: trust.snapshot() as unknown as EstimatorState,
        });
        savedVotes = saving;
        fault = undefined;
      } catch (error) {
        fault = error instanceof Error ? error.message : String(error);
      }
    },
    get fault() {
      return fault;
    },
  };
}

function repeated(reliability: number): Admission {
  return {
    admitted: false,
    weight: 0,
    reliability,
    reason: 'the voter has judged this answer before',
    refusal: 'repeated',
  };
}

function restore(trust: FeedbackTrust, states: StateStore): void {
  const saved = states.load(STATE_NAME)?.state as unknown as FeedbackTrustState | undefined;
  if (saved === undefined) return;
  try {
    trust.restore(saved);
  } catch {
    // Of another version: voters begin anew, which costs them nothing but time.
  }
}

/**
 * A stable id that tells nobody who it is: a digest of the key's digest and of the user, or of the source where no user is
 * named, since an application's judge and its users are different voices.
 */
function voterOf({ keyDigest }: Speaker, { user, source }: GivenFeedback): string {
  return hash(
    'sha256',
    JSON.stringify([keyDigest, user === undefined ? ['source', source] : ['user', user]]),
    'hex',
  ).slice(0, 32);
}

function standingOf({ isVerifier }: Speaker, { user, source }: GivenFeedback): Standing {
  if (isVerifier && VERIFYING_SOURCES.includes(source)) return 'verified';
  return user === undefined ? 'operator' : 'user';
}
