/**
 * The gateway without HTTP: the configuration in force, the store, and what each endpoint does. `server.ts` puts it on a
 * socket; tests and the command line can use it as it is.
 */
import { hash, randomBytes } from 'node:crypto';
import {
  type DecisionTrace,
  decideInShadow,
  type Features,
  GatewrightError,
  type Random,
  type ShadowRecord,
  seededRandom,
  TRACE_VERSION,
} from '@gatewright/kernel';
import type { Config } from './config/config.ts';
import { type Delivery, type Drive, type DriveResult, drive } from './drive.ts';
import type { RequestHints } from './features/hints.ts';
import { recentFeatures } from './features/recent.ts';
import { ANYBODY, createFeedbackDesk, type GivenFeedback, type Speaker } from './feedback-desk.ts';
import { toHttpError } from './http-errors.ts';
import type { Principal } from './identity/principal.ts';
import { readsEmbedding } from './learning.ts';
import { type LiveFeed, liveFeed } from './live.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createRuntime, type Decision, decide, type Runtime } from './pipeline.ts';
import type { ProviderContext } from './providers/provider.ts';
import { memoryStates, type StateStore } from './stores/states.ts';
import type { Bodies, Feedback, StoredTrace, TraceStore } from './stores/store.ts';
import { traceIds, traceTimeMs } from './trace-id.ts';
import { type ChatRequest, lastUserText } from './wire/chat.ts';

/** What a gateway is made of. */
export interface GatewayOptions {
  readonly config: Config;
  readonly store: TraceStore;
  /** Where the estimators' states are kept. Default: in memory. */
  readonly states?: StateStore;
  readonly env: ProviderContext['env'];
  /** Milliseconds since 1970. Default the clock. */
  readonly now?: () => number;
}

/** A chat request and what is known of whoever sent it. */
export interface AskedChat {
  /** In the one form, whatever the client spoke. */
  readonly request: ChatRequest;
  /** The body as received, for its hash. */
  readonly body: Buffer;
  /** Of the decision; drawn if undefined. */
  readonly seed?: number | undefined;
  /** Where a stream goes. */
  readonly delivery: Delivery;
  /** What the client said beside the body. */
  readonly hints?: RequestHints | undefined;
  /** Who asks. Default: anyone. */
  readonly principal?: Principal;
  /** The client's format. Default `chat`. */
  readonly dialect?: string;
  /** Headers of the request, for those that concern the gateway (`x-gw-...`, `traceparent`). */
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
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
  /** Why what is known of voters could not be saved; undefined when it was. */
  readonly feedbackFault: string | undefined;
  /** Makes another configuration the one in force, for requests from now on. @throws {GatewrightError} and changes nothing */
  reconfigure(config: Config): void;
  /**
   * Decides and starts a chat request.
   *
   * @throws {GatewrightError} `GW_UNKNOWN_MODEL`, `GW_NO_CANDIDATE`
   */
  chat(asked: AskedChat): ChatExchange;
  /**
   * Fetches what a decision needs from elsewhere: the vector of the text, where an estimator reads it. Undefined where
   * there is nothing to wait for. Never rejects: without a vector the request is routed all the same.
   */
  prepare(request: ChatRequest, hints: RequestHints): Promise<RequestHints> | undefined;
  /** Decides without calling anybody. */
  route(request: ChatRequest, seed: number | undefined, hints?: RequestHints): Decision;
  /**
   * Takes feedback on a served trace and weighs it; learners see what is admitted. What is refused for its voter's sake is
   * kept too, with `admitted` false.
   *
   * @param speaker who sends it; default somebody without a key
   * @throws {GatewrightError} `GW_TRACE_UNKNOWN`, `GW_TRACE_UNSERVED`, `GW_FEEDBACK_LIMIT`, `GW_STORE_WRITE`
   */
  feedback(given: GivenFeedback, speaker?: Speaker): Promise<Feedback>;
  /** Closes connections and the store, after what is under way. */
  close(): Promise<void>;
}

/** Nobody judges an answer more often; whoever does fills the memory. */
const MOST_FEEDBACK = 100;
/** Features of about the newest ten thousand requests wait for feedback. */
const RECENT_FEATURES_BYTES = 33_554_432;
/** What was learned since is lost if the process is killed; the journal still has the feedback. */
const SAVE_EVERY_MS = 30_000;

