/**
 * The comparison itself: every target takes its turn in every phase of every round (A B C, A B C, ...), so that what
 * else happens on the machine falls on all of them alike, and ratios within one run mean something.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Generator, LoadPattern, LoadReport } from './generator.ts';
import { cpuMsBetween, type UsageReader } from './process-usage.ts';
import type { RunningTarget } from './targets/target.ts';
import type { AnswerKind } from './traffic.ts';

/** One phase of load on one target in one round. */
export interface Measurement extends LoadReport {
  readonly target: string;
  readonly round: number;
  readonly kind: AnswerKind;
  readonly pattern: LoadPattern;
  /** CPU time of the target's processes; undefined when it has none or the system does not say. */
  readonly cpuMs: number | undefined;
  readonly upstreamCpuMs: number | undefined;
}

export interface NamedTarget {
  readonly name: string;
  readonly running: RunningTarget;
}

export interface ComparisonPlan {
  /** Per target and kind of answer, before anything counts: until then a JIT is still compiling. */
  readonly warmUpRequests: number;
  readonly rounds: number;
  /** Of one open-loop phase. */
  readonly openRequests: number;
  /** Of one closed-loop phase. */
  readonly closedRequests: number;
  readonly ratesPerSecond: readonly number[];
  readonly closedConnections: readonly number[];
  /** Of one phase, beyond the time that an open loop's arrivals take anyway. */
  readonly limitMs: number;
}

export interface ComparisonContext {
  readonly targets: readonly NamedTarget[];
  readonly generator: Generator;
  readonly readUsage: UsageReader;
  readonly upstreamPid: number;
  readonly say: (text: string) => void;
  /** Asked before every phase. */
  readonly isStopped: () => boolean;
  /** Told of a phase that could not be measured at all. */
  readonly onProblem: (target: string, problem: string) => void;
}

/** What a target still does for the last requests (traces, logs) is counted with them. */
const SETTLE_MS = 100;

/** Sends `warmUpRequests` of each kind to every target. */
export async function warmUp({ warmUpRequests }: ComparisonPlan, context: ComparisonContext): Promise<void> {
  const { targets, generator, say, isStopped, onProblem } = context;
  for (const { name, running } of targets) {
    for (const kind of ['json', 'sse'] satisfies AnswerKind[]) {
      if (isStopped()) return;
      say(`warm-up  ${kind}  ${name}`);
      try {
        const { result } = await generator.run({
          ...address(running),
          kind,
          pattern: { loop: 'closed', connections: 8 },
          requests: warmUpRequests,
          limitMs: 30_000,
        });
        for (const [reason, count] of Object.entries(result.failures)) {
          onProblem(name, `warm-up, ${kind}: ${reason} (${count} of ${warmUpRequests})`);
        }
      } catch (error) {
        if (!isStopped()) onProblem(name, `warm-up, ${kind}: ${(error as Error).message}`);
      }
    }
  }
}

/**
 * All rounds; a target that cannot be reached is left out from there on. Each measurement is handed to `onMeasurement`
 * at once, so that an interrupted run keeps what it has.
 */
export async function compare(
  plan: ComparisonPlan,
  context: ComparisonContext,
  onMeasurement: (measurement: Measurement) => void,
): Promise<void> {
  const gone = new Set<NamedTarget>();
  for (let round = 1; round <= plan.rounds; round++) {
    for (const kind of ['json', 'sse'] satisfies AnswerKind[]) {
      for (const pattern of patterns(plan)) {
        for (const target of context.targets) {
          if (context.isStopped()) return;
          if (gone.has(target)) continue;
          const phase = `round ${round}/${plan.rounds}  ${kind}  ${describePattern(pattern)}`;
          context.say(`${phase}  ${target.name}`);
          try {
            onMeasurement(await measure(plan, context, target, { round, kind, pattern }));
          } catch (error) {
            gone.add(target);
            if (context.isStopped()) return;
            const reason = target.running.ending() ?? (error as Error).message;
            context.onProblem(target.name, `${phase}: ${reason}; left out from there on`);
          }
        }
      }
    }
  }
}

/** What the generator has to know of a target. */
export function address({
  baseUrl,
  headers,
  modelName,
}: RunningTarget): Pick<RunningTarget, 'baseUrl' | 'headers' | 'modelName'> {
  return { baseUrl, headers, modelName };
}

/** A pattern in few words. */
export function describePattern(pattern: LoadPattern): string {
  return pattern.loop === 'open' ? `open ${pattern.ratePerSecond}/s` : `closed c=${pattern.connections}`;
}

/** How long all rounds take at least, for an announcement: the open-loop phases, whose length is given. */
export function leastDurationMs(plan: ComparisonPlan, targets: number): number {
  const openMs = plan.ratesPerSecond.reduce((sum, rate) => sum + (plan.openRequests / rate) * 1000, 0);
  const phases = plan.ratesPerSecond.length + plan.closedConnections.length;
  return plan.rounds * 2 * targets * (openMs + phases * SETTLE_MS);
}

function patterns({ ratesPerSecond, closedConnections }: ComparisonPlan): readonly LoadPattern[] {
  return [
    ...ratesPerSecond.map((ratePerSecond) => ({ loop: 'open', ratePerSecond }) as const),
    ...closedConnections.map((connections) => ({ loop: 'closed', connections }) as const),
  ];
}

async function measure(
  plan: ComparisonPlan,
  { generator, readUsage, upstreamPid }: ComparisonContext,
  { name, running }: NamedTarget,
  phase: Pick<Measurement, 'round' | 'kind' | 'pattern'>,
): Promise<Measurement> {
  const { kind, pattern } = phase;
  const before = { target: readUsage(running.pids), upstream: readUsage([upstreamPid]) };
  const isOpen = pattern.loop === 'open';
  const report = await generator.run({
    ...address(running),
    kind,
    pattern,
    requests: isOpen ? plan.openRequests : plan.closedRequests,
    limitMs: plan.limitMs + (isOpen ? (plan.openRequests / pattern.ratePerSecond) * 1000 : 0),
  });
  await sleep(SETTLE_MS);
  const after = { target: readUsage(running.pids), upstream: readUsage([upstreamPid]) };
  return {
    ...phase,
    target: name,
    result: report.result,
    generatorCpuMs: report.generatorCpuMs,
    cpuMs: before.target && after.target && cpuMsBetween(before.target, after.target),
    upstreamCpuMs: before.upstream && after.upstream && cpuMsBetween(before.upstream, after.upstream),
  };
}
