/** What is told of calls: to the composition, to the trace, to whoever drives. */
import { createHash } from 'node:crypto';
import type { AnswerExtractor, CallRecord, Outcome, Verdict } from '@gatewright/kernel';
import type { DriveResult } from '../drive.ts';
import { ProviderFailure } from '../providers/failure.ts';
import type { DriveState, LiveCall } from './live-call.ts';
import { shownCompletion } from './shown.ts';

/** What the composition learns of a call. */
export function outcomeOf({ calls, decision, options }: DriveState, call: LiveCall): Outcome {
  const { extractor } = decision.mode.composition;
  const status = call.state === 'running' ? 'open' : call.isContinued ? 'ok' : call.state;
  let costUsd = call.costUsd;
  let endedMs = call.endedMs || options.now();
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

/** How it went, once every call has ended. */
export function resultOf(
  { calls, decision, hedges, options }: DriveState,
  status: DriveResult['status'],
  reason: string,
  verdict: Verdict | undefined,
): DriveResult {
  const { extractor } = decision.mode.composition;
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
    completion: completion === undefined ? undefined : shownCompletion(completion, options.hide),
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

/** Of a drive that somebody ended. */
export function haltedResult(state: DriveState, verdict: Verdict | undefined): DriveResult {
  if (state.halt === 'client') return resultOf(state, 'cancelled', 'the client went away', verdict);
  return {
    ...resultOf(state, 'error', "the request's own time limit was over", verdict),
    failure: new ProviderFailure('GW_REQUEST_DEADLINE', `No answer within ${state.options.deadlineMs} ms.`, {
      fix: 'Give it more time: x-gw-timeout-ms.',
      elsewhere: false,
    }),
  };
}

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