/**
 * Creates a gateway.
 *
 * @throws {GatewrightError} if an expert cannot be connected
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { store, env, now = Date.now, states = memoryStates() } = options;
  let runtime = createRuntime(options.config, env, now(), undefined, states);
  const recent = recentFeatures(RECENT_FEATURES_BYTES);
  const desk = createFeedbackDesk(options.config.feedback, states, store);
  const saving = setInterval(() => {
    void runtime.learning.save();
    void runtime.memory.save();
    void desk.save(now());
  }, SAVE_EVERY_MS);
  saving.unref();
  let seeds: Random = seededRandom(options.config.seed ?? randomBytes(4).readUInt32LE());
  const live = liveFeed();
  const metrics = createMetrics(() => runtime, store);
  const nextTraceId = traceIds();
  const retired = new Set<Promise<void>>();
  const underWay = new Set<Promise<unknown>>();

  /** Teaches the estimators what a served answer was worth, if it is still known what the request looked like. */
  const learnFrom = ({ trace, bodies }: StoredTrace, { score, weight = 1 }: Feedback): void => {
    const { expert } = trace.result;
    if (runtime.learning.byName.size === 0 || expert === undefined) return;
    const features = recent.of(trace.id) ?? featuresFromBodies(runtime, trace, bodies);
    if (features === undefined) metrics.feedbackUnlearned();
    else runtime.learning.learn({ features, expert, score, weight });
  };

  const gateway: Gateway = {
    get runtime() {
      return runtime;
    },
    store,
    metrics,
    live,
    configFault: undefined,
    get feedbackFault() {
      return desk.fault;
    },

    reconfigure(config) {
      const previous = runtime;
      runtime = createRuntime(config, env, now(), previous, states);
      desk.reconfigure(config.feedback);
      if (config.seed !== previous.config.seed) seeds = seededRandom(config.seed ?? randomBytes(4).readUInt32LE());
      // What an estimator learned that is no more in force: it may come back.
      const saved: Promise<void> = previous.learning.save().then(() => void retired.delete(saved));
      retired.add(saved);
      if (previous.embedder !== undefined && previous.embedder !== runtime.embedder)
        void previous.embedder.close().catch(() => {});
      // Calls under way keep their connections: closing a provider waits for them.
      for (const { provider } of previous.experts) {
        if (runtime.experts.some((kept) => kept.provider === provider)) continue;
        const closing = provider.close().catch(() => {});
        retired.add(closing);
        void closing.then(() => retired.delete(closing));
      }
    },

    chat({ request, body, seed, delivery, hints }) {
      const atMs = now();
      const used = runtime;
      const decision = decide(used, request, seed ?? seeds.seed(), atMs, hints);
      const traceId = nextTraceId(atMs);
      if (decision.features !== undefined) recent.remember(traceId, decision.features);
      used.memory.served(decision.facts);
      const stream = request.stream === true;
      const { composition, confidence } = decision.mode;
      const asksLogprobs = composition.needsConfidence && request.logprobs !== true;
      const clientTop = request.logprobs === true ? (request.top_logprobs ?? 0) : 0;
      const asksTop = composition.needsConfidence && confidence !== undefined && confidence.topLogprobs > clientTop;
      const withLogprobs =
        asksLogprobs || asksTop
          ? { ...request, logprobs: true, ...(asksTop ? { top_logprobs: confidence.topLogprobs } : {}) }
          : request;
      const running = drive({
        decision,
        bodyFor: ({ expert }) => (expert.capabilities.includes('logprobs') ? withLogprobs : request),
        hide: {
          usage: request.stream_options?.include_usage !== true,
          logprobs: asksLogprobs,
          ...(asksTop && !asksLogprobs ? { topLogprobs: clientTop } : {}),
        },
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
        const latencyMs = performance.now() - startedMs;
        const trace = traceOf(
          traceId,
          atMs,
          used.config.hash,
          request,
          body,
          decision,
          result,
          latencyMs,
          shadowOf(decision, metrics),
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

    prepare(request, hints) {
      const { embedder } = runtime;
      const learned = runtime.modes.get(request.model)?.learned;
      if (embedder === undefined || learned === undefined || !readsEmbedding(learned.spec)) return undefined;
      return embedder
        .embed(lastUserText(request.messages))
        .then((embedding) => (embedding === undefined ? hints : { ...hints, embedding }));
    },

    route: (request, seed, hints) => decide(runtime, request, seed ?? seeds.seed(), now(), hints),

    async feedback(feedback, speaker = ANYBODY) {
      const refused = (error: GatewrightError): GatewrightError => {
        metrics.feedbackRefused(error.code);
        desk.refuse(error.code, now());
        return error;
      };
      // What is no id is not looked for: a search for an old trace reads files.
      const stored = traceTimeMs(feedback.trace) === undefined ? undefined : await store.find(feedback.trace);
      if (stored === undefined) {
        throw refused(
          new GatewrightError('GW_TRACE_UNKNOWN', `There is no trace ${JSON.stringify(feedback.trace.slice(0, 60))}.`, {
            fix: 'Send the x-gw-trace header of an answer of this gateway.',
            path: 'trace',
          }),
        );
      }
      if (stored.trace.result.status !== 'ok') {
        throw refused(
          new GatewrightError(
            'GW_TRACE_UNSERVED',
            `Trace ${feedback.trace} served no answer (${stored.trace.result.status}).`,
            { fix: 'Give feedback on answers that were served.', path: 'trace' },
          ),
        );
      }
      if (stored.feedback.length >= MOST_FEEDBACK) {
        throw refused(
          new GatewrightError('GW_FEEDBACK_LIMIT', `Trace ${feedback.trace} has ${MOST_FEEDBACK} feedbacks already.`, {
            fix: 'Give one feedback for each judge of an answer.',
            path: 'trace',
          }),
        );
      }
      const judged = desk.admit(feedback, speaker, stored, now());
      try {
        await store.addFeedback(judged.feedback);
      } catch (error) {
        // It will be sent again.
        judged.withdraw();
        throw error;
      }
      if (judged.admission.admitted) {
        metrics.feedback();
        learnFrom(stored, judged.feedback);
        const { score, weight = 1 } = judged.feedback;
        runtime.memory.judged(stored.trace, score, weight, feedback.user);
      } else metrics.feedbackRefused(judged.admission.refusal ?? 'other');
      live.publish('feedback', judged.feedback);
      return judged.feedback;
    },

    async close() {
      live.close();
      // Cut connections have cancelled their calls just now: the traces of those belong to the store too.
      await Promise.all([
        ...underWay,
        ...runtime.experts.map(({ provider }) => provider.close().catch(() => {})),
        runtime.embedder?.close().catch(() => {}),
        ...retired,
      ]);
      clearInterval(saving);
      await runtime.learning.save();
      await runtime.memory.save();
      await desk.save(now(), true);
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

/** The features of an older request, made again where its text was kept. */
function featuresFromBodies(
  runtime: Runtime,
  { request }: DecisionTrace,
  bodies: Bodies | undefined,
): Features | undefined {
  if (bodies === undefined) return undefined;
  const { messages } = JSON.parse(bodies.request) as ChatRequest;
  const { skill, promptTokens } = request;
  return runtime.featuresOf(lastUserText(messages), { task: skill, promptTokens });
}

/** What the mode's shadow would have done. Asked once the answer is there; its failure is counted and hurts nobody. */
function shadowOf(decision: Decision, metrics: Metrics): ShadowRecord | undefined {
  const { shadow, name } = decision.mode;
  if (shadow === undefined) return undefined;
  try {
    const record = decideInShadow(shadow.spec, shadow.policy, decision);
    metrics.shadow(name, record.agrees);
    return record;
  } catch {
    metrics.shadow(name, 'failed');
    return undefined;
  }
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
  shadow: ShadowRecord | undefined,
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
      facts: decision.facts,
    },
    removed: decision.removed,
    ...(decision.estimator === undefined ? {} : { estimator: decision.estimator }),
    candidates: decision.candidates,
    policy: decision.mode.policySpec,
    selection: decision.selection,
    ...(shadow === undefined ? {} : { shadow }),
    composition: decision.mode.compositionSpec,
    ...(decision.mode.confidence === undefined ? {} : { confidence: decision.mode.confidence.spec }),
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
