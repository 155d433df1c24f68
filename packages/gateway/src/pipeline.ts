/**
 * From a request to a decision: features, constraints, candidates, policy. This is the map of the package; it calls
 * nobody and writes nothing, so `/v1/route` and the served request decide in exactly the same way.
 */
import {
  type Candidate,
  type Composition,
  compositions,
  create,
  type Estimate,
  type EstimatorRecord,
  type Features,
  GatewrightError,
  type Policy,
  type PolicyRead,
  policies,
  type Removal,
  type RequestFacts,
  type Selection,
  type Spec,
  seededRandom,
  UnknownNameError,
} from '@gatewright/kernel';
import { type Cards, lackOnCard, readCards } from './cards.ts';
import { type ConfidenceMeasure, measureOf } from './confidence-measure.ts';
import { type AliasOf, aliasesOf } from './config/aliases.ts';
import { type Config, MODE_PREFIX } from './config/config.ts';
import type { Capability } from './config/schema.ts';
import { admit, type Demands } from './constraints.ts';
import { priceUsd } from './cost.ts';
import type { ExtraCalls } from './drive.ts';
import { connectExperts, ejectOutliers, type LiveExpert } from './experts.ts';
import { type EmbeddingClient, embeddingClient } from './features/embedding.ts';
import { NO_HINTS, type RequestHints } from './features/hints.ts';
import { neededCapabilities } from './features/needs.ts';
import { type SkillOf, skillByKeywords } from './features/skill.ts';
import { type Featurizer, featurizer } from './features/text.ts';
import { estimatePromptTokens } from './features/tokens.ts';
import { createLearning, type Learned, type Learning, readsEmbedding } from './learning.ts';
import { type PolicyMemory, policyMemory } from './policy-memory.ts';
import { type PriceBook, priceBook } from './prices.ts';
import type { ProviderContext } from './providers/provider.ts';
import { type Requirements, requireKnown } from './requirements.ts';
import { hedgeBudget } from './resilience/hedge-budget.ts';
import { tokenBucket } from './resilience/token-bucket.ts';
import { type SessionMemory, sessionFacts, sessionKey, sessionMemory } from './sessions.ts';
import { memoryStates, type StateStore } from './stores/states.ts';
import { type ChatRequest, lastUserText } from './wire/chat.ts';

/** A configuration brought to life. A reload makes a new one; requests under way keep theirs. */
export interface Runtime {
  readonly config: Config;
  readonly experts: readonly LiveExpert[];
  readonly prices: PriceBook;
  readonly skillOf: SkillOf;
  readonly featuresOf: Featurizer;
  /** Undefined where no estimator reads vectors. */
  readonly embedder: EmbeddingClient | undefined;
  readonly learning: Learning;
  /** What policies remember between requests. */
  readonly memory: PolicyMemory;
  /** Who answered last in which conversation. */
  readonly sessions: SessionMemory;
  /** What the pool may spend on retries and hedges. */
  readonly extras: ExtraCalls;
  /** What `gatewright probe` found out about the experts, read once. */
  readonly cards: Cards;
  readonly modes: ReadonlyMap<string, RuntimeMode>;
  /** What else a client may call a mode or an expert. */
  readonly aliasOf: AliasOf;
  /** Capabilities that some expert names (`neededCapabilities`). */
  readonly namedCapabilities: ReadonlySet<Capability>;
}

/** A mode with its plug-ins built. */
export interface RuntimeMode {
  /** As in the header and the trace: `gw/auto`, or `pinned` for an expert that the client named itself. */
  readonly name: string;
  readonly experts: readonly LiveExpert[];
  /** Whom it keeps out, as ids or `provider:NAME`. */
  readonly deny?: readonly string[] | undefined;
  /** What predicts quality; undefined: the declared quality stands. */
  readonly learned: Learned | undefined;
  readonly policySpec: Spec;
  readonly policy: Policy;
  /** A second policy that decides too, and never acts. */
  readonly shadow: { readonly spec: Spec; readonly policy: Policy } | undefined;
  readonly compositionSpec: Spec;
  readonly composition: Composition;
  /** How confidence is measured; undefined: the geometric mean of the tokens' probabilities. */
  readonly confidence: ConfidenceMeasure | undefined;
  /** The most that all calls of one request may come to, USD; undefined: not limited. */
  readonly maxCostUsd?: number | undefined;
  /** How often a text that broke off may be continued. */
  readonly continueAttempts: number;
}

