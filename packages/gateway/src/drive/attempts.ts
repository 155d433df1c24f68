/** Makes calls: reserves them, starts them, makes them again, goes on where they broke off, ends them. */
import type { Call } from '@gatewright/kernel';
import type { CallAccount } from '../drive.ts';
import { callStarted, type LiveExpert } from '../experts.ts';
import { ProviderFailure } from '../providers/failure.ts';
import type { RunningCall } from '../providers/provider.ts';
import { isRetryable, retryWaitMs } from '../resilience/retries.ts';
import { finish } from './booking.ts';
import { watchContent } from './content-watch.ts';
import { continuation } from './continuation.ts';
import { type DriveState, jitterOf, type LiveCall, newCall, renew } from './live-call.ts';
import { readCompletion } from './reading.ts';
import { onChunk } from './showing.ts';

/**
 * Starts a call of the composition.
 *
 * @param pauseAt content tokens after which it pauses
 * @param onContent its first content has come
 */
export function start(
  state: DriveState,
  entry: Call,
  pauseAt = Infinity,
  onContent?: () => void,
  isHedge = false,
): LiveCall {
  const { decision, options } = state;
  const expert = decision.ranked[entry.rank]!;
  const call = newCall(state, entry.rank, expert, options.bodyFor(expert));
  call.releaseOnContent = entry.release === 'content' && pauseAt === Infinity;
  call.isHedge = isHedge;
  if (options.stream) {
    call.pauseAt = pauseAt;
    call.onContent = onContent;
  }
  state.calls.push(call);
  options.extras?.retries.earn();
  if (!isHedge) options.extras?.hedges.earn();
  attempt(state, call);
  return call;
}

/** Makes the call, or makes it again. */
export function attempt(state: DriveState, call: LiveCall): void {
  const { decision, options } = state;
  const { expert, body } = call;
  const isFirst = call.attempts.length === 0;
  const nowMs = options.wallNow();
  const isForced =
    (isFirst || call.isUnread) && call.root === undefined && (state.isLastResort || isLastLeft(state, call));
  if (!isForced && !expert.breaker.admits(nowMs)) {
    unmade(state, call, breakerFailure(expert, nowMs));
    return;
  }
  const why = !isFirst || call.root !== undefined ? 'retry' : call.isHedge ? 'hedge' : 'call';
  const ticket = reserved(options.account, expert, body, decision.promptTokens, why);
  if (ticket instanceof ProviderFailure) {
    unmade(state, call, ticket);
    return;
  }
  call.ticket = ticket;
  call.permit = callStarted(expert, nowMs, true);
  call.attemptStartedMs = options.now();
  if (options.stream) watchContent(state, call);
  call.running = running(state, call);
  call.running.answer
    .then(
      (answer) => {
        call.answer = answer;
        call.failure = undefined;
        if (answer.completion !== undefined) readCompletion(state, call, answer.completion.body);
        finish(state, call, 'ok');
        conclude(state, call);
      },
      (thrown: unknown) => {
        const failure = call.stalled ?? failureOf(thrown);
        call.failure = failure;
        // What had been counted by then, also where the gateway itself ended the call.
        if (thrown instanceof ProviderFailure) call.heardUsage = thrown.usage ?? call.heardUsage;
        finish(state, call, failure.code === 'GW_CANCELLED' ? 'cancelled' : 'error');
        const waitMs = retryIn(state, call, failure);
        if (waitMs === undefined) conclude(state, call);
        else retry(state, call, failure, waitMs);
      },
    )
    .catch((defect: unknown) => {
      // Whatever it is, nobody may wait for this call for ever.
      call.state = 'error';
      call.failure = failureOf(defect);
      (call.root ?? call).end();
    });
  if (state.halt !== undefined) stop(state, call);
}

function reserved(account: CallAccount | undefined, ...asked: Parameters<CallAccount['reserve']>) {
  try {
    return account?.reserve(...asked);
  } catch (error) {
    // Thrown out of a timer it would end the process.
    return failureOf(error);
  }
}

