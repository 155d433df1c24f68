/** From measurements to the figures of the report. Pure; everything here comes from one run. */
import type { Measurement } from './comparison.ts';
import { createHistogram, type Histogram, mergeInto, quantile } from './histogram.ts';
import { failedRequests, finishedRequests } from './load.ts';
import { type Spread, spread } from './statistics.ts';
import type { AnswerKind } from './traffic.ts';

/** Everything is against these two. */
export const BASE_TARGET = 'direct';
export const REFERENCE_TARGET = 'gatewright';
/** The connections of the closed loop whose CPU time per request is the headline. */
export const HEADLINE_CONNECTIONS = 4;

/** Closed loop: what a target costs and how much it can do. */
export interface CostRow {
  readonly target: string;
  readonly connections: number;
  /** Of the target's processes, over the rounds. */
  readonly cpuMsPerRequest: Spread | undefined;
  /** `cpuMsPerRequest` median over the reference target's. */
  readonly cpuRatio: number | undefined;
  readonly answersPerSecond: Spread | undefined;
  /** `answersPerSecond` median over the reference target's. */
  readonly throughputRatio: number | undefined;
  /** Busiest round, 1 = one core: near 1 the ceiling is the generator's, not the target's. */
  readonly generatorCores: number;
  readonly upstreamCores: number;
  readonly errors: number;
}

/** Open loop at one rate: what a client waits. */
export interface LatencyRow {
  readonly target: string;
  readonly ratePerSecond: number;
  /** All rounds together, from when a request was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly firstByteP50Ms: number;
  readonly firstByteP99Ms: number;
  /** Against `direct` in the same round, over the rounds. */
  readonly addedP50Ms: Spread | undefined;
  readonly addedP99Ms: Spread | undefined;
  readonly addedFirstByteP50Ms: Spread | undefined;
  readonly cpuMsPerRequest: Spread | undefined;
  /** Added p50 (medians) over the reference target's. */
  readonly addedP50Ratio: number | undefined;
  /** How late the generator itself was. */
  readonly lagP99Ms: number;
  readonly errors: number;
}

export interface KindSummary {
  readonly kind: AnswerKind;
  readonly cost: readonly CostRow[];
  readonly latency: readonly LatencyRow[];
}

/** Failures of one target by what it was doing and why. */
export interface FailureRow {
  readonly target: string;
  readonly kind: AnswerKind;
  readonly reason: string;
  readonly count: number;
}

export interface Summary {
  readonly kinds: readonly KindSummary[];
  readonly failures: readonly FailureRow[];
}

export function summarize(measurements: readonly Measurement[]): Summary {
  const kinds = unique(measurements.map(({ kind }) => kind));
  return {
    kinds: kinds.map((kind) => {
      const ofKind = measurements.filter((measurement) => measurement.kind === kind);
      return { kind, cost: costRows(ofKind), latency: latencyRows(ofKind) };
    }),
    failures: failureRows(measurements),
  };
}

/** The headline figure: median CPU time per request of the reference target. */
export function headlineCpuMs(summary: Summary, kind: AnswerKind): number | undefined {
  const rows = summary.kinds.find((each) => each.kind === kind)?.cost ?? [];
  return rows.find((row) => row.target === REFERENCE_TARGET && row.connections === HEADLINE_CONNECTIONS)
    ?.cpuMsPerRequest?.median;
}

function costRows(measurements: readonly Measurement[]): readonly CostRow[] {
  const groups = groupBy(measurements, ({ target, pattern }) =>
    pattern.loop === 'closed' ? { target, connections: pattern.connections } : undefined,
  );
  const rows = groups.map(({ key, members }) => ({
    ...key,
    cpuMsPerRequest: cpuMsPerRequest(members),
    answersPerSecond: spread(members.map(({ result }) => (result.answered / result.durationMs) * 1000)),
    generatorCores: Math.max(...members.map(({ generatorCpuMs, result }) => generatorCpuMs / result.durationMs)),
    upstreamCores: Math.max(...members.map(({ upstreamCpuMs = 0, result }) => upstreamCpuMs / result.durationMs)),
    errors: errors(members),
  }));
  return rows.map((row) => {
    const reference = rows.find(
      ({ target, connections }) => target === REFERENCE_TARGET && connections === row.connections,
    );
    return {
      ...row,
      cpuRatio: ratio(row.cpuMsPerRequest, reference?.cpuMsPerRequest),
      throughputRatio: ratio(row.answersPerSecond, reference?.answersPerSecond),
    };
  });
}

