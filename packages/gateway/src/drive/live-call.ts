/** One call while it runs, and what all calls of one request share. */
import { type AttemptRecord, type Random, seededRandom } from '@gatewright/kernel';
import type { CallTicket, DriveOptions } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import { type Produced, produced } from '../features/produced.ts';
import type { Decision } from '../pipeline.ts';
import type { ProviderFailure } from '../providers/failure.ts';
import type { ProviderAnswer, RunningCall } from '../providers/provider.ts';
import type { BreakerPermit } from '../resilience/breaker.ts';
import type { ChatChunk, ChatRequest, Usage } from '../wire/chat.ts';
import { type CallConfidence, callConfidence } from './call-confidence.ts';
import type { ShownEvent } from './shown.ts';

/** What the parts of one drive share. */
export interface DriveState {
  readonly options: DriveOptions;
  readonly decision: Decision;
  /** In the order in which they were started. */
  readonly calls: LiveCall[];
  /** The last rank that the composition may ask. */
  readonly lastRank: number;
  /** Nobody lets a call through: then everybody is asked all the same. */
  readonly isLastResort: boolean;
  /** A text that breaks off may be continued by somebody. */
  readonly mayContinue: boolean;
  readonly keepText: boolean;
  /** Of waits; made for the first one. */
  jitter: Random | undefined;
  /** Second calls of races. */
  readonly hedges: { started: number; refused: number };
  /** Who ended it all before it was over. */
  halt: 'client' | 'deadline' | undefined;
  /** The rank that the client sees; -1 before anything is seen. */
  releasedRank: number;
}

/** One call as it runs: to the composition one call, whatever number of attempts it takes. */
export interface LiveCall {
  readonly rank: number;
  readonly expert: LiveExpert;
  readonly body: ChatRequest;
  readonly startedMs: number;
  /** The call that broke off in sight of the client and is continued by this one. */
  readonly root: LiveCall | undefined;
  /** Index of the call that this one goes on with. */
  readonly continues: number | undefined;
  confidence: CallConfidence;
  running: RunningCall;
  ticket: CallTicket | undefined;
  permit: BreakerPermit | undefined;
  state: 'running' | 'open' | 'ok' | 'error' | 'cancelled';
  /** Failed attempts that were made again. */
  attempts: AttemptRecord[];
  /** Its first attempt went into a closed connection: nobody has read it. */
  isUnread: boolean;
  attemptStartedMs: number;
  /** Runs while the next attempt is waited for. */
  retryTimer: NodeJS.Timeout | undefined;
  /** Runs while content is waited for. */
  contentTimer: NodeJS.Timeout | undefined;
  pauseTimer: NodeJS.Timeout | undefined;
  /** When content came last, in this attempt. */
  lastContentMs: number | undefined;
  /** Since when the client is waited for, not the expert. */
  heldUpSinceMs: number | undefined;
  /** How long the client was waited for in this attempt, milliseconds. */
  heldUpMs: number;
  /** Why the gateway itself ended it. */
  stalled: ProviderFailure | undefined;
  /** Made while another one was still running, to be faster. */
  isHedge: boolean;
  /** Somebody went on with it to the end. */
  isContinued: boolean;
  /** Of a continuation: makes its chunks look like the broken call's. */
  stitch: ((chunk: ChatChunk) => ChatChunk) | undefined;
  firstChunk: ChatChunk | undefined;
  /** Nothing but the text and thoughts of one choice so far. */
  isPlainText: boolean;
  /** Events the client may not see yet. */
  held: ShownEvent[];
  /** About how much memory they take, bytes. */
  heldBytes: number;
  isReleased: boolean;
  releaseOnContent: boolean;
  contentMs: number | undefined;
  endedMs: number;
  /** What has come of this attempt, for a call that nobody counts. */
  produced: Produced;
  /** The newest token counts in this attempt's stream. */
  heardUsage: Usage | undefined;
  contentEvents: number;
  text: string;
  finishReason: string | undefined;
  prefixConfidence: number | undefined;
  /** Pause when this many content tokens have come: counted by their logprobs, or one for each event without. */
  pauseAt: number;
  /** How many had come when it paused. */
  prefixTokens: number | undefined;
  /** Settles when it may go on after its pause. */
  paused: Promise<void> | undefined;
  resume: (() => void) | undefined;
  answer: ProviderAnswer | undefined;
  failure: ProviderFailure | undefined;
  /** These of all attempts. */
  promptTokens: number;
  completionTokens: number;
  cachedTokens: number;
  cacheWriteTokens: number;
  reasoningTokens: number;
  tokensFrom: 'provider' | 'estimate';
  costUsd: number;
  /** Settles when nothing more comes of it, of no attempt and of no continuation. */
  readonly ended: Promise<void>;
  readonly end: () => void;
  /** Called at the first content. */
  onContent: (() => void) | undefined;
  /** Called at the prefix. */
  onPause: (() => void) | undefined;
}

