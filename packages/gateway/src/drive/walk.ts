/** Walks a composition with live calls: all at once, in a race, paused at a prefix. */
import type { Call, Outcome, Step } from '@gatewright/kernel';
import type { DriveResult } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import { start, stop } from './attempts.ts';
import { type DriveState, isOk, type LiveCall } from './live-call.ts';
import { haltedResult, outcomeOf, resultOf } from './records.ts';
import { heldUp, pause, release } from './showing.ts';

/** Wait before a second call while nobody knows how long the first usually takes, milliseconds. */
const UNKNOWN_STAGGER_MS = 2_000;
/** Fewer times say nothing of a 95th percentile. */
const LEAST_TIMES = 10;

/** Takes the composition's steps until it says whose answer stands. */
export async function walk(state: DriveState): Promise<DriveResult> {
  const { calls, decision, options } = state;
  const steps = decision.mode.composition.start(
    decision.ranked.length,
    decision.selection.ranked.map((index) => decision.candidates[index]!),
  );
  let next = steps.next();
  while (!next.done) {
    const outcomes = await take(state, next.value);
    if (state.halt !== undefined) return haltedResult(state, undefined);
    next = steps.next(outcomes);
  }
  const verdict = next.value;
  const chosen = calls.find((call) => call.rank === verdict.rank)!;
  if (chosen.state === 'ok' && options.stream && !chosen.isReleased) {
    await release(state, chosen, verdict.confidence);
    if (state.halt !== undefined) return haltedResult(state, verdict);
  }
  return resultOf(state, isOk(chosen) ? 'ok' : 'error', verdict.reason, verdict);
}

async function take(state: DriveState, step: Step): Promise<Outcome[]> {
  const { calls, options } = state;
  switch (step.kind) {
    case 'all': {
      const started = step.calls.map((call) => start(state, call));
      for (const call of started) await call.ended;
      return started.map((call) => outcomeOf(state, call));
    }
    case 'race':
      return race(state, step.calls, step.staggerMs);
    case 'open': {
      const call = start(state, step.call, step.tokens);
      const { ms } = step;
      if (ms !== undefined && options.stream) call.pauseTimer = setTimeout(() => pause(call), ms);
      await Promise.race([call.ended, new Promise<void>((resolve) => (call.onPause = resolve))]);
      clearTimeout(call.pauseTimer);
      // What was judged is the prefix, also when the rest came along with it: a replay sees no such accident.
      if (call.prefixTokens === undefined || state.halt !== undefined) return [outcomeOf(state, call)];
      return [{ ...outcomeOf(state, call), status: 'open', confidence: call.prefixConfidence }];
    }
    case 'resume': {
      const call = calls.find((known) => known.rank === step.rank)!;
      if (call.state === 'open') {
        call.state = 'running';
        call.pauseAt = Infinity;
        call.releaseOnContent = true;
        const ready = heldUp(state, call, release(state, call));
        if (ready !== undefined) await ready;
        call.lastContentMs = options.now();
        call.resume?.();
      }
      await call.ended;
      return [outcomeOf(state, call)];
    }
    case 'drop': {
      const call = calls.find((known) => known.rank === step.rank)!;
      stop(state, call);
      await call.ended;
      return [outcomeOf(state, call)];
    }
    default:
      return step satisfies never;
  }
}

async function race(state: DriveState, entries: readonly Call[], staggerMs: number | undefined): Promise<Outcome[]> {
  const { hedges, options } = state;
  const { extras } = options;
  const started: LiveCall[] = [];
  const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
  let isDecided = false;
  let hedged = 0;
  let timer: NodeJS.Timeout | undefined;
  const win = (winner: LiveCall): void => {
    if (isDecided) return;
    isDecided = true;
    for (const call of started) if (call !== winner) stop(state, call);
    decide();
  };
  const hedge = (): void => {
    if (isDecided || state.halt !== undefined) return;
    if (extras !== undefined && !extras.hedges.take(options.wallNow())) {
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
    if (isDecided || state.halt !== undefined || started.length === entries.length) return;
    const entry = entries[started.length]!;
    const call = start(state, entry, Infinity, () => win(call), isHedge);
    started.push(call);
    void call.ended.then(() => {
      if (isOk(call) || call.failure?.elsewhere === false) win(call);
      else if (started.every((other) => other.state === 'error' || other.state === 'cancelled')) {
        if (started.length === entries.length || state.halt !== undefined) decide();
        else startNext();
      }
    });
    if (started.length < entries.length) timer = setTimeout(hedge, staggerMs ?? usualMs(call.expert, options.stream));
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
      : outcomeOf(state, call);
  });
}

/** How long an expert takes at most, nineteen times of twenty: to what decides a race. */
function usualMs({ contentTimes, answerTimes }: LiveExpert, stream: boolean): number {
  const times = stream ? contentTimes : answerTimes;
  return times.count < LEAST_TIMES ? UNKNOWN_STAGGER_MS : times.quantile(0.95)!;
}
