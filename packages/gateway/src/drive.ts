/**
 * Drives a composition with live calls: starts them, holds back what may not be seen yet, lets through what may, decides
 * races, cancels losers, books the costs. The composition decides; this file only does.
 */
import { createHash } from 'node:crypto';
import {
  type AnswerExtractor,
  type AttemptRecord,
  type CacheRecord,
  type Call,
  type CallRecord,
  type Outcome,
  type Step,
  seededRandom,
  tokenConfidence,
  type Verdict,
} from '@gatewright/kernel';
import type { ConfidenceMeasure } from './confidence-measure.ts';
import { priceUsd } from './cost.ts';
import { callCancelled, callFailed, callStarted, callSucceeded, type LiveExpert } from './experts.ts';
import { bookedCounts, type Produced, produced } from './features/produced.ts';
import type { Decision } from './pipeline.ts';
import { ProviderFailure } from './providers/failure.ts';
import type { ProviderAnswer, RunningCall } from './providers/provider.ts';
import type { BreakerPermit } from './resilience/breaker.ts';
import { isContinuable, isCutText, stitcher } from './resilience/continuation.ts';
import type { HedgeBudget } from './resilience/hedge-budget.ts';
import { isRetryable, retryWaitMs } from './resilience/retries.ts';
import type { TokenBucket } from './resilience/token-bucket.ts';
import type { ChatChunk, ChatCompletion, ChatRequest, TokenLogprob, Usage } from './wire/chat.ts';

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
  /** How often a text that broke off may be continued. */
  readonly continueAttempts: number;
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

/** More text than this of one answer is not kept for the bodies. */
const KEPT_CHARACTERS = 262_144;

/** How sure one call's answer is, token by token. */
interface CallConfidence {
  add(token: TokenLogprob): void;
  /** How many tokens came. */
  readonly tokens: number;
  /** 0..1; undefined before the first token, or where the server returned other than the measure was set up for. */
  value(): number | undefined;
}

/** One call as it runs: to the composition one call, whatever number of attempts it takes. */
interface LiveCall {
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
  attemptStartedMs: number;
  /** Runs while the next attempt is waited for. */
  retryTimer: NodeJS.Timeout | undefined;
  /** Runs while content is waited for. */
  contentTimer: NodeJS.Timeout | undefined;
  pauseTimer: NodeJS.Timeout | undefined;
  /** When content came last, in this attempt. */
  lastContentMs: number | undefined;
  /** The client or the composition is waited for, not the expert. */
  isHeldUp: boolean;
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
  /** Called at the first content, and at the prefix. */
  onContent: (() => void) | undefined;
  onFirstContent: (() => void) | undefined;
  onPause: (() => void) | undefined;
}

/** Wait before a second call while nobody knows how long the first usually takes, milliseconds. */
const UNKNOWN_STAGGER_MS = 2_000;
/** Fewer times say nothing of a 95th percentile. */
const LEAST_TIMES = 10;

/** Waits are drawn from a stream of their own, which the decision's seed decides. */
const JITTER_SEED = 0x6a697474;

