/** The gateway comparison as a file: the report's figures and every measurement that they were made of. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Measurement } from '../comparison.ts';
import type { GatewayReport } from '../gateway-report.ts';
import { type Histogram, quantile } from '../histogram.ts';
import type { GatewayOptions } from './gateway-options.ts';

/** Names the format, so that a reader can tell when it has changed. */
const SCHEMA = 'gatewright/bench-gateway@1';

export function writeGatewayJson(
  file: string,
  { jsonFile: _, ...options }: GatewayOptions,
  report: GatewayReport,
  measurements: readonly Measurement[],
): void {
  mkdirSync(dirname(file), { recursive: true });
  const content = { schema: SCHEMA, ...report, options, measurements: measurements.map(plain) };
  writeFileSync(file, `${JSON.stringify(content, undefined, 2)}\n`);
}

/** Histograms become quantiles. */
function plain({ result, ...measurement }: Measurement) {
  return {
    ...measurement,
    answered: result.answered,
    failures: result.failures,
    durationMs: result.durationMs,
    latencyMs: quantiles(result.latency),
    firstByteMs: quantiles(result.firstByte),
    lagMs: quantiles(result.lag),
  };
}

function quantiles(histogram: Histogram) {
  if (histogram.count === 0) return undefined;
  const at = (q: number) => Math.round(quantile(histogram, q) * 1000) / 1000;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1), count: histogram.count };
}