/** What was decided for one request, and from what. */
export interface Decision {
  readonly mode: RuntimeMode;
  readonly seed: number;
  readonly promptTokens: number;
  /** Skill of the request: as the client said, else by keywords. */
  readonly skill: string;
  /** What the policy was told of the request. */
  readonly facts: RequestFacts;
  /** Of its session, for a policy that reads who answered in it last; else undefined. */
  readonly sessionKey: string | undefined;
  /** What estimators read; undefined where the configuration has none. */
  readonly features: Features | undefined;
  /** What the estimates came from; undefined where the mode has none. */
  readonly estimator: EstimatorRecord | undefined;
  readonly needs: readonly Capability[];
  readonly removed: readonly Removal[];
  readonly candidates: readonly Candidate[];
  readonly selection: Selection;
  /** The experts in the order to try them. */
  readonly ranked: readonly LiveExpert[];
}

/** What whoever asks can still spend, and what a call is reserved for, USD. */
export interface Money {
  readonly leftUsd: number;
  readonly reserveUsd: (live: LiveExpert, request: ChatRequest, promptTokens: number) => number;
}

/** Answer length assumed of an expert that says nothing of it and was not asked yet. */
const ASSUMED_OUTPUT_TOKENS = 256;
/** Latency assumed likewise, milliseconds. */
const ASSUMED_LATENCY_MS = 1_000;
/** Calls at a time at which an expert without a declared capacity counts as fully loaded. */
const NOMINAL_CONCURRENCY = 16;

/** Sixteen thousand conversations. */
const SESSION_BYTES = 4_194_304;
/** Retries that a full budget holds: so many may follow each other while nothing else happens. */
const MOST_RETRIES = 10;

/**
 * Connects the experts and builds the modes of a configuration.
 *
 * @param previous what was in force before: unchanged experts keep their connections and counters
 * @throws {GatewrightError} if an expert cannot be connected
 */
export function createRuntime(
  config: Config,
  env: ProviderContext['env'],
  nowMs: number,
  previous?: Runtime,
  states: StateStore = memoryStates(),
): Runtime {
  const learning = createLearning(config, states, previous?.learning);
  const memory = previous?.memory ?? policyMemory(states);
  const experts = connectExperts(config.experts, env, previous?.experts);
  const answering = experts.filter(({ expert }) => expert.kind !== 'embedding');
  const modes = new Map<string, RuntimeMode>();
  for (const [name, mode] of Object.entries(config.modes)) {
    modes.set(MODE_PREFIX + name, {
      name: MODE_PREFIX + name,
      experts:
        mode.experts === undefined ? answering : answering.filter(({ expert }) => mode.experts!.includes(expert.id)),
      deny: mode.deny,
      learned: mode.estimator === undefined ? undefined : learning.byName.get(mode.estimator),
      policySpec: mode.policy,
      policy: create('policy', policies, mode.policy, `modes.${name}.policy`),
      shadow:
        mode.shadow === undefined
          ? undefined
          : { spec: mode.shadow, policy: create('policy', policies, mode.shadow, `modes.${name}.shadow`) },
      compositionSpec: mode.composition,
      composition: create('composition', compositions, mode.composition, `modes.${name}.composition`),
      confidence: measureOf(mode, `modes.${name}`),
      maxCostUsd: mode.maxCostUsd,
      continueAttempts: mode.continueAttempts ?? config.resilience.continueAttempts,
    });
  }
  for (const live of answering) {
    modes.set(live.expert.id, {
      name: 'pinned',
      experts: [live],
      learned: undefined,
      policySpec: PINNED_POLICY,
      policy: policies.static(),
      shadow: undefined,
      compositionSpec: PINNED_COMPOSITION,
      composition: compositions.single(),
      confidence: undefined,
      continueAttempts: config.resilience.continueAttempts,
    });
  }
  return {
    config,
    experts,
    cards: readCards(config, nowMs),
    prices: priceBook(experts, config.prices, nowMs),
    skillOf: skillByKeywords(config.skills),
    featuresOf: featurizer(),
    embedder: embedderOf(config, env, previous),
    learning,
    memory,
    sessions: previous?.sessions ?? sessionMemory(SESSION_BYTES),
    extras: extraCalls(config, nowMs, previous),
    modes,
    aliasOf: aliasesOf(config.aliases),
    namedCapabilities: new Set(experts.flatMap(({ expert }) => expert.capabilities)),
  };
}