/** Starts the composition of a decision. */
export function drive(options: DriveOptions): Drive {
  const { decision, now } = options;
  const { extractor } = decision.mode.composition;
  const { wallNow, extras } = options;
  const calls: LiveCall[] = [];
  const lastRank = Math.min(decision.mode.composition.maxCalls(decision.ranked.length), decision.ranked.length) - 1;
  // Nobody lets a call through: then everybody is asked all the same.
  const isLastResort = decision.ranked.every(({ breaker }) => !breaker.admits(wallNow()));
  const mayContinue =
    options.stream &&
    (extras?.continueAttempts ?? 0) > 0 &&
    decision.ranked.some(({ provider }) => provider.prefill !== undefined);
  const keepText = options.keepText || extractor !== undefined || mayContinue;
  const jitter = seededRandom(decision.seed ^ JITTER_SEED);
  const hedges = { started: 0, refused: 0 };
  /** Who ended it all before it was over. */
  let halt: 'client' | 'deadline' | undefined;
  let releasedRank = -1;

  const run = async (): Promise<DriveResult> => {
    const steps = decision.mode.composition.start(
      decision.ranked.length,
      decision.selection.ranked.map((index) => decision.candidates[index]!),
    );
    let next = steps.next();
    while (!next.done) {
      const outcomes = await take(next.value);
      if (halt !== undefined) return halted(undefined);
      next = steps.next(outcomes);
    }
    const verdict = next.value;
    const chosen = calls.find((call) => call.rank === verdict.rank)!;
    if (chosen.state === 'ok' && options.stream && !chosen.isReleased) {
      await release(chosen, verdict.confidence);
      if (halt !== undefined) return halted(verdict);
    }
    return result(isOk(chosen) ? 'ok' : 'error', verdict.reason, verdict);
  };

  const stopAll = (why: 'client' | 'deadline'): void => {
    if (halt !== undefined) return;
    halt = why;
    for (const call of calls) stop(call);
  };
  const deadline =
    options.deadlineMs === undefined ? undefined : setTimeout(() => stopAll('deadline'), options.deadlineMs);

  return {
    done: deadline === undefined ? run() : run().finally(() => clearTimeout(deadline)),
    cancel: () => stopAll('client'),
  };

  function halted(verdict: Verdict | undefined): DriveResult {
    if (halt === 'client') return result('cancelled', 'the client went away', verdict);
    return {
      ...result('error', "the request's own time limit was over", verdict),
      failure: new ProviderFailure('GW_REQUEST_DEADLINE', `No answer within ${options.deadlineMs} ms.`, {
        fix: 'Give it more time: x-gw-timeout-ms.',
        elsewhere: false,
      }),
    };
  }

  async function take(step: Step): Promise<Outcome[]> {
    switch (step.kind) {
      case 'all': {
        const started = step.calls.map((call) => start(call));
        for (const call of started) await call.ended;
        return started.map(outcomeOf);
      }
      case 'race':
        return race(step.calls, step.staggerMs);
      case 'open': {
        const call = start(step.call, step.tokens);
        const { ms } = step;
        if (ms !== undefined && options.stream) call.pauseTimer = setTimeout(() => pause(call), ms);
        await Promise.race([call.ended, new Promise<void>((resolve) => (call.onPause = resolve))]);
        clearTimeout(call.pauseTimer);
        // What was judged is the prefix, also when the rest came along with it: a replay sees no such accident.
        if (call.prefixTokens === undefined || halt !== undefined) return [outcomeOf(call)];
        return [{ ...outcomeOf(call), status: 'open', confidence: call.prefixConfidence }];
      }
      case 'resume': {
        const call = calls.find((known) => known.rank === step.rank)!;
        if (call.state === 'open') {
          call.state = 'running';
          call.pauseAt = Infinity;
          call.releaseOnContent = true;
          await release(call);
          call.isHeldUp = false;
          call.lastContentMs = now();
          call.resume?.();
        }
        await call.ended;
        return [outcomeOf(call)];
      }
      case 'drop': {
        const call = calls.find((known) => known.rank === step.rank)!;
        stop(call);
        await call.ended;
        return [outcomeOf(call)];
      }
      default:
        return step satisfies never;
    }
  }

  async function race(entries: readonly Call[], staggerMs: number | undefined): Promise<Outcome[]> {
    const started: LiveCall[] = [];
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
    let isDecided = false;
    let hedged = 0;
    let timer: NodeJS.Timeout | undefined;
    const win = (winner: LiveCall): void => {
      if (isDecided) return;
      isDecided = true;
      for (const call of started) if (call !== winner) stop(call);
      decide();
    };
    const hedge = (): void => {
      if (extras !== undefined && !extras.hedges.take(wallNow())) {
        // From here on the next one is asked only when those before it have failed.
        hedges.refused++;
        return;
      }
      hedges.started++;
      hedged++;
      startNext(true);
    };
    const startNext = (isHedge = false): void => {
      clearTimeout(timer);
      if (isDecided || halt !== undefined || started.length === entries.length) return;
      const entry = entries[started.length]!;
      const call = start(entry, Infinity, () => win(call), isHedge);
      started.push(call);
      void call.ended.then(() => {
        if (isOk(call) || call.failure?.elsewhere === false) win(call);
        else if (started.every((other) => other.state === 'error' || other.state === 'cancelled')) {
          if (started.length === entries.length || halt !== undefined) decide();
          else startNext();
        }
      });
      if (started.length < entries.length) timer = setTimeout(hedge, staggerMs ?? usualMs(call.expert));
    };
    startNext();
    await decided;
    clearTimeout(timer);
    for (const call of started) await call.ended;
    if (hedged > 0) for (const call of started) if (!isOk(call) && call.costUsd > 0) extras?.hedges.spent(call.costUsd);
    return entries.map((entry, i) => {
      const call = started[i];
      return call === undefined
        ? { rank: entry.rank, status: 'cancelled', confidence: undefined, costUsd: 0, latencyMs: 0, released: false }
        : outcomeOf(call);
    });
  }

  /** How long an expert takes at most, nineteen times of twenty: to what decides a race. */
  function usualMs({ contentTimes, answerTimes }: LiveExpert): number {
    const times = options.stream ? contentTimes : answerTimes;
    return times.count < LEAST_TIMES ? UNKNOWN_STAGGER_MS : times.quantile(0.95)!;
  }

  function start(entry: Call, pauseAt = Infinity, onContent?: () => void, isHedge = false): LiveCall {
    const expert = decision.ranked[entry.rank]!;
    const call = newCall(entry.rank, expert, options.bodyFor(expert));
    call.releaseOnContent = entry.release === 'content' && pauseAt === Infinity;
    call.isHedge = isHedge;
    if (options.stream) {
      call.pauseAt = pauseAt;
      call.onContent = onContent;
    }
    calls.push(call);
    extras?.retries.earn();
    extras?.hedges.earn();
    attempt(call);
    return call;
  }

  function newCall(rank: number, expert: LiveExpert, body: ChatRequest, root?: LiveCall, continues?: number): LiveCall {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const startedMs = now();
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
      attemptStartedMs: startedMs,
      retryTimer: undefined,
      contentTimer: undefined,
      pauseTimer: undefined,
      lastContentMs: undefined,
      isHeldUp: false,
      stalled: undefined,
      isHedge: false,
      isContinued: false,
      stitch: undefined,
      firstChunk: undefined,
      isPlainText: true,
      held: [],
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
      onFirstContent: undefined,
      onPause: undefined,
    };
  }

  /** Makes the call, or makes it again. */
  function attempt(call: LiveCall): void {
    const { expert, body } = call;
    const isFirst = call.attempts.length === 0;
    const nowMs = wallNow();
    const isForced = isFirst && call.root === undefined && (isLastResort || isLastLeft(call));
    if (!isForced && !expert.breaker.admits(nowMs)) {
      unmade(call, breakerFailure(expert, nowMs));
      return;
    }
    const why = !isFirst || call.root !== undefined ? 'retry' : call.isHedge ? 'hedge' : 'call';
    const ticket = options.account?.reserve(expert, body, decision.promptTokens, why);
    if (ticket instanceof ProviderFailure) {
      unmade(call, ticket);
      return;
    }
    call.ticket = ticket;
    call.permit = callStarted(expert, nowMs, true);
    call.attemptStartedMs = now();
    if (options.stream) watchContent(call);
    call.running = expert.provider.start(
      {
        body,
        stream: options.stream,
        traceId: options.traceId,
        seed: decision.seed,
        traceparent: options.traceparentOf?.(calls.indexOf(call)),
      },
      { onChunk: (data, chunk) => onChunk(call, data, chunk) },
    );
    call.running.answer.then(
      (answer) => {
        call.answer = answer;
        call.failure = undefined;
        if (answer.completion !== undefined) readCompletion(call, answer.completion.body);
        finish(call, 'ok');
        conclude(call);
      },
      (thrown: unknown) => {
        const failure = call.stalled ?? failureOf(thrown);
        call.failure = failure;
        finish(call, failure.code === 'GW_CANCELLED' ? 'cancelled' : 'error');
        const waitMs = retryIn(call, failure);
        if (waitMs === undefined) conclude(call);
        else retry(call, failure, waitMs);
      },
    );
    if (halt !== undefined) stop(call);
  }

  /** It was never made: neither for nor against the expert. What failed before it stands. */
  function unmade(call: LiveCall, failure: ProviderFailure): void {
    if (call.attempts.pop() === undefined) call.failure = failure;
    call.state = 'error';
    call.endedMs = now();
    conclude(call);
  }

  /** Whether nobody else could still answer, of those that the composition asks. */
  function isLastLeft(call: LiveCall): boolean {
    return (
      calls.some(({ rank }) => rank === lastRank) &&
      calls.every((other) => other === call || !['running', 'open', 'ok'].includes(other.state))
    );
  }

  /** In how many milliseconds a failed call is to be made again; undefined: not at all. */
  function retryIn(call: LiveCall, failure: ProviderFailure): number | undefined {
    if (halt !== undefined || extras === undefined || call.state !== 'error' || call.root !== undefined)
      return undefined;
    if (call.isReleased || call.prefixTokens !== undefined || !isRetryable(failure)) return undefined;
    // Nobody has read it: it was not asked yet.
    if (failure.isStaleConnection && call.attempts.length === 0) return 0;
    const { retries } = call.expert.expert;
    const made = call.attempts.length + 1;
    if (made >= retries.attempts || !isLastLeft(call)) return undefined;
    const drawnMs = retryWaitMs(retries, made, failure.retryAfterMs, jitter);
    if (drawnMs === undefined) return undefined;
    // An open breaker is waited for: that is what the expert was left alone for.
    const waitMs = Math.max(drawnMs, call.expert.breaker.status(wallNow()).untilMs - wallNow());
    return waitMs > retries.maxMs || !extras.retries.take() ? undefined : waitMs;
  }

  function retry(call: LiveCall, failure: ProviderFailure, waitMs: number): void {
    const before = call.attempts.reduce(
      (sum, made) => ({
        promptTokens: sum.promptTokens + made.promptTokens,
        completionTokens: sum.completionTokens + made.completionTokens,
        costUsd: sum.costUsd + made.costUsd,
      }),
      { promptTokens: 0, completionTokens: 0, costUsd: 0 },
    );
    call.attempts.push({
      promptTokens: call.promptTokens - before.promptTokens,
      completionTokens: call.completionTokens - before.completionTokens,
      costUsd: call.costUsd - before.costUsd,
      startedMs: call.attemptStartedMs - calls[0]!.startedMs,
      latencyMs: call.endedMs - call.attemptStartedMs,
      waitMs,
      error: {
        code: failure.code,
        message: failure.message,
        ...(failure.status === undefined ? {} : { status: failure.status }),
      },
    });
    call.state = 'running';
    call.confidence = callConfidence(decision.mode.confidence);
    call.lastContentMs = undefined;
    call.stalled = undefined;
    call.firstChunk = undefined;
    call.isPlainText = true;
    call.contentMs = undefined;
    call.produced = produced();
    call.heardUsage = undefined;
    call.contentEvents = 0;
    call.text = '';
    call.finishReason = undefined;
    const again = (): void => {
      call.retryTimer = undefined;
      attempt(call);
    };
    call.retryTimer = setTimeout(again, waitMs);
  }

  /** Nothing more comes of the call itself. Somebody may go on with it. */
  function conclude(call: LiveCall): void {
    const root = call.root ?? call;
    if (call.state === 'ok') {
      root.isContinued = call !== root;
      root.end();
      return;
    }
    const next = continuation(root, call);
    if (next === undefined) {
      root.end();
      return;
    }
    calls.push(next);
    attempt(next);
  }

  /** A call that goes on where this one broke off, if anybody can. */
  function continuation(root: LiveCall, last: LiveCall): LiveCall | undefined {
    if (halt !== undefined || !mayContinue || !root.isReleased || last.state !== 'error') return undefined;
    // Where the last one was never made, what broke before it says whether to go on.
    if (root.failure === undefined || !isRetryable(root.failure)) return undefined;
    const parts = calls.filter((call) => call === root || call.root === root);
    if (parts.length > extras!.continueAttempts) return undefined;
    const text = parts.map((part) => part.text).join('');
    if (root.firstChunk === undefined || text.length >= KEPT_CHARACTERS) return undefined;
    const broken = {
      text,
      isPlainText: parts.every(({ isPlainText }) => isPlainText),
      finishReason: parts.find(({ finishReason }) => finishReason !== undefined)?.finishReason,
    };
    if (!isCutText(broken)) return undefined;
    const nowMs = wallNow();
    const expert = [last.expert, ...decision.ranked].find(
      ({ provider, breaker }) => provider.prefill !== undefined && breaker.admits(nowMs),
    );
    if (expert === undefined) return undefined;
    const request = options.bodyFor(expert);
    if (!isContinuable(request, request.logprobs === true && !options.hide.logprobs)) return undefined;
    const next = newCall(root.rank, expert, expert.provider.prefill!(request, text), root, calls.indexOf(last));
    next.isReleased = true;
    next.stitch = stitcher(root.firstChunk, text, {
      promptTokens: parts.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
      completionTokens: parts.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
    });
    return next;
  }

  /** Ends a stream that is alive but says nothing: pings, comments and roles keep a connection open for ever. */
  function watchContent(call: LiveCall): void {
    const { firstContentMs = DEFAULT_FIRST_CONTENT_MS, idleMs } = call.expert.expert.timeouts;
    const check = (): void => {
      if (call.state !== 'running' && call.state !== 'open') return;
      const nowMs = now();
      // Who does not read is the client.
      if (call.isHeldUp || call.state === 'open') call.lastContentMs = nowMs;
      const since = call.lastContentMs ?? call.attemptStartedMs;
      const limitMs = call.lastContentMs === undefined ? firstContentMs : idleMs;
      const leftMs = since + limitMs - nowMs;
      if (leftMs > 0) {
        call.contentTimer = setTimeout(check, Math.ceil(leftMs));
        return;
      }
      call.stalled = new ProviderFailure(
        'GW_UPSTREAM_TIMEOUT',
        call.lastContentMs === undefined
          ? `No content came within ${limitMs} ms.`
          : `The answer went on without content for ${limitMs} ms.`,
        {
          fix: `Raise timeouts.${call.lastContentMs === undefined ? 'firstContentMs' : 'idleMs'}, or check the expert.`,
          elsewhere: true,
        },
      );
      call.running.cancel();
    };
    call.contentTimer = setTimeout(check, firstContentMs);
    call.onFirstContent = () => {
      clearTimeout(call.contentTimer);
      call.contentTimer = setTimeout(check, idleMs);
    };
  }

  function onChunk(call: LiveCall, data: string, chunk: ChatChunk): void | Promise<void> {
    if (halt !== undefined) return undefined;
    call.firstChunk ??= chunk;
    const hasContent = readChunk(call, chunk);
    if (hasContent) {
      if (call.lastContentMs === undefined) call.onFirstContent?.();
      call.lastContentMs = now();
    }
    if (call.stitch !== undefined) {
      const stitched = call.stitch(chunk);
      const shown = shownEvent(JSON.stringify(stitched), stitched, options.hide);
      if (hasContent) call.contentMs ??= now() - call.startedMs;
      return shown === undefined ? undefined : heldUp(call, options.delivery!.chunk(shown.data, shown.chunk));
    }
    const shown = shownEvent(data, chunk, options.hide);
    if (hasContent && call.contentMs === undefined) {
      call.contentMs = now() - call.startedMs;
      // May cancel the others of a race: only then is this one released, below.
      call.onContent?.();
    }
    if (!call.isReleased) {
      if (shown !== undefined) call.held.push(shown);
      if (call.releaseOnContent && hasContent && releasedRank < 0) return heldUp(call, release(call));
      if (Math.max(call.contentEvents, call.confidence.tokens) >= call.pauseAt) pause(call);
      // The time of the prefix may have run out between two chunks.
      return call.state === 'open' ? call.paused : undefined;
    }
    return shown === undefined ? undefined : heldUp(call, options.delivery!.chunk(shown.data, shown.chunk));
  }

  /** While the client catches up, nothing is expected of the expert. */
  function heldUp(call: LiveCall, ready: void | Promise<void>): void | Promise<void> {
    if (ready === undefined) return undefined;
    call.isHeldUp = true;
    return ready.then(() => {
      call.isHeldUp = false;
      call.lastContentMs = now();
    });
  }

  /** The prefix is whole, or its time is over. */
  function pause(call: LiveCall): void {
    if (call.state !== 'running' || call.isReleased || call.prefixTokens !== undefined) return;
    call.state = 'open';
    call.prefixTokens = Math.max(call.contentEvents, call.confidence.tokens);
    call.prefixConfidence = call.confidence.value();
    const { promise, resolve } = Promise.withResolvers<void>();
    call.paused = promise;
    call.resume = resolve;
    call.onPause?.();
  }

  /** Lets the client see a call: what was held goes out first. */
  function release(call: LiveCall, stated?: number): void | Promise<void> {
    if (call.isReleased || releasedRank >= 0 || !options.stream) return undefined;
    releasedRank = call.rank;
    call.isReleased = true;
    options.delivery!.begin(
      call.expert,
      stated ?? (call.state === 'ok' ? call.confidence.value() : undefined),
      call.running.notCarried ?? [],
    );
    let wait: Promise<void> | undefined;
    for (const { data, chunk } of call.held)
      wait = (options.delivery!.chunk(data, chunk) as Promise<void> | undefined) ?? wait;
    call.held = [];
    return wait;
  }

  function stop(call: LiveCall): void {
    call.resume?.();
    if (call.retryTimer !== undefined) {
      clearTimeout(call.retryTimer);
      call.retryTimer = undefined;
      call.state = 'cancelled';
      call.endedMs = now();
      call.end();
    } else if (call.state === 'running' || call.state === 'open') call.running.cancel();
  }

  /** Books an attempt when it has ended, however it did. */
  function finish(call: LiveCall, state: 'ok' | 'error' | 'cancelled'): void {
    call.state = state;
    clearTimeout(call.contentTimer);
    clearTimeout(call.pauseTimer);
    const nowMs = now();
    call.endedMs = nowMs;
    const { usage, costUsd: toldUsd } = call.answer ?? {};
    // Where nobody told, what was sent and what had come count by estimate; a call that failed without a word costs nothing.
    const isCharged = usage != null || state !== 'error' || call.produced.isAny;
    const { counts, from } = bookedCounts(usage, call.heardUsage, call.produced, isCharged, decision.promptTokens);
    const { promptTokens, completionTokens } = counts;
    const costUsd = toldUsd ?? (isCharged ? priceUsd(call.expert.expert, counts) : 0);
    // One attempt that was estimated makes the sum an estimate.
    const isExact = call.promptTokens === 0 || call.tokensFrom === 'provider';
    call.tokensFrom = from === 'provider' && isExact ? 'provider' : 'estimate';
    call.promptTokens += promptTokens;
    call.completionTokens += completionTokens;
    call.cachedTokens += counts.cachedTokens ?? 0;
    call.cacheWriteTokens += counts.cacheWriteTokens ?? 0;
    call.reasoningTokens += counts.reasoningTokens ?? 0;
    call.costUsd += costUsd;
    call.ticket?.settle({ costUsd, promptTokens, completionTokens, status: state, usage });
    const { expert } = call;
    const permit = call.permit!;
    if (state === 'ok')
      callSucceeded(
        expert,
        permit,
        {
          latencyMs: nowMs - call.attemptStartedMs,
          contentMs: contentTimeOf(call),
          completionTokens,
          costUsd,
        },
        wallNow(),
      );
    else if (state === 'cancelled') callCancelled(expert, permit, costUsd);
    else callFailed(expert, permit, call.failure!, costUsd, wallNow());
    if (state !== 'ok' && !call.isReleased) call.held = [];
  }

  /** From the start of the attempt to its first content. */
  function contentTimeOf({ contentMs, startedMs, attemptStartedMs }: LiveCall): number | undefined {
    return contentMs === undefined ? undefined : startedMs + contentMs - attemptStartedMs;
  }

  function readChunk(call: LiveCall, chunk: ChatChunk): boolean {
    let hasContent = false;
    if (chunk.usage != null) call.heardUsage = chunk.usage;
    for (const choice of chunk.choices) {
      const { delta } = choice;
      call.produced.add(delta);
      for (const name in delta) {
        const value = delta[name];
        if (name === 'role' || value === null || value === '') continue;
        hasContent = true;
        if (value !== undefined && !PLAIN_FIELDS.has(name)) call.isPlainText = false;
        if (name === 'content' && typeof value === 'string') {
          if (keepText && choice.index === 0 && call.text.length < KEPT_CHARACTERS) call.text += value;
        }
      }
      if (choice.index !== 0) call.isPlainText = false;
      if (choice.finish_reason != null) {
        hasContent = true;
        if (choice.index === 0) call.finishReason = choice.finish_reason;
      } else if (hasContent) call.contentEvents++;
      if (choice.index === 0) addLogprobs(call, choice.logprobs);
    }
    return hasContent;
  }

  function readCompletion(call: LiveCall, body: ChatCompletion): void {
    for (const choice of body.choices) {
      const { content } = choice.message;
      call.produced.add(choice.message);
      if (choice.index !== 0 && choice !== body.choices[0]) continue;
      call.finishReason = choice.finish_reason ?? undefined;
      if (keepText && typeof content === 'string') call.text = content.slice(0, KEPT_CHARACTERS);
      addLogprobs(call, choice.logprobs);
    }
  }

  function outcomeOf(call: LiveCall): Outcome {
    const status = call.state === 'running' ? 'open' : call.isContinued ? 'ok' : call.state;
    let costUsd = call.costUsd;
    let endedMs = call.endedMs || now();
    for (const part of calls) {
      if (part.root !== call) continue;
      costUsd += part.costUsd;
      endedMs = part.endedMs;
    }
    return {
      rank: call.rank,
      status,
      confidence: status === 'open' ? call.prefixConfidence : call.confidence.value(),
      costUsd,
      latencyMs: endedMs - call.startedMs,
      // Of a cancelled call nobody knows what it would have said.
      ...(call.failure === undefined || status !== 'error' ? {} : { elsewhere: call.failure.elsewhere }),
      ...(extractor === undefined || status !== 'ok'
        ? {}
        : { answer: { key: answerKey(extractor, call), tokens: call.completionTokens } }),
      released: call.isReleased,
    };
  }

  function result(status: DriveResult['status'], reason: string, verdict: Verdict | undefined): DriveResult {
    const chosen =
      verdict === undefined
        ? calls.find(({ isReleased }) => isReleased)
        : calls.find((call) => call.rank === verdict.rank);
    let costUsd = 0;
    for (const call of calls) costUsd += call.costUsd;
    const completion = status === 'ok' ? chosen?.answer?.completion : undefined;
    return {
      status,
      reason,
      verdict,
      calls: calls.map((call) => recordOf(call, calls[0]!.startedMs, extractor)),
      ...(hedges.started + hedges.refused === 0 ? {} : { hedges }),
      costUsd,
      expert: status === 'error' && chosen?.isReleased !== true ? undefined : chosen?.expert,
      confidence: verdict?.confidence ?? chosen?.confidence.value(),
      completion:
        completion === undefined
          ? undefined
          : options.hide.logprobs
            ? written(withoutLogprobs(completion.body))
            : options.hide.topLogprobs === undefined
              ? completion
              : written(withTopLogprobs(completion.body, options.hide.topLogprobs)),
      notCarried: chosen?.running.notCarried ?? [],
      failure: status === 'ok' ? undefined : chosen?.failure,
      text:
        chosen === undefined
          ? ''
          : calls
              .filter((call) => call === chosen || call.root === chosen)
              .map(({ text }) => text)
              .join(''),
    };
  }
}

