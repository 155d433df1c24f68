/** The trace of a request, made when it is over. */
import { hash } from 'node:crypto';
import { type DecisionTrace, decideInShadow, type ShadowRecord, TRACE_VERSION } from '@gatewright/kernel';
import type { DriveResult } from './drive.ts';
import { toHttpError } from './http-errors.ts';
import type { Metrics } from './metrics.ts';
import type { RequestAccount } from './money/ledger.ts';
import type { Decision } from './pipeline.ts';
import { redact } from './redact.ts';
import type { ChatRequest } from './wire/chat.ts';

function isName({ mode }: Decision, model: string): boolean {
  return mode.name === model || mode.experts.some(({ expert }) => expert.id === model);
}

/** The record of one request. */
export function traceOf(
  id: string,
  atMs: number,
  configHash: string,
  request: ChatRequest,
  body: Buffer,
  decision: Decision,
  result: DriveResult,
  latencyMs: number,
  shadow: ShadowRecord | undefined,
  account: RequestAccount['record'],
): DecisionTrace {
  const error = result.status === 'ok' ? undefined : toHttpError(result.failure);
  return {
    version: TRACE_VERSION,
    id,
    atMs,
    configHash,
    seed: decision.seed,
    request: {
      // An alias with `*` takes any text, also a key in the wrong place.
      model: isName(decision, request.model) ? request.model : redact(request.model),
      stream: request.stream === true,
      promptTokens: decision.promptTokens,
      skill: decision.skill,
      needs: decision.needs,
      bodyHash: hash('sha256', body, 'hex'),
      facts: decision.facts,
    },
    account,
    removed: decision.removed,
    ...(decision.estimator === undefined ? {} : { estimator: decision.estimator }),
    candidates: decision.candidates,
    policy: decision.mode.policySpec,
    selection: decision.selection,
    ...(shadow === undefined ? {} : { shadow }),
    composition: decision.mode.compositionSpec,
    ...(decision.mode.confidence === undefined ? {} : { confidence: decision.mode.confidence.spec }),
    calls: result.calls,
    gates: result.verdict?.gates ?? [],
    ...(result.hedges === undefined ? {} : { hedges: result.hedges }),
    ...(result.cache === undefined ? {} : { cache: result.cache }),
    result: {
      status: result.status,
      ...(result.expert === undefined ? {} : { expert: result.expert.expert.id }),
      ...(result.verdict === undefined ? {} : { rank: result.verdict.rank }),
      reason: result.reason,
      ...(result.confidence === undefined ? {} : { confidence: result.confidence }),
      costUsd: result.costUsd,
      latencyMs,
      httpStatus: result.status === 'ok' ? 200 : result.status === 'cancelled' ? 499 : error!.status,
      ...(result.status === 'error' ? { errorCode: error!.code } : {}),
    },
  };
}

/** What the mode's shadow would have done. Asked once the answer is there; its failure is counted and hurts nobody. */
export function shadowOf(decision: Decision, metrics: Metrics): ShadowRecord | undefined {
  const { shadow, name } = decision.mode;
  if (shadow === undefined) return undefined;
  try {
    const record = decideInShadow(shadow.spec, shadow.policy, decision);
    metrics.shadow(name, record.agrees);
    return record;
  } catch {
    metrics.shadow(name, 'failed');
    return undefined;
  }
}

/** A trace in few words, for the page. Holds text only where the configuration keeps bodies. */
export function summaryOf(trace: DecisionTrace, prompt?: string, answer?: string): Record<string, unknown> {
  return {
    id: trace.id,
    atMs: trace.atMs,
    model: trace.request.model,
    skill: trace.request.skill,
    stream: trace.request.stream,
    promptTokens: trace.request.promptTokens,
    policy: trace.policy.use,
    composition: trace.composition.use,
    reason: trace.selection.reason,
    candidates: trace.candidates.map((candidate, index) => ({
      ...candidate,
      terms: trace.selection.terms[index] ?? {},
    })),
    ranked: trace.selection.ranked.map((index) => trace.candidates[index]!.expert),
    removed: trace.removed,
    calls: trace.calls,
    gates: trace.gates,
    result: trace.result,
    ...(prompt === undefined ? {} : { prompt: prompt.slice(0, 400) }),
    ...(answer === undefined ? {} : { answer: answer.slice(0, 400) }),
  };
}