function extraCalls({ resilience }: Config, nowMs: number, previous: Runtime | undefined): ExtraCalls {
  // Budgets outlive a reload: else a client of the file could refill them.
  if (previous !== undefined && JSON.stringify(previous.config.resilience) === JSON.stringify(resilience))
    return previous.extras;
  const { retryShare, hedgeShare, hedgeUsdPerHour } = resilience;
  return {
    retries: tokenBucket(retryShare, retryShare === 0 ? 0 : MOST_RETRIES),
    hedges: hedgeBudget(hedgeShare, hedgeUsdPerHour, nowMs),
  };
}

function embedderOf(
  config: Config,
  env: ProviderContext['env'],
  previous: Runtime | undefined,
): EmbeddingClient | undefined {
  const { embeddings, estimators } = config;
  if (embeddings === undefined || !Object.values(estimators).some(readsEmbedding)) return undefined;
  const isSame = JSON.stringify(previous?.config.embeddings) === JSON.stringify(embeddings);
  return isSame && previous?.embedder !== undefined ? previous.embedder : embeddingClient(embeddings, env);
}

const PINNED_POLICY: Spec = { use: 'static' };
const PINNED_COMPOSITION: Spec = { use: 'single' };

/**
 * Decides who answers a request, in which order.
 *
 * @param seed of the decision's generator, 32 bits
 * @param hints what the client said beside the body
 * @param owner whose sessions count
 * @param money what whoever asks can still spend; default: nothing limits it
 * @throws {GatewrightError} `GW_UNKNOWN_MODEL` if the request names no mode and no expert, `GW_NO_CANDIDATE` if the
 *   constraints leave nobody
 */
export function decide(
  runtime: Runtime,
  request: ChatRequest,
  seed: number,
  nowMs: number,
  hints: RequestHints = NO_HINTS,
  owner = '',
  money?: Money,
): Decision {
  const { requires } = hints;
  if (requires !== undefined) requireKnown(requires, runtime.config.experts);
  const mode = modeFor(runtime, request.model, requires);

  const promptTokens = estimatePromptTokens(request.messages, request.tools);
  const needs = neededCapabilities(request, runtime.namedCapabilities);
  ejectOutliers(runtime.experts, runtime.config.resilience, nowMs);
  const answerTokens = request.max_completion_tokens ?? request.max_tokens ?? 0;
  const { admitted, removed } = admit(mode.experts, {
    needs,
    promptTokens,
    answerTokens,
    lackOf: lackByCard(runtime, request, promptTokens),
    nowMs,
    hardFlags: hints.hardFlags,
    requires: mode.name === 'pinned' && requires?.models !== undefined ? { ...requires, models: undefined } : requires,
    deny: mode.deny,
    budget: budgetOf(mode, request, promptTokens, requires?.maxCostUsd, money),
    costOf: (live) => likelyCostUsd(live, request, promptTokens),
  });
  if (admitted.length === 0) throw noCandidate(request.model, removed);

  const text = lastUserText(request.messages);
  const skill = skillOf(runtime, text, hints.task);
  runtime.prices.advance(nowMs);
  const { learned } = mode;
  const features =
    runtime.learning.byName.size === 0
      ? undefined
      : runtime.featuresOf(text, {
          task: skill,
          promptTokens,
          ...(hints.embedding === undefined ? {} : { embedding: hints.embedding }),
        });
  const estimates = learned?.predict(
    features!,
    admitted.map(({ expert }) => expert.id),
  );
  const key =
    mode.policy.reads?.includes('session') === true ? sessionKey(request, owner, hints.session, hints.user) : undefined;
  const facts = {
    ...factsOf(runtime, mode.policy.reads ?? [], skill, promptTokens, hints),
    ...sessionOf(runtime, key, request, promptTokens, nowMs),
  };
  const weights =
    mode.policy.reads?.includes('weight') === true
      ? runtime.memory.weightsOf(
          facts.groups ?? [],
          admitted.map(({ expert }) => expert.id),
        )
      : undefined;
  const candidates = admitted.map((live, index) => ({
    ...candidateOf(runtime, live, request, promptTokens, skill, estimates?.[index]),
    ...(weights === undefined ? {} : { weight: weights[index]! }),
  }));
  const selection = mode.policy.select(candidates, { random: seededRandom(seed), request: facts });
  return {
    mode,
    seed,
    promptTokens,
    skill,
    facts,
    sessionKey: key,
    features,
    estimator:
      learned === undefined
        ? undefined
        : { name: learned.name, use: learned.spec.use, stateId: learned.stateId, observations: learned.observations },
    needs,
    removed,
    candidates,
    selection,
    ranked: selection.ranked.map((index) => admitted[index]!),
  };
}

