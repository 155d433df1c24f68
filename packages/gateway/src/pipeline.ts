/**
 * From a request to a decision: features, constraints, candidates, policy. This is the map of the package; it calls
 * nobody and writes nothing, so `/v1/route` and the served request decide in exactly the same way.
 */
import {
  type Candidate,
  type Composition,
  compositions,
  create,
  GatewrightError,
  type Policy,
  policies,
  type Removal,
  type Selection,
  type Spec,
  seededRandom,
  UnknownNameError,
} from '@gatewright/kernel';
import { type Config, type Expert, MODE_PREFIX } from './config/config.ts';
import type { Capability } from './config/schema.ts';
import { admit } from './constraints.ts';
import { connectExperts, type LiveExpert } from './experts.ts';
import { neededCapabilities } from './features/needs.ts';
import { type SkillOf, skillByKeywords } from './features/skill.ts';
import { estimatePromptTokens } from './features/tokens.ts';
import { type PriceBook, priceBook } from './prices.ts';
import type { ProviderContext } from './providers/provider.ts';
import { type ChatRequest, lastUserText } from './wire/chat.ts';

/** A configuration brought to life. A reload makes a new one; requests under way keep theirs. */
export interface Runtime {
  readonly config: Config;
  readonly experts: readonly LiveExpert[];
  readonly prices: PriceBook;
  readonly skillOf: SkillOf;
  readonly modes: ReadonlyMap<string, RuntimeMode>;
}

/** A mode with its plug-ins built. */
export interface RuntimeMode {
  /** As in the header and the trace: `gw/auto`, or `pinned` for an expert that the client named itself. */
  readonly name: string;
  readonly experts: readonly LiveExpert[];
  readonly policySpec: Spec;
  readonly policy: Policy;
  readonly compositionSpec: Spec;
  readonly composition: Composition;
}

/** What was decided for one request, and from what. */
export interface Decision {
  readonly mode: RuntimeMode;
  readonly seed: number;
  readonly promptTokens: number;
  readonly skill: string;
  readonly needs: readonly Capability[];
  readonly removed: readonly Removal[];
  readonly candidates: readonly Candidate[];
  readonly selection: Selection;
  /** The experts in the order to try them. */
  readonly ranked: readonly LiveExpert[];
}

/** Answer length assumed of an expert that says nothing of it and was not asked yet. */
const ASSUMED_OUTPUT_TOKENS = 256;
/** Latency assumed likewise, milliseconds. */
const ASSUMED_LATENCY_MS = 1_000;
/** Calls at a time at which an expert without a declared capacity counts as fully loaded. */
const NOMINAL_CONCURRENCY = 16;

/**
 * Connects the experts and builds the modes of a configuration.
 *
 * @param previous what was in force before: unchanged experts keep their connections and counters
 * @throws {GatewrightError} if an expert cannot be connected
 */
export function createRuntime(config: Config, env: ProviderContext['env'], nowMs: number, previous?: Runtime): Runtime {
  const experts = connectExperts(config.experts, env, previous?.experts);
  const modes = new Map<string, RuntimeMode>();
  for (const [name, mode] of Object.entries(config.modes)) {
    modes.set(MODE_PREFIX + name, {
      name: MODE_PREFIX + name,
      experts: mode.experts === undefined ? experts : experts.filter(({ expert }) => mode.experts!.includes(expert.id)),
      policySpec: mode.policy,
      policy: create('policy', policies, mode.policy, `modes.${name}.policy`),
      compositionSpec: mode.composition,
      composition: create('composition', compositions, mode.composition, `modes.${name}.composition`),
    });
  }
  for (const live of experts) {
    modes.set(live.expert.id, {
      name: 'pinned',
      experts: [live],
      policySpec: PINNED_POLICY,
      policy: policies.static(),
      compositionSpec: PINNED_COMPOSITION,
      composition: compositions.single(),
    });
  }
  return {
    config,
    experts,
    prices: priceBook(experts, config.prices, nowMs),
    skillOf: skillByKeywords(config.skills),
    modes,
  };
}

const PINNED_POLICY: Spec = { use: 'static' };
const PINNED_COMPOSITION: Spec = { use: 'single' };

/**
 * Decides who answers a request, in which order.
 *
 * @param seed of the decision's generator, 32 bits
 * @throws {GatewrightError} `GW_UNKNOWN_MODEL` if the request names no mode and no expert, `GW_NO_CANDIDATE` if the
 *   constraints leave nobody
 */
export function decide(runtime: Runtime, request: ChatRequest, seed: number, nowMs: number): Decision {
  const mode = runtime.modes.get(request.model);
  if (mode === undefined)
    throw new UnknownNameError('mode or expert', request.model, [...runtime.modes.keys()], {
      code: 'GW_UNKNOWN_MODEL',
      path: 'model',
    });

  const promptTokens = estimatePromptTokens(request.messages, request.tools);
  const needs = neededCapabilities(request);
  const answerTokens = request.max_completion_tokens ?? request.max_tokens ?? 0;
  const { admitted, removed } = admit(mode.experts, { needs, promptTokens, answerTokens, nowMs });
  if (admitted.length === 0) throw noCandidate(request.model, removed);

  const skill = runtime.skillOf(lastUserText(request.messages));
  runtime.prices.advance(nowMs);
  const candidates = admitted.map((live) => candidateOf(runtime, live, request, promptTokens, skill));
  const selection = mode.policy.select(candidates, { random: seededRandom(seed) });
  return {
    mode,
    seed,
    promptTokens,
    skill,
    needs,
    removed,
    candidates,
    selection,
    ranked: selection.ranked.map((index) => admitted[index]!),
  };
}

function candidateOf(
  runtime: Runtime,
  live: LiveExpert,
  request: ChatRequest,
  promptTokens: number,
  skill: string,
): Candidate {
  const { expert } = live;
  const usualTokens = expert.outputTokens ?? live.outputTokens ?? ASSUMED_OUTPUT_TOKENS;
  const mostTokens = request.max_completion_tokens ?? request.max_tokens ?? Infinity;
  const costUsd = priceUsd(expert, {
    promptTokens,
    completionTokens: Math.min(usualTokens, mostTokens) * (request.n ?? 1),
    cachedTokens: 0,
  });
  return {
    expert: expert.id,
    quality: expert.quality[skill] ?? expert.quality['default']!,
    costUsd,
    latencyMs: expert.latencyMs ?? live.latencyMs ?? ASSUMED_LATENCY_MS,
    load: live.inFlight / (expert.capacity?.concurrent ?? NOMINAL_CONCURRENCY),
    price: runtime.prices.priceOf(runtime.experts.indexOf(live), costUsd),
  };
}

/** What a call costs at an expert's declared price, USD. */
export function priceUsd(
  { price }: Expert,
  tokens: { promptTokens: number; completionTokens: number; cachedTokens: number },
): number {
  const cachedTokens = Math.min(tokens.cachedTokens, tokens.promptTokens);
  const freshTokens = tokens.promptTokens - cachedTokens;
  return (
    (freshTokens * price.inputUsdPerMTok +
      cachedTokens * (price.cachedInputUsdPerMTok ?? price.inputUsdPerMTok) +
      tokens.completionTokens * price.outputUsdPerMTok) /
    1_000_000
  );
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