/** The call under way. A provider should not throw; one that does has failed. */
function running(state: DriveState, call: LiveCall): RunningCall {
  const { decision, options, calls } = state;
  try {
    return call.expert.provider.start(
      {
        body: call.body,
        stream: options.stream,
        traceId: options.traceId,
        seed: decision.seed,
        traceparent: options.traceparentOf?.(calls.indexOf(call)),
      },
      { onChunk: (data, chunk) => onChunk(state, call, data, chunk) },
    );
  } catch (error) {
    return { answer: Promise.reject(failureOf(error)), cancel() {} };
  }
}

/** It was never made: neither for nor against the expert. What failed before it stands. */
function unmade(state: DriveState, call: LiveCall, failure: ProviderFailure): void {
  if (call.attempts.pop() === undefined) call.failure = failure;
  call.state = 'error';
  call.endedMs = state.options.now();
  conclude(state, call);
}

/** Whether nobody else could still answer, of those that the composition asks. */
function isLastLeft({ calls, lastRank }: DriveState, call: LiveCall): boolean {
  return (
    calls.some(({ rank }) => rank === lastRank) &&
    calls.every((other) => other === call || !['running', 'open', 'ok'].includes(other.state))
  );
}

/** In how many milliseconds a failed call is to be made again; undefined: not at all. */
function retryIn(state: DriveState, call: LiveCall, failure: ProviderFailure): number | undefined {
  const { extras, wallNow } = state.options;
  if (state.halt !== undefined || extras === undefined || call.state !== 'error' || call.root !== undefined)
    return undefined;
  if (call.isReleased || call.prefixTokens !== undefined || !isRetryable(failure)) return undefined;
  // Nobody has read it: it was not asked yet.
  if (failure.isStaleConnection && call.attempts.length === 0) return 0;
  const { retries } = call.expert.expert;
  const made = call.attempts.length + 1;
  if (made >= retries.attempts || !isLastLeft(state, call)) return undefined;
  const drawnMs = retryWaitMs(retries, made, failure.retryAfterMs, jitterOf(state));
  if (drawnMs === undefined) return undefined;
  // An open breaker is waited for: that is what the expert was left alone for.
  const waitMs = Math.max(drawnMs, call.expert.breaker.status(wallNow()).untilMs - wallNow());
  return waitMs > retries.maxMs || !extras.retries.take() ? undefined : waitMs;
}

function retry(state: DriveState, call: LiveCall, failure: ProviderFailure, waitMs: number): void {
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
    startedMs: call.attemptStartedMs - state.calls[0]!.startedMs,
    latencyMs: call.endedMs - call.attemptStartedMs,
    waitMs,
    error: {
      code: failure.code,
      message: failure.message,
      ...(failure.status === undefined ? {} : { status: failure.status }),
    },
  });
  // Nobody has read a request that went into a closed connection: it was not asked yet.
  call.isUnread = failure.isStaleConnection === true && call.attempts.length === 1;
  renew(state, call);
  const again = (): void => {
    call.retryTimer = undefined;
    attempt(state, call);
  };
  call.retryTimer = setTimeout(again, waitMs);
}

/** Nothing more comes of the call itself. Somebody may go on with it. */
function conclude(state: DriveState, call: LiveCall): void {
  const root = call.root ?? call;
  if (call.state === 'ok') {
    root.isContinued = call !== root;
    root.end();
    return;
  }
  const next = continuation(state, root, call);
  if (next === undefined) {
    root.end();
    return;
  }
  state.calls.push(next);
  attempt(state, next);
}

/** Ends a call, whatever it is at. */
export function stop({ options }: DriveState, call: LiveCall): void {
  call.resume?.();
  if (call.retryTimer !== undefined) {
    clearTimeout(call.retryTimer);
    call.retryTimer = undefined;
    call.state = 'cancelled';
    call.endedMs = options.now();
    call.end();
  } else if (call.state === 'running' || call.state === 'open') call.running.cancel();
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