function budgetOf(
  { maxCostUsd }: RuntimeMode,
  request: ChatRequest,
  promptTokens: number,
  demandedUsd: number | undefined,
  money: Money | undefined,
): Demands['budget'] {
  if (money === undefined) return undefined;
  const leftUsd = Math.min(money.leftUsd, maxCostUsd ?? Infinity, demandedUsd ?? Infinity);
  if (leftUsd === Infinity) return undefined;
  return { leftUsd, reserveUsd: (live) => money.reserveUsd(live, request, promptTokens) };
}

/**
 * The mode that a request asks for, with what the client says of fallbacks.
 *
 * @throws {UnknownNameError} `GW_UNKNOWN_MODEL`
 */
function modeFor(runtime: Runtime, model: string, requires: Requirements | undefined): RuntimeMode {
  const { models, noFallback } = requires ?? {};
  let mode = modeNamed(runtime, model, 'model');
  if (models !== undefined) {
    const listed = models.flatMap((id, index) => expertNamed(runtime, id, `models[${index}]`));
    // An expert with others behind it: tried in the order in which the client names them. Of a mode they are a choice.
    if (mode.name === 'pinned') {
      const attempts = models.length + 1;
      mode = {
        ...mode,
        experts: [...new Set([...mode.experts, ...listed])],
        compositionSpec: { use: 'fallback', attempts },
        composition: compositions.fallback({ attempts }),
      };
    }
  }
  return noFallback === true
    ? { ...mode, compositionSpec: PINNED_COMPOSITION, composition: compositions.single() }
    : mode;
}

/** The mode or expert that a client's name stands for: what is looked up and what a key must be allowed. */
export function meantModel({ modes, aliasOf }: Runtime, model: string): string {
  return modes.has(model) ? model : (aliasOf(model) ?? model);
}

function modeNamed({ modes, config, aliasOf }: Runtime, name: string, path: string): RuntimeMode {
  const mode = modes.get(name) ?? modes.get(aliasOf(name) ?? '');
  if (mode !== undefined) return mode;
  if (config.experts.some(({ id }) => id === name))
    throw new GatewrightError('GW_UNKNOWN_MODEL', `${name} makes vectors, not answers.`, {
      path,
      fix: 'POST to /v1/embeddings, or name another expert or a mode.',
    });
  throw new UnknownNameError('mode or expert', name, [...modes.keys()], { code: 'GW_UNKNOWN_MODEL', path });
}

function expertNamed(runtime: Runtime, id: string, path: string): readonly LiveExpert[] {
  const { name, experts } = modeNamed(runtime, id, path);
  if (name === 'pinned') return experts;
  throw new GatewrightError('GW_UNKNOWN_MODEL', `${id} is a mode, and only experts can be listed.`, {
    path,
    fix: 'List experts, or ask for the mode as model.',
  });
}

/** What a call costs by estimate: as long as the client lets the answer become, else as long as they usually are. */
function likelyCostUsd({ expert, outputTokens }: LiveExpert, request: ChatRequest, promptTokens: number): number {
  const usualTokens = expert.outputTokens ?? outputTokens ?? ASSUMED_OUTPUT_TOKENS;
  const completionTokens = request.max_completion_tokens ?? request.max_tokens ?? usualTokens;
  return priceUsd(expert, { promptTokens, completionTokens: completionTokens * (request.n ?? 1) });
}

