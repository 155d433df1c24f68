/**
 * Requests for vectors: who may make them, in which order, and what they cost. There is no policy in it: vectors of
 * different models cannot be compared, so only experts with the very same model stand in for each other.
 */
import { GatewrightError, type Removal, UnknownNameError } from '@gatewright/kernel';
import { type Expert, MODE_PREFIX } from './config/config.ts';
import { admit } from './constraints.ts';
import { priceUsd } from './cost.ts';
import type { CallTicket } from './drive.ts';
import { callCancelled, callFailed, callStarted, callSucceeded, type LiveExpert } from './experts.ts';
import type { RequestHints } from './features/hints.ts';
import { isAllowed, type Principal, requireModel } from './identity/principal.ts';
import type { Metrics } from './metrics.ts';
import type { Runtime } from './pipeline.ts';
import { ProviderFailure } from './providers/failure.ts';
import type { EmbeddingAnswer, RunningEmbedding } from './providers/provider.ts';
import { requireKnown } from './requirements.ts';
import { type EmbeddingRequest, inputTokens } from './wire/embeddings.ts';

/** Reserves what a call for vectors may cost. The ledger's account of a request is one. */
export interface EmbeddingAccount {
  hold(
    expert: string,
    most: { readonly promptTokens: number; readonly completionTokens: number; readonly costUsd: number },
    kind: 'embedding',
  ): CallTicket | ProviderFailure;
}