/** The mode's measure of confidence, else the geometric mean of the tokens' probabilities. */
function callConfidence(measured: ConfidenceMeasure | undefined): CallConfidence {
  if (measured === undefined) {
    const plain = tokenConfidence();
    return {
      add: ({ logprob }) => plain.add(logprob),
      get tokens() {
        return plain.tokens;
      },
      value: plain.value,
    };
  }
  const measure = measured.start();
  let tokens = 0;
  return {
    add({ top_logprobs: likeliest }) {
      tokens++;
      measure.add(logprobsOf(likeliest));
    },
    get tokens() {
      return tokens;
    },
    value() {
      const confidence = measure.value();
      // A server that caps top_logprobs measures something else: no confidence rather than a wrong one.
      return confidence?.truncated?.topLogprobs === measured.topLogprobs ? confidence.value : undefined;
    },
  };
}

/** Of the likeliest tokens of a position; none where an expert sent anything else. */
function logprobsOf(likeliest: unknown): number[] {
  if (!Array.isArray(likeliest)) return [];
  const logprobs = likeliest.map((entry) => (entry as TokenLogprob | null)?.logprob);
  return logprobs.every((logprob) => typeof logprob === 'number') ? logprobs : [];
}

/** Fields of a delta beside which an answer is plain text. */
const PLAIN_FIELDS: ReadonlySet<string> = new Set(['content', 'reasoning_content', 'reasoning_details', 'reasoning']);

