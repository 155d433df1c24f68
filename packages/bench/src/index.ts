export { type ComparisonPlan, compare, type Measurement, warmUp } from './comparison.ts';
export { type GatewayReport, renderGatewayReport } from './gateway-report.ts';
export { createHistogram, type Histogram, mergeInto, quantile, record } from './histogram.ts';
export { closedLoop, type LoadResult, openLoop } from './load.ts';
export { createMockUpstream, type MockUpstreamOptions } from './mock-upstream.ts';
export { createUsageReader, type Usage, type UsageReader } from './process-usage.ts';
export { leastSquaresSlope, type Spread, spread } from './statistics.ts';
export { type Summary, summarize } from './summary.ts';