function latencyRows(measurements: readonly Measurement[]): readonly LatencyRow[] {
  const groups = groupBy(measurements, ({ target, pattern }) =>
    pattern.loop === 'open' ? { target, ratePerSecond: pattern.ratePerSecond } : undefined,
  );
  const rows = groups.map(({ key, members }) => {
    const base = groups.find(
      (group) => group.key.target === BASE_TARGET && group.key.ratePerSecond === key.ratePerSecond,
    );
    const added = (pick: (measurement: Measurement) => Histogram, q: number) =>
      key.target === BASE_TARGET ? undefined : addedOverRounds(members, base?.members ?? [], pick, q);
    const latency = merged(members, ofLatency);
    const firstByte = merged(members, ofFirstByte);
    return {
      ...key,
      p50Ms: quantile(latency, 0.5),
      p99Ms: quantile(latency, 0.99),
      firstByteP50Ms: quantile(firstByte, 0.5),
      firstByteP99Ms: quantile(firstByte, 0.99),
      addedP50Ms: added(ofLatency, 0.5),
      addedP99Ms: added(ofLatency, 0.99),
      addedFirstByteP50Ms: added(ofFirstByte, 0.5),
      cpuMsPerRequest: cpuMsPerRequest(members),
      lagP99Ms: quantile(
        merged(members, ({ result }) => result.lag),
        0.99,
      ),
      errors: errors(members),
    };
  });
  return rows.map((row) => {
    const reference = rows.find(
      ({ target, ratePerSecond }) => target === REFERENCE_TARGET && ratePerSecond === row.ratePerSecond,
    );
    return { ...row, addedP50Ratio: ratio(row.addedP50Ms, reference?.addedP50Ms) };
  });
}

const ofLatency = ({ result }: Measurement) => result.latency;
const ofFirstByte = ({ result }: Measurement) => result.firstByte;

/** Round by round, because both were measured within seconds of each other. */
function addedOverRounds(
  members: readonly Measurement[],
  base: readonly Measurement[],
  pick: (measurement: Measurement) => Histogram,
  q: number,
): Spread | undefined {
  const differences = members.map((member) => {
    const partner = base.find(({ round }) => round === member.round);
    return partner === undefined ? Number.NaN : quantile(pick(member), q) - quantile(pick(partner), q);
  });
  return spread(differences);
}

function cpuMsPerRequest(members: readonly Measurement[]): Spread | undefined {
  return spread(members.map(({ cpuMs = Number.NaN, result }) => cpuMs / finishedRequests(result)));
}

function merged(members: readonly Measurement[], pick: (measurement: Measurement) => Histogram): Histogram {
  const all = createHistogram();
  for (const member of members) mergeInto(all, pick(member));
  return all;
}

function errors(members: readonly Measurement[]): number {
  return members.reduce((sum, { result }) => sum + failedRequests(result), 0);
}

function failureRows(measurements: readonly Measurement[]): readonly FailureRow[] {
  const rows = measurements.flatMap(({ target, kind, result }) =>
    Object.entries(result.failures).map(([reason, count]) => ({ target, kind, reason, count })),
  );
  return groupBy(rows, ({ target, kind, reason }) => ({ target, kind, reason })).map(({ key, members }) => ({
    ...key,
    count: members.reduce((sum, { count }) => sum + count, 0),
  }));
}

/** Undefined where it would mean nothing: an added latency within the noise of the run may come out below zero. */
function ratio(value: Spread | undefined, reference: Spread | undefined): number | undefined {
  if (value === undefined || reference === undefined || value.median <= 0 || reference.median <= 0) return undefined;
  return value.median / reference.median;
}

/** Groups in order of first appearance; a member without a key is left out. */
function groupBy<T, K extends object>(
  members: readonly T[],
  keyOf: (member: T) => K | undefined,
): readonly { readonly key: K; readonly members: readonly T[] }[] {
  const groups = new Map<string, { key: K; members: T[] }>();
  for (const member of members) {
    const key = keyOf(member);
    if (key === undefined) continue;
    const name = JSON.stringify(key);
    const group = groups.get(name) ?? { key, members: [] };
    group.members.push(member);
    groups.set(name, group);
  }
  return [...groups.values()];
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
