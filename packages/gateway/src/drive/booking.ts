/** What an attempt has used, on its account and on its expert, when it has ended. */
import { priceUsd } from '../cost.ts';
import { callCancelled, callFailed, callSucceeded } from '../experts.ts';
import { bookedCounts } from '../features/produced.ts';
import type { ProviderAnswer } from '../providers/provider.ts';
import type { DriveState, LiveCall } from './live-call.ts';

/** Books an attempt when it has ended, however it did. */
export function finish({ decision, options }: DriveState, call: LiveCall, state: 'ok' | 'error' | 'cancelled'): void {
  call.state = state;
  clearTimeout(call.contentTimer);
  const nowMs = options.now();
  call.endedMs = nowMs;
  const usage = call.answer?.usage;
  // Where nobody told, what was sent and what had come count by estimate; a call that failed without a word costs nothing.
  const isCharged = usage != null || state !== 'error' || call.produced.isAny || call.heardUsage !== undefined;
  const { counts, from } = bookedCounts(usage, call.heardUsage, call.produced, isCharged, decision.promptTokens);
  const { promptTokens, completionTokens } = counts;
  const costUsd = toldUsd(call.answer) ?? (isCharged ? priceUsd(call.expert.expert, counts) : 0);
  // One attempt that was estimated makes the sum an estimate.
  const isExact = call.promptTokens === 0 || call.tokensFrom === 'provider';
  call.tokensFrom = from === 'provider' && isExact ? 'provider' : 'estimate';
  call.promptTokens += promptTokens;
  call.completionTokens += completionTokens;
  call.cachedTokens += counts.cachedTokens ?? 0;
  call.cacheWriteTokens += counts.cacheWriteTokens ?? 0;
  call.reasoningTokens += counts.reasoningTokens ?? 0;
  call.costUsd += costUsd;
  const { expert } = call;
  const permit = call.permit!;
  if (state === 'ok')
    callSucceeded(
      expert,
      permit,
      {
        // How fast the client reads says nothing about the expert.
        latencyMs: nowMs - call.attemptStartedMs - call.heldUpMs,
        contentMs: contentTimeOf(call),
        completionTokens,
        costUsd,
      },
      options.wallNow(),
    );
  else if (state === 'cancelled' || isClientsDoing(call, nowMs)) callCancelled(expert, permit, costUsd);
  else callFailed(expert, permit, call.failure!, costUsd, options.wallNow());
  if (state !== 'ok' && !call.isReleased) {
    call.held = [];
    call.heldBytes = 0;
  }
  // Last: whatever comes of it, the expert is free.
  call.ticket?.settle({ costUsd, promptTokens, completionTokens, status: state, usage: usage ?? call.heardUsage });
}

/** What the provider says that the call cost, if that is an amount. */
function toldUsd(answer: ProviderAnswer | undefined): number | undefined {
  const told = answer?.costUsd;
  return told !== undefined && told >= 0 && told < Infinity ? told : undefined;
}

/** All the time of the call is over, and most of it went by while the client did not read. */
function isClientsDoing({ failure, heldUpMs, heldUpSinceMs, attemptStartedMs }: LiveCall, nowMs: number): boolean {
  const heldMs = heldUpMs + (heldUpSinceMs === undefined ? 0 : nowMs - heldUpSinceMs);
  return failure?.isOutOfTime === true && 2 * heldMs > nowMs - attemptStartedMs;
}

/** From the start of the attempt to its first content. */
function contentTimeOf({ contentMs, startedMs, attemptStartedMs }: LiveCall): number | undefined {
  return contentMs === undefined ? undefined : startedMs + contentMs - attemptStartedMs;
}
