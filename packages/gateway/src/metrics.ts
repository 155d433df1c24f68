/** Prometheus metrics. Label values come from the configuration only, never from clients: cardinality is bounded. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { DecisionTrace } from '@gatewright/kernel';
import { Counter, Gauge, Registry } from 'prom-client';
import type { CacheCounts } from './caches/cache.ts';
import { fastCounter, fastHistogram } from './instruments.ts';
import type { Ledger } from './money/ledger.ts';
import { ledgerMetrics } from './money/metrics.ts';
import type { Runtime } from './pipeline.ts';
import type { TraceStore } from './stores/store.ts';
import { genAiMetrics } from './telemetry/genai-metrics.ts';
import type { TelemetryCounts } from './telemetry/otlp.ts';

/** What the gateway counts. */
export interface Metrics {
  /** Books a finished request. @param mode `gw/...`, or `pinned` */
  request(mode: string, trace: DecisionTrace): void;
  /** Books what a response cache did with a request. @param savedUsd what the answer cost when it was made */
  cache(outcome: 'hit' | 'joined' | 'miss' | 'off', kind: 'exact' | 'semantic', savedUsd: number): void;
  /** Books the gateway's own time on a request, seconds: all but the time in which a call was under way. */
  overhead(mode: string, seconds: number): void;
  /** Books a call for vectors. */
  embedding(expert: string, status: 'ok' | 'error' | 'cancelled', promptTokens: number, costUsd: number): void;
  /** Books a request that was refused before a decision, by error code. */
  refused(code: string): void;
  /** The client went away; calls under way were cancelled. */
  clientGone(): void;
  feedback(): void;
  /** Feedback that does not count, by an error code, or `rate` or `repeated`. */
  feedbackRefused(why: string): void;
  /** Books what a shadow decided; `failed` when it threw. */
  shadow(mode: string, agrees: boolean | 'failed'): void;
  /** Feedback that taught nothing, since the features of its request are forgotten. */
  feedbackUnlearned(): void;
  reload(result: 'applied' | 'refused'): void;
  /** Every metric with its labels, for checks. */
  names(): { readonly name: string; readonly labels: readonly string[] }[];
  /** The text that a Prometheus server reads. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** The gateway's own time is of another order than the experts'. */
const OVERHEAD_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

const LAG_RESOLUTION_MS = 20;
const LAG_QUANTILES = [
  ['0.5', 50],
  ['0.99', 99],
  ['1', 100],
] as const;

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Metrics of one gateway, in a registry of its own. */
export function createMetrics(
  current: () => Runtime,
  store: TraceStore,
  sources: {
    readonly cache?: () => CacheCounts;
    readonly spans?: (() => TelemetryCounts) | undefined;
    readonly ledger?: Pick<Ledger, 'stats' | 'entries'>;
  } = {},
): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const requests = fastCounter({
    name: 'gatewright_requests_total',
    help: 'Finished chat requests.',
    labelNames: ['mode', 'status'],
    registers,
  });
  const seconds = fastHistogram({
    name: 'gatewright_request_seconds',
    help: 'Time from the read request to the end of the answer.',
    labelNames: ['mode'],
    buckets: SECONDS,
    registers,
  });
  const calls = fastCounter({
    name: 'gatewright_calls_total',
    help: 'Calls to experts.',
    labelNames: ['expert', 'status'],
    registers,
  });
  const retries = new Counter({
    name: 'gatewright_retries_total',
    help: 'Calls to an expert that were made again after a failure.',
    labelNames: ['expert'],
    registers,
  });
  const continuations = new Counter({
    name: 'gatewright_continuations_total',
    help: 'Answers that broke off and were continued by another call.',
    labelNames: ['expert', 'status'],
    registers,
  });
  const hedges = new Counter({
    name: 'gatewright_hedges_total',
    help: 'Second calls of races: made, or refused by their budget.',
    labelNames: ['mode', 'outcome'],
    registers,
  });
  const contentSeconds = fastHistogram({
    name: 'gatewright_time_to_first_content_seconds',
    help: 'Time from the start of a streamed call to its first content.',
    labelNames: ['expert'],
    buckets: SECONDS,
    registers,
  });
  const tokens = fastCounter({
    name: 'gatewright_tokens_total',
    help: 'Tokens of calls to experts.',
    labelNames: ['expert', 'kind'],
    registers,
  });
  const cost = fastCounter({
    name: 'gatewright_cost_usd_total',
    help: 'What calls cost, USD.',
    labelNames: ['expert'],
    registers,
  });
  const escalations = new Counter({
    name: 'gatewright_escalations_total',
    help: 'Gates that an answer did not pass.',
    labelNames: ['mode'],
    registers,
  });
  const refusals = new Counter({
    name: 'gatewright_refused_total',
    help: 'Requests refused before a decision.',
    labelNames: ['code'],
    registers,
  });
  const gone = new Counter({
    name: 'gatewright_client_gone_total',
    help: 'Requests whose client went away before the end.',
    registers,
  });
  const unlearnedCount = new Counter({
    name: 'gatewright_feedback_unlearned_total',
    help: 'Feedback that came too late to be learned from: the features of its request were forgotten.',
    registers,
  });
  const feedbackRefusals = new Counter({
    name: 'gatewright_feedback_refused_total',
    help: 'Feedback that does not count.',
    labelNames: ['why'],
    registers,
  });
  const shadows = new Counter({
    name: 'gatewright_shadow_decisions_total',
    help: 'Decisions of shadow policies: whether they put the same expert first.',
    labelNames: ['mode', 'agrees'],
    registers,
  });
  const feedbackCount = new Counter({ name: 'gatewright_feedback_total', help: 'Feedback admitted.', registers });
  const reloads = new Counter({
    name: 'gatewright_config_reloads_total',
    help: 'Changes of the configuration file.',
    labelNames: ['result'],
    registers,
  });
  const errors = new Counter({
    name: 'gatewright_errors_total',
    help: 'Requests that ended in an error after a decision, by code.',
    labelNames: ['code'],
    registers,
  });
  const callErrors = new Counter({
    name: 'gatewright_call_errors_total',
    help: 'Calls that failed, by expert and code.',
    labelNames: ['expert', 'code'],
    registers,
  });
  const overheadSeconds = fastHistogram({
    name: 'gatewright_overhead_seconds',
    help: "The gateway's own time on a request: all but the time in which a call to an expert was under way.",
    labelNames: ['mode'],
    buckets: OVERHEAD_SECONDS,
    registers,
  });
  const cacheRequests = fastCounter({
    name: 'gatewright_cache_requests_total',
    help: 'What response caches did with requests.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const cacheSaved = new Counter({
    name: 'gatewright_cache_saved_usd_total',
    help: 'What answers out of a cache had cost when they were made, USD.',
    registers,
  });
  const genAi = genAiMetrics(registers, current);
  const { cache: cacheCounts, spans, ledger } = sources;
  if (ledger !== undefined) ledgerMetrics(registry, ledger);
  if (cacheCounts !== undefined) {
    readGauge('gatewright_cache_bytes', 'Answers kept, bytes.', () => cacheCounts().bytes);
    readGauge('gatewright_cache_entries', 'Answers kept.', () => cacheCounts().entries);
    readGauge(
      'gatewright_cache_evicted',
      'Answers dropped for want of room since the start.',
      () => cacheCounts().evicted,
    );
  }
  new Gauge({
    name: 'gatewright_exported_requests',
    help: 'Requests whose spans were exported, dropped for want of room, or not taken, since the start.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      if (spans === undefined) return;
      for (const [outcome, count] of Object.entries(spans())) this.set({ outcome }, count);
    },
  });
  // Begins with the first reader: nobody pays for what nobody reads.
  let lag: ReturnType<typeof monitorEventLoopDelay> | undefined;
  new Gauge({
    name: 'gatewright_event_loop_lag_seconds',
    help: 'How late timers came since the last reading.',
    labelNames: ['quantile'],
    registers,
    collect() {
      if (lag === undefined) {
        lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
        lag.enable();
      }
      for (const [quantile, share] of LAG_QUANTILES) {
        const seconds = lag.percentile(share) / 1e9 - LAG_RESOLUTION_MS / 1000;
        this.set({ quantile }, Math.max(0, seconds));
      }
      lag.reset();
    },
  });
  new Gauge({
    name: 'gatewright_embeddings',
    help: 'Vectors of texts since the start: from the cache, fetched, not had.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      const { embedder } = current();
      if (embedder === undefined) return;
      for (const [outcome, count] of Object.entries(embedder.counts())) this.set({ outcome }, count);
    },
  });
  new Gauge({
    name: 'gatewright_in_flight',
    help: 'Calls under way.',
    labelNames: ['expert'],
    registers,
    collect() {
      this.reset();
      for (const { expert, inFlight } of current().experts) this.set({ expert: expert.id }, inFlight);
    },
  });
  new Gauge({
    name: 'gatewright_breaker_state',
    help: 'Circuit breaker of each expert: 1 for the state it is in.',
    labelNames: ['expert', 'state'],
    registers,
    collect() {
      this.reset();
      const nowMs = Date.now();
      for (const { expert, breaker } of current().experts) {
        const { state } = breaker.status(nowMs);
        for (const one of ['closed', 'open', 'halfOpen'])
          this.set({ expert: expert.id, state: one }, one === state ? 1 : 0);
      }
    },
  });
  new Gauge({
    name: 'gatewright_shadow_price',
    help: 'Shadow price in units of quality.',
    labelNames: ['expert', 'resource'],
    registers,
    collect() {
      this.reset();
      const { experts, prices } = current();
      experts.forEach(({ expert }, i) => {
        this.set({ expert: expert.id, resource: 'load' }, prices.load[i]!);
        this.set({ expert: expert.id, resource: 'rate' }, prices.rate[i]!);
      });
      this.set({ expert: '', resource: 'spend' }, prices.spend[0]!);
    },
  });
  const storeGauge = readGauge;
  storeGauge('gatewright_store_bytes', 'Size of the journal.', () => store.stats().bytes);
  storeGauge('gatewright_store_pending_bytes', 'Waiting to be written.', () => store.stats().pendingBytes);
  storeGauge(
    'gatewright_store_dropped_bodies',
    'Bodies dropped because too much was waiting.',
    () => store.stats().droppedBodies,
  );
  storeGauge('gatewright_store_lost_traces', 'Traces that could not be written.', () => store.stats().lostTraces);
  storeGauge('process_resident_memory_bytes', 'Resident memory of the gateway.', () => process.memoryUsage.rss());

  return {
    request(mode, trace) {
      requests.add(1, mode, trace.result.status);
      seconds.observe(trace.result.latencyMs / 1000, mode);
      for (const call of trace.calls) {
        const { expert } = call;
        calls.add(1, expert, call.status);
        if (call.attempts !== undefined) {
          calls.add(call.attempts.length, expert, 'error');
          retries.inc({ expert }, call.attempts.length);
        }
        if (call.continues !== undefined) continuations.inc({ expert, status: call.status });
        if (call.contentMs !== undefined) contentSeconds.observe(call.contentMs / 1000, expert);
        if (call.promptTokens > 0) tokens.add(call.promptTokens, expert, 'prompt');
        if (call.completionTokens > 0) tokens.add(call.completionTokens, expert, 'completion');
        if (call.costUsd > 0) cost.add(call.costUsd, expert);
      }
      if (trace.hedges !== undefined) {
        if (trace.hedges.started > 0) hedges.inc({ mode, outcome: 'started' }, trace.hedges.started);
        if (trace.hedges.refused > 0) hedges.inc({ mode, outcome: 'refused' }, trace.hedges.refused);
      }
      for (const gate of trace.gates) if (!gate.passed) escalations.inc({ mode });
      if (trace.result.errorCode !== undefined) errors.inc({ code: trace.result.errorCode });
      for (const { expert, error } of trace.calls)
        if (error !== undefined) callErrors.inc({ expert, code: error.code });
      genAi.request(trace);
    },
    cache(outcome, kind, savedUsd) {
      cacheRequests.add(1, kind, outcome);
      if (savedUsd > 0 && (outcome === 'hit' || outcome === 'joined')) cacheSaved.inc(savedUsd);
    },
    overhead: (mode, seconds) => overheadSeconds.observe(seconds, mode),
    embedding(expert, status, promptTokens, costUsd) {
      calls.add(1, expert, status);
      if (promptTokens > 0) tokens.add(promptTokens, expert, 'embedding');
      if (costUsd > 0) cost.add(costUsd, expert);
    },
    refused: (code) => refusals.inc({ code }),
    clientGone: () => gone.inc(),
    feedback: () => feedbackCount.inc(),
    feedbackRefused: (why) => feedbackRefusals.inc({ why }),
    shadow: (mode, agrees) => shadows.inc({ mode, agrees: String(agrees) }),
    feedbackUnlearned: () => unlearnedCount.inc(),
    reload: (result) => reloads.inc({ result }),
    names: () =>
      registry.getMetricsAsArray().map((metric) => {
        const { name, labelNames = [] } = metric as unknown as { name: string; labelNames?: string[] };
        return { name, labels: labelNames };
      }),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };

  function readGauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
}
