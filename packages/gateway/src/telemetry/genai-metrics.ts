/** The metrics of the GenAI semantic conventions, in the names that Prometheus makes of them. */
import type { CallRecord, DecisionTrace } from '@gatewright/kernel';
import type { Registry } from 'prom-client';
import type { Expert } from '../config/config.ts';
import { fastHistogram } from '../instruments.ts';
import { conventionalExpert, OPERATION } from './conventions.ts';

/** Books finished requests. */
export interface GenAiMetrics {
  request(trace: DecisionTrace): void;
}

/** Bucket boundaries as the conventions state them, one list per instrument. */
const TOKEN_BUCKETS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864];
const DURATION_BUCKETS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const FIRST_TOKEN_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const OUTPUT_TOKEN_BUCKETS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];

const CALL_LABELS = [
  'gen_ai_operation_name',
  'gen_ai_provider_name',
  'gen_ai_request_model',
  'server_address',
  'server_port',
] as const;

/** Values of `CALL_LABELS`. */
type CallLabels = readonly string[];

/**
 * Creates the metrics.
 *
 * @param current what is in force; every label value comes from it, but for codes of errors, which are ours
 */
export function genAiMetrics(
  registers: Registry[],
  current: () => { readonly experts: readonly { readonly expert: Expert }[] },
): GenAiMetrics {
  const usage = fastHistogram({
    name: 'gen_ai_client_token_usage',
    help: 'Tokens of one call to an expert.',
    labelNames: [...CALL_LABELS, 'gen_ai_token_type'],
    buckets: TOKEN_BUCKETS,
    registers,
  });
  const duration = fastHistogram({
    name: 'gen_ai_client_operation_duration_seconds',
    help: 'Time of one call to an expert.',
    labelNames: [...CALL_LABELS, 'error_type'],
    buckets: DURATION_BUCKETS,
    registers,
  });
  const firstToken = fastHistogram({
    name: 'gen_ai_server_time_to_first_token_seconds',
    help: 'From the first call of a streamed request to the first content of the served answer.',
    labelNames: CALL_LABELS,
    buckets: FIRST_TOKEN_BUCKETS,
    registers,
  });
  const perToken = fastHistogram({
    name: 'gen_ai_server_time_per_output_token_seconds',
    help: 'Time per token of a served stream after its first content.',
    labelNames: CALL_LABELS,
    buckets: OUTPUT_TOKEN_BUCKETS,
    registers,
  });
  // Labels of an expert are made once; a reload makes other experts, and the old ones are let go.
  const known = new WeakMap<Expert, CallLabels>();
  const labelsOf = (id: string): CallLabels | undefined => {
    const expert = current().experts.find((live) => live.expert.id === id)?.expert;
    if (expert === undefined) return undefined;
    let labels = known.get(expert);
    if (labels === undefined) {
      const { provider, model, address, port } = conventionalExpert(expert);
      labels = [OPERATION, provider, model, address ?? '', port === undefined ? '' : String(port)];
      known.set(expert, labels);
    }
    return labels;
  };
  const served = (call: CallRecord, labels: CallLabels): void => {
    if (call.status !== 'ok' || !call.released || call.contentMs === undefined) return;
    firstToken.observe((call.startedMs + call.contentMs) / 1000, ...labels);
    if (call.completionTokens > 1)
      perToken.observe((call.latencyMs - call.contentMs) / 1000 / (call.completionTokens - 1), ...labels);
  };
  return {
    request(trace) {
      for (const call of trace.calls) {
        const labels = labelsOf(call.expert);
        if (labels === undefined) continue;
        duration.observe(
          call.latencyMs / 1000,
          ...labels,
          call.status === 'ok' ? '' : (call.error?.code ?? 'GW_CANCELLED'),
        );
        // The conventions forbid a guess: only what the provider counted.
        if (call.tokensFrom === 'provider') {
          usage.observe(call.promptTokens, ...labels, 'input');
          usage.observe(call.completionTokens, ...labels, 'output');
        }
        served(call, labels);
      }
    },
  };
}
