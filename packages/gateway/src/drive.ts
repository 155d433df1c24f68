/**
 * Drives a composition with live calls: starts them, holds back what may not be seen yet, lets through what may, decides
 * races, cancels losers, books the costs. The composition decides; this file only does.
 */
import { createHash } from 'node:crypto';
import {
  type AnswerExtractor,
  type Call,
  type CallRecord,
  type Outcome,
  type Step,
  tokenConfidence,
  type Verdict,
} from '@gatewright/kernel';
import type { ConfidenceMeasure } from './confidence-measure.ts';
import { callCancelled, callFailed, callStarted, callSucceeded, type LiveExpert } from './experts.ts';
import { type Decision, priceUsd } from './pipeline.ts';
import { ProviderFailure } from './providers/failure.ts';
import type { ProviderAnswer, RunningCall } from './providers/provider.ts';
import type { ChatChunk, ChatCompletion, ChatRequest, TokenLogprob } from './wire/chat.ts';

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
   * @returns a ticket to be settled once, or why the call may not be made
   */
  reserve(expert: LiveExpert, body: ChatRequest, promptTokens: number): CallTicket | ProviderFailure;
}

/** An open reservation. */
export interface CallTicket {
  /** Called once, when the call has ended, however it did. */
  settle(used: {
    readonly costUsd: number;
    readonly promptTokens: number;
    readonly completionTokens: number;
    readonly status: 'ok' | 'error' | 'cancelled';
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
}

/** A composition under way. */
export interface Drive {
  /** Settles when every call has ended. Rejects only on a defect. */
  readonly done: Promise<DriveResult>;
  /** The client has gone: ends every call at once. Idempotent. */
  cancel(): void;
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

/** One call as it runs. */
interface LiveCall {
  readonly rank: number;
  readonly expert: LiveExpert;
  readonly startedMs: number;
  readonly confidence: CallConfidence;
  running: RunningCall;
  ticket: CallTicket | undefined;
  state: 'running' | 'open' | 'ok' | 'error' | 'cancelled';
  /** Events the client may not see yet. */
  held: ShownEvent[];
  isReleased: boolean;
  releaseOnContent: boolean;
  contentMs: number | undefined;
  endedMs: number;
  contentCharacters: number;
  contentEvents: number;
  text: string;
  finishReason: string | undefined;
  prefixConfidence: number | undefined;
  /** Pause when this many content tokens have come: counted by their logprobs, or one for each event without. */
  pauseAt: number;
  /** How many had come when it paused. */
  prefixTokens: number | undefined;
  resume: (() => void) | undefined;
  answer: ProviderAnswer | undefined;
  failure: ProviderFailure | undefined;
  promptTokens: number;
  completionTokens: number;
  tokensFrom: 'provider' | 'estimate';
  costUsd: number;
  ended: Promise<void>;
  /** Called at the first content, and at the prefix. */
  onContent: (() => void) | undefined;
  onPause: (() => void) | undefined;
}

/** Starts the composition of a decision. */
export function drive(options: DriveOptions): Drive {
  const { decision, now } = options;
  const { extractor } = decision.mode.composition;
  const keepText = options.keepText || extractor !== undefined;
  const calls: LiveCall[] = [];
  let isCancelled = false;
  let releasedRank = -1;

  const run = async (): Promise<DriveResult> => {
    const steps = decision.mode.composition.start(
      decision.ranked.length,
      decision.selection.ranked.map((index) => decision.candidates[index]!),
    );
    let next = steps.next();
    while (!next.done) {
      const outcomes = await take(next.value);
      if (isCancelled) {
        return result('cancelled', 'the client went away', undefined);
      }
      next = steps.next(outcomes);
    }
    const verdict = next.value;
    const chosen = calls.find((call) => call.rank === verdict.rank)!;
    if (chosen.state === 'ok' && options.stream && !chosen.isReleased) {
      await release(chosen, verdict.confidence);
      if (isCancelled) return result('cancelled', 'the client went away', verdict);
    }
    return result(chosen.state === 'ok' ? 'ok' : 'error', verdict.reason, verdict);
  };

  return {
    done: run(),
    cancel() {
      if (isCancelled) return;
      isCancelled = true;
      for (const call of calls) stop(call);
    },
  };

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
        await Promise.race([call.ended, new Promise<void>((resolve) => (call.onPause = resolve))]);
        // What was judged is the prefix, also when the rest came along with it: a replay sees no such accident.
        if (call.prefixTokens === undefined || isCancelled) return [outcomeOf(call)];
        return [{ ...outcomeOf(call), status: 'open', confidence: call.prefixConfidence }];
      }
      case 'resume': {
        const call = calls.find((known) => known.rank === step.rank)!;
        if (call.state === 'open') {
          call.state = 'running';
          call.pauseAt = Infinity;
          call.releaseOnContent = true;
          await release(call);
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

  async function race(entries: readonly Call[], staggerMs: number): Promise<Outcome[]> {
    const started: LiveCall[] = [];
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
    let isDecided = false;
    let timer: NodeJS.Timeout | undefined;
    const win = (winner: LiveCall): void => {
      if (isDecided) return;
      isDecided = true;
      for (const call of started) if (call !== winner) stop(call);
      decide();
    };
    const startNext = (): void => {
      clearTimeout(timer);
      if (isDecided || isCancelled || started.length === entries.length) return;
      const entry = entries[started.length]!;
      const call = start(entry, Infinity, () => win(call));
      started.push(call);
      void call.ended.then(() => {
        if (call.state === 'ok' || call.failure?.elsewhere === false) win(call);
        else if (started.every((other) => other.state === 'error' || other.state === 'cancelled')) {
          if (started.length === entries.length || isCancelled) decide();
          else startNext();
        }
      });
      if (started.length < entries.length) timer = setTimeout(startNext, staggerMs);
    };
    startNext();
    await decided;
    clearTimeout(timer);
    for (const call of started) await call.ended;
    return entries.map((entry, i) => {
      const call = started[i];
      return call === undefined
        ? { rank: entry.rank, status: 'cancelled', confidence: undefined, costUsd: 0, latencyMs: 0, released: false }
        : outcomeOf(call);
    });
  }

  function start(entry: Call, pauseAt = Infinity, onContent?: () => void): LiveCall {
    const expert = decision.ranked[entry.rank]!;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const call: LiveCall = {
      rank: entry.rank,
      expert,
      startedMs: now(),
      confidence: callConfidence(options.decision.mode.confidence),
      running: NOT_RUNNING,
      ticket: undefined,
      state: 'running',
      held: [],
      isReleased: false,
      releaseOnContent: entry.release === 'content' && pauseAt === Infinity,
      contentMs: undefined,
      endedMs: 0,
      contentCharacters: 0,
      contentEvents: 0,
      text: '',
      finishReason: undefined,
      prefixConfidence: undefined,
      prefixTokens: undefined,
      pauseAt: options.stream ? pauseAt : Infinity,
      resume: undefined,
      answer: undefined,
      failure: undefined,
      promptTokens: 0,
      completionTokens: 0,
      tokensFrom: 'estimate',
      costUsd: 0,
      ended,
      onContent: options.stream ? onContent : undefined,
      onPause: undefined,
    };
    calls.push(call);
    const body = options.bodyFor(expert);
    const ticket = options.account?.reserve(expert, body, decision.promptTokens);
    if (ticket instanceof ProviderFailure) {
      // It was never made: neither for nor against the expert.
      call.failure = ticket;
      call.state = 'error';
      call.endedMs = now();
      end();
      return call;
    }
    call.ticket = ticket;
    callStarted(expert);
    call.running = expert.provider.start(
      { body, stream: options.stream, traceId: options.traceId, seed: decision.seed },
      { onChunk: (data, chunk) => onChunk(call, data, chunk) },
    );
    call.running.answer.then(
      (answer) => {
        call.answer = answer;
        if (answer.completion !== undefined) readCompletion(call, answer.completion.body);
        finish(call, 'ok');
        end();
      },
      (failure: unknown) => {
        call.failure =
          failure instanceof ProviderFailure
            ? failure
            : new ProviderFailure('GW_UPSTREAM_MALFORMED', 'The expert failed in an unexpected way.', {
                fix: 'This is a defect of the provider: report it.',
                elsewhere: true,
                cause: failure,
              });
        finish(call, call.failure.code === 'GW_CANCELLED' ? 'cancelled' : 'error');
        end();
      },
    );
    if (isCancelled) stop(call);
    return call;
  }

  function onChunk(call: LiveCall, data: string, chunk: ChatChunk): void | Promise<void> {
    if (isCancelled) return undefined;
    const hasContent = readChunk(call, chunk);
    const shown = shownEvent(data, chunk, options.hide);
    if (hasContent && call.contentMs === undefined) {
      call.contentMs = now() - call.startedMs;
      // May cancel the others of a race: only then is this one released, below.
      call.onContent?.();
    }
    if (!call.isReleased) {
      if (shown !== undefined) call.held.push(shown);
      if (call.releaseOnContent && hasContent && releasedRank < 0) return release(call);
      const contentTokens = Math.max(call.contentEvents, call.confidence.tokens);
      if (contentTokens >= call.pauseAt && call.state === 'running') {
        call.state = 'open';
        call.prefixTokens = contentTokens;
        call.prefixConfidence = call.confidence.value();
        const { promise, resolve } = Promise.withResolvers<void>();
        call.resume = resolve;
        call.onPause?.();
        return promise;
      }
      return undefined;
    }
    return shown === undefined ? undefined : options.delivery!.chunk(shown.data, shown.chunk);
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
    if (call.state === 'running' || call.state === 'open') call.running.cancel();
  }

  /** Books a call when it has ended, however it did. */
  function finish(call: LiveCall, state: 'ok' | 'error' | 'cancelled'): void {
    call.state = state;
    const nowMs = now();
    call.endedMs = nowMs;
    const { usage, costUsd } = call.answer ?? {};
    if (usage !== undefined) {
      call.promptTokens = tokenCount(usage.prompt_tokens);
      call.completionTokens = tokenCount(usage.completion_tokens);
      call.tokensFrom = 'provider';
    } else if (state === 'ok' || state === 'cancelled' || call.contentCharacters > 0) {
      // Nobody told: what was sent and what had come count by estimate. A call that failed without a word costs nothing.
      call.promptTokens = decision.promptTokens;
      call.completionTokens = Math.ceil(call.contentCharacters / 4);
    }
    const details = usage?.['prompt_tokens_details'] as { cached_tokens?: unknown } | null | undefined;
    call.costUsd =
      costUsd ??
      priceUsd(call.expert.expert, {
        promptTokens: call.promptTokens,
        completionTokens: call.completionTokens,
        cachedTokens: tokenCount(details?.cached_tokens),
      });
    call.ticket?.settle({
      costUsd: call.costUsd,
      promptTokens: call.promptTokens,
      completionTokens: call.completionTokens,
      status: state,
    });
    if (state === 'ok')
      callSucceeded(call.expert, {
        latencyMs: nowMs - call.startedMs,
        completionTokens: call.completionTokens,
        costUsd: call.costUsd,
      });
    else if (state === 'cancelled') callCancelled(call.expert, call.costUsd);
    else callFailed(call.expert, call.failure!, call.costUsd, options.wallNow());
    if (state !== 'ok' && !call.isReleased) call.held = [];
  }

  function readChunk(call: LiveCall, chunk: ChatChunk): boolean {
    let hasContent = false;
    for (const choice of chunk.choices) {
      const { delta } = choice;
      for (const name in delta) {
        const value = delta[name];
        if (name === 'role' || value === null || value === '') continue;
        hasContent = true;
        if (name === 'content' && typeof value === 'string') {
          call.contentCharacters += value.length;
          if (keepText && choice.index === 0 && call.text.length < KEPT_CHARACTERS) call.text += value;
        } else if (name === 'reasoning_content' && typeof value === 'string') call.contentCharacters += value.length;
      }
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
      if (typeof content === 'string') call.contentCharacters += content.length;
      if (choice.index !== 0 && choice !== body.choices[0]) continue;
      call.finishReason = choice.finish_reason ?? undefined;
      if (keepText && typeof content === 'string') call.text = content.slice(0, KEPT_CHARACTERS);
      addLogprobs(call, choice.logprobs);
    }
  }

  function outcomeOf(call: LiveCall): Outcome {
    const status = call.state === 'running' ? 'open' : call.state;
    return {
      rank: call.rank,
      status,
      confidence: status === 'open' ? call.prefixConfidence : call.confidence.value(),
      costUsd: call.costUsd,
      latencyMs: (call.endedMs || now()) - call.startedMs,
      ...(call.failure === undefined ? {} : { elsewhere: call.failure.elsewhere }),
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
      failure: chosen?.failure,
      text: chosen?.text ?? '',
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

/** Providers are outside our reach: a count that is no count is none. */
function tokenCount(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value < 1e12 ? value : 0;
}
