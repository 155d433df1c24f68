/** The pool at run time: each expert with its connection, what it is doing and how it has been. */
import { create, GatewrightError } from '@gatewright/kernel';
import type { Expert, Resilience } from './config/config.ts';
import type { ProviderFailure } from './providers/failure.ts';
import * as providers from './providers/index.ts';
import type { ConnectProvider, Provider, ProviderContext } from './providers/provider.ts';
import { type Breaker, type BreakerPermit, breaker } from './resilience/breaker.ts';
import { outliers } from './resilience/outliers.ts';
import { type RecentTimes, recentTimes } from './resilience/recent-times.ts';

/** One expert at run time. Mutated by `started`, `ended` and the price book only. */
export interface LiveExpert {
  readonly expert: Expert;
  readonly provider: Provider;
  /** Calls under way. */
  inFlight: number;
  /** Most calls under way at once since the last price update. */
  peakInFlight: number;
  /** Calls started since the last price update. */
  startedSinceUpdate: number;
  ok: number;
  failed: number;
  cancelled: number;
  costUsd: number;
  /** Learned time to the whole answer, milliseconds; undefined before the first answer. */
  latencyMs: number | undefined;
  /** Learned completion tokens of an answer; undefined before the first answer. */
  outputTokens: number | undefined;
  /** When the pool was compared last; kept by its first expert. */
  comparedMs?: number;
  /** Says whether it may be asked now. */
  readonly breaker: Breaker;
  /** Newest times to the first content of its streams, milliseconds. */
  readonly contentTimes: RecentTimes;
  /** Newest times to its whole answers, milliseconds. */
  readonly answerTimes: RecentTimes;
  lastFailure: { readonly code: string; readonly message: string; readonly atMs: number } | undefined;
  /** A manager took it out: it gets no new calls until it is restored. */
  isDrained: boolean;
}

/** Share of a new observation in a learned mean: about the last ten count. */
const LEARNING_RATE = 0.1;
/** Enough for a 95th percentile; sorting them costs a few microseconds. */
const TIMES_KEPT = 64;

/**
 * Connects every expert of a configuration. Experts that `previous` has with the very same settings are taken over with
 * all that is known of them.
 *
 * @throws {GatewrightError} what a provider throws, e.g. `GW_KEY_MISSING`; `GW_CONFIG` for vectors of a provider that makes none
 */
export function connectExperts(
  experts: readonly Expert[],
  env: ProviderContext['env'],
  previous: readonly LiveExpert[] = [],
): LiveExpert[] {
  const shared = new Map<string, unknown>();
  return experts.map((expert, index) => {
    const settings = JSON.stringify(expert);
    const known = previous.find((live) => JSON.stringify(live.expert) === settings);
    if (known !== undefined) return known;
    const provider = connectProvider(expert, env, shared, `experts[${index}].provider`);
    if (expert.kind === 'embedding' && provider.embed === undefined) throw noVectors(expert, index);
    return {
      expert,
      provider,
      inFlight: 0,
      peakInFlight: 0,
      startedSinceUpdate: 0,
      ok: 0,
      failed: 0,
      cancelled: 0,
      costUsd: 0,
      latencyMs: undefined,
      outputTokens: undefined,
      breaker: breaker(expert.breaker),
      contentTimes: recentTimes(TIMES_KEPT),
      answerTimes: recentTimes(TIMES_KEPT),
      lastFailure: undefined,
      isDrained: previous.find((live) => live.expert.id === expert.id)?.isDrained ?? false,
    };
  });
}

/** Found here and not with its first request: whoever names it would be told that it does not exist. */
function noVectors({ id, provider }: Expert, index: number): GatewrightError {
  return new GatewrightError(
    'GW_CONFIG',
    `The expert "${id}" is of kind embedding, and ${provider.use} makes no vectors.`,
    {
      path: `experts[${index}].kind`,
      fix: 'Choose a provider that does, such as openai, gemini or ollama, or leave kind out.',
    },
  );
}

/**
 * Connects one expert.
 *
 * @param shared what experts of one configuration share
 * @param path of the provider's settings, for messages
 * @throws {GatewrightError} what a provider throws, e.g. `GW_KEY_MISSING`
 */
export function connectProvider(
  { provider, timeouts }: Pick<Expert, 'provider' | 'timeouts'>,
  env: ProviderContext['env'],
  shared: Map<string, unknown>,
  path: string,
): Provider {
  const connect: ConnectProvider = create('provider', providers, provider, path);
  return connect({ timeouts, env, shared });
}

