/**
 * `npm run bench:gateway`: what does a gateway cost? See `gateway-options.ts` for its options, `comparison.ts` for how
 * it measures and `summary.ts` for what the figures mean.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Children, createChildren } from '../children.ts';
import {
  type ComparisonContext,
  type ComparisonPlan,
  compare,
  leastDurationMs,
  type Measurement,
  type NamedTarget,
  warmUp,
} from '../comparison.ts';
import { type GatewayReport, type MemoryRow, renderGatewayReport } from '../gateway-report.ts';
import { startGenerator } from '../generator.ts';
import { readLoadAverage, readMachine } from '../machine.ts';
import { createUsageReader } from '../process-usage.ts';
import { type SoakResult, soak } from '../soak.ts';
import { REFERENCE_TARGET, summarize } from '../summary.ts';
import * as factories from '../targets/index.ts';
import type { Target } from '../targets/target.ts';
import { writeGatewayJson } from './gateway-json.ts';
import { type GatewayOptions, HELP, parseGatewayOptions } from './gateway-options.ts';

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));
const CLOSED_CONNECTIONS = [4, 32];

/** What is known so far; the report is made of it, whenever the run ends. */
interface Progress {
  readonly measurements: Measurement[];
  readonly targets: { name: string; about: string }[];
  readonly problems: { target: string; problem: string }[];
  memory: MemoryRow[];
  soak: SoakResult | undefined;
}

async function main(): Promise<void> {
  const all = Object.values(factories).map((factory) => factory());
  const options = readOptions(all);
  if (options === undefined) return;

  const startedAt = new Date();
  const loadAtStart = readLoadAverage();
  const say = (text: string) => {
    const seconds = Math.round((Date.now() - startedAt.getTime()) / 1000);
    process.stderr.write(`[${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}] ${text}\n`);
  };
  const progress: Progress = { measurements: [], targets: [], problems: [], memory: [], soak: undefined };
  const children = createChildren();
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const interruption = watchSignals();
  const plan = comparisonPlan(options);
  try {
    // Whichever ends first; after an interruption what still runs fails in silence as its processes are stopped.
    const work = run({ all, options, plan, children, folder, say, progress, isStopped: interruption.isStopped });
    work.catch(() => {});
    await Promise.race([work, interruption.signalled]);
  } finally {
    const isInterrupted = interruption.isStopped();
    if (isInterrupted) say('interrupted: stopping, then reporting what was measured');
    await children.stopAll();
    const report: GatewayReport = {
      date: startedAt.toISOString(),
      machine: readMachine(),
      loadAverage: { start: loadAtStart, end: readLoadAverage() },
      settings: describeSettings(plan, options),
      isInterrupted,
      targets: progress.targets,
      problems: progress.problems,
      summary: summarize(progress.measurements),
      memory: progress.memory,
      soak: progress.soak,
    };
    process.stdout.write(renderGatewayReport(report));
    if (options.jsonFile !== undefined) writeGatewayJson(options.jsonFile, options, report, progress.measurements);
  }
  process.exit(interruption.isStopped() ? 130 : 0);
}

interface RunContext {
  readonly all: readonly Target[];
  readonly options: GatewayOptions;
  readonly plan: ComparisonPlan;
  readonly children: Children;
  readonly folder: string;
  readonly say: (text: string) => void;
  readonly progress: Progress;
  readonly isStopped: () => boolean;
}

async function run({ all, options, plan, children, folder, say, progress, isStopped }: RunContext): Promise<void> {
  const readUsage = createUsageReader();
  const upstream = await startUpstream(children, options);
  const generator = await startGenerator(children);
  const targets = await startTargets({ all, options, children, folder, say, progress, isStopped }, upstream.url);
  const context: ComparisonContext = {
    targets,
    generator,
    readUsage,
    upstreamPid: upstream.pid,
    say,
    isStopped,
    onProblem(target, problem) {
      progress.problems.push({ target, problem });
      say(`problem  ${target}: ${problem}`);
    },
  };
  const readMemory = () =>
    new Map(targets.map(({ name, running }) => [name, megabytes(readUsage(running.pids)?.rssBytes)]));

  const started = readMemory();
  const note = (warm: ReadonlyMap<string, number | undefined>, end?: ReadonlyMap<string, number | undefined>) => {
    progress.memory = targets.map(({ name }) => ({
      target: name,
      startedMB: started.get(name),
      warmMB: warm.get(name),
      endMB: end?.get(name),
    }));
  };
  await warmUp(plan, context);
  for (const { name, running } of targets) {
    const known = progress.targets.find((target) => target.name === name);
    if (known && running.confirm && !isStopped()) known.about += `; ${await running.confirm()}`;
  }
  const warm = readMemory();
  note(warm);
  if (plan.rounds > 0) {
    say(`the rounds take at least ${Math.ceil(leastDurationMs(plan, targets.length) / 1000)} s`);
  }
  await compare(plan, context, (measurement) => {
    progress.measurements.push(measurement);
    note(warm, readMemory());
  });
  const reference = targets.find(({ name }) => name === REFERENCE_TARGET);
  if (options.soakRequests > 0 && reference !== undefined && !isStopped()) {
    await soak(reference.running, options.soakRequests, { generator, readUsage, say, isStopped }, (result) => {
      progress.soak = result;
    });
  }
}

