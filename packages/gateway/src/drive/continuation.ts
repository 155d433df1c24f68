import { isContinuable, isCutText, stitcher } from '../resilience/continuation.ts';
import { isRetryable } from '../resilience/retries.ts';
import { type DriveState, type LiveCall, newCall } from './live-call.ts';
import { KEPT_CHARACTERS } from './reading.ts';

/** A call that goes on where this one broke off, if anybody can. */
export function continuation(state: DriveState, root: LiveCall, last: LiveCall): LiveCall | undefined {
  const { calls, decision, options } = state;
  if (state.halt !== undefined || !state.mayContinue || !root.isReleased || last.state !== 'error') return undefined;
  // Where the last one was never made, what broke before it says whether to go on.
  if (root.failure === undefined || !isRetryable(root.failure)) return undefined;
  const parts = calls.filter((call) => call === root || call.root === root);
  if (parts.length > decision.mode.continueAttempts) return undefined;
  const text = parts.map((part) => part.text).join('');
  if (root.firstChunk === undefined || text.length >= KEPT_CHARACTERS) return undefined;
  const broken = {
    text,
    isPlainText: parts.every(({ isPlainText }) => isPlainText),
    finishReason: parts.find(({ finishReason }) => finishReason !== undefined)?.finishReason,
  };
  if (!isCutText(broken)) return undefined;
  const nowMs = options.wallNow();
  // Nobody whom the composition may not ask: the client may have said so, and the worst case was computed so.
  const expert = [last.expert, ...decision.ranked.slice(0, state.lastRank + 1)].find(
    ({ provider, breaker }) => provider.prefill !== undefined && breaker.admits(nowMs),
  );
  if (expert === undefined) return undefined;
  const request = options.bodyFor(expert);
  if (!isContinuable(request, request.logprobs === true && !options.hide.logprobs)) return undefined;
  const next = newCall(state, root.rank, expert, expert.provider.prefill!(request, text), root, calls.indexOf(last));
  next.isReleased = true;
  next.stitch = stitcher(root.firstChunk, text, {
    promptTokens: parts.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
    completionTokens: parts.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
  });
  return next;
}