/** Where a configuration was built without one. */
const DEFAULT_FIRST_CONTENT_MS = 300_000;

/** Whether the client has a whole answer of it. */
function isOk(call: LiveCall): boolean {
  return call.state === 'ok' || call.isContinued;
}

function failureOf(thrown: unknown): ProviderFailure {
  if (thrown instanceof ProviderFailure) return thrown;
  return new ProviderFailure('GW_UPSTREAM_MALFORMED', 'The expert failed in an unexpected way.', {
    fix: 'This is a defect of the provider: report it.',
    elsewhere: true,
    cause: thrown,
  });
}

function breakerFailure({ breaker, lastFailure }: LiveExpert, nowMs: number): ProviderFailure {
  const { state, untilMs } = breaker.status(nowMs);
  const after = lastFailure === undefined ? '' : ` after ${lastFailure.code}`;
  return new ProviderFailure(
    'GW_BREAKER_OPEN',
    state === 'open'
      ? `The expert is left alone for another ${Math.ceil(untilMs - nowMs)} ms${after}.`
      : `Other calls are finding out whether the expert is well again${after}.`,
    { fix: 'Wait, or add an expert.', elsewhere: true, ...(state === 'open' ? { retryAfterMs: untilMs - nowMs } : {}) },
  );
}

const NOT_RUNNING: RunningCall = { answer: new Promise(() => {}), cancel() {} };