/** Waits are drawn from a stream of their own, which the decision's seed decides. */
const JITTER_SEED = 0x6a697474;

const NOT_RUNNING: RunningCall = { answer: new Promise(() => {}), cancel() {} };

/** The generator of waits. */
export function jitterOf(state: DriveState): Random {
  state.jitter ??= seededRandom(state.decision.seed ^ JITTER_SEED);
  return state.jitter;
}

/** Before the first call. */
export function driveState(options: DriveOptions): DriveState {
  const { decision, extras, stream, wallNow } = options;
  const { composition } = decision.mode;
  const { ranked } = decision;
  const mayContinue =
    stream &&
    extras !== undefined &&
    decision.mode.continueAttempts > 0 &&
    ranked.some(({ provider }) => provider.prefill !== undefined);
  return {
    options,
    decision,
    calls: [],
    lastRank: Math.min(composition.maxCalls(ranked.length), ranked.length) - 1,
    isLastResort: ranked.every(({ breaker }) => !breaker.admits(wallNow())),
    mayContinue,
    keepText: options.keepText || composition.extractor !== undefined || mayContinue,
    jitter: undefined,
    hedges: { started: 0, refused: 0 },
    halt: undefined,
    releasedRank: -1,
  };
}

/** A call that is about to be made. */
export function newCall(
  { decision, options }: DriveState,
  rank: number,
  expert: LiveExpert,
  body: ChatRequest,
  root?: LiveCall,
  continues?: number,
): LiveCall {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const startedMs = options.now();
  return {
    rank,
    expert,
    body,
    startedMs,
    root,
    continues,
    confidence: callConfidence(decision.mode.confidence),
    running: NOT_RUNNING,
    ticket: undefined,
    permit: undefined,
    state: 'running',
    attempts: [],
    isUnread: false,
    attemptStartedMs: startedMs,
    retryTimer: undefined,
    contentTimer: undefined,
    pauseTimer: undefined,
    lastContentMs: undefined,
    heldUpSinceMs: undefined,
    heldUpMs: 0,
    stalled: undefined,
    isHedge: false,
    isContinued: false,
    stitch: undefined,
    firstChunk: undefined,
    isPlainText: true,
    held: [],
    heldBytes: 0,
    isReleased: false,
    releaseOnContent: false,
    contentMs: undefined,
    endedMs: 0,
    produced: produced(),
    heardUsage: undefined,
    contentEvents: 0,
    text: '',
    finishReason: undefined,
    prefixConfidence: undefined,
    prefixTokens: undefined,
    pauseAt: Infinity,
    paused: undefined,
    resume: undefined,
    answer: undefined,
    failure: undefined,
    promptTokens: 0,
    completionTokens: 0,
    cachedTokens: 0,
    cacheWriteTokens: 0,
    reasoningTokens: 0,
    tokensFrom: 'estimate',
    costUsd: 0,
    ended,
    end,
    onContent: undefined,
    onPause: undefined,
  };
}

/** The same call before its next attempt: what the one before said is forgotten, what it cost is not. */
export function renew({ decision }: DriveState, call: LiveCall): void {
  call.state = 'running';
  call.confidence = callConfidence(decision.mode.confidence);
  call.lastContentMs = undefined;
  call.heldUpMs = 0;
  call.heldUpSinceMs = undefined;
  call.stalled = undefined;
  call.firstChunk = undefined;
  call.isPlainText = true;
  call.contentMs = undefined;
  call.produced = produced();
  call.heardUsage = undefined;
  call.contentEvents = 0;
  call.text = '';
  call.finishReason = undefined;
}

/** Whether the client has a whole answer of it. */
export function isOk(call: LiveCall): boolean {
  return call.state === 'ok' || call.isContinued;
}
