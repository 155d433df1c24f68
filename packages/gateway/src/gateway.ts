/**
 * The gateway without HTTP: the configuration in force, the store, and what each endpoint does. `server.ts` puts it on a
 * socket; tests and the command line can use it as it is.
 */
import { hash, randomBytes } from 'node:crypto';
import { type DecisionTrace, GatewrightError, type Random, seededRandom, TRACE_VERSION } from '@gatewright/kernel';
import type { Config } from './config/config.ts';
import { type Delivery, type Drive, type DriveResult, drive } from './drive.ts';
import { toHttpError } from './http-errors.ts';
import { type LiveFeed, liveFeed } from './live.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createRuntime, type Decision, decide, type Runtime } from './pipeline.ts';
import type { ProviderContext } from './providers/provider.ts';
import type { Bodies, Feedback, TraceStore } from './stores/store.ts';
import { traceIds, traceTimeMs } from './trace-id.ts';
import { type ChatRequest, lastUserText } from './wire/chat.ts';

/** What a gateway is made of. */
export interface GatewayOptions {
  readonly config: Config;
  readonly store: TraceStore;
  readonly env: ProviderContext['env'];
  /** Milliseconds since 1970. Default the clock. */
  readonly now?: () => number;
}

/** A request on its way. */
export interface ChatExchange {
  readonly traceId: string;
  readonly decision: Decision;
  readonly drive: Drive;
  /**
   * Settles when the answer is whole and its trace is kept. The end of the answer (the body, or `[DONE]`) is sent after
   * it, so that nobody holds an answer whose trace a kill of the process could lose.
   */
  readonly done: Promise<{ readonly result: DriveResult; readonly trace: DecisionTrace }>;
}

/** The gateway. */
export interface Gateway {
  readonly runtime: Runtime;
  readonly store: TraceStore;
  readonly metrics: Metrics;
  readonly live: LiveFeed;
  /** Why the newest version of the configuration file is not in force; undefined when it is. */
  configFault: string | undefined;
  /** Makes another configuration the one in force, for requests from now on. @throws {GatewrightError} and changes nothing */
  reconfigure(config: Config): void;
  /**
   * Decides and starts a chat request.
   *
   * @param body as received, for its hash
   * @param seed of the decision; drawn if undefined
   * @throws {GatewrightError} `GW_UNKNOWN_MODEL`, `GW_NO_CANDIDATE`
   */
  chat(request: ChatRequest, body: Buffer, seed: number | undefined, delivery: Delivery): ChatExchange;
  /** Decides without calling anybody. */
  route(request: ChatRequest, seed: number | undefined): Decision;
  /**
   * Admits feedback on a served trace.
   * @throws {GatewrightError} `GW_TRACE_UNKNOWN`, `GW_TRACE_UNSERVED`, `GW_FEEDBACK_LIMIT`, `GW_STORE_WRITE`
   */
  feedback(feedback: Omit<Feedback, 'atMs'>): Promise<Feedback>;
  /** Closes connections and the store, after what is under way. */
  close(): Promise<void>;
}

/** Nobody judges an answer more often; whoever does fills the memory. */
const MOST_FEEDBACK = 100;