async function startUpstream(children: Children, { chunkDelayMs, chunksPerWrite }: GatewayOptions) {
  const child = await children.start(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL('../mock-upstream.ts', import.meta.url)),
      `--chunk-delay=${chunkDelayMs}`,
      `--chunks-per-write=${chunksPerWrite}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
  const [url] = await child.waitForOutput(/http:\/\/127\.0\.0\.1:\d+\/v1/);
  return { url, pid: child.pid };
}

async function startTargets(
  { all, options, children, folder, say, progress, isStopped }: Omit<RunContext, 'plan'>,
  upstreamUrl: string,
): Promise<readonly NamedTarget[]> {
  const targets: NamedTarget[] = [];
  for (const { name, start } of all) {
    if (options.without.includes(name) || isStopped()) continue;
    say(`starting ${name}`);
    const ownFolder = join(folder, name);
    mkdirSync(ownFolder);
    try {
      const running = await start({ upstreamUrl, children, folder: ownFolder, repository: REPOSITORY, say });
      targets.push({ name, running });
      progress.targets.push({ name, about: running.about });
    } catch (error) {
      if (isStopped()) break;
      progress.targets.push({ name, about: `left out: ${(error as Error).message}` });
      say(`leaving out ${name}: ${(error as Error).message}`);
    }
  }
  return targets;
}

function comparisonPlan({ isQuick, requests, ratesPerSecond, rounds }: GatewayOptions): ComparisonPlan {
  return {
    warmUpRequests: isQuick ? 500 : 2000,
    rounds,
    openRequests: requests,
    // More than at a fixed rate, because these are over sooner; few would be lost in the start and end of a phase.
    closedRequests: Math.max(400, requests * 4),
    ratesPerSecond,
    closedConnections: CLOSED_CONNECTIONS,
    limitMs: isQuick ? 5000 : 60_000,
  };
}

function describeSettings(plan: ComparisonPlan, { chunkDelayMs, chunksPerWrite }: GatewayOptions): string {
  if (plan.rounds === 0) return `no comparison; warm-up ${plan.warmUpRequests} of each kind`;
  return [
    `${plan.rounds} rounds`,
    `${plan.openRequests} requests an open-loop phase at ${plan.ratesPerSecond.join(', ')} per second`,
    `${plan.closedRequests} a closed-loop phase at c=${plan.closedConnections.join(' and ')}`,
    `warm-up ${plan.warmUpRequests} of each kind`,
    `upstream sends ${chunksPerWrite === 1 ? 'each chunk on its own' : `${chunksPerWrite} chunks at once`}, ${chunkDelayMs} ms apart`,
  ].join('; ');
}

/** @returns undefined when there is nothing to run */
function readOptions(targets: readonly Target[]): GatewayOptions | undefined {
  try {
    const options = parseGatewayOptions(
      process.argv.slice(2),
      targets.map(({ name }) => name),
    );
    if (options !== 'help') return options;
    process.stdout.write(HELP);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nSee --help.\n`);
    process.exitCode = 2;
  }
  return undefined;
}

/** First signal: stop and report. Another one: leave at once; the children are killed on the way out. */
function watchSignals(): { isStopped(): boolean; readonly signalled: Promise<void> } {
  let firstAt: number | undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      firstAt ??= performance.now();
      // One Ctrl-C arrives twice under `npm run`: from the terminal, and passed on by npm.
      if (performance.now() - firstAt > 1000) process.exit(130);
      resolve();
    });
  }
  return { isStopped: () => firstAt !== undefined, signalled: promise };
}

function megabytes(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / 1e6;
}

if (import.meta.main) await main();