function candidateOf(
  runtime: Runtime,
  live: LiveExpert,
  request: ChatRequest,
  promptTokens: number,
  skill: string,
  estimate: Estimate | undefined,
): Candidate {
  const { expert } = live;
  const usualTokens = expert.outputTokens ?? live.outputTokens ?? ASSUMED_OUTPUT_TOKENS;
  const mostTokens = request.max_completion_tokens ?? request.max_tokens ?? Infinity;
  const costUsd = priceUsd(expert, {
    promptTokens,
    completionTokens: Math.min(usualTokens, mostTokens) * (request.n ?? 1),
  });
  return {
    expert: expert.id,
    quality: estimate?.value ?? expert.quality[skill] ?? expert.quality['default']!,
    costUsd,
    latencyMs: expert.latencyMs ?? live.latencyMs ?? ASSUMED_LATENCY_MS,
    load: live.inFlight / (expert.capacity?.concurrent ?? NOMINAL_CONCURRENCY),
    price: runtime.prices.priceOf(runtime.experts.indexOf(live), costUsd),
    ...(estimate === undefined ? {} : { qualitySd: estimate.sd, observations: estimate.count }),
    ...(expert.attributes === undefined ? {} : { attributes: expert.attributes }),
  };
}

/**
 * The kind of a request: what the client calls it, else what its words suggest.
 *
 * @throws {GatewrightError} `GW_UNKNOWN_TASK`: a name that the configuration does not have would gather evidence of its own
 */
function skillOf(runtime: Runtime, text: string, task: string | undefined): string {
  if (task === undefined) return runtime.skillOf(text);
  if (task === 'default' || Object.hasOwn(runtime.config.skills, task)) return task;
  throw new UnknownNameError('task', task, ['default', ...Object.keys(runtime.config.skills)], {
    code: 'GW_UNKNOWN_TASK',
    path: 'x-gw-task',
  });
}

function factsOf(
  { memory }: Runtime,
  reads: readonly PolicyRead[],
  task: string,
  promptTokens: number,
  { groups, flags, user }: RequestHints,
): RequestFacts {
  const preference = user !== undefined && reads.includes('preference') ? memory.preferenceOf(user) : undefined;
  return {
    task,
    promptTokens,
    groups: ['all', `task:${task}`, ...groups],
    flags,
    ...(reads.includes('promptRank') ? { promptRank: memory.promptRankOf(promptTokens) } : {}),
    ...(preference === undefined
      ? {}
      : { preference: { qualityWeight: preference.qualityWeight, count: preference.count } }),
  };
}

function sessionOf(
  { sessions, experts }: Runtime,
  key: string | undefined,
  request: ChatRequest,
  promptTokens: number,
  nowMs: number,
): Pick<RequestFacts, 'session'> {
  const session = key === undefined ? undefined : sessions.of(key);
  if (session === undefined) return {};
  const live = experts.find(({ expert }) => expert.id === session.expert);
  return { session: sessionFacts(session, live, request, promptTokens, nowMs) };
}

/** What the cards say against an expert; undefined where there are none, so that nothing is looked up. */
function lackByCard(
  { cards: { byExpert } }: Runtime,
  request: ChatRequest,
  promptTokens: number,
): ((expertId: string) => Removal | undefined) | undefined {
  if (byExpert.size === 0) return undefined;
  return (expertId) => {
    const card = byExpert.get(expertId);
    return card === undefined ? undefined : lackOnCard(card, request, promptTokens);
  };
}

function noCandidate(model: string, removed: readonly Removal[]): GatewrightError {
  const reasons = removed.map(({ expert, constraint, detail }) => `${expert} (${constraint}): ${detail}`);
  return new GatewrightError(
    'GW_NO_CANDIDATE',
    `No expert of ${model} can answer this request. ${reasons.join('; ')}.`,
    {
      fix: 'Change the request, or add an expert that offers what it needs (capabilities, contextTokens).',
      facts: { removed },
    },
  );
}