/** Hashed, since a key can be the whole answer and traces hold no text. */
function answerKey(extractor: AnswerExtractor, call: LiveCall): string | undefined {
  const key = extractor.extract(call.text);
  return key === undefined ? undefined : createHash('sha256').update(key).digest('hex').slice(0, 16);
}

function recordOf(call: LiveCall, firstStartedMs: number, extractor: AnswerExtractor | undefined): CallRecord {
  const confidence = call.confidence.value();
  const key = extractor === undefined || call.state !== 'ok' ? undefined : answerKey(extractor, call);
  return {
    rank: call.rank,
    expert: call.expert.expert.id,
    status: call.state as CallRecord['status'],
    released: call.isReleased,
    promptTokens: call.promptTokens,
    completionTokens: call.completionTokens,
    ...(call.cachedTokens > 0 ? { cachedTokens: call.cachedTokens } : {}),
    ...(call.cacheWriteTokens > 0 ? { cacheWriteTokens: call.cacheWriteTokens } : {}),
    ...(call.reasoningTokens > 0 ? { reasoningTokens: call.reasoningTokens } : {}),
    tokensFrom: call.tokensFrom,
    costUsd: call.costUsd,
    startedMs: call.startedMs - firstStartedMs,
    ...(call.contentMs === undefined ? {} : { contentMs: call.contentMs }),
    latencyMs: call.endedMs - call.startedMs,
    ...(confidence === undefined ? {} : { confidence }),
    ...(call.prefixTokens === undefined ? {} : { prefixTokens: call.prefixTokens }),
    ...(call.prefixConfidence === undefined ? {} : { prefixConfidence: call.prefixConfidence }),
    ...(key === undefined ? {} : { answerKey: key }),
    ...(call.finishReason === undefined ? {} : { finishReason: call.finishReason }),
    ...(call.attempts.length === 0 ? {} : { attempts: call.attempts }),
    ...(call.continues === undefined ? {} : { continues: call.continues }),
    ...(call.failure === undefined
      ? {}
      : {
          error: {
            code: call.failure.code,
            message: call.failure.message,
            elsewhere: call.failure.elsewhere,
            ...(call.failure.status === undefined ? {} : { status: call.failure.status }),
          },
        }),
  };
}