/**
 * Creates a gateway.
 *
 * @throws {GatewrightError} if an expert cannot be connected
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { store, env, now = Date.now } = options;
  let runtime = createRuntime(options.config, env, now());
  let seeds: Random = seededRandom(options.config.seed ?? randomBytes(4).readUInt32LE());
  const live = liveFeed();
  const metrics = createMetrics(() => runtime, store);
  const nextTraceId = traceIds();
  const retired = new Set<Promise<void>>();
  const underWay = new Set<Promise<unknown>>();

  const gateway: Gateway = {
    get runtime() {
      return runtime;
    },
    store,
    metrics,
    live,
    configFault: undefined,

    reconfigure(config) {
      const previous = runtime;
      runtime = createRuntime(config, env, now(), previous);
      if (config.seed !== previous.config.seed) seeds = seededRandom(config.seed ?? randomBytes(4).readUInt32LE());
      // Calls under way keep their connections: closing a provider waits for them.
      for (const { provider } of previous.experts) {
        if (runtime.experts.some((kept) => kept.provider === provider)) continue;
        const closing = provider.close().catch(() => {});
        retired.add(closing);
        void closing.then(() => retired.delete(closing));
      }
    },

    chat(request, body, seed, delivery) {
      const atMs = now();
      const used = runtime;
      const decision = decide(used, request, seed ?? seeds.seed(), atMs);
      const traceId = nextTraceId(atMs);
      const stream = request.stream === true;
      const asksLogprobs = decision.mode.composition.needsConfidence && request.logprobs !== true;
      const withLogprobs = asksLogprobs ? { ...request, logprobs: true } : request;
      const running = drive({
        decision,
        bodyFor: ({ expert }) => (asksLogprobs && expert.capabilities.includes('logprobs') ? withLogprobs : request),
        hide: { usage: request.stream_options?.include_usage !== true, logprobs: asksLogprobs },
        stream,
        traceId,
        delivery,
        keepText: used.config.storage.bodies,
        now: performance.now.bind(performance),
        wallNow: now,
      });
      const startedMs = performance.now();
      const finish = async (): Promise<{ result: DriveResult; trace: DecisionTrace }> => {
        const result = await running.done;
        const trace = traceOf(
          traceId,
          atMs,
          used.config.hash,
          request,
          body,
          decision,
          result,
          performance.now() - startedMs,
        );
        metrics.request(decision.mode.name, trace);
        if (result.status === 'cancelled') metrics.clientGone();
        const bodies: Bodies | undefined = used.config.storage.bodies
          ? { trace: traceId, request: body.toString('utf8'), answer: result.text }
          : undefined;
        await store.addTrace(trace, bodies);
        if (live.watchers > 0)
          live.publish(
            'trace',
            summaryOf(trace, bodies === undefined ? undefined : lastUserText(request.messages), bodies?.answer),
          );
        return { result, trace };
      };
      const done = finish();
      const ended: Promise<unknown> = done.catch(() => {}).then(() => underWay.delete(ended));
      underWay.add(ended);
      return { traceId, decision, drive: running, done };
    },

    route: (request, seed) => decide(runtime, request, seed ?? seeds.seed(), now()),

    async feedback(feedback) {
      // What is no id is not looked for: a search for an old trace reads files.
      const stored = traceTimeMs(feedback.trace) === undefined ? undefined : await store.find(feedback.trace);
      if (stored === undefined) {
        throw new GatewrightError(
          'GW_TRACE_UNKNOWN',
          `There is no trace ${JSON.stringify(feedback.trace.slice(0, 60))}.`,
          { fix: 'Send the x-gw-trace header of an answer of this gateway.', path: 'trace' },
        );
      }
      if (stored.trace.result.status !== 'ok') {
        throw new GatewrightError(
          'GW_TRACE_UNSERVED',
          `Trace ${feedback.trace} served no answer (${stored.trace.result.status}).`,
          { fix: 'Give feedback on answers that were served.', path: 'trace' },
        );
      }
      if (stored.feedback.length >= MOST_FEEDBACK) {
        throw new GatewrightError(
          'GW_FEEDBACK_LIMIT',
          `Trace ${feedback.trace} has ${MOST_FEEDBACK} feedbacks already.`,
          {
            fix: 'Give one feedback for each judge of an answer.',
            path: 'trace',
          },
        );
      }
      const admitted: Feedback = { ...feedback, atMs: now() };
      await store.addFeedback(admitted);
      metrics.feedback();
      live.publish('feedback', admitted);
      return admitted;
    },

    async close() {
      live.close();
      // Cut connections have cancelled their calls just now: the traces of those belong to the store too.
      await Promise.all([
        ...underWay,
        ...runtime.experts.map(({ provider }) => provider.close().catch(() => {})),
        ...retired,
      ]);
      await store.close();
    },
  };
  return gateway;
}

/** A trace in few words, for the page. Holds text only where the configuration keeps bodies. */
export function summaryOf(trace: DecisionTrace, prompt?: string, answer?: string): Record<string, unknown> {
  return {
    id: trace.id,
    atMs: trace.atMs,
    model: trace.request.model,
    skill: trace.request.skill,
    stream: trace.request.stream,
    promptTokens: trace.request.promptTokens,
    policy: trace.policy.use,
    composition: trace.composition.use,
    reason: trace.selection.reason,
    candidates: trace.candidates.map((candidate, index) => ({
      ...candidate,
      terms: trace.selection.terms[index] ?? {},
    })),
    ranked: trace.selection.ranked.map((index) => trace.candidates[index]!.expert),
    removed: trace.removed,
    calls: trace.calls,
    gates: trace.gates,
    result: trace.result,
    ...(prompt === undefined ? {} : { prompt: prompt.slice(0, 400) }),
    ...(answer === undefined ? {} : { answer: answer.slice(0, 400) }),
  };
}

function traceOf(
  id: string,
  atMs: number,
  configHash: string,
  request: ChatRequest,
  body: Buffer,
  decision: Decision,
  result: DriveResult,
  latencyMs: number,
): DecisionTrace {
  const error = result.status === 'ok' ? undefined : toHttpError(result.failure);
  return {
    version: TRACE_VERSION,
    id,
    atMs,
    configHash,
    seed: decision.seed,
    request: {
      model: request.model,
      stream: request.stream === true,
      promptTokens: decision.promptTokens,
      skill: decision.skill,
      needs: decision.needs,
      bodyHash: hash('sha256', body, 'hex'),
    },
    removed: decision.removed,
    candidates: decision.candidates,
    policy: decision.mode.policySpec,
    selection: decision.selection,
    composition: decision.mode.compositionSpec,
    calls: result.calls,
    gates: result.verdict?.gates ?? [],
    result: {
      status: result.status,
      ...(result.expert === undefined ? {} : { expert: result.expert.expert.id }),
      ...(result.verdict === undefined ? {} : { rank: result.verdict.rank }),
      reason: result.reason,
      ...(result.confidence === undefined ? {} : { confidence: result.confidence }),
      costUsd: result.costUsd,
      latencyMs,
      httpStatus: result.status === 'ok' ? 200 : result.status === 'cancelled' ? 499 : error!.status,
      ...(result.status === 'error' ? { errorCode: error!.code } : {}),
    },
  };
}
