/**
 * The gateway without HTTP: the configuration in force, the store, and what each endpoint does. `server.ts` puts it on a
 * socket; tests and the command line can use it as it is.
 */
import { randomBytes } from 'node:crypto';
import { type DecisionTrace, type Features, GatewrightError, type Random, seededRandom } from '@gatewright/kernel';
import { type ResponseCache, responseCache } from './caches/response-cache.ts';
import { CACHE_BYTES, cacheSettings, semanticOf } from './caches/settings.ts';
import type { Config } from './config/config.ts';
import { type Delivery, type Drive, type DriveResult, drive } from './drive.ts';
import type { RequestHints } from './features/hints.ts';
import { recentFeatures } from './features/recent.ts';
import { ANYBODY, createFeedbackDesk, type GivenFeedback, type Speaker } from './feedback-desk.ts';
import { type Identity, memoryIdentity } from './identity/administration.ts';
import { ANYONE, type Principal, requireModel } from './identity/principal.ts';
import { readsEmbedding } from './learning.ts';
import { type LiveFeed, liveFeed } from './live.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { keyAccountId } from './money/accounts.ts';
import type { Book } from './money/book.ts';
import { createLedger, type Ledger } from './money/ledger.ts';
import { createRuntime, type Decision, decide, meantModel, type Runtime } from './pipeline.ts';
import type { ProviderContext } from './providers/provider.ts';
import type { ReloadOutcome } from './reload.ts';
import { shadowOf, summaryOf, traceOf } from './request-trace.ts';
import { isConfined, lesser, withoutRouting } from './requirements.ts';
import { deadlineOf } from './resilience/deadline.ts';
import { memoryResponses, type ResponseStore } from './stores/responses.ts';
import { memoryStates, type StateStore } from './stores/states.ts';
import type { Bodies, Feedback, StoredTrace, TraceStore } from './stores/store.ts';
import { telemetryOf } from './telemetry/otlp.ts';
import { callSpanId, traceContext, traceparentOf } from './telemetry/trace-context.ts';
import { traceIds, traceTimeMs } from './trace-id.ts';
import { type ChatRequest, lastUserText } from './wire/chat.ts';
import { keptUserText } from './wire/kept-body.ts';

