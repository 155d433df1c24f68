/** The gateway comparison as text. Pure: every figure in it comes from the run that it is given. */
import type { Machine } from './machine.ts';
import { SOAK_STEP, type SoakResult, soakSlope } from './soak.ts';
import type { Spread } from './statistics.ts';
import {
  BASE_TARGET,
  type CostRow,
  HEADLINE_CONNECTIONS,
  headlineCpuMs,
  type KindSummary,
  type LatencyRow,
  REFERENCE_TARGET,
  type Summary,
} from './summary.ts';
import { type AnswerKind, STREAM_CHUNKS } from './traffic.ts';

/** Resident memory of a target in MB; undefined where it could not be read. */
export interface MemoryRow {
  readonly target: string;
  readonly startedMB: number | undefined;
  readonly warmMB: number | undefined;
  readonly endMB: number | undefined;
}

/** Everything about one run. */
export interface GatewayReport {
  readonly date: string;
  readonly machine: Machine;
  readonly loadAverage: { readonly start: readonly number[]; readonly end: readonly number[] };
  /** What was done, in one line. */
  readonly settings: string;
  readonly isInterrupted: boolean;
  readonly targets: readonly { readonly name: string; readonly about: string }[];
  readonly problems: readonly { readonly target: string; readonly problem: string }[];
  readonly summary: Summary;
  readonly memory: readonly MemoryRow[];
  readonly soak: SoakResult | undefined;
}

/** The aims that the report checks. */
export const MAX_CPU_MS: Readonly<Record<AnswerKind, number>> = { json: 0.4, sse: 0.4 };
/** 100 bytes a request. A collector's own ups and downs over 100,000 requests are of this size. */
export const MAX_SLOPE_MB = 10;
/** A shorter soak is shown but not judged: half of it is within a collector's ups and downs. */
const MIN_JUDGED_SOAK = 100_000;
/** A process busier than this, in cores, was the bottleneck of its phase. */
const BUSY_CORES = 0.9;

const TITLES: Readonly<Record<AnswerKind, string>> = {
  json: 'JSON answers',
  sse: `Streams of ${STREAM_CHUNKS} chunks`,
};

export function renderGatewayReport(report: GatewayReport): string {
  const { machine, loadAverage, summary } = report;
  const facts = [
    `machine  ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.platform}, Node ${machine.node}`,
    `load     ${loadAverage.start.join(' ')} at the start, ${loadAverage.end.join(' ')} at the end (1, 5, 15 minutes)`,
    `run      ${report.settings}`,
  ];
  const sections = [
    [`Gateway comparison, ${report.date}${report.isInterrupted ? ' - INTERRUPTED, partial' : ''}`, ...facts],
    ['Targets', ...table(report.targets.map(({ name, about }) => [name, about]))],
    ...summary.kinds.flatMap((kind) => kindSections(kind)),
    memorySection(report.memory),
    soakSection(report.soak),
    problemSection(report),
    verdictSection(report),
  ];
  return `${sections
    .filter((lines) => lines.length > 1)
    .map(([title, ...lines]) => [title, ...lines.map((line) => `  ${line}`)].join('\n'))
    .join('\n\n')}\n`;
}

function kindSections({ kind, cost, latency }: KindSummary): readonly (readonly string[])[] {
  return [
    [`${TITLES[kind]}: cost and ceiling (closed loop; median of rounds, min..max)`, ...costTable(cost)],
    [
      `${TITLES[kind]}: milliseconds from when a request was due (open loop; added = against ${BASE_TARGET}, round by round)`,
      ...latencyTable(kind, latency),
    ],
  ];
}

function costTable(rows: readonly CostRow[]): readonly string[] {
  if (rows.length === 0) return [];
  const head = [
    'target',
    'c',
    'CPU-ms/request',
    `x ${REFERENCE_TARGET}`,
    'answers/s',
    `x ${REFERENCE_TARGET}`,
    'errors',
  ];
  const sorted = [...rows].sort((a, b) => a.connections - b.connections);
  const busy = sorted.filter(
    ({ generatorCores, upstreamCores }) => Math.max(generatorCores, upstreamCores) > BUSY_CORES,
  );
  return [
    ...table([
      head,
      ...sorted.map((row) => [
        row.target,
        String(row.connections),
        showSpread(row.cpuMsPerRequest, 3),
        showNumber(row.cpuRatio, 2),
        showSpread(row.answersPerSecond, 0),
        showNumber(row.throughputRatio, 2),
        String(row.errors),
      ]),
    ]),
    ...busy.map(
      ({ target, connections, generatorCores, upstreamCores }) =>
        `note: ${target} c=${connections}: generator ${generatorCores.toFixed(2)} and upstream ${upstreamCores.toFixed(2)} cores busy, so its ceiling is at least this`,
    ),
  ];
}

