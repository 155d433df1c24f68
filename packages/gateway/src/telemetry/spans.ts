/**
 * The spans of a finished request: one of the gateway as a server, one per call as a client, in the words of the GenAI
 * semantic conventions; what these have no word for stands under `gatewright.`. No text of a request, an answer or an error.
 */
import type { CallRecord, DecisionTrace } from '@gatewright/kernel';
import type { Expert } from '../config/config.ts';
import { type ConventionalExpert, conventionalExpert, OPERATION } from './conventions.ts';
import { callSpanId, type TraceContext } from './trace-context.ts';

/** A finished request, as it waits to be exported. */
export interface FinishedRequest {
  readonly trace: DecisionTrace;
  readonly context: TraceContext;
  /** The client's format, `chat`. */
  readonly dialect: string;
  /** Of the request, see `numbersOf`. */
  readonly request: Readonly<Record<string, unknown>>;
  /** Milliseconds from `trace.atMs` to the start of the first call. */
  readonly firstCallMs: number;
  /** From `trace.atMs` to the end of the answer. */
  readonly durationMs: number;
  /** What the serving expert called its model; undefined where it was not read. */
  readonly responseModel: string | undefined;
  /** The pool, for addresses and models. */
  readonly experts: readonly { readonly expert: Expert }[];
}

/** Values that an attribute can have. */
export type AttributeValue = string | number | boolean | string[];

/** One span. */
export interface SpanFacts {
  readonly name: string;
  readonly kind: 'server' | 'client';
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  /** Milliseconds since 1970, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  /** `error.type`; undefined where it went well. */
  readonly error: string | undefined;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** Numbers of a request -> attributes. */
const REQUEST_NUMBERS: readonly (readonly [string, string])[] = [
  ['temperature', 'gen_ai.request.temperature'],
  ['top_p', 'gen_ai.request.top_p'],
  ['frequency_penalty', 'gen_ai.request.frequency_penalty'],
  ['presence_penalty', 'gen_ai.request.presence_penalty'],
  ['seed', 'gen_ai.request.seed'],
  ['max_tokens', 'gen_ai.request.max_tokens'],
  ['max_completion_tokens', 'gen_ai.request.max_tokens'],
];

/** What of a request is exported. The request itself is let go: thousands of them with their pictures may wait. */
export function numbersOf(request: Readonly<Record<string, unknown>>): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [field] of REQUEST_NUMBERS) {
    const value = request[field];
    if (typeof value === 'number') numbers[field] = value;
  }
  if (typeof request['n'] === 'number') numbers['n'] = request['n'];
  return numbers;
}

/** Makes the spans, the server's first. */
export function spansOf(finished: FinishedRequest): SpanFacts[] {
  const { trace, context, firstCallMs, experts } = finished;
  const spans = [serverSpan(finished)];
  trace.calls.forEach((call, order) => {
    const known = experts.find(({ expert }) => expert.id === call.expert);
    if (known === undefined) return;
    const startMs = trace.atMs + firstCallMs + call.startedMs;
    spans.push({
      name: `${OPERATION} ${conventionalExpert(known.expert).model}`,
      kind: 'client',
      traceId: context.traceId,
      spanId: callSpanId(trace.id, order),
      parentId: context.spanId,
      startMs,
      endMs: startMs + call.latencyMs,
      error: call.status === 'ok' ? undefined : (call.error?.code ?? 'GW_CANCELLED'),
      attributes: callAttributes(call, conventionalExpert(known.expert), finished),
    });
  });
  return spans;
}