/** What to do it with. */
export interface EmbeddingOptions {
  readonly hints: RequestHints;
  /** Who asks: experts that this key may not name do not exist for it. */
  readonly principal: Principal;
  readonly traceId: string;
  readonly metrics: Pick<Metrics, 'embedding'>;
  readonly account?: EmbeddingAccount | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Who answers, and what came of it. */
export interface EmbeddingExchange {
  /** @throws (rejects) {GatewrightError} the last failure, when nobody answered */
  readonly done: Promise<EmbeddingResult>;
  /** The client has gone. Idempotent. */
  cancel(): void;
}

/** An answer. */
export interface EmbeddingResult extends EmbeddingAnswer {
  readonly expert: LiveExpert;
  readonly promptTokens: number;
  /** Of all calls. */
  readonly costUsd: number;
}

/** Estimates of texts fall short of code and other scripts by up to this factor. */
const RESERVE_FACTOR = 1.5;

/**
 * Asks for vectors.
 *
 * @throws {GatewrightError} `GW_MODEL_FORBIDDEN`, `GW_UNKNOWN_MODEL`, `GW_NO_CANDIDATE`
 */
export function embed(runtime: Runtime, request: EmbeddingRequest, options: EmbeddingOptions): EmbeddingExchange {
  const { hints, now } = options;
  const { requires, hardFlags } = hints;
  if (requires !== undefined) requireKnown(requires, runtime.config.experts);
  const named = sameModel(runtime, request.model, options.principal);
  const { total, longest } = inputTokens(request);
  const { admitted, removed } = admit(named, {
    needs: [],
    promptTokens: longest,
    answerTokens: 0,
    nowMs: now(),
    hardFlags,
    requires,
    costOf: ({ expert }) => costOf(expert, total),
  });
  if (admitted.length === 0) throw noCandidate(request.model, removed);
  const order = requires?.noFallback === true ? admitted.slice(0, 1) : admitted;
  let running: RunningEmbedding | undefined;
  let isCancelled = false;
  return {
    done: run(),
    cancel() {
      isCancelled = true;
      running?.cancel();
    },
  };

  async function run(): Promise<EmbeddingResult> {
    let spentUsd = 0;
    let failure: ProviderFailure | undefined;
    for (const live of order) {
      const { expert } = live;
      const most = Math.ceil(total * RESERVE_FACTOR);
      const ticket = options.account?.hold(
        expert.id,
        { promptTokens: most, completionTokens: 0, costUsd: costOf(expert, most) },
        'embedding',
      );
      if (ticket instanceof ProviderFailure) {
        failure = ticket;
        if (!ticket.elsewhere) break;
        continue;
      }
      const startedMs = now();
      const permit = callStarted(live, startedMs, true)!;
      const settle = (status: 'ok' | 'error' | 'cancelled', promptTokens: number): number => {
        const costUsd = status === 'error' ? 0 : costOf(expert, promptTokens);
        ticket?.settle({ costUsd, promptTokens, completionTokens: 0, status });
        options.metrics.embedding(expert.id, status, promptTokens, costUsd);
        spentUsd += costUsd;
        return costUsd;
      };
      try {
        running = live.provider.embed!({ body: request, traceId: options.traceId });
        if (isCancelled) running.cancel();
        const answer = await running.answer;
        const told = answer.body.usage?.prompt_tokens;
        const promptTokens = typeof told === 'number' && told >= 0 && told < 1e12 ? told : total;
        const costUsd = settle('ok', promptTokens);
        callSucceeded(live, permit, { latencyMs: now() - startedMs, completionTokens: 0, costUsd }, now());
        return { ...answer, expert: live, promptTokens, costUsd: spentUsd };
      } catch (error) {
        failure = asFailure(error);
        // Whoever was asked may have done the work all the same.
        if (failure.code === 'GW_CANCELLED') callCancelled(live, permit, settle('cancelled', total));
        else callFailed(live, permit, failure, settle('error', 0), now());
        if (!failure.elsewhere || isCancelled) break;
      }
    }
    throw failure!;
  }
}

/** What makes the vectors of an expert what they are: only experts with the same may stand in for each other. */
export function vectorSpace({ provider }: Pick<Expert, 'provider'>): string {
  const { model, expert, params } = provider as { model?: unknown; expert?: unknown; params?: unknown };
  return JSON.stringify([model ?? expert, params ?? {}]);
}

/** The expert of that id and all with its model behind it; else all experts whose server calls their model so. */
function sameModel({ experts, modes }: Runtime, model: string, principal: Principal): LiveExpert[] {
  const embedding = experts.filter(
    ({ expert, provider }) =>
      expert.kind === 'embedding' && provider.embed !== undefined && isAllowed(principal, expert.id),
  );
  const first =
    embedding.find(({ expert }) => expert.id === model) ??
    embedding.find(({ expert }) => (expert.provider as { model?: unknown }).model === model);
  if (first !== undefined) {
    const space = vectorSpace(first.expert);
    return [first, ...embedding.filter((live) => live !== first && vectorSpace(live.expert) === space)];
  }
  requireModel(principal, model);
  if (modes.has(model) || model.startsWith(MODE_PREFIX))
    throw new GatewrightError('GW_UNKNOWN_MODEL', `${model} gives answers, not vectors.`, {
      path: 'model',
      fix: `POST to /v1/chat/completions, or name an expert of kind embedding: ${embedding.map(({ expert }) => expert.id).join(', ') || 'there is none'}.`,
    });
  const known = embedding.map(({ expert }) => expert.id);
  throw new UnknownNameError('expert of kind embedding', model, known, { code: 'GW_UNKNOWN_MODEL', path: 'model' });
}

function costOf(expert: Expert, promptTokens: number): number {
  return priceUsd(expert, { promptTokens, completionTokens: 0 });
}

function noCandidate(model: string, removed: readonly Removal[]): GatewrightError {
  const reasons = removed.map(({ expert, constraint, detail }) => `${expert} (${constraint}): ${detail}`);
  return new GatewrightError(
    'GW_NO_CANDIDATE',
    `No expert of ${model} can make these vectors. ${reasons.join('; ')}.`,
    {
      fix: 'Change the request, or add an expert with the same model that may take it.',
      facts: { removed },
    },
  );
}

function asFailure(error: unknown): ProviderFailure {
  if (error instanceof ProviderFailure) return error;
  return new ProviderFailure('GW_UPSTREAM_MALFORMED', 'The expert failed in an unexpected way.', {
    fix: 'This is a defect of the provider: report it.',
    elsewhere: true,
    cause: error,
  });
}