function latencyTable(kind: AnswerKind, rows: readonly LatencyRow[]): readonly string[] {
  if (rows.length === 0) return [];
  const isStream = kind === 'sse';
  const head = [
    ...['target', 'rate/s', 'p50', 'p99', 'added p50', `x ${REFERENCE_TARGET}`, 'added p99'],
    ...(isStream ? ['first byte p50', 'p99', 'added p50'] : []),
    ...['CPU-ms/request', 'errors'],
  ];
  const sorted = [...rows].sort((a, b) => a.ratePerSecond - b.ratePerSecond);
  const lag = Math.max(...rows.map(({ lagP99Ms }) => lagP99Ms));
  return [
    ...table([
      head,
      ...sorted.map((row) => [
        row.target,
        String(row.ratePerSecond),
        showNumber(row.p50Ms, 2),
        showNumber(row.p99Ms, 2),
        showSpread(row.addedP50Ms, 2),
        showNumber(row.addedP50Ratio, 2),
        showSpread(row.addedP99Ms, 2),
        ...(isStream
          ? [
              showNumber(row.firstByteP50Ms, 2),
              showNumber(row.firstByteP99Ms, 2),
              showSpread(row.addedFirstByteP50Ms, 2),
            ]
          : []),
        showSpread(row.cpuMsPerRequest, 3),
        String(row.errors),
      ]),
    ]),
    `note: the generator was at most ${lag.toFixed(2)} ms late (p99 of the worst phase), which is part of every figure`,
  ];
}

function memorySection(rows: readonly MemoryRow[]): readonly string[] {
  const known = rows.filter(({ startedMB }) => startedMB !== undefined);
  if (known.length === 0) return [];
  return [
    'Resident memory, MB',
    ...table([
      ['target', 'started', 'warmed up', 'end'],
      ...known.map((row) => [
        row.target,
        showNumber(row.startedMB, 1),
        showNumber(row.warmMB, 1),
        showNumber(row.endMB, 1),
      ]),
    ]),
  ];
}

function soakSection(soak: SoakResult | undefined): readonly string[] {
  if (soak === undefined) return [];
  const sent = soak.points.at(-1)?.requests ?? 0;
  return [
    `Soak: ${sent} JSON requests through ${REFERENCE_TARGET} in ${soak.seconds.toFixed(0)} s, ${soak.errors} errors${soak.isComplete ? '' : ' (ended early)'}`,
    `RSS in MB, every ${SOAK_STEP}: ${soak.points.map(({ rssMB }) => rssMB.toFixed(1)).join(' ')}`,
    `slope of the second half: ${showNumber(soakSlope(soak.points), 2)} MB per 100,000 requests`,
  ];
}

function problemSection({ problems, summary }: GatewayReport): readonly string[] {
  return [
    'Problems',
    ...problems.map(({ target, problem }) => `${target}: ${problem}`),
    ...summary.failures.map(({ target, kind, reason, count }) => `${target}: ${kind}: ${reason} (${count})`),
  ];
}

function verdictSection({ summary, soak }: GatewayReport): readonly string[] {
  const soaked = soak?.points.at(-1)?.requests ?? 0;
  const slope = soak && soaked >= MIN_JUDGED_SOAK ? soakSlope(soak.points) : undefined;
  const cpu = (['json', 'sse'] satisfies AnswerKind[]).map((kind) => {
    const value = headlineCpuMs(summary, kind);
    const what = kind === 'json' ? 'CPU per JSON request' : `CPU per ${STREAM_CHUNKS}-chunk stream`;
    return [what, `<= ${MAX_CPU_MS[kind]} ms`, ...verdict(value, MAX_CPU_MS[kind], 'ms', 3, 'not measured')];
  });
  const flat = verdict(
    slope,
    MAX_SLOPE_MB,
    'MB',
    2,
    soaked > 0 ? `not judged below ${MIN_JUDGED_SOAK} requests` : 'not measured (--soak 200000 does)',
  );
  return [
    `Aims (${REFERENCE_TARGET}, closed loop c=${HEADLINE_CONNECTIONS})`,
    ...table([...cpu, ['RSS flat, slope per 100,000 requests', `<= ${MAX_SLOPE_MB} MB`, ...flat]]),
  ];
}

function verdict(value: number | undefined, limit: number, unit: string, digits: number, missing: string): string[] {
  if (value === undefined) return ['-', missing];
  return [`${value.toFixed(digits)} ${unit}`, value <= limit ? 'holds' : 'DOES NOT HOLD'];
}

function showNumber(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits);
}

function showSpread(value: Spread | undefined, digits: number): string {
  if (value === undefined) return '-';
  return `${value.median.toFixed(digits)} (${value.min.toFixed(digits)}..${value.max.toFixed(digits)})`;
}

/** Pads the columns of a table. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>((known, row) => row.map((cell, i) => Math.max(known[i] ?? 0, cell.length)), []);
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}