function addLogprobs(
  call: LiveCall,
  logprobs: { readonly content?: readonly TokenLogprob[] | null } | null | undefined,
): void {
  if (!Array.isArray(logprobs?.content)) return;
  for (const token of logprobs.content) if (typeof token?.logprob === 'number') call.confidence.add(token);
}

/** An event as the client may see it. */
interface ShownEvent {
  readonly data: string;
  readonly chunk: ChatChunk;
}

/** The event as the client may see it, or undefined if nothing is left of it. */
function shownEvent(data: string, chunk: ChatChunk, hide: DriveOptions['hide']): ShownEvent | undefined {
  // With usage asked for, every other event says `"usage":null`: harmless, and not worth writing each event again.
  const hidesUsage = hide.usage && chunk.usage != null;
  if (hidesUsage && chunk.choices.length === 0) return undefined;
  const hidesLogprobs = hide.logprobs && chunk.choices.some((choice) => choice.logprobs != null);
  const trims = hide.topLogprobs !== undefined && chunk.choices.some((choice) => choice.logprobs != null);
  if (!hidesUsage && !hidesLogprobs && !trims) return { data, chunk };
  const { usage, ...rest } = chunk;
  const shown: ChatChunk = {
    ...rest,
    ...(hidesUsage || usage === undefined ? {} : { usage }),
    choices: hidesLogprobs
      ? chunk.choices.map((choice) => ({ ...choice, logprobs: null }))
      : trims
        ? withTopLogprobs(chunk, hide.topLogprobs!).choices
        : chunk.choices,
  };
  return { data: JSON.stringify(shown), chunk: shown };
}

/** The same answer with no more likely tokens per position than the client asked for. */
function withTopLogprobs<T extends { readonly choices: readonly { readonly logprobs?: unknown }[] }>(
  body: T,
  most: number,
): T {
  return {
    ...body,
    choices: body.choices.map((choice) => {
      const logprobs = choice.logprobs as { readonly content?: readonly TokenLogprob[] | null } | null | undefined;
      if (!Array.isArray(logprobs?.content)) return choice;
      return {
        ...choice,
        logprobs: {
          ...logprobs,
          content: logprobs.content.map((token: TokenLogprob | null) => ({
            ...token,
            top_logprobs: Array.isArray(token?.top_logprobs) ? token.top_logprobs.slice(0, most) : [],
          })),
        },
      };
    }),
  };
}

function withoutLogprobs(body: ChatCompletion): ChatCompletion {
  return { ...body, choices: body.choices.map((choice) => ({ ...choice, logprobs: null })) };
}

function written(body: ChatCompletion): { data: string; body: ChatCompletion } {
  return { data: JSON.stringify(body), body };
}