/**
 * Books the start of a call, if the expert's breaker lets it through.
 *
 * @param isForced whatever the breaker says: nobody else is left
 * @returns to be handed back when the call has ended; undefined if it may not be made
 */
export function callStarted(live: LiveExpert, nowMs: number, isForced = false): BreakerPermit | undefined {
  const permit = live.breaker.begin(nowMs) ?? (isForced ? live.breaker.force(nowMs) : undefined);
  if (permit === undefined) return undefined;
  live.inFlight++;
  live.startedSinceUpdate++;
  if (live.inFlight > live.peakInFlight) live.peakInFlight = live.inFlight;
  return permit;
}

/** Books an answer. */
export function callSucceeded(
  live: LiveExpert,
  permit: BreakerPermit,
  call: { latencyMs: number; contentMs?: number | undefined; completionTokens: number; costUsd: number },
  nowMs: number,
): void {
  live.inFlight--;
  live.ok++;
  live.costUsd += call.costUsd;
  live.breaker.succeeded(permit, nowMs);
  if (call.contentMs !== undefined) live.contentTimes.add(call.contentMs);
  live.answerTimes.add(call.latencyMs);
  live.latencyMs = mix(live.latencyMs, call.latencyMs);
  live.outputTokens = mix(live.outputTokens, call.completionTokens);
}

/** Failures that a client can bring about, though another expert may answer: they must not take the expert from the others. */
const OF_THE_REQUEST: ReadonlySet<string> = new Set(['GW_UPSTREAM_REJECTED', 'GW_UPSTREAM_BLOCKED', 'GW_REPLAY_MISS']);

/** Books a failure. An expert that asks to be left alone (429) is, at once. */
export function callFailed(
  live: LiveExpert,
  permit: BreakerPermit,
  failure: ProviderFailure,
  costUsd: number,
  nowMs: number,
): void {
  live.inFlight--;
  live.failed++;
  live.costUsd += costUsd;
  // A request that is itself at fault or too much for this expert alone, a prompt that was not recorded or a connection
  // closed between two requests says nothing about the expert's health.
  if (!failure.elsewhere || OF_THE_REQUEST.has(failure.code) || failure.isStaleConnection) {
    live.breaker.dropped(permit);
    return;
  }
  live.lastFailure = { code: failure.code, message: failure.message, atMs: nowMs };
  const isTold = failure.code === 'GW_UPSTREAM_RATE_LIMIT';
  live.breaker.failed(permit, nowMs, isTold ? { retryAfterMs: failure.retryAfterMs } : undefined);
}

/** Times to the first content before an expert is compared with the others. */
const LEAST_TIMES = 20;
/** Medians are compared that often. */
const COMPARE_EVERY_MS = 1_000;

/**
 * Leaves those experts alone that are far slower to their first content than the pool, if the configuration says how much
 * that is. Cheap when nothing is due. A new start brings new times: what made it slow is forgotten.
 */
export function ejectOutliers(
  experts: readonly LiveExpert[],
  { outlierFactor, outlierShare }: Pick<Resilience, 'outlierFactor' | 'outlierShare'>,
  nowMs: number,
): void {
  // Also where the clock was set back since.
  if (outlierFactor === undefined || Math.abs(nowMs - (experts[0]!.comparedMs ?? 0)) < COMPARE_EVERY_MS) return;
  experts[0]!.comparedMs = nowMs;
  const pool = experts.map(({ contentTimes, breaker }) => ({
    medianMs: contentTimes.count < LEAST_TIMES ? undefined : contentTimes.quantile(0.5),
    isOut: breaker.status(nowMs).state !== 'closed',
  }));
  for (const index of outliers(pool, { factor: outlierFactor, largestShare: outlierShare })) {
    experts[index]!.breaker.open(nowMs, 'latency');
    experts[index]!.contentTimes.clear();
  }
}

/** Books a call that was cancelled: neither for nor against the expert. */
export function callCancelled(live: LiveExpert, permit: BreakerPermit, costUsd: number): void {
  live.inFlight--;
  live.cancelled++;
  live.costUsd += costUsd;
  live.breaker.dropped(permit);
}

function mix(mean: number | undefined, observation: number): number {
  return mean === undefined ? observation : mean + LEARNING_RATE * (observation - mean);
}
