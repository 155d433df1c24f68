/**
 * Drives a composition with live calls: starts them, holds back what may not be seen yet, lets through what may, decides
 * races, cancels losers, books the costs. The composition decides; this and the folder `drive/` only do: `walk` takes its
 * steps, `attempts` makes the calls, `showing` hands on what comes of them, `booking` says what they cost.
 */
import type { CacheRecord, CallRecord, Verdict } from '@gatewright/kernel';
import { stop } from './drive/attempts.ts';
import { driveState } from './drive/live-call.ts';
import { walk } from './drive/walk.ts';
import type { LiveExpert } from './experts.ts';
import type { Decision } from './pipeline.ts';
import type { ProviderFailure } from './providers/failure.ts';
import type { HedgeBudget } from './resilience/hedge-budget.ts';
import type { TokenBucket } from './resilience/token-bucket.ts';
import type { ChatChunk, ChatCompletion, ChatRequest, Usage } from './wire/chat.ts';

/** Where a streamed answer goes. */
export interface Delivery {
  /**
   * The client sees this expert's answer from here on. Called once at most.
   *
   * @param notCarried paths of the request that the expert's format could not carry
   */
  begin(expert: LiveExpert, confidence: number | undefined, notCarried: readonly string[]): void;
  /**
   * One event. Returns a promise when the client does not keep up.
   *
   * @param data its JSON text
   */
  chunk(data: string, chunk: ChatChunk): void | Promise<void>;
}

/** Reserves what a call may cost before it is made, and books what it did cost. */
export interface CallAccount {
  /**
   * Synchronous: nothing can come between the check and the booking.
   *
   * @param promptTokens estimated
   * @param kind why it is made; default a first call
   * @returns a ticket to be settled once, or why the call may not be made
   */
  reserve(
    expert: LiveExpert,
    body: ChatRequest,
    promptTokens: number,
    kind?: 'call' | 'retry' | 'hedge' | 'judge',
  ): CallTicket | ProviderFailure;
}

/** An open reservation. */
export interface CallTicket {
  /** Called once, when the call has ended, however it did. */
  settle(used: {
    readonly costUsd: number;
    readonly promptTokens: number;
    readonly completionTokens: number;
    readonly status: 'ok' | 'error' | 'cancelled';
    /** What the provider told, for tokens of other kinds; absent where it told nothing. */
    readonly usage?: Usage | undefined;
  }): void;
}

/** What to drive. */
export interface DriveOptions {
  readonly decision: Decision;
  /** The body to send to an expert, with what the gateway needs of it added. */
  readonly bodyFor: (expert: LiveExpert) => ChatRequest;
  /** What the client did not ask for and must not see. */
  readonly hide: {
    readonly usage: boolean;
    readonly logprobs: boolean;
    /** Likeliest tokens per position that the client asked for, where the gateway asked for more. */
    readonly topLogprobs?: number;
  };
  readonly stream: boolean;
  readonly traceId: string;
  /** W3C trace context of a call, by its number from 0. Default: none is sent. */
  readonly traceparentOf?: (order: number) => string;
  /** Milliseconds that the client gives the whole request. Default: as long as its calls may take. */
  readonly deadlineMs?: number | undefined;
  /** Calls beyond those that the composition asks for. Default: none. */
  readonly extras?: ExtraCalls | undefined;
  /** Whose money and rate every call is booked on. Default: nobody's. */
  readonly account?: CallAccount;
  /** Needed when `stream`. */
  readonly delivery?: Delivery;
  /** Keep the text of the answer for the bodies. */
  readonly keepText: boolean;
  /** Milliseconds that never step back, for durations. */
  readonly now: () => number;
  /** Milliseconds since 1970, for when an expert may be asked again. */
  readonly wallNow: () => number;
}

/** What the pool may spend on extra calls, shared by all requests. */
export interface ExtraCalls {
  readonly retries: TokenBucket;
  readonly hedges: HedgeBudget;
}

/** How it went. */
export interface DriveResult {
  readonly status: 'ok' | 'error' | 'cancelled';
  readonly reason: string;
  readonly verdict: Verdict | undefined;
  /** In the order the calls were started. */
  readonly calls: readonly CallRecord[];
  readonly costUsd: number;
  readonly expert: LiveExpert | undefined;
  readonly confidence: number | undefined;
  /** The whole answer, when it was not streamed and there is one, with its JSON text. */
  readonly completion: { readonly data: string; readonly body: ChatCompletion } | undefined;
  /** Paths of the request that the serving expert's format could not carry. */
  readonly notCarried: readonly string[];
  readonly failure: ProviderFailure | undefined;
  /** Text of the served answer, if `keepText`. */
  readonly text: string;
  /** Second calls of races; absent where none was due. */
  readonly hedges?: { readonly started: number; readonly refused: number };
  /** Where the answer came from when nobody was called. */
  readonly cache?: CacheRecord;
}

/** A composition under way. */
export interface Drive {
  /** Settles when every call has ended. Rejects only on a defect. */
  readonly done: Promise<DriveResult>;
  /** The client has gone: ends every call at once. Idempotent. */
  cancel(): void;
  /** What a response cache had to say by now; absent where the mode has none. */
  readonly cache?: { readonly outcome: 'hit' | 'miss' | 'off'; readonly ageMs?: number };
}

/** Starts the composition of a decision. */
export function drive(options: DriveOptions): Drive {
  const state = driveState(options);
  const stopAll = (why: 'client' | 'deadline'): void => {
    if (state.halt !== undefined) return;
    state.halt = why;
    for (const call of state.calls) stop(state, call);
  };
  const deadline =
    options.deadlineMs === undefined ? undefined : setTimeout(() => stopAll('deadline'), options.deadlineMs);
  return {
    done: deadline === undefined ? walk(state) : walk(state).finally(() => clearTimeout(deadline)),
    cancel: () => stopAll('client'),
  };
}