function serverSpan({ trace, context, dialect, request, durationMs, responseModel }: FinishedRequest): SpanFacts {
  const { result, selection, candidates } = trace;
  const served = trace.calls.find(({ rank }) => rank === result.rank);
  const attributes: Record<string, AttributeValue> = {
    'gen_ai.operation.name': OPERATION,
    'gen_ai.provider.name': 'gatewright',
    'gen_ai.request.model': trace.request.model,
    'gen_ai.request.stream': trace.request.stream,
    'http.request.method': 'POST',
    'http.response.status_code': result.httpStatus,
    'gatewright.trace.id': trace.id,
    'gatewright.dialect': dialect,
    'gatewright.config.hash': trace.configHash,
    'gatewright.policy': trace.policy.use,
    'gatewright.composition': trace.composition.use,
    'gatewright.skill': trace.request.skill,
    'gatewright.seed': trace.seed,
    'gatewright.ranked': selection.ranked.map((index) => candidates[index]!.expert),
    'gatewright.propensity': selection.propensity,
    'gatewright.calls': trace.calls.length,
    'gatewright.gates.refused': trace.gates.filter(({ passed }) => !passed).length,
    'gatewright.cost.usd': result.costUsd,
  };
  for (const [field, name] of REQUEST_NUMBERS) {
    const value = request[field];
    if (typeof value === 'number') attributes[name] = value;
  }
  const { n } = request;
  if (typeof n === 'number' && n !== 1) attributes['gen_ai.request.choice.count'] = n;
  if (responseModel !== undefined) attributes['gen_ai.response.model'] = responseModel.slice(0, 200);
  if (result.expert !== undefined) attributes['gatewright.expert'] = result.expert;
  if (result.confidence !== undefined) attributes['gatewright.confidence'] = result.confidence;
  if (trace.removed.length > 0)
    attributes['gatewright.removed'] = trace.removed.map(({ expert, constraint }) => `${expert}:${constraint}`);
  if (trace.estimator !== undefined) attributes['gatewright.estimator'] = trace.estimator.name;
  if (trace.shadow !== undefined) attributes['gatewright.shadow.agrees'] = trace.shadow.agrees;
  if (trace.cache !== undefined) {
    attributes['gatewright.cache'] = trace.cache.kind;
    attributes['gatewright.cache.source'] = trace.cache.source;
    attributes['gatewright.cache.saved_usd'] = trace.cache.savedUsd;
  }
  if (served !== undefined) addUsage(attributes, served);
  const error = result.status === 'ok' ? undefined : (result.errorCode ?? 'GW_CANCELLED');
  if (error !== undefined) attributes['error.type'] = error;
  return {
    name: `${OPERATION} ${trace.request.model}`,
    kind: 'server',
    traceId: context.traceId,
    spanId: context.spanId,
    parentId: context.parentId,
    startMs: trace.atMs,
    endMs: trace.atMs + durationMs,
    error,
    attributes,
  };
}

function callAttributes(
  call: CallRecord,
  { provider, model, address, port }: ConventionalExpert,
  { trace, responseModel }: FinishedRequest,
): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {
    'gen_ai.operation.name': OPERATION,
    'gen_ai.provider.name': provider,
    'gen_ai.request.model': model,
    'gen_ai.request.stream': trace.request.stream,
    'gatewright.expert': call.expert,
    'gatewright.rank': call.rank,
    'gatewright.released': call.released,
    'gatewright.cost.usd': call.costUsd,
    'gatewright.tokens.from': call.tokensFrom,
  };
  if (address !== undefined) attributes['server.address'] = address;
  if (port !== undefined) attributes['server.port'] = port;
  if (call.contentMs !== undefined) attributes['gen_ai.response.time_to_first_chunk'] = call.contentMs / 1000;
  if (call.confidence !== undefined) attributes['gatewright.confidence'] = call.confidence;
  if (responseModel !== undefined && call.rank === trace.result.rank)
    attributes['gen_ai.response.model'] = responseModel.slice(0, 200);
  addUsage(attributes, call);
  if (call.status !== 'ok') attributes['error.type'] = call.error?.code ?? 'GW_CANCELLED';
  if (call.error?.status !== undefined) attributes['http.response.status_code'] = call.error.status;
  return attributes;
}

function addUsage(attributes: Record<string, AttributeValue>, call: CallRecord): void {
  attributes['gen_ai.usage.input_tokens'] = call.promptTokens;
  attributes['gen_ai.usage.output_tokens'] = call.completionTokens;
  if (call.finishReason !== undefined) attributes['gen_ai.response.finish_reasons'] = [call.finishReason.slice(0, 60)];
}