/** What a gateway is made of. */
export interface GatewayOptions {
  readonly config: Config;
  readonly store: TraceStore;
  /** Where the estimators' states are kept. Default: in memory. */
  readonly states?: StateStore;
  /** Where answers of the Responses API are kept. Default: in memory. */
  readonly responses?: ResponseStore;
  /** Virtual keys and the log of what managers did. Default: in memory. */
  readonly identity?: Identity;
  /** Where every call and its cost is kept. Default: in memory. */
  readonly book?: Book;
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
  /** Headers of the rate limits that the request counts against, name and value. */
  readonly limits: readonly (readonly [string, string])[];
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
  readonly responses: ResponseStore;
  readonly metrics: Metrics;
  readonly live: LiveFeed;
  /** The response caches, for status and tests. */
  readonly caches: Pick<ResponseCache, 'counts' | 'underWay'>;
  readonly identity: Identity;
  /** Who may spend how much, and what was spent. */
  readonly ledger: Ledger;
  /** Reads the configuration file again, at once; undefined where the gateway was started without one. */
  reload: (() => ReloadOutcome) | undefined;
  /** It is about to stop: no new requests should be sent here. */
  isDraining: boolean;
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
  route(request: ChatRequest, seed: number | undefined, hints?: RequestHints, principal?: Principal): Decision;
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
/** An answer that nobody was asked for. */
const NO_CALL = { costUsd: 0, promptTokens: 0, completionTokens: 0, status: 'ok' } as const;
/** What was learned since is lost if the process is killed; the journal still has the feedback. */
const SAVE_EVERY_MS = 30_000;

/**
 * Creates a gateway.
 *
 * @throws {GatewrightError} if an expert cannot be connected
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { store, env, now = Date.now, states = memoryStates(), responses = memoryResponses() } = options;
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
  const { identity = memoryIdentity(now) } = options;
  const ledger = createLedger(options.config.budgets, options.book, now);
  const telemetry = telemetryOf(options.config.telemetry, env);
  let semantic = semanticOf(options.config);
  const answers = responseCache({
    maxBytes: options.config.cache?.exact?.maxBytes ?? CACHE_BYTES,
    now,
    onOutcome: (outcome, kind, savedUsd) => metrics.cache(outcome, kind, savedUsd),
    semantic: () => semantic,
  });
  const metrics = createMetrics(() => runtime, store, { cache: answers.counts, spans: telemetry?.counts, ledger });
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
    responses,
    metrics,
    live,
    caches: answers,
    identity,
    ledger,
    reload: undefined,
    isDraining: false,
    configFault: undefined,
    get feedbackFault() {
      return desk.fault;
    },

    reconfigure(config) {
      const previous = runtime;
      const isSameCache = JSON.stringify(config.cache?.semantic) === JSON.stringify(previous.config.cache?.semantic);
      const nextSemantic = isSameCache ? semantic : semanticOf(config);
      runtime = createRuntime(config, env, now(), previous, states);
      desk.reconfigure(config.feedback);
      ledger.reconfigure(config.budgets);
      semantic = nextSemantic;
      answers.resize(config.cache?.exact?.maxBytes ?? CACHE_BYTES);
      if (config.seed !== previous.config.seed) seeds = seededRandom(config.seed ?? randomBytes(4).readUInt32LE());
      // What an estimator learned that is no more in force: it may come back.
      const saved: Promise<void> = previous.learning.save().then(() => void retired.delete(saved));
      retired.add(saved);
      // Requests under way were decided with the experts before and may still fall over to them: nothing that they may need
      // is closed before they are over.
      const over = Promise.all(underWay);
      const close = (one: { close(): Promise<void> }): void => {
        const closing: Promise<void> = over
          .then(() => one.close())
          .catch(() => {})
          .then(() => void retired.delete(closing));
        retired.add(closing);
      };
      if (previous.embedder !== undefined && previous.embedder !== runtime.embedder) close(previous.embedder);
      for (const { provider } of previous.experts)
        if (!runtime.experts.some((kept) => kept.provider === provider)) close(provider);
    },

    chat(asked) {
      const { body, seed, delivery, hints } = asked;
      const request = withoutRouting(asked.request);
      if (asked.principal !== undefined)
        for (const name of [request.model, ...(hints?.requires?.models ?? [])])
          requireModel(asked.principal, meantModel(runtime, name));
      const deadlineMs = deadlineOf(asked.headers);
      const atMs = now();
      const beganMs = performance.now();
      const used = runtime;
      const decision = decide(
        used,
        request,
        seed ?? seeds.seed(),
        atMs,
        hints,
        asked.principal === undefined ? undefined : keyAccountId(asked.principal),
        {
          leftUsd: ledger.leftUsd(asked.principal ?? ANYONE, hints?.user),
          reserveUsd: ledger.reserveUsd,
        },
      );
      const traceId = nextTraceId(atMs);
      const context =
        telemetry === undefined
          ? undefined
          : traceContext(asked.headers?.['traceparent'], traceId, telemetry.sampleRatio);
      const account = ledger.begin({
        principal: asked.principal ?? ANYONE,
        user: hints?.user,
        mode: decision.mode.name,
        dialect: asked.dialect ?? 'chat',
        traceId,
        maxCostUsd: lesser(decision.mode.maxCostUsd, hints?.requires?.maxCostUsd),
      });
      const stream = request.stream === true;
      const { composition, confidence } = decision.mode;
      const asksLogprobs = composition.needsConfidence && request.logprobs !== true;
      const clientTop = request.logprobs === true ? (request.top_logprobs ?? 0) : 0;
      const asksTop = composition.needsConfidence && confidence !== undefined && confidence.topLogprobs > clientTop;
      const withLogprobs =
        asksLogprobs || asksTop
          ? { ...request, logprobs: true, ...(asksTop ? { top_logprobs: confidence.topLogprobs } : {}) }
          : request;
      let firstCallMs = 0;
      const start = (to: Delivery, hidesUsage: boolean, waitedMs = 0): Drive => {
        firstCallMs = performance.now() - beganMs;
        return drive({
          decision,
          bodyFor: ({ expert }) => (expert.capabilities.includes('logprobs') ? withLogprobs : request),
          hide: {
            usage: hidesUsage,
            logprobs: asksLogprobs,
            ...(asksTop && !asksLogprobs ? { topLogprobs: clientTop } : {}),
          },
          stream,
          traceId,
          delivery: to,
          account,
          keepText: used.config.storage.bodies,
          extras: used.extras,
          deadlineMs: deadlineMs === undefined ? undefined : Math.max(1, deadlineMs - waitedMs),
          now: performance.now.bind(performance),
          wallNow: now,
          ...(context === undefined || telemetry?.propagates !== true
            ? {}
            : { traceparentOf: (order: number) => traceparentOf(context, callSpanId(traceId, order)) }),
        });
      };
      const hidesUsage = request.stream_options?.include_usage !== true;
      const settings = cacheSettings(used.config, decision.mode.name);
      const run = (): Drive =>
        settings === undefined
          ? start(delivery, hidesUsage)
          : answers.drive(
              {
                request,
                hints,
                seed,
                principal: asked.principal,
                headers: asked.headers,
                decision,
                configHash: used.config.hash,
                traceId,
                delivery,
                hidesUsage,
                keepText: used.config.storage.bodies,
                settings,
              },
              start,
            );
      let running: Drive;
      try {
        if (decision.features !== undefined) recent.remember(traceId, decision.features);
        used.memory.served(decision.facts);
        running = run();
      } catch (error) {
        account.end();
        throw error;
      }
      const startedMs = performance.now();
      const finish = async (): Promise<{ result: DriveResult; trace: DecisionTrace }> => {
        const result = await running.done.finally(account.end);
        const { cache } = result;
        if (cache !== undefined)
          account.book(result.expert?.expert.id ?? '', 'cache', { ...NO_CALL, savedUsd: cache.savedUsd });
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
          account.record,
        );
        metrics.request(decision.mode.name, trace);
        rememberSession(used, decision, trace, now());
        if (context !== undefined)
          telemetry?.record({
            trace,
            context,
            dialect: asked.dialect ?? 'chat',
            request,
            firstCallMs,
            durationMs: performance.now() - beganMs,
            responseModel: result.completion?.body.model,
            experts: used.experts,
          });
        if (result.status === 'cancelled') metrics.clientGone();
        const bodies: Bodies | undefined = used.config.storage.bodies
          ? { trace: traceId, request: body.toString('utf8'), answer: result.text }
          : undefined;
        const booked = ledger.kept();
        await store.addTrace(trace, bodies);
        if (booked !== undefined) await booked;
        if (live.watchers > 0)
          live.publish(
            'trace',
            summaryOf(trace, bodies === undefined ? undefined : lastUserText(request.messages), bodies?.answer),
            trace.account?.key,
          );
        return { result, trace };
      };
      const done = finish();
      const ended: Promise<unknown> = done.catch(() => {}).then(() => underWay.delete(ended));
      underWay.add(ended);
      return { traceId, decision, drive: running, limits: account.headers(), done };
    },

    prepare(request, hints) {
      const { embedder } = runtime;
      const learned = runtime.modes.get(meantModel(runtime, request.model))?.learned;
      if (embedder === undefined || learned === undefined || !readsEmbedding(learned.spec)) return undefined;
      if (isConfined(hints.requires, hints.hardFlags)) return undefined;
      return embedder
        .embed(lastUserText(request.messages))
        .then((embedding) => (embedding === undefined ? hints : { ...hints, embedding }));
    },

    route: (request, seed, hints, principal) =>
      decide(
        runtime,
        request,
        seed ?? seeds.seed(),
        now(),
        hints,
        principal === undefined ? undefined : keyAccountId(principal),
      ),

    async feedback(feedback, speaker = ANYBODY) {
      const refused = (error: GatewrightError): GatewrightError => {
        metrics.feedbackRefused(error.code);
        desk.refuse(error.code, now());
        return error;
      };
      // What is no id is not looked for: a search for an old trace reads files.
      const found = traceTimeMs(feedback.trace) === undefined ? undefined : await store.find(feedback.trace);
      // Ids of traces can be guessed: to another's key theirs are not there.
      const isOthers = speaker.account !== undefined && found?.trace.account?.key !== speaker.account;
      const stored = isOthers ? undefined : found;
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
      live.publish('feedback', judged.feedback, stored.trace.account?.key);
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
      await telemetry?.close();
      identity.close();
      ledger.close();
      responses.close();
      await store.close();
    },
  };
  return gateway;
}

/** Who answered is who has the prompt in a cache. */
function rememberSession(
  { sessions }: Runtime,
  { sessionKey }: Decision,
  { result, calls }: DecisionTrace,
  nowMs: number,
): void {
  if (sessionKey === undefined || result.status !== 'ok' || result.expert === undefined) return;
  const served = calls.find(({ rank, expert }) => rank === result.rank && expert === result.expert);
  if (served === undefined) return;
  sessions.remember(sessionKey, { expert: result.expert, promptTokens: served.promptTokens, atMs: nowMs });
}

/** The features of an older request, made again where its text was kept. */
function featuresFromBodies(
  runtime: Runtime,
  { request }: DecisionTrace,
  bodies: Bodies | undefined,
): Features | undefined {
  if (bodies === undefined) return undefined;
  const { skill, promptTokens } = request;
  return runtime.featuresOf(keptUserText(bodies.request), { task: skill, promptTokens });
}
